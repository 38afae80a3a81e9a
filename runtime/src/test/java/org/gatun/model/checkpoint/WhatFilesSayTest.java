package org.gatun.model.checkpoint;

import static org.gatun.model.LoadedModel.logits;
import static org.gatun.model.LoadedModel.refusal;
import static org.gatun.model.LoadedModel.tensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.format.Metadata;
import org.gatun.model.RandomModel;
import org.gatun.model.architecture.Architectures;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a GGUF file says is done, changes nothing, or is refused by name.
class WhatFilesSayTest {
    private static final long SEED = 23;
    private static final RandomModel SHAPE = new RandomModel("llama", DType.F32, 32, 32, 2, 4, 2, 64, 256, SEED, 6);

    @TempDir
    Path directory;

    /// The model, with more keys and tensors, and without those that are left out.
    private Path model(String name, Predicate<String> kept, Consumer<GgufWriter> more) throws IOException {
        Path plain = directory.resolve("plain.gguf");
        if (!Files.exists(plain)) {
            SHAPE.write(plain);
        }
        Path file = directory.resolve(name + ".gguf");
        try (GgufFile source = GgufFile.open(plain)) {
            GgufWriter writer = new GgufWriter();
            more.accept(writer);
            writer.putAll(source);
            source.tensors().values().stream().filter(tensor -> kept.test(tensor.name())).forEach(writer::tensor);
            writer.write(file);
        }
        return file;
    }

    private Path model(String name, Consumer<GgufWriter> more) throws IOException {
        return model(name, _ -> true, more);
    }

    @Test
    void load_ropeFactorWithoutType_isLinearScaling() throws IOException {
        float[] linear = logits(model("linear", writer -> writer.putString("llama.rope.scaling.type", "linear")
                .putFloat32("llama.rope.scaling.factor", 4)));

        assertArrayEquals(linear, logits(model("factor", writer -> writer.putFloat32("llama.rope.scaling.factor", 4))));
        assertArrayEquals(linear, logits(model("old", writer -> writer.putFloat32("llama.rope.scale_linear", 4))));
        assertArrayEquals(linear, logits(model("double", writer -> writer.putFloat64("llama.rope.scaling.factor", 4))));
        assertArrayEquals(linear, logits(model("integer", writer -> writer.putUint32("llama.rope.scaling.factor", 4))));
        float[] plain = logits(directory.resolve("plain.gguf"));
        assertFalse(Arrays.equals(linear, plain));
        assertArrayEquals(plain, logits(model("none", writer -> writer.putString("llama.rope.scaling.type", "none")
                .putFloat32("llama.rope.scaling.factor", 4))));
        assertArrayEquals(plain, logits(model("zero", writer -> writer.putFloat32("llama.rope.scaling.factor", 0))));
    }

    @Test
    void load_attentionFactor_isAppliedWhateverTheScaling() throws IOException {
        float[] plain = logits(model("plain-copy", _ -> { }));

        assertFalse(Arrays.equals(plain, logits(model("factor", writer -> writer.putFloat32("llama.rope.scaling.attn_factor", 0.5f)))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"longrope", "dynamic", "su"})
    void load_ropeScalingOfAnotherType_isRefusedByName(String type) throws IOException {
        String message = refusal(model("rope", writer -> writer.putString("llama.rope.scaling.type", type)
                .putFloat32("llama.rope.scaling.factor", 4)));

        assertTrue(message.contains("llama.rope.scaling.type") && message.contains("'" + type + "'"), message);
    }

    @Test
    void load_otherNumbersForEachLayer_areTheNumberIfTheyAreTheSame() throws IOException {
        float[] plain = logits(model("plain-copy", _ -> { }));

        assertArrayEquals(plain, logits(model("same", writer -> writer.putFloat32s("llama.rope.freq_base", 10_000, 10_000)
                .putInt32s("llama.context_length", 256, 256).putInt32s("llama.attention.key_length", 8, 8)
                .putFloat32s("llama.attention.layer_norm_rms_epsilon", 1e-5f, 1e-5f).putInt32s("llama.rope.dimension_count", 8, 8))));
        assertTrue(refusal(model("differ", writer -> writer.putFloat32s("llama.rope.freq_base", 10_000, 500_000)))
                .contains("llama.rope.freq_base is 10000.0, 500000.0: expected the same for each layer"));
        assertTrue(refusal(model("nan", writer -> writer.putFloat32("llama.rope.freq_base", Float.NaN)))
                .contains("llama.rope.freq_base is NaN: expected a number"));
        assertTrue(refusal(model("text", writer -> writer.putString("llama.context_length", "long")))
                .contains("llama.context_length is long: expected a number"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"attention.head_count", "attention.head_count_kv", "feed_forward_length"})
    void load_numberForEachLayer_isTheNumberIfTheyAreTheSame(String key) throws IOException {
        int number = key.equals("feed_forward_length") ? 64 : key.endsWith("kv") ? 2 : 4;
        float[] plain = logits(model("plain-copy", _ -> { }));

        assertArrayEquals(plain, logits(model("same", writer -> writer.putInt32s("llama." + key, number, number))));
        String differ = refusal(model("differ", writer -> writer.putInt32s("llama." + key, number, 2 * number)));
        assertTrue(differ.contains("llama." + key + " is " + number + ", " + 2 * number) && differ.contains("layers that differ"), differ);
        String few = refusal(model("short", writer -> writer.putInt32s("llama." + key, number)));
        assertTrue(few.contains("has 1 element: expected a number, or one for each of the 2 layers"), few);
    }

    @ParameterizedTest
    @ValueSource(strings = {"block_count", "attention.head_count", "rope.freq_base"})
    void number_arrayInAnArray_isSaidAsItIs(String key) throws FormatException {
        for (Object nested : List.of(List.of(new int[] {1}), List.of(List.of(new long[] {1}, new float[] {2})), List.of("1", "2"))) {
            Map<String, Object> values = new HashMap<>(Map.of("general.architecture", "llama", "llama.block_count", 2L));
            values.put("llama." + key, nested);
            GgufKeys keys = new GgufKeys(new Metadata(Path.of("m.gguf"), values), new FormatReport());

            String message = assertThrows(FormatException.class, () -> keys.number(key, 1)).getMessage();
            assertTrue(message.matches("m\\.gguf: llama\\.\\S+ is \\[(\\[1]|\\[\\[1], \\[2\\.0]]|1, 2)]: expected a number"), message);
            assertEquals(message, assertThrows(FormatException.class, () -> keys.integer(key, 1)).getMessage());
        }
    }

    @Test
    void load_normsOfHeads_areThoseOfQwen3Alone() throws IOException {
        for (String name : List.of("blk.0.attn_q_norm.weight", "blk.1.attn_k_norm.weight")) {
            String message = refusal(model("norms", writer -> writer.tensor(tensor(name, DType.F32, 8))));
            assertTrue(message.contains(name + ": architecture llama has no place for it"), message);
        }
    }

    @ParameterizedTest
    @CsvSource({"qwen3, blk.1.attn_k_norm.weight", "qwen3, blk.0.attn_q_norm.weight", "qwen2, blk.1.attn_v.bias"})
    void load_partThatItsArchitectureHas_isMissedByName(String architecture, String name) throws IOException {
        Path whole = SHAPE.withArchitecture(architecture).write(directory.resolve("whole.gguf"));
        logits(whole);
        Path file = directory.resolve("part.gguf");
        try (GgufFile source = GgufFile.open(whole)) {
            GgufWriter writer = new GgufWriter().putAll(source);
            source.tensors().values().stream().filter(tensor -> !tensor.name().equals(name)).forEach(writer::tensor);
            writer.write(file);
        }

        String message = refusal(file);
        assertTrue(message.contains("tensor " + name + " is missing, which models of architecture " + architecture + " have"), message);
    }

    @Test
    void load_tensorThatNobodyReads_isRefusedByName() throws IOException {
        for (String name : List.of("output.bias", "blk.0.attn_norm.bias", "blk.2.attn_q.weight", "blk.0.ffn_gate_inp.weight",
                "position_embd.weight", "rope_factors_long.weight")) {
            String message = refusal(model("extra", writer -> writer.tensor(tensor(name, DType.F32, 32))));
            assertTrue(message.contains(name + ": architecture llama has no place for it"), message);
        }
    }

    @Test
    void load_tensorOfAnotherProgram_isSaidOnceAndChangesNothing() throws IOException {
        float[] plain = logits(model("plain-copy", _ -> { }));
        for (DType type : List.of(DType.F32, DType.I8, DType.I32, DType.I64, DType.F64, DType.Q4_K)) {
            FormatReport report = new FormatReport();
            assertArrayEquals(plain, logits(model("extra", writer -> writer.tensor(tensor("histogram", type, 256))), report));
            assertEquals(1, report.warnings().size());
            assertTrue(report.warnings().getFirst().contains("histogram"), report.warnings().toString());
        }
        FormatReport report = new FormatReport();
        assertArrayEquals(plain, logits(model("counter", writer -> writer.tensor(tensor("blk.0.counter", DType.I64, 1))), report));
        assertTrue(report.warnings().getFirst().contains("blk.0.counter"), report.warnings().toString());
    }

    @Test
    void load_manyTensorsThatNobodyReads_namesSomeAndCountsTheOthers() throws IOException {
        String message = refusal(model("extra", writer -> {
            for (int i = 0; i < 100; i++) {
                writer.tensor(tensor("blk." + (2 + i) + ".attn_norm.weight", DType.F32, 32));
            }
        }));

        assertTrue(message.contains("blk.2.attn_norm.weight") && message.contains("and 95 more"), message);
    }

    @Test
    void load_biases_areAdded() throws IOException {
        float[] plain = logits(model("plain-copy", _ -> { }));
        MemorySegment ones = MemorySegment.ofArray(new byte[32 * Float.BYTES]);
        for (int i = 0; i < 32; i++) {
            ones.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i, 1);
        }
        Tensor bias = new Tensor("blk.0.attn_output.bias", DType.F32, Shape.of(32), ones);
        assertFalse(Arrays.equals(plain, logits(model("bias", writer -> writer.tensor(bias)))));
    }

    @Test
    void load_shapesWithOnes_areThoseWithout() throws IOException {
        Path plain = model("plain-copy", _ -> { });
        List<Tensor> reshaped = new ArrayList<>();
        try (GgufFile source = GgufFile.open(plain)) {
            source.tensors().values().forEach(tensor -> {
                List<Long> sizes = new ArrayList<>(tensor.shape().dimensions());
                sizes.addFirst(1L);
                sizes.addFirst(1L);
                reshaped.add(new Tensor(tensor.name(), tensor.dtype(), new Shape(sizes),
                        MemorySegment.ofArray(tensor.data().toArray(ValueLayout.JAVA_BYTE))));
            });
        }
        assertArrayEquals(logits(plain), logits(model("ones", _ -> false, writer -> reshaped.forEach(writer::tensor))));
    }

    @Test
    void load_modelInParts_isTheWholeWhicheverIsNamed() throws IOException {
        Path plain = model("plain-copy", _ -> { });
        List<Path> parts = split(3, 3);

        for (Path part : parts) {
            assertArrayEquals(logits(plain), logits(part));
        }
        Files.delete(parts.get(1));
        String missing = refusal(parts.getFirst());
        assertTrue(missing.contains("part 2 of 3 is missing: expected model-00002-of-00003.gguf"), missing);
    }

    @Test
    void load_partsThatDisagree_areRefused() throws IOException {
        List<Path> parts = split(2, 2);
        Files.copy(parts.get(1), directory.resolve("other.gguf"));
        String renamed = refusal(directory.resolve("other.gguf"));
        assertTrue(renamed.contains("found part 2 of 2") && renamed.contains("-00002-of-00002.gguf"), renamed);

        Path name = parts.get(1);
        new GgufWriter().putUint32("split.no", 1).putUint32("split.count", 2).putString("general.architecture", "qwen2").write(name);
        String other = refusal(parts.getFirst());
        assertTrue(other.contains("general.architecture is qwen2, in the first part llama"), other);

        new GgufWriter().putUint32("split.no", 1).putUint32("split.count", 2).write(name);
        String few = refusal(parts.getFirst());
        assertTrue(few.contains("expected 21 (split.tensors.count)"), few);

        new GgufWriter().putUint32("split.no", 0).putUint32("split.count", 2).write(name);
        String twice = refusal(parts.getFirst());
        assertTrue(twice.contains("says that it is part 1 of 2 (split.no, split.count): expected part 2 of 2"), twice);
    }

    @Test
    void load_onlyPart_isWhatItSaysOfItself() throws IOException {
        float[] plain = logits(model("plain-copy", _ -> { }));
        for (int count : List.of(0, 1)) {
            Consumer<GgufWriter> split = writer -> writer.putUint32("split.count", count).putUint32("split.no", 0);
            assertArrayEquals(plain, logits(model("whole", split.andThen(writer -> writer.putInt32("split.tensors.count", 21)))));
            String few = refusal(model("few", split.andThen(writer -> writer.putInt32("split.tensors.count", 22))));
            assertTrue(few.contains("found 21 tensors in the file: expected 22 (split.tensors.count)"), few);
            String second = refusal(model("second", writer -> writer.putUint32("split.count", count).putUint32("split.no", 1)));
            assertTrue(second.contains("says that it is part 2 of 1 (split.no, split.count): expected part 1 of 1"), second);
        }
        String memory = assertThrows(FormatException.class, () -> GgufFile.of(MemorySegment.ofArray(Files.readAllBytes(
                model("memory", writer -> writer.putInt32("split.tensors.count", 3)))), Path.of("m.gguf"))).getMessage();
        assertTrue(memory.contains("found 21 tensors in the file: expected 3 (split.tensors.count)"), memory);
    }

    /// The model in several files, its tensors dealt out.
    private List<Path> split(int count, int said) throws IOException {
        Path plain = model("plain-copy", _ -> { });
        List<Path> parts = new ArrayList<>();
        try (GgufFile source = GgufFile.open(plain)) {
            List<Tensor> tensors = List.copyOf(source.tensors().values());
            for (int part = 0; part < count; part++) {
                GgufWriter writer = new GgufWriter().putUint32("split.no", part).putUint32("split.count", said)
                        .putInt32("split.tensors.count", tensors.size());
                if (part == 0) {
                    writer.putAll(source);
                }
                for (int i = part; i < tensors.size(); i += count) {
                    writer.tensor(tensors.get(i));
                }
                Path file = directory.resolve("model-%05d-of-%05d.gguf".formatted(part + 1, count));
                writer.write(file);
                parts.add(file);
            }
        }
        return parts;
    }

    @Test
    void load_unknownKeys_areRefusedUnderTheArchitectureAndPassedOverElsewhere() throws IOException {
        float[] plain = logits(model("plain-copy", _ -> { }));

        assertArrayEquals(plain, logits(model("elsewhere", writer -> writer.putInt64("training.tokens", 1L << 60)
                .putString("general.remark", "none").putFloat32("qwen2.attention.scale", 3).putUint32("llama.expert_count", 0))));
        String message = refusal(model("unknown", writer -> writer.putFloat32("llama.attention.twist", 3)));
        assertTrue(message.contains("llama.attention.twist: is not known"), message);
    }

    @Test
    void load_otherKindsOfFile_areRefusedByName() throws IOException {
        assertTrue(refusal(model("adapter", writer -> writer.putString("general.type", "adapter"))).contains("found adapter"));
        assertTrue(refusal(model("old", writer -> writer.putUint32("general.quantization_version", 1))).contains("found 1, expected 2"));
    }

    @Test
    void load_windowOfTheLayers_isDoneFromALayerOnAndRefusedOtherwise() throws IOException {
        Consumer<GgufWriter> window = writer -> writer.putUint32("llama.attention.sliding_window", 2);
        float[] all = logits(model("all", window));

        assertArrayEquals(all, logits(model("pattern", window.andThen(
                writer -> writer.putInt32s("llama.attention.sliding_window_pattern", 1, 1)))));
        float[] second = logits(model("second", window.andThen(
                writer -> writer.putInt32s("llama.attention.sliding_window_pattern", 0, 1))));
        assertFalse(Arrays.equals(all, second));
        assertArrayEquals(logits(model("plain-copy", _ -> { })), logits(model("no", window.andThen(
                writer -> writer.putInt32s("llama.attention.sliding_window_pattern", 0, 0)))));
        assertTrue(refusal(model("first", window.andThen(writer -> writer.putInt32s("llama.attention.sliding_window_pattern", 1, 0))))
                .contains("llama.attention.sliding_window_pattern"));
        assertTrue(refusal(model("sixth", window.andThen(writer -> writer.putUint32("llama.attention.sliding_window_pattern", 6))))
                .contains("llama.attention.sliding_window_pattern"));
    }

    @Test
    void load_everyKeyThatNobodyAsksFor_isRefusedOrChangesNothing() throws IOException {
        float[] plain = logits(model("plain-copy", _ -> { }));
        for (UnreadKeys.Rule rule : UnreadKeys.OF_ARCHITECTURE.rules()) {
            String key = "llama." + rule.name().replace("*", "x");
            Path file = model("key", writer -> writer.putFloat32(key, 7));
            if (rule.effect() == UnreadKeys.Effect.NONE) {
                assertArrayEquals(plain, logits(file), key);
            } else {
                assertTrue(refusal(file).contains(key + ": " + rule.reason()), key);
            }
            FormatReport report = new FormatReport();
            assertArrayEquals(plain, logits(model("off", writer -> {
                if (key.endsWith("causal")) {
                    writer.putBool(key, true);
                } else {
                    writer.putUint32(key, 0);
                }
            }), report), key);
            assertTrue(report.entries(FormatReport.Use.IGNORED).stream().anyMatch(entry -> entry.name().equals(key)), key);
        }
    }

    @Test
    void report_everyKeyAndTensor_isThere() throws IOException {
        Path file = model("all", writer -> writer.putString("general.name", "a name"));
        FormatReport report = new FormatReport();
        logits(file, report);
        List<String> noted = report.entries().stream().map(FormatReport.Entry::name).toList();
        try (GgufFile gguf = GgufFile.open(file)) {
            for (String key : gguf.metadata().values().keySet()) {
                assertTrue(noted.contains(key) || key.startsWith("tokenizer."), key);
            }
            assertTrue(noted.containsAll(gguf.tensors().keySet()));
        }
        assertEquals(List.of(), report.entries(FormatReport.Use.UNSUPPORTED));
        assertEquals(List.of("general.name"), report.entries(FormatReport.Use.IGNORED).stream().map(FormatReport.Entry::name).toList());
    }
}
