package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import org.gatun.backend.Backend;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.model.convert.ModelQuantizer;
import org.gatun.model.convert.WeightTypes;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whatever a model's files hold, loading it and running three tokens ends in a result or in an exception that the methods document.
///
/// As part of the build the fuzz tests replay the files under `ModelFuzzTestInputs`, and the others try mutations of whole models, a million of
/// them with `-Plong`; with `JAZZER_FUZZ=1` in the environment, and one method chosen, a fuzz test searches for five minutes.
class ModelFuzzTest {
    @TempDir
    static Path directory;

    private static Backend backend;
    private static byte[] gguf;
    private static byte[] config;
    private static Path folder;

    @BeforeAll
    static void writeModels() throws IOException {
        backend = CpuBackend.unavailableReason().isEmpty() ? CpuBackend.open(CpuOptions.threads(1)) : new ReferenceBackend();
        Path file = new RandomModel("llama", DType.F32, 40, 32, 1, 4, 2, 32, 32, TestScale.seed(), 1).write(directory.resolve("whole.gguf"));
        gguf = Files.readAllBytes(file);
        folder = directory.resolve("folder");
        try (ModelQuantizer quantizer = ModelQuantizer.open(file)) {
            quantizer.write(folder, new WeightTypes(DType.F32), Optional.empty(), _ -> { });
        }
        config = Files.readAllBytes(folder.resolve("config.json"));
    }

    @AfterAll
    static void closeBackend() {
        backend.close();
    }

    /// @return whether it ran
    private static boolean loadAndRun(Path model) {
        try (Model loaded = Model.load(model, backend, new ModelOptions(16, DType.F16)); Session session = loaded.openSession()) {
            for (int token = 0; token < 3; token++) {
                session.segment().beginCausal(token);
                session.segment().addRow(token % session.vocabularySize());
                session.segment().select(0);
                session.run();
            }
            return true;
        } catch (IOException | IllegalArgumentException _) {
            return false; // as it should be
        }
    }

    @FuzzTest(maxDuration = "5m")
    void gguf_anyBytes_runsOrFails(byte[] bytes) throws IOException {
        loadAndRun(Files.write(directory.resolve("any.gguf"), bytes));
    }

    @FuzzTest(maxDuration = "5m")
    void config_anyBytes_runsOrFails(byte[] bytes) throws IOException {
        Files.write(folder.resolve("config.json"), bytes);
        loadAndRun(folder);
    }

    @Test
    void gguf_mutated_runsOrFails() throws IOException {
        Random random = new Random(TestScale.seed());
        int rounds = TestScale.rounds(300, 1_000_000);
        int ran = 0;
        for (int round = 0; round < rounds; round++) {
            byte[] mutated = mutated(gguf, random);
            try {
                ran += loadAndRun(Files.write(directory.resolve("mutated.gguf"), mutated)) ? 1 : 0;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("round " + round + " of seed " + TestScale.seed(), e);
            }
        }
        System.out.println("mutated GGUF: " + ran + " of " + rounds + " ran");
        assertTrue(ran > rounds / 50 && ran < rounds, ran + " ran: mutations that are all refused, or none, prove little");
    }

    @Test
    void config_mutated_runsOrFails() throws IOException {
        Random random = new Random(TestScale.seed());
        int rounds = TestScale.rounds(100, 100_000);
        int ran = 0;
        for (int round = 0; round < rounds; round++) {
            Files.write(folder.resolve("config.json"), mutated(config, random));
            try {
                ran += loadAndRun(folder) ? 1 : 0;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("round " + round + " of seed " + TestScale.seed(), e);
            }
        }
        System.out.println("mutated config.json: " + ran + " of " + rounds + " ran");
        assertTrue(ran > 0 && ran < rounds, ran + " ran");
    }

    /// One to four places changed: a byte, a number of 32 or 64 bits, a piece that is missing or is there twice. Most often near the beginning.
    private static byte[] mutated(byte[] whole, Random random) {
        byte[] bytes = whole.clone();
        for (int change = random.nextInt(1, 5); change > 0; change--) {
            int at = random.nextInt(random.nextInt(8) == 0 ? bytes.length : Math.min(bytes.length, 2048));
            switch (random.nextInt(6)) {
                case 0 -> bytes[at] = (byte) random.nextInt();
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> bytes[at] = (byte) "0123456789\"{}[],-.eE".charAt(random.nextInt(20));
                case 3 -> {
                    long number = new long[] {0, 1, -1, 1L << 16, Integer.MAX_VALUE, 1L << 31, 1L << 32, Long.MAX_VALUE}[random.nextInt(8)];
                    for (int i = 0; i < (random.nextBoolean() ? 4 : 8) && at + i < bytes.length; i++) {
                        bytes[at + i] = (byte) (number >> 8 * i);
                    }
                }
                case 4 -> {
                    int size = Math.min(random.nextInt(1, 16), bytes.length - at);
                    byte[] shorter = new byte[bytes.length - size];
                    System.arraycopy(bytes, 0, shorter, 0, at);
                    System.arraycopy(bytes, at + size, shorter, at, shorter.length - at);
                    bytes = shorter.length == 0 ? bytes : shorter;
                }
                default -> {
                    int size = Math.min(random.nextInt(1, 16), bytes.length - at);
                    byte[] longer = new byte[bytes.length + size];
                    System.arraycopy(bytes, 0, longer, 0, at + size);
                    System.arraycopy(bytes, at, longer, at + size, bytes.length - at);
                    bytes = longer;
                }
            }
        }
        return bytes;
    }
}
