package org.gatun;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Holds the imports of the runtime to the rules of `docs/architecture.md`.
class PackageDependencyTest {
    private static final Path SOURCES = Path.of("src/main/java/org/gatun");
    private static final Pattern IMPORT = Pattern.compile("import (?:static )?org\\.gatun\\.(\\w+)\\.");

    /// What each package may import.
    private static final Map<String, Set<String>> ALLOWED = Map.ofEntries(
            Map.entry("lifetime", Set.of()),
            Map.entry("tensor", Set.of()),
            Map.entry("plan", Set.of("tensor")),
            Map.entry("format", Set.of("tensor")),
            Map.entry("quantize", Set.of("tensor")),
            Map.entry("template", Set.of()),
            Map.entry("tokenizer", Set.of("format", "template")),
            Map.entry("sampling", Set.of()),
            Map.entry("backend", Set.of("cuda", "lifetime", "plan", "quantize", "sampling", "tensor")),
            Map.entry("decoding", Set.of()),
            Map.entry("model", Set.of("backend", "format", "lifetime", "plan", "quantize", "sampling", "tensor", "tokenizer")),
            Map.entry("speculative", Set.of("backend", "decoding", "lifetime", "model", "plan", "sampling", "tokenizer")),
            Map.entry("generation", Set.of("lifetime", "model", "sampling", "speculative", "tokenizer")));

    @Test
    void imports_everyPackage_pointDownOnly() throws IOException {
        for (String name : packages()) {
            Set<String> found = new TreeSet<>();
            for (Path file : javaFiles(SOURCES.resolve(name))) {
                Matcher matcher = IMPORT.matcher(Files.readString(file));
                while (matcher.find()) {
                    found.add(matcher.group(1));
                }
            }
            found.remove(name);
            assertTrue(ALLOWED.get(name).containsAll(found), name + " imports " + found + ": allowed are " + ALLOWED.get(name));
        }
    }

    @Test
    void architecturePage_listsEveryPackage() throws IOException {
        String page = Files.readString(Path.of("../docs/architecture.md"));
        Set<String> listed = Pattern.compile("\\| `org\\.gatun\\.(\\w+)` \\|").matcher(page).results()
                .map(match -> match.group(1)).collect(Collectors.toCollection(TreeSet::new));

        assertEquals(packages(), listed);
        assertEquals(packages(), new TreeSet<>(ALLOWED.keySet()));
    }

    private static Set<String> packages() throws IOException {
        try (Stream<Path> folders = Files.list(SOURCES)) {
            return folders.filter(Files::isDirectory).map(folder -> folder.getFileName().toString())
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static List<Path> javaFiles(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.toString().endsWith(".java")).toList();
        }
    }
}
