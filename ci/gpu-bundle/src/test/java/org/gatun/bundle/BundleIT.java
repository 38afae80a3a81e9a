package org.gatun.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The bundle as it is assembled, run with nothing of this machine's: no `PATH`, no other Java. Its runs have one thread each.
@Execution(ExecutionMode.CONCURRENT)
class BundleIT {
    private static final Path BUNDLE = Path.of("target", "gatun-gpu");
    private static final long MAX_BYTES = 48_000_000;

    @TempDir
    Path folder;

    private record Run(int exitCode, String printed) {}

    private Run run(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(BUNDLE.resolve("run").toAbsolutePath().toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().clear();
        // there may be a driver here
        builder.environment().put("JAVA_TOOL_OPTIONS", "-Dgatun.cuda.library=%s -Dgatun.test.long=%s -Dgatun.test.seed=%d"
                .formatted(folder.resolve("none.so"), TestScale.isLong(), TestScale.seed()));
        Process process = builder.start();
        process.getOutputStream().close();
        String printed = new String(process.getInputStream().readAllBytes());
        return new Run(process.waitFor(), printed);
    }

    @Test
    void archive_isSmall() throws IOException {
        long bytes = Files.size(Path.of("target", "gatun-gpu.tar.gz"));
        assertTrue(bytes < MAX_BYTES, bytes + " bytes");
    }

    @Test
    void test_noDevice_saysWhatIsMissingAndIsNoSuccess() throws Exception {
        Run run = run("test");

        assertEquals(3, run.exitCode, run.printed);
        assertTrue(run.printed.contains("run: there is no device to run on: "), run.printed);
    }

    @Test
    void test_simulatorWithoutPath_passes() throws Exception {
        Run run = run("test", "--kernels", "--driver", "simulator", "--out", "out");

        assertEquals(0, run.exitCode, run.printed);
        JsonNode record = JsonMapper.shared().readTree(folder.resolve("out").resolve("record.json").toFile());
        assertTrue(record.at("/tests/passed").asInt() > 200, run.printed); // a row of the table for each kernel
        assertFalse(record.get("gpu").asBoolean());
    }

    @Test
    void bench_simulator_leavesARecordOfEveryPart() throws Exception {
        Run run = run("bench", "--driver", "simulator", "--out", "out");

        assertEquals(0, run.exitCode, run.printed);
        JsonNode record = JsonMapper.shared().readTree(folder.resolve("out").resolve("record.json").toFile());
        for (String part : List.of("ceilings", "kernels", "models")) {
            assertFalse(record.path(part).isEmpty(), part);
        }
        for (JsonNode line : record.path("models")) {
            if (line.path("what").asString().equals("decode")) {
                assertEquals(1, line.path("graph_launches_per_token").asDouble());
                // a block, and embedding, norm, selection, head, sampling, walk, moves
                assertTrue(line.path("kernels_per_token").asDouble() <= 8 + 8, line.toString());
            }
        }
    }

    @Test
    void run_badArguments_areOneLineAndExitCode2() throws Exception {
        for (String[] arguments : new String[][] {{}, {"test", "--minutes", "0"}, {"test", "--driver", "abacus"}}) {
            Run run = run(arguments);

            assertEquals(2, run.exitCode, run.printed);
            assertTrue(run.printed.lines().anyMatch(line -> line.startsWith("run: ") && line.contains("expected")), run.printed);
        }
    }
}
