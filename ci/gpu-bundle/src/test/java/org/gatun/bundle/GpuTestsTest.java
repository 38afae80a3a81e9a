package org.gatun.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class GpuTestsTest {
    private static final Path ROOT = Path.of("..", "..");

    @Test
    void classes_sourcesOfAllModules_areThoseTaggedGpu() throws IOException {
        Set<String> tagged = new TreeSet<>();
        for (String module : List.of("bindings", "cuda-kernels", "runtime", "samples", "ci/gpu-bundle/src/main")) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(module))) {
                for (Path file : files.filter(file -> file.toString().endsWith(".java")).toList()) {
                    if (Files.readString(file).lines().anyMatch(line -> line.strip().equals("@Tag(\"gpu\")"))) {
                        tagged.add(file.toString().replaceAll(".*/src/\\w+/java/", "").replace(".java", "").replace('/', '.'));
                    }
                }
            }
        }
        assertEquals(tagged, GpuTests.CLASSES.stream().collect(Collectors.toCollection(TreeSet::new)));
    }

    @Tag("gpu")
    static class OneOfEach {
        @Test
        void good() {
            // passes
        }

        @Test
        void bad() {
            throw new AssertionError("as it should");
        }
    }

    private static GpuTests.Outcome run(Duration limit) {
        return GpuTests.run("simulator", List.of(OneOfEach.class.getName()), limit, new PrintStream(new ByteArrayOutputStream()));
    }

    @Test
    void run_aTestThatFails_isCountedAndNamed() {
        GpuTests.Outcome outcome = run(Duration.ofMinutes(1));

        assertEquals(1, outcome.passed());
        assertEquals(1, outcome.failures().size());
        assertTrue(outcome.failures().getFirst().contains("bad") && outcome.failures().getFirst().contains("as it should"));
        assertTrue(!outcome.isGood() && !outcome.cut());
    }

    @Test
    void run_timeOver_isCutAndNotGood() {
        GpuTests.Outcome outcome = run(Duration.ofSeconds(-1));

        assertTrue(outcome.cut() && !outcome.isGood(), outcome.toString());
        assertTrue(outcome.passed() + outcome.failures().size() < 2, outcome.toString());
    }
}
