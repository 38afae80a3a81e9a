package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Runs the build of the kernels with compilers that may only be asked for their version.
class KernelBuildTest {
    private static final Path KEPT = Path.of("src/main/resources/org/gatun/cuda/kernels");

    @TempDir
    Path tools;

    @Test
    void build_kernelsThatAreUpToDate_writesNothingIntoTheTree() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "no /bin/sh");
        for (String tool : new String[] {"nvcc", "ptxas"}) {
            Path file = Files.writeString(tools.resolve(tool), "#!/bin/sh\n[ \"$1\" = --version ] && echo 'release 1.0, V1.0.0'\n");
            assertTrue(file.toFile().setExecutable(true));
        }
        Map<String, String> before = times();
        Path log = tools.resolve("log");
        ProcessBuilder builder = new ProcessBuilder("/bin/sh", "build.sh").redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().merge("PATH", tools.toString(), (path, first) -> first + ":" + path);

        assertEquals(0, builder.start().waitFor(), Files.readString(log));
        assertEquals("", Files.readString(log));
        assertEquals(before, times());
    }

    /// When each file was written, as well as the folder itself.
    private static Map<String, String> times() throws IOException {
        try (Stream<Path> files = Files.walk(KEPT)) {
            Map<String, String> times = new TreeMap<>();
            for (Path file : (Iterable<Path>) files::iterator) {
                times.put(file.toString(), Files.getLastModifiedTime(file).toString());
            }
            return times;
        }
    }
}
