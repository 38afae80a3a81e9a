package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.gatun.model.Llama2cOfZeros;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Kills each writer at random moments (SIGKILL), while it writes one of two models over the other, again and again. What has the name must then
/// be one of the two, whole, at once and without any repair; and after the next run nothing else is left.
class KillTest {
    private static final Path MODELS = Path.of("../stories/src/main/resources/org/gatun/stories");

    private static final Pattern ROUND = Pattern.compile("a round takes (\\d+) microseconds;");

    @TempDir
    Path directory;

    /// Commands that write, and what they write one of two ways.
    enum Writer {
        /// One file.
        QUANTIZE_GGUF("out.gguf") {
            @Override
            String[] command(Path directory, Path out, boolean other) {
                return new String[] {"quantize", MODELS.resolve(other ? "draft.gguf" : "target.gguf").toString(), out.toString(), "--type",
                        other ? "f16" : "q4_0", "--force", "--json"};
            }
        },
        /// A folder with a model, a tokenizer and a configuration.
        QUANTIZE_FOLDER("out") {
            @Override
            String[] command(Path directory, Path out, boolean other) {
                return new String[] {"quantize", MODELS.resolve(other ? "draft.gguf" : "target.gguf").toString(), out.toString(), "--type",
                        other ? "bf16" : "int8", "--force", "--json"};
            }
        },
        /// One file from another format.
        IMPORT("out.gguf") {
            @Override
            String[] command(Path directory, Path out, boolean other) throws IOException {
                Path weights = directory.resolve(other ? "b.bin" : "a.bin");
                Path tokenizer = directory.resolve("tokenizer.bin");
                if (!Files.exists(weights)) {
                    Llama2cOfZeros.write(weights, tokenizer, other ? 64 : 128, 2048, 2);
                }
                return new String[] {"import", "llama2c", "--weights", weights.toString(), "--tokenizer", tokenizer.toString(), "--out",
                        out.toString()};
            }
        };

        private final String out;

        Writer(String out) {
            this.out = out;
        }

        abstract String[] command(Path directory, Path out, boolean other) throws IOException;
    }

    /// Writes one model over the other until it is killed.
    static final class Writing {
        private Writing() {}

        public static void main(String[] arguments) throws IOException {
            Writer writer = Writer.valueOf(arguments[0]);
            Path directory = Path.of(arguments[1]);
            Path out = directory.resolve("written").resolve(writer.out);
            for (int round = 0; true; round++) {
                long begun = System.nanoTime();
                int exitCode = Gatun.run(Console.ofProcess(), writer.command(directory, out, round % 2 == 1));
                if (exitCode != 0) {
                    System.exit(exitCode);
                }
                if (round == 1) {
                    System.err.print("a round takes " + (System.nanoTime() - begun) / 1000 + " microseconds;");
                    System.err.flush();
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void kill_atRandomMoments_leavesOneWholeModel(Writer writer) throws Exception {
        int kills = TestScale.rounds(3, 200);
        Random random = new Random(TestScale.seed() + writer.ordinal());
        Path folder = Files.createDirectory(directory.resolve("written"));
        Path out = folder.resolve(writer.out);
        List<Map<String, String>> whole = new ArrayList<>();
        for (boolean other : new boolean[] {false, true}) {
            run(writer, out, other);
            whole.add(content(out));
        }
        int leftovers = 0;
        for (int kill = 0; kill < kills; kill++) {
            kill(writer, random.nextDouble());
            assertTrue(whole.contains(content(out)), "after kill " + kill + ": a mixture, with files " + content(out).keySet());
            List<String> names = names(folder);
            leftovers += names.size() - 1;
            assertTrue(names.contains(writer.out) && names.size() <= 2, names.toString());
            if (kill % 8 != 0 || names.size() == 1) {
                continue; // also what several runs leave, one after the other: each child is a next run
            }
            boolean other = random.nextBoolean();
            run(writer, out, other);
            assertEquals(List.of(writer.out), names(folder));
            assertEquals(whole.get(other ? 1 : 0), content(out));
        }
        run(writer, out, false);
        assertEquals(List.of(writer.out), names(folder));
        System.out.println(writer + ": killed " + kills + " times, " + leftovers + " times in the middle of writing");
    }

    private void run(Writer writer, Path out, boolean other) throws IOException {
        CommandRun run = CommandRun.of(writer.command(directory, out, other));
        assertEquals(0, run.exitCode(), run.err());
    }

    /// @param moment part of the time that a round takes
    private void kill(Writer writer, double moment) throws Exception {
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                Writing.class.getName(), writer.name(), directory.toString())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        try {
            StringBuilder said = new StringBuilder();
            Matcher round;
            while (!(round = ROUND.matcher(said)).find()) {
                int next = process.getErrorStream().read();
                assertTrue(next >= 0, () -> "the writer ended: " + said);
                said.append((char) next);
            }
            long microseconds = (long) (moment * Long.parseLong(round.group(1)));
            assertTrue(!process.waitFor(microseconds, TimeUnit.MICROSECONDS), "the writer ended");
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
        }
    }

    /// Hashes by name.
    private static Map<String, String> content(Path out) throws IOException, NoSuchAlgorithmException {
        Map<String, String> hashes = new TreeMap<>();
        try (Stream<Path> files = Files.walk(out)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                hashes.put(out.relativize(file).toString(),
                        HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file))));
            }
        }
        return hashes;
    }
}
