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
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Holds the imports of the runtime to the rules of `docs/architecture.md`.
class PackageDependencyTest {
    private static final Path SOURCES = Path.of("src/main/java/org/gatun");
    private static final Pattern IMPORT = Pattern.compile("import (?:static )?org\\.gatun\\.([a-z][a-z0-9.]*)\\.[A-Z]");

    /// What each package may import, of this module and of those below.
    private static final Map<String, Set<String>> ALLOWED = Map.ofEntries(
            Map.entry("lifetime", Set.of()),
            Map.entry("tensor", Set.of()),
            Map.entry("plan", Set.of("tensor")),
            Map.entry("sampling", Set.of()),
            Map.entry("quantize", Set.of("tensor")),
            Map.entry("backend", Set.of("cuda", "lifetime", "plan", "quantize", "sampling", "tensor")),
            Map.entry("backend.reference", Set.of("backend", "lifetime", "plan", "quantize", "sampling", "tensor")),
            Map.entry("backend.cpu", Set.of("backend", "lifetime", "plan", "quantize", "sampling", "tensor")),
            Map.entry("backend.cuda", Set.of("backend", "cuda", "cuda.kernels", "lifetime", "plan", "quantize", "sampling", "tensor")),
            Map.entry("format", Set.of("tensor")),
            Map.entry("template", Set.of()),
            Map.entry("tokenizer", Set.of("format", "template")),
            Map.entry("constraint", Set.of("tokenizer")),
            Map.entry("decoding", Set.of("backend")),
            Map.entry("model.architecture", Set.of("backend", "format", "plan", "tensor")),
            Map.entry("model.checkpoint", Set.of("format", "model.architecture", "plan", "quantize", "tensor", "tokenizer")),
            Map.entry("model.convert", Set.of("backend", "format", "model.architecture", "model.checkpoint", "plan", "quantize", "tensor",
                    "tokenizer")),
            Map.entry("model", Set.of("backend", "decoding", "format", "lifetime", "model.architecture", "model.checkpoint", "plan",
                    "sampling", "tensor", "tokenizer")),
            Map.entry("speculative", Set.of("backend", "constraint", "decoding", "lifetime", "model", "plan", "sampling", "tokenizer")),
            Map.entry("speculative.draftmodel", Set.of("backend", "decoding", "model", "sampling", "speculative")),
            Map.entry("speculative.retrieval", Set.of("decoding", "model", "sampling", "speculative", "tokenizer")),
            Map.entry("speculative.selfspeculation", Set.of("decoding", "lifetime", "model", "model.architecture", "plan", "sampling",
                    "speculative")),
            Map.entry("speculative.adaptive", Set.of("decoding", "model", "sampling", "speculative")),
            Map.entry("speculative.method", Set.of("decoding", "model", "sampling", "speculative", "speculative.adaptive",
                    "speculative.draftmodel", "speculative.retrieval", "speculative.selfspeculation")),
            Map.entry("generation", Set.of("constraint", "lifetime", "model", "sampling", "speculative", "speculative.method", "tokenizer")),
            Map.entry("serving", Set.of("backend", "constraint", "generation", "model", "sampling", "speculative", "speculative.method",
                    "tokenizer")));

    /// What a single file may import beyond that.
    private static final Map<String, Set<String>> OF_FILES = Map.of(
            "backend/Backends.java", Set.of("backend.cpu", "backend.cuda", "backend.reference"));

    @Test
    void imports_everyPackage_areAllowed() throws IOException {
        for (Path file : javaFiles()) {
            Set<String> allowed = new TreeSet<>(ALLOWED.get(packageOf(file)));
            allowed.addAll(OF_FILES.getOrDefault(SOURCES.relativize(file).toString().replace('\\', '/'), Set.of()));
            allowed.add(packageOf(file));
            Set<String> found = IMPORT.matcher(Files.readString(file)).results().map(match -> match.group(1))
                    .collect(Collectors.toCollection(TreeSet::new));
            assertTrue(allowed.containsAll(found), file + " imports " + found + ": allowed are " + allowed);
        }
    }

    @Test
    void architecturePage_listsEveryPackage_belowThoseItMayImport() throws IOException {
        List<String> listed = Pattern.compile("\\| `org\\.gatun\\.([a-z.]+)` \\|").matcher(Files.readString(Path.of("../docs/architecture.md")))
                .results().map(match -> match.group(1)).toList();
        Set<String> packages = javaFiles().stream().map(PackageDependencyTest::packageOf).collect(Collectors.toCollection(TreeSet::new));

        assertEquals(packages, new TreeSet<>(listed));
        assertEquals(packages.size(), listed.size());
        assertEquals(packages, new TreeSet<>(ALLOWED.keySet()));
        ALLOWED.forEach((name, allowed) -> allowed.stream().filter(packages::contains).forEach(
                other -> assertTrue(listed.indexOf(other) < listed.indexOf(name), name + " may import " + other + ", which stands below")));
    }

    private static String packageOf(Path file) {
        return SOURCES.relativize(file.getParent()).toString().replaceAll("[/\\\\]", ".");
    }

    private static List<Path> javaFiles() throws IOException {
        try (Stream<Path> files = Files.walk(SOURCES)) {
            return files.filter(file -> file.toString().endsWith(".java")).toList();
        }
    }
}
