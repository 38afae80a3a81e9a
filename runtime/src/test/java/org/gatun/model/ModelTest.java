package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.cuda.TestDriver;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.architecture.Architectures;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.RopeTable;
import org.gatun.sampling.Sampling;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;
import org.gatun.test.TestScale;
import org.gatun.tokenizer.Tokenizer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelTest {
    private static final long SEED = 11;

    @TempDir
    Path directory;

    static Stream<String> backends() {
        return TestDriver.asked().map(Stream::of).orElseGet(() -> Backends.list().stream()
                .filter(backend -> backend.unavailable().isEmpty()).map(Backends.Availability::name));
    }

    @Tag("gpu")
    @ParameterizedTest
    @MethodSource("backends")
    void generate_stories260KGreedily_givesThePublishedText(String backendName) throws IOException {
        Path folder = Path.of(System.getProperty("gatun.data", "absent"), "stories260K");
        assumeTrue(Files.isDirectory(folder), "no stories260K under -Dgatun.data: " + folder);
        String golden = Files.readString(folder.resolve("golden_greedy_200.txt"));
        int tokens = backendName.equals("simulator") ? TestScale.rounds(40, 200) : 200;
        try (Backend backend = Backends.open(backendName);
                Model model = Model.load(folder.resolve("stories260K-f32.gguf"), backend, ModelOptions.STANDARD);
                Session session = model.openSession();
                Generation generation = new Generation(session, "", GenerationOptions.STANDARD.withMaxTokens(tokens))) {
            String found = generation.text();
            assertEquals(tokens == 200 ? golden : golden.substring(0, found.length()), found);
            assertEquals(tokens, generation.generatedTokens());
        }
    }

    @Test
    void load_onAnInterruptedThread_saysSoAndLeavesItInterrupted() throws IOException {
        Path file = RandomModel.tiny(SEED).write(directory.resolve("tiny.gguf"));
        try (Backend backend = Backends.open("reference")) {
            Thread.currentThread().interrupt();
            InterruptedIOException thrown;
            boolean left;
            try {
                thrown = assertThrows(InterruptedIOException.class, () -> Model.load(file, backend, ModelOptions.STANDARD));
            } finally {
                left = Thread.interrupted();
            }
            assertTrue(left, "the mark is for whoever interrupted");
            assertTrue(thrown.getMessage().startsWith(file + ": found the thread interrupted while loading"), thrown.getMessage());
            Model.load(file, backend, ModelOptions.STANDARD).close();
        }
    }

    @Tag("gpu")
    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3"})
    void decode_everyArchitecture_backendsAgree(String architecture) throws IOException {
        Path file = RandomModel.tiny(SEED).withArchitecture(architecture).write(directory.resolve(architecture + ".gguf"));
        float[] expected = logitsOfText(file, "reference");
        for (String backend : backends().toList()) {
            // CUDA kernels round queries and probabilities to f16.
            double bound = backend.equals("cpu") || backend.equals("reference") ? 1e-3 : 1e-2;
            assertWithin(bound, expected, logitsOfText(file, backend), architecture + " on " + backend);
        }
    }

    /// Logits after a short text, of which the first half is read in one pass and the rest token by token.
    private static float[] logitsOfText(Path file, String backendName) throws IOException {
        return logitsOfText(file, backendName, new ModelOptions(0, DType.F16));
    }

    private static float[] logitsOfText(Path file, String backendName, ModelOptions options) throws IOException {
        try (Backend backend = Backends.open(backendName);
                Model model = Model.load(file, backend, options);
                Session session = model.openSession()) {
            return logitsOfText(session);
        }
    }

    private static float[] logitsOfText(Session session) {
        int[] text = {1, 5, 9, 30, 4, 4, 17, 8, 22, 3};
        session.prefill(text, 0, 5);
        for (int i = 5; i < text.length; i++) {
            session.decode(text[i], Sampling.GREEDY);
        }
        return session.logits().asSlice(0, 4L * session.vocabularySize()).toArray(ValueLayout.JAVA_FLOAT);
    }

    @Test
    void decode_fromSafetensors_equalsGgufOfSameWeights() throws IOException {
        // Qwen rotates halves in both formats, so that the same matrices serve.
        Path gguf = RandomModel.tiny(SEED).withArchitecture("qwen2").write(directory.resolve("model.gguf"));
        SafetensorsOfGguf.write(gguf, directory.resolve("hf"), Optional.empty());

        assertWithin(1e-6, logitsOfText(gguf, "reference"), logitsOfText(directory.resolve("hf"), "reference"), "safetensors");
    }

    @Test
    void decode_fromFourBitSafetensors_equalsWeightsBroughtToThatType() throws IOException {
        Path gguf = new RandomModel("qwen2", DType.F32, 40, 64, 2, 4, 2, 128, 64, SEED, 1).write(directory.resolve("model.gguf"));
        SafetensorsOfGguf.write(gguf, directory.resolve("plain"), Optional.empty());
        SafetensorsOfGguf.write(gguf, directory.resolve("four"), Optional.of(DType.NF4));
        ModelOptions four = new ModelOptions(0, DType.F16).withWeightType(DType.NF4);

        assertArrayEquals(logitsOfText(directory.resolve("plain"), "reference", four), logitsOfText(directory.resolve("four"), "reference"));
    }

    @Test
    void load_missingTensor_namesIt() throws IOException {
        Path whole = RandomModel.tiny(SEED).write(directory.resolve("whole.gguf"));
        Path part = directory.resolve("part.gguf");
        try (GgufFile file = GgufFile.open(whole)) {
            GgufWriter writer = new GgufWriter().putAll(file);
            for (Tensor tensor : file.tensors().values()) {
                if (!tensor.name().equals("blk.1.ffn_up.weight")) {
                    writer.tensor(tensor);
                }
            }
            writer.write(part);
        }

        String message = assertThrows(FormatException.class, () -> Model.load(part)).getMessage();
        assertTrue(message.contains("part.gguf") && message.contains("blk.1.ffn_up.weight is missing"), message);
    }

    @Test
    void load_vocabularyOnly_saysSo() {
        Path folder = Path.of(System.getProperty("gatun.data", "absent"), "ggml-vocab");
        assumeTrue(Files.isDirectory(folder), "no ggml-vocab under -Dgatun.data: " + folder);

        assertThrows(FormatException.class, () -> Model.load(folder.resolve("ggml-vocab-llama-spm.gguf")));
    }

    @Test
    void ofRandomWeights_aFewTokens_runsAndWritesNumbers() throws IOException {
        RopeTable rope = new RopeTable(RopeTable.Pairing.INTERLEAVED, new float[] {1, 0.5f, 0.25f, 0.125f}, 1);
        ModelConfig config = new ModelConfig(Architectures.plain(), 100, 2, 64, 96, 8, 2, 8, 1e-5f, rope, 0, 0, 64);
        try (Backend backend = Backends.open("reference");
                Model model = Model.ofRandomWeights("random", config, DType.Q8_0, SEED, backend, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            assertTrue(session.decode(99, Sampling.GREEDY).token(0) < 100);
            assertArrayEquals(new int[] {7, 99}, model.tokenizer().encode("7 99", Tokenizer.Special.ADD));
            assertEquals("7 99 ", model.tokenizer().decode(7, 99));
            String message = assertThrows(IllegalArgumentException.class,
                    () -> model.tokenizer().encode("7 100", Tokenizer.Special.ADD)).getMessage();
            assertTrue(message.contains("'100'") && message.contains("0 to 99"), message);
        }
    }

    @Tag("gpu")
    @ParameterizedTest
    @MethodSource("backends")
    void load_weightsBroughtToAType_agreeWithReference(String backendName) throws IOException {
        Path file = new RandomModel("llama", DType.F32, 40, 64, 2, 4, 2, 128, 64, SEED, 1).write(directory.resolve("plain.gguf"));
        float[] plain = logitsOfText(file, "reference");
        for (DType type : ModelOptions.WEIGHT_TYPES) {
            if (backendName.equals("simulator") && !TestScale.takesOneIn(3, ModelOptions.WEIGHT_TYPES.indexOf(type))) {
                continue;
            }
            ModelOptions options = new ModelOptions(0, DType.F16).withWeightType(type);
            float[] expected = logitsOfText(file, "reference", options);
            // the processor rounds activations to 8 bits where weights are quantized, CUDA to bf16
            double bound = backendName.equals("cpu") && type.isQuantized() ? 5e-2 : 2e-2;
            assertWithin(bound, expected, logitsOfText(file, backendName, options), type + " on " + backendName);
            assertEquals(type == DType.F32, Arrays.equals(plain, expected), type + " changes the model");
        }
    }

    @Tag("gpu")
    @ParameterizedTest
    @MethodSource("backends")
    void load_activationsInEightBits_agreeWithReference(String backendName) throws IOException {
        Path file = new RandomModel("llama", DType.F32, 40, 64, 2, 4, 2, 128, 64, SEED, 1).write(directory.resolve("plain.gguf"));
        ModelOptions options = new ModelOptions(0, DType.F16).withWeightType(DType.INT8);
        float[] plain = logitsOfText(file, "reference", options);
        for (ActivationQuantization activations : List.of(ActivationQuantization.INT8, ActivationQuantization.INT8_OUTLIERS)) {
            float[] expected = logitsOfText(file, "reference", options.withActivations(activations));
            assertFalse(Arrays.equals(plain, expected), activations + " changes the results");
            assertWithin(5e-2, plain, expected, activations + " is near the model");
            // backends round queries and keys, so that some codes are others
            assertWithin(2e-2, expected, logitsOfText(file, backendName, options.withActivations(activations)),
                    activations + " on " + backendName);
        }
    }

    @Test
    void load_activationsInEightBitsForOtherWeights_isRefusedInOneLine() throws IOException {
        Path file = RandomModel.tiny(SEED).withDtype(DType.Q4_0).write(directory.resolve("four.gguf"));
        ModelOptions options = ModelOptions.STANDARD.withActivations(ActivationQuantization.INT8);
        try (Backend backend = Backends.open("reference")) {
            String message = assertThrows(IllegalArgumentException.class, () -> Model.load(file, backend, options)).getMessage();
            assertTrue(message.contains("int8") && message.contains("four.gguf") && message.contains("Q4_0")
                    && message.contains("--quantize int8"), message);
            assertFalse(message.contains("\n"), message);
        }
    }

    @Test
    void load_weightsThatAreNoNumbers_areRefusedByName() throws IOException {
        Path file = new RandomModel("llama", DType.F32, 40, 64, 1, 4, 2, 128, 64, SEED, 1).write(directory.resolve("bad.gguf"));
        byte[] bytes = Files.readAllBytes(file);
        try (GgufFile gguf = GgufFile.open(file)) {
            MemorySegment whole = MemorySegment.ofArray(bytes);
            MemorySegment tensor = gguf.tensors().get("blk.0.ffn_up.weight").data();
            long at = whole.byteSize();
            byte[] wanted = tensor.asSlice(0, 64).toArray(ValueLayout.JAVA_BYTE);
            for (long offset = 0; offset + 64 <= bytes.length; offset += 4) {
                if (whole.asSlice(offset, 64).mismatch(MemorySegment.ofArray(wanted)) < 0) {
                    at = offset;
                }
            }
            whole.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at + 8, Float.NaN);
        }
        Files.write(file, bytes);
        String message = assertThrows(FormatException.class,
                () -> Model.load(file, new ReferenceBackend(), ModelOptions.STANDARD.withWeightType(DType.NF4))).getMessage();

        assertTrue(message.contains("blk.0.ffn_up.weight, row 0") && message.contains("NaN"), message);
    }

    @Test
    void sharesVocabulary_otherTokens_isFalse() throws IOException {
        try (Model model = Model.load(RandomModel.tiny(SEED).write(directory.resolve("a.gguf")));
                Model twin = Model.load(RandomModel.tiny(SEED + 1).write(directory.resolve("b.gguf")));
                Model other = Model.load(new RandomModel("llama", DType.F32, 40, 32, 1, 2, 2, 32, 64, SEED, 1)
                        .write(directory.resolve("c.gguf")))) {
            assertTrue(model.sharesVocabularyWith(twin));
            assertFalse(model.sharesVocabularyWith(other));
        }
    }

    @Test
    void openSession_thousandTimes_holdsNativeMemoryFlat() throws IOException {
        assumeTrue(Files.exists(Path.of("/proc/self/status")), "resident memory is read from /proc");
        assumeTrue(backends().anyMatch("cpu"::equals), "backend cpu is not available");
        try (Backend backend = Backends.open("cpu");
                Model model = Model.load(RandomModel.tiny(SEED).write(directory.resolve("m.gguf")), backend,
                        ModelOptions.STANDARD)) {
            openAndClose(model, 200);
            long before = residentKilobytes();
            openAndClose(model, 1000);
            long growth = residentKilobytes() - before;
            assertTrue(growth < 32 * 1024, "1000 sessions grew the process by " + growth + " KiB");
        }
    }

    private static void openAndClose(Model model, int times) {
        for (int i = 0; i < times; i++) {
            try (Session session = model.openSession()) {
                session.decode(3, Sampling.GREEDY);
            }
        }
        System.gc();
    }

    private static long residentKilobytes() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
    }

    private static void assertWithin(double bound, float[] expected, float[] found, String what) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow(expected[i] - found[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        assertTrue(Math.sqrt(difference / norm) <= bound, what + ": relative difference " + Math.sqrt(difference / norm));
    }
}
