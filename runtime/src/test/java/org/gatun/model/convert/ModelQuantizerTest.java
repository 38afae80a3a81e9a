package org.gatun.model.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.GgufFile;
import org.gatun.format.SafetensorsFile;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SafetensorsOfGguf;
import org.gatun.model.Session;
import org.gatun.model.checkpoint.Checkpoint;
import org.gatun.plan.ActivationQuantization;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelQuantizerTest {
    private static final long SEED = 20261121;

    static List<DType> typesOfSafetensors() {
        return DType.all().stream().filter(type -> type instanceof DType.Sparse || List.of(DType.F32, DType.F16, DType.BF16, DType.NF4, DType.FP4,
                DType.NVFP4, DType.INT8).contains(type)).toList();
    }

    @TempDir
    Path directory;

    private Path model(String architecture) throws IOException {
        return new RandomModel(architecture, DType.F32, 40, 64, 2, 4, 2, 128, 64, SEED, 1)
                .write(directory.resolve(architecture + ".gguf"));
    }

    private static List<ModelQuantizer.Result> convert(Path from, Path to, WeightTypes types) throws IOException {
        try (ModelQuantizer quantizer = ModelQuantizer.open(from)) {
            return quantizer.write(to, types, Optional.empty(), _ -> { });
        }
    }

    private static float[] logits(Path model, Optional<DType> type) throws IOException {
        try (Backend backend = new ReferenceBackend();
                Model loaded = Model.load(model, backend, new ModelOptions(0, DType.F32, type, ActivationQuantization.NONE));
                        Session session = loaded.openSession()) {
            session.segment().beginCausal(0);
            for (int row = 0; row < 7; row++) {
                session.segment().addRow(3 + row * 4);
            }
            session.segment().select(6);
            session.run();
            return session.logits().asSlice(0, 4L * session.vocabularySize()).toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    /// What is written gives the same numbers as the original brought to the type on load, to the bit.
    @ParameterizedTest
    @ValueSource(strings = {"F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "NVFP4"})
    void write_ggufOfAType_runsAsWhenQuantizedOnLoad(DType type) throws IOException {
        Path out = directory.resolve("out.gguf");
        convert(model("llama"), out, new WeightTypes(type));
        assertArrayEquals(logits(model("llama"), Optional.of(type)), logits(out, Optional.empty()));
    }

    @ParameterizedTest
    @MethodSource("typesOfSafetensors")
    void write_safetensorsOfAType_runsAsWhenQuantizedOnLoad(DType type) throws IOException {
        for (String architecture : List.of("qwen3", "llama")) {
            Path out = directory.resolve("out-" + architecture);
            convert(model(architecture), out, new WeightTypes(type));
            float[] expected = logits(model(architecture), Optional.of(type));
            float[] found = logits(out, Optional.empty());
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i], found[i], 1e-5 * Math.max(1, Math.abs(expected[i])), architecture + " logit " + i);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3"})
    void write_thereAndBack_isTheSameModel(String architecture) throws IOException {
        Path safetensors = directory.resolve("there");
        Path back = directory.resolve("back.gguf");
        convert(model(architecture), safetensors, new WeightTypes(DType.F32));
        convert(safetensors, back, new WeightTypes(DType.F32));
        try (GgufFile before = GgufFile.open(model(architecture)); GgufFile after = GgufFile.open(back)) {
            assertEquals(before.tensors().keySet(), after.tensors().keySet());
            for (Tensor tensor : before.tensors().values()) {
                assertEquals(-1, tensor.data().mismatch(after.tensors().get(tensor.name()).data()), tensor.name());
            }
        }
        assertArrayEquals(logits(model(architecture), Optional.empty()), logits(back, Optional.empty()));
    }

    @Test
    void write_safetensorsWithTokenizerJson_carriesIt() throws IOException {
        Path theirs = directory.resolve("theirs");
        SafetensorsOfGguf.write(model("qwen2"), theirs, Optional.empty());
        Path again = directory.resolve("again");
        Path gguf = directory.resolve("again.gguf");
        convert(theirs, again, new WeightTypes(DType.F16));
        convert(theirs, gguf, new WeightTypes(DType.F16));
        assertTrue(Files.exists(again.resolve("tokenizer.json")));
        assertArrayEquals(logits(again, Optional.empty()), logits(gguf, Optional.empty()));
    }

    @Test
    void write_rules_chooseByNameTheFirstThatMatches() throws IOException {
        Path out = directory.resolve("out.gguf");
        List<ModelQuantizer.Result> results = convert(model("llama"), out, new WeightTypes(DType.Q4_0).withRules("""
                # the second layer in more bits
                blk.1.ffn_* = q8_0
                blk.1.* = same
                token_embd.weight=f16
                """));
        for (ModelQuantizer.Result result : results) {
            DType expected = result.name().startsWith("blk.1.ffn_") ? DType.Q8_0 : result.name().equals("token_embd.weight") ? DType.F16
                    : result.name().matches("blk\\.0\\.(attn_(q|k|v|output)|ffn_(gate|up|down))\\.weight") ? DType.Q4_0 : DType.F32;
            assertEquals(expected, result.to(), result.name());
        }
    }

    @Test
    void write_errors_areThoseOfTheCodec() throws IOException {
        Path in = model("llama");
        List<ModelQuantizer.Result> results = convert(in, directory.resolve("out"), new WeightTypes(DType.NF4));
        try (GgufFile file = GgufFile.open(in)) {
            for (ModelQuantizer.Result result : results) {
                Tensor tensor = file.tensors().get(result.name());
                int count = (int) tensor.shape().elements();
                float[] before = new float[count];
                Codec.of(DType.F32).decode(tensor.data(), 0, before, 0, count);
                double error = 0;
                double norm = 0;
                double largest = 0;
                if (result.to() == DType.NF4) {
                    byte[] blocks = new byte[(int) DType.NF4.rowBytes(count)];
                    float[] after = new float[count];
                    Codec.of(DType.NF4).encode(before, 0, MemorySegment.ofArray(blocks), 0, count);
                    Codec.of(DType.NF4).decode(MemorySegment.ofArray(blocks), 0, after, 0, count);
                    for (int i = 0; i < count; i++) {
                        error += Math.pow((double) after[i] - before[i], 2);
                        norm += Math.pow(before[i], 2);
                        largest = Math.max(largest, Math.abs((double) after[i] - before[i]));
                    }
                    assertTrue(error > 0, result.name());
                }
                assertEquals(error == 0 ? 0 : Math.sqrt(error / norm), result.relativeError(), 1e-12, result.name());
                assertEquals(largest, result.largestError(), result.name());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"NF4", "FP4"})
    void write_nestedMagnitudes_areReadAsTheErrorsSay(DType type) throws IOException {
        Path in = model("llama");
        Path out = directory.resolve("out");
        List<ModelQuantizer.Result> results = convert(in, out, new WeightTypes(type).withNestedMagnitudes());
        try (GgufFile before = GgufFile.open(in); Checkpoint after = Checkpoint.open(out, new FormatReport())) {
            for (ModelQuantizer.Result result : results.stream().filter(one -> one.to() == type).toList()) {
                Tensor dense = before.tensors().get(result.name());
                int count = (int) dense.shape().elements();
                assertEquals(count / 2 + count / 64 + Math.ceilDiv(count / 64, 256) * 4, result.bytesAfter());
                float[] expected = new float[count];
                Codec.of(DType.F32).decode(dense.data(), 0, expected, 0, count);
                float[] found = new float[count];
                Codec.of(type).decode(after.find(result.name()).orElseThrow().data(), 0, found, 0, count);
                double error = 0;
                double norm = 0;
                for (int i = 0; i < count; i++) {
                    error += Math.pow((double) found[i] - expected[i], 2);
                    norm += Math.pow(expected[i], 2);
                }
                if (!result.name().matches(".*attn_[qk].*")) { // whose rows are in another order
                    assertEquals(Math.sqrt(error / norm), result.relativeError(), 1e-12, result.name());
                }
                assertTrue(result.relativeError() < 0.14, result.toString());
            }
        }
    }

    @Test
    void withNestedMagnitudes_noTypeWithThem_isRefused() {
        assertThrows(IllegalArgumentException.class, () -> new WeightTypes(DType.INT8).withNestedMagnitudes());
        new WeightTypes(DType.INT8).withRules("blk.0.* = nf4").withNestedMagnitudes();
    }

    /// Against the definition, with inputs that the reference gives.
    @Test
    void write_calibrated_keepsTheLargestScores() throws IOException {
        Path in = model("llama");
        Path out = directory.resolve("sparse");
        try (ModelQuantizer quantizer = ModelQuantizer.open(in); Backend backend = new ReferenceBackend()) {
            ColumnNorms norms = quantizer.measureInputs("abcabc abd", backend, _ -> { });
            quantizer.write(out, new WeightTypes(DType.SPARSE_2_8_F16), Optional.of(norms), _ -> { });
            String name = "blk.1.ffn_down.weight";
            double[] norm = norms.of(name).orElseThrow();
            assertEquals(128, norm.length);
            try (GgufFile before = GgufFile.open(in); Checkpoint after = Checkpoint.open(out, new FormatReport())) {
                float[] dense = new float[128];
                float[] sparse = new float[128];
                Codec.of(DType.F32).decode(before.tensors().get(name).data(), 0, dense, 0, 128);
                Codec.of(DType.SPARSE_2_8_F16).decode(after.find(name).orElseThrow().data(), 0, sparse, 0, 128);
                boolean differs = false;
                for (int i = 0; i < 128; i++) {
                    int better = 0;
                    int larger = 0;
                    for (int other = i - i % 8; other < i - i % 8 + 8; other++) {
                        better += Math.abs(dense[other]) * norm[other] > Math.abs(dense[i]) * norm[i] ? 1 : 0;
                        larger += Math.abs(dense[other]) > Math.abs(dense[i]) ? 1 : 0;
                    }
                    assertEquals(better < 2, sparse[i] != 0, "weight " + i);
                    differs |= better < 2 != larger < 2;
                }
                assertTrue(differs, "norms that choose what magnitudes do prove nothing");
            }
        }
    }

    /// Weights of 64 MB in a heap of 24.
    @ParameterizedTest
    @ValueSource(strings = {"out.gguf q4_0", "out nf4", "out nf4 nested", "out int8"})
    void write_modelLargerThanTheHeap_takesNoMoreThanPieces(String arguments) throws IOException, InterruptedException {
        Path in = new RandomModel("llama", DType.F32, 40, 512, 2, 4, 2, 4608, 64, SEED, 1).write(directory.resolve("large.gguf"));
        assertTrue(Files.size(in) > 60_000_000);
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx24m", "-cp",
                System.getProperty("java.class.path"), QuantizingProcess.class.getName(), in.toString()));
        command.addAll(List.of(arguments.replaceFirst("^", directory + "/").split(" ")));
        Path log = directory.resolve("log.txt");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        assertEquals(0, process.waitFor(), () -> {
            try {
                return Files.readString(log);
            } catch (IOException e) {
                return e.toString();
            }
        });
    }

    @Test
    void write_typeThatTheFormatLacks_isRefusedAndLeavesNothing() throws IOException {
        Path in = model("llama");
        assertTrue(assertThrows(IllegalArgumentException.class, () -> convert(in, directory.resolve("x.gguf"), new WeightTypes(DType.NF4)))
                .getMessage().contains("GGUF has no type NF4: write it to a directory"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> convert(in, directory.resolve("x"), new WeightTypes(DType.Q4_0)))
                .getMessage().contains("safetensors has no type Q4_0: write it to FILE.gguf"));
        Path narrow = new RandomModel("llama", DType.F32, 40, 32, 1, 4, 2, 96, 64, SEED, 1).write(directory.resolve("narrow.gguf"));
        assertTrue(assertThrows(IllegalArgumentException.class, () -> convert(narrow, directory.resolve("x"), new WeightTypes(DType.NF4)))
                .getMessage().contains("no multiple of the 64 that NF4 asks for"));
        try (Stream<Path> files = Files.list(directory)) {
            assertEquals(List.of("llama.gguf", "narrow.gguf"), files.map(file -> file.getFileName().toString()).sorted().toList());
        }
    }

    /// The scales of four bits are not found anew.
    @Test
    void write_fromAndToNvfp4_keepsItsBytes() throws IOException {
        Path gguf = directory.resolve("four.gguf");
        convert(model("llama"), gguf, new WeightTypes(DType.NVFP4));
        Path again = directory.resolve("again.gguf");
        convert(gguf, again, new WeightTypes(DType.NVFP4));
        assertEquals(-1, Files.mismatch(gguf, again));
        Path decoded = directory.resolve("decoded.gguf");
        convert(gguf, decoded, new WeightTypes(DType.F32));
        assertArrayEquals(logits(gguf, Optional.empty()), logits(decoded, Optional.empty()));
        try (GgufFile file = GgufFile.open(decoded)) {
            assertTrue(file.tensors().keySet().stream().noneMatch(name -> name.endsWith(".scale")), file.tensors().keySet().toString());
        }
    }

    @Test
    void write_again_replacesWhatIsThere() throws IOException {
        Path out = directory.resolve("out");
        ModelQuantizer.requireAbsent(out);
        convert(model("llama"), out, new WeightTypes(DType.F16));
        assertThrows(FileAlreadyExistsException.class, () -> ModelQuantizer.requireAbsent(out));
        Path notes = Files.writeString(out.resolve("notes.txt"), "mine");
        Path fresh = directory.resolve("fresh");
        convert(out, fresh, new WeightTypes(DType.NF4));
        convert(out, out, new WeightTypes(DType.NF4));
        assertEquals("mine", Files.readString(notes));
        assertArrayEquals(logits(fresh, Optional.empty()), logits(out, Optional.empty()));
    }

    @Test
    void open_damagedParts_areRefusedByName() throws IOException {
        for (DType type : List.of(DType.INT8, DType.SPARSE_2_4_INT8, DType.NVFP4)) {
            Path out = directory.resolve(type.name());
            convert(model("llama"), out, new WeightTypes(type));
            Path file = out.resolve("model.safetensors");
            byte[] bytes = Files.readAllBytes(file);
            try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
                String name = "model.layers.0.mlp.up_proj." + (type == DType.INT8 ? "SCB" : type == DType.NVFP4 ? "weight_scale" : "weight");
                long size = tensors.tensors().get(name).data().byteSize();
                long start = bytes.length - totalFrom(tensors, name);
                Arrays.fill(bytes, (int) start, (int) (start + size), (byte) 0xff);
            }
            Path damaged = directory.resolve("damaged-" + type);
            Files.createDirectories(damaged);
            try (Stream<Path> files = Files.list(out)) {
                for (Path companion : files.toList()) {
                    Files.copy(companion, damaged.resolve(companion.getFileName()));
                }
            }
            Files.write(damaged.resolve("model.safetensors"), bytes);
            FormatException refused = assertThrows(FormatException.class, () -> logits(damaged, Optional.empty()));
            assertTrue(refused.getMessage().contains("model.layers.0.mlp.up_proj.weight of " + type), refused.getMessage());
            assertFalse(refused.getMessage().contains("\n"));
        }
    }

    /// Bytes from a tensor to the end of its file.
    private static long totalFrom(SafetensorsFile file, String name) {
        return file.tensors().values().stream().dropWhile(tensor -> !tensor.name().equals(name))
                .mapToLong(tensor -> tensor.data().byteSize()).sum();
    }
}
