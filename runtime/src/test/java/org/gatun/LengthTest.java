package org.gatun;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Holds classes and functions to the lengths of `docs/decisions/long-classes.md`.
class LengthTest {
    private static final Path ROOT = Path.of("..");
    private static final int MAX_CLASS = 400;
    private static final int MAX_FUNCTION = 60;
    private static final int MAX_KERNEL_FUNCTION = 100;

    private static final Pattern ROW = Pattern.compile("\\| `([^`]+)` \\| (\\d+) \\| \\S");
    private static final Pattern NO_CODE = Pattern.compile(
            "\"\"\"[\\s\\S]*?\"\"\"|\"(?:\\\\.|[^\"\\\\\n])*+\"|'(?:\\\\.|[^'\\\\\n])++'|/\\*[\\s\\S]*?\\*/|//[^\n]*");
    private static final Pattern HEAD = Pattern.compile("^[ \t]*+(?!(?:return|else|new|throw|case|yield|if|for|while|switch|try|catch"
            + "|do|struct|record)\\b|synchronized \\(|.*\\brecord )(?:[\\w<>\\[\\],.?@&*:]+[ \t]+)*+(\\w+)\\s*\\([^;{}]*\\)\\s*"
            + "(?:const\\s*|throws[\\w.,\\s]+)?\\{", Pattern.MULTILINE);

    private static Map<String, Integer> allowed() throws IOException {
        return ROW.matcher(Files.readString(ROOT.resolve("docs/decisions/long-classes.md"))).results()
                .collect(Collectors.toMap(row -> row.group(1), row -> Integer.parseInt(row.group(2))));
    }

    private static List<Path> sources(String... folders) throws IOException {
        List<Path> sources = new ArrayList<>();
        for (String folder : folders) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(folder))) {
                files.filter(file -> file.toString().matches(".*/src/main/.*\\.java|.*/cuda-kernels/\\w+/[\\w.]+\\.cuh?"))
                        .filter(file -> !file.toString().contains("/cuda/bindings/")).forEach(sources::add);
            }
        }
        return sources;
    }

    /// Names with more lines than there should be, by their names on the page.
    private static void note(Map<String, Integer> found, String name, int lines, int max) {
        if (lines > max) {
            found.merge(name, lines, Math::max);
        }
    }

    /// The lines of each function, from its head to its last brace.
    private static List<Map.Entry<String, Integer>> functions(String text) {
        String code = NO_CODE.matcher(text).replaceAll(match -> match.group().replaceAll("[^\n]", " "));
        List<Map.Entry<String, Integer>> functions = new ArrayList<>();
        for (MatchResult head : HEAD.matcher(code).results().toList()) {
            int depth = 1;
            int end = head.end();
            while (depth > 0) {
                depth += code.charAt(end) == '{' ? 1 : code.charAt(end) == '}' ? -1 : 0;
                end++;
            }
            functions.add(Map.entry(head.group(1), (int) code.substring(head.start(), end).strip().lines().count()));
        }
        return functions;
    }

    @Test
    void lengths_classesAndFunctions_areWithinBoundsOrExplained() throws IOException {
        Map<String, Integer> found = new TreeMap<>();
        int functions = 0;
        for (Path file : sources("runtime", "bindings", "cuda-kernels", "samples")) {
            String name = ROOT.relativize(file).toString();
            String text = Files.readString(file);
            boolean java = name.endsWith(".java");
            if (name.startsWith("runtime/")) {
                note(found, name, (int) text.lines().count(), MAX_CLASS);
            }
            for (Map.Entry<String, Integer> function : functions(text)) {
                functions++;
                note(found, name + "#" + function.getKey(), function.getValue(), java ? MAX_FUNCTION : MAX_KERNEL_FUNCTION);
            }
        }
        Map<String, Integer> allowed = allowed();
        Map<String, Integer> tooLong = new TreeMap<>(found);
        tooLong.entrySet().removeIf(entry -> entry.getValue() <= allowed.getOrDefault(entry.getKey(), 0));

        assertEquals(Map.of(), tooLong, "lines, beyond what docs/decisions/long-classes.md allows");
        assertTrue(functions > 3000, functions + " functions");
    }

    @Test
    void functions_ofJavaAndOfKernels_areFoundWithTheirLines() {
        assertEquals(List.of(Map.entry("Thing", 2), Map.entry("twice", 4)), functions("""
                final class Thing {
                    Thing(int a) {
                    }

                    private static int twice(
                            int a) throws IOException {
                        return "}".length() + a; // }
                    }

                    record Pair(int a, int b) {
                    }
                }
                """));
        assertEquals(List.of(Map.entry("sum", 5)), functions("""
                template <int N>
                __device__ void sum(float *out) {
                    if (out) {
                        *out = 0;
                    }
                }
                """));
    }
}
