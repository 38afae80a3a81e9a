package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files that say sizes no model has, and files damaged at random, loaded and run by a process of little memory (see [HostileFiles]): none
/// kills it, hangs it, or takes more memory than it has.
class HostileFilesTest {
    private static final long SEED = 7;

    @TempDir
    Path directory;

    @BeforeEach
    void writeModels() throws IOException {
        Assumptions.assumeTrue(CpuBackend.unavailableReason().isEmpty(), () -> CpuBackend.unavailableReason().orElseThrow());
        RandomModel shape = new RandomModel("llama", DType.F32, 32, 32, 1, 4, 2, 64, 256, SEED, 6);
        withEveryNumber(shape.write(directory.resolve("plain.gguf")), directory.resolve("f32.gguf"));
        shape.withDtype(DType.Q4_0).write(directory.resolve("q4_0.gguf"));
        new RandomModel("qwen3", DType.Q4_K, 32, 256, 1, 4, 2, 256, 256, SEED, 6).write(directory.resolve("q4_k.gguf"));
        Path qwen = new RandomModel("qwen2", DType.F32, 32, 64, 1, 4, 2, 64, 256, SEED, 6).write(directory.resolve("qwen.gguf"));
        SafetensorsOfGguf.write(qwen, directory.resolve("hf"), Optional.empty());
        SafetensorsOfGguf.write(qwen, directory.resolve("nf4"), Optional.of(DType.NF4));
        Path config = directory.resolve("hf").resolve("config.json");
        Files.writeString(config, Files.readString(config).replaceFirst("\\{", """
                {"head_dim":16,"sliding_window":32,"use_sliding_window":true,"max_window_layers":1,"bos_token_id":1,"eos_token_id":[2],
                "rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":64},"""));
        writeLlama2c();
    }

    /// Every number that a model may say, in 64 bits.
    private static void withEveryNumber(Path plain, Path target) throws IOException {
        try (GgufFile file = GgufFile.open(plain)) {
            GgufWriter writer = new GgufWriter()
                    .putInt64("general.alignment", 32).putInt64("general.file_type", 0).putInt64("general.quantization_version", 2)
                    .putInt64("split.no", 0).putInt64("split.count", 1).putInt64("split.tensors.count", file.tensors().size())
                    .putString("llama.rope.scaling.type", "yarn").putInt64("llama.rope.scaling.factor", 2)
                    .putInt64("llama.rope.scaling.original_context_length", 128).putInt64("llama.rope.freq_base", 10_000)
                    .putInt64("llama.vocab_size", 32).putInt64("llama.attention.key_length", 8).putInt64("llama.attention.value_length", 8)
                    .putInt64("llama.rope.dimension_count", 8).putInt64("llama.attention.sliding_window", 0);
            for (var entry : file.metadata().values().entrySet()) {
                if (entry.getValue() instanceof Long number) {
                    writer.putInt64(entry.getKey(), number);
                }
            }
            writer.putAll(file);
            file.tensors().values().forEach(writer::tensor);
            writer.write(target);
        }
    }

    /// A checkpoint of the oldest layout: hidden size 8, 16 inside, 1 layer, 2 heads, 32 tokens, 16 positions.
    private void writeLlama2c() throws IOException {
        int[] header = {8, 16, 1, 2, 2, 32, 16};
        int floats = 32 * 8 + 8 + 4 * 64 + 8 + 3 * 128 + 8 + 16 * 4;
        ByteBuffer model = ByteBuffer.allocate(4 * (header.length + floats)).order(ByteOrder.LITTLE_ENDIAN);
        for (int field : header) {
            model.putInt(field);
        }
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < floats; i++) {
            model.putFloat((float) random.nextDouble(-1, 1));
        }
        Files.write(directory.resolve("llama2c.bin"), model.array());
        ByteBuffer tokens = ByteBuffer.allocate(4 + 32 * 9).order(ByteOrder.LITTLE_ENDIAN).putInt(1);
        for (int token = 0; token < 32; token++) {
            tokens.putFloat(-token).putInt(1).put((byte) ('A' + token));
        }
        Files.write(directory.resolve("tokenizer.bin"), tokens.array());
    }

    @Test
    void load_everyNumberOfEveryFormat_isRefusedOrRuns() throws IOException, InterruptedException {
        run("-Xmx128m", "sizes", TestScale.rounds(150, Integer.MAX_VALUE));
    }

    @Test
    void load_filesChangedAtRandom_areRefusedOrRun() throws IOException, InterruptedException {
        run("-Xmx256m", "mutations", TestScale.rounds(500, 1_000_000));
    }

    private void run(String memory, String mode, int count) throws IOException, InterruptedException {
        Path log = directory.resolve("log");
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), memory, "-ea",
                "--enable-native-access=ALL-UNNAMED", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-XX:-CreateCoredumpOnCrash",
                "-XX:ErrorFile=" + directory.resolve("crash"), "-cp",
                System.getProperty("java.class.path"), HostileFiles.class.getName(), directory.toString(), mode,
                Long.toString(TestScale.seed()), Integer.toString(count)).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        boolean ended = process.waitFor(TestScale.isLong() ? 180 : 10, TimeUnit.MINUTES);
        process.destroyForcibly();
        List<String> lines = Files.readString(log, StandardCharsets.ISO_8859_1).lines().toList();
        List<String> failures = lines.stream().filter(line -> line.startsWith("FAILED")).distinct().limit(10).toList();
        String end = String.join("\n", lines.subList(Math.max(0, lines.size() - 12), lines.size()));
        assertTrue(ended, "no end after:\n" + end);
        assertEquals(0, process.waitFor(), "seed " + TestScale.seed() + ", " + failures + ", the end:\n" + end);
        System.out.println(mode + ": " + lines.getLast());
    }
}
