package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A main class run in a process of its own, for a process knows one driver library at most.
///
/// @param exitCode that it ended with
/// @param out lines of its standard output
/// @param err lines of its standard error
public record ChildProcess(int exitCode, List<String> out, List<String> err) {
    private static final String NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED";

    /// Runs it with native code allowed and the whole class path of this process.
    ///
    /// @param options of the JVM
    public static ChildProcess run(Class<?> main, Map<String, String> environment, List<String> options, String... arguments)
            throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of(NATIVE_ACCESS));
        all.addAll(options);
        return run(main, environment, _ -> true, all, arguments);
    }

    /// Runs it.
    ///
    /// @param classPath which entries of this process's class path it has
    public static ChildProcess run(Class<?> main, Map<String, String> environment, Predicate<String> classPath, List<String> options,
            String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(options);
        command.addAll(List.of("-cp", Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).filter(classPath)
                .collect(Collectors.joining(File.pathSeparator)), main.getName()));
        command.addAll(List.of(arguments));
        Path err = Files.createTempFile("child-process", ".err");
        ProcessBuilder process = new ProcessBuilder(command).redirectError(err.toFile());
        process.environment().remove("LD_LIBRARY_PATH");
        process.environment().putAll(environment);
        Process started = process.start();
        started.getOutputStream().close();
        List<String> out = new String(started.getInputStream().readAllBytes()).lines().toList();
        int exitCode = started.waitFor();
        List<String> lines = Files.readAllLines(err);
        Files.delete(err);
        return new ChildProcess(exitCode, out, lines);
    }

    /// What it printed, once it has ended well.
    public List<String> lines() {
        assertEquals(0, exitCode, () -> String.join("\n", out) + "\n" + String.join("\n", err));
        return out;
    }
}
