package org.gatun.bundle;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/// The kernels' tests under NVIDIA's compute-sanitizer, where the machine has it.
final class Sanitizer {
    private static final List<String> TOOLS = List.of("memcheck", "racecheck", "initcheck", "synccheck");
    /// What it ends with when it found something.
    private static final String FOUND = "86";

    private Sanitizer() {}

    static boolean run(RunRecord record, Deadline deadline) throws IOException, InterruptedException {
        Optional<Path> sanitizer = Stream.concat(Stream.of(Optional.ofNullable(System.getenv("PATH")).orElse("").split(":")),
                Stream.of("/usr/local/cuda/bin")).map(folder -> Path.of(folder, "compute-sanitizer")).filter(Files::isExecutable)
                .findFirst();
        if (sanitizer.isEmpty()) {
            System.out.println("compute-sanitizer: not on this machine");
            record.part("sanitizer").put("absent", true);
            record.save();
            return true;
        }
        boolean good = true;
        for (String tool : TOOLS) {
            if (deadline.isOver()) {
                record.part("sanitizer").put(tool, "no time");
                continue;
            }
            Path log = record.file().resolveSibling("sanitizer-" + tool + ".log");
            List<String> command = new ArrayList<>(List.of(sanitizer.get().toString(), "--tool", tool, "--error-exitcode", FOUND,
                    "--log-file", log.toString(), Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), Bundle.class.getName(), "test",
                    "--kernels", "--minutes", String.valueOf(Math.max(0.1, deadline.part(0.5).left().toMillis() / 60_000.0)),
                    "--out", record.file().resolveSibling("sanitizer-" + tool).toString()));
            System.out.println("compute-sanitizer: " + tool);
            Process process = new ProcessBuilder(command).inheritIO().start();
            boolean ended = process.waitFor(Math.max(1, deadline.left().toSeconds()), TimeUnit.SECONDS);
            if (!ended) {
                process.destroyForcibly();
            }
            String result = !ended ? "cut off by time" : process.exitValue() == Integer.parseInt(FOUND) ? "found something, see " + log.getFileName()
                    : process.exitValue() == 0 ? "clean" : "ended with " + process.exitValue();
            ObjectNode part = record.part("sanitizer").put(tool, result);
            System.out.println("compute-sanitizer: " + tool + ": " + part.get(tool).asString());
            record.save();
            good &= !ended || process.exitValue() != Integer.parseInt(FOUND);
        }
        return good;
    }
}
