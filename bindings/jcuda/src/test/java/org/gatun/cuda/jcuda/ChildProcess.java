package org.gatun.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Runs a main class in a process of its own, for a process knows one driver library at most.
final class ChildProcess {
    private ChildProcess() {}

    /// Gives what it printed.
    ///
    /// @param unpacked where JCuda puts its native library
    /// @param classPath which entries of this process's class path it has
    static List<String> run(Class<?> main, Path unpacked, Map<String, String> environment, Predicate<String> classPath,
            String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(List.of(options));
        command.addAll(List.of("-Djava.io.tmpdir=" + unpacked, "-cp",
                Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).filter(classPath)
                        .collect(Collectors.joining(File.pathSeparator)),
                main.getName()));
        ProcessBuilder process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        process.environment().remove("LD_LIBRARY_PATH");
        process.environment().putAll(environment);
        Process started = process.start();
        List<String> lines = new String(started.getInputStream().readAllBytes()).lines().toList();
        assertEquals(0, started.waitFor(), lines::toString);
        return lines;
    }

    /// With native code allowed and the whole class path.
    static List<String> run(Class<?> main, Path unpacked, Map<String, String> environment)
            throws IOException, InterruptedException {
        return run(main, unpacked, environment, _ -> true, "--enable-native-access=ALL-UNNAMED");
    }
}
