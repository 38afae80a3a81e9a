package org.gatun;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Switches over sealed types name what they do not heed: a new kind, or a new op, does not compile until each has decided.
class SealedSwitchTest {
    private static final Path SOURCES = Path.of("src/main/java");
    private static final Pattern NO_CODE = Pattern.compile(
            "\"\"\"[\\s\\S]*?\"\"\"|\"(?:\\\\.|[^\"\\\\\n])*+\"|'(?:\\\\.|[^'\\\\\n])++'|/\\*[\\s\\S]*?\\*/|//[^\n]*");
    private static final Pattern SEALED = Pattern.compile("sealed (?:interface|abstract class) (\\w+)");
    private static final Pattern SWITCH = Pattern.compile("\\bswitch \\(");
    private static final Pattern LABEL = Pattern.compile("\\b(?:case|default)\\b[^;{}]*?->");

    /// Switches that have a default and a label that is a kind of one of these types.
    private static int defaults(String text, Set<String> sealed) {
        String code = NO_CODE.matcher(text).replaceAll(match -> match.group().replaceAll("[^\n]", " "));
        int found = 0;
        for (MatchResult begin : SWITCH.matcher(code).results().toList()) {
            List<String> labels = labels(code, code.indexOf('{', begin.end()));
            boolean kinds = labels.stream().anyMatch(label -> sealed.stream().anyMatch(type -> label.matches("case " + type + "(\\.| _)[\\s\\S]*")));
            found += kinds && labels.stream().anyMatch(label -> label.contains("default")) ? 1 : 0;
        }
        return found;
    }

    /// The labels of the switch whose block begins at a brace, those of switches within it left out.
    private static List<String> labels(String code, int brace) {
        StringBuilder own = new StringBuilder();
        int depth = 1;
        for (int at = brace + 1; depth > 0; at++) {
            depth += code.charAt(at) == '{' ? 1 : code.charAt(at) == '}' ? -1 : 0;
            own.append(depth == 1 ? code.charAt(at) : ';');
        }
        return LABEL.matcher(own).results().map(MatchResult::group).toList();
    }

    @Test
    void switches_overSealedTypes_haveNoDefault() throws IOException {
        Map<String, String> sources = new TreeMap<>();
        try (Stream<Path> files = Files.walk(SOURCES)) {
            for (Path file : files.filter(file -> file.toString().endsWith(".java")).toList()) {
                sources.put(file.toString(), Files.readString(file));
            }
        }
        Set<String> sealed = sources.values().stream().flatMap(text -> SEALED.matcher(text).results()).map(match -> match.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
        assertTrue(sealed.containsAll(Set.of("DType", "Op", "Step", "LayerState", "AttentionMask")), sealed.toString());
        sealed.addAll(Set.of("Plain", "Block", "Sparse")); // the kinds of DType, which switches name alone
        List<String> found = new ArrayList<>();
        sources.forEach((file, text) -> {
            String name = Path.of(file).getFileName().toString();
            int defaults = defaults(text, sealed);
            if (defaults > 0) {
                found.add(name + ": " + defaults);
            }
        });

        assertEquals(List.of(), found);
    }

    @Test
    void defaults_switchOverKinds_isFoundOnlyWhereItHasOne() {
        Set<String> sealed = Set.of("Op");

        assertEquals(1, defaults("switch (op) { case Op.Rope rope -> { f(rope); } default -> { } }", sealed));
        assertEquals(1, defaults("switch (op) { case Op _ when f() -> { } default -> { } }", sealed));
        assertEquals(0, defaults("switch (op) { case Op.Rope _, Op.Embed _ -> { } }", sealed));
        assertEquals(0, defaults("switch (op) { case Op.Rope _ -> { switch (i) { case 1 -> { } default -> { } } } }", sealed));
        assertEquals(0, defaults("switch (i) { case 1 -> f(Op.Rope.X); default -> \"case Op.Rope\"; }", sealed));
    }
}
