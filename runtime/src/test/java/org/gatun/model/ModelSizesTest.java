package org.gatun.model;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.gatun.backend.KvLayout;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.model.architecture.Architectures;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a file may say of its sizes, each by itself and multiplied.
class ModelSizesTest {
    private static final long SEED = 5;

    @TempDir
    Path directory;

    @Test
    void load_headSizeOfTwoToThe31_namesTheHeadSize() throws IOException {
        refuses("head size 2147483646", model(Map.of("llama.attention.key_length", 2147483646), 32, 32));
    }

    @Test
    void load_rotatedDimensionsOfTwoToThe31_areRefused() throws IOException {
        refuses("rope.dimension_count is 2147483646", model(Map.of("llama.rope.dimension_count", 2147483646), 32, 32));
    }

    /// The product is 2³² + 4096, and the tensors have the width that is left of it in 32 bits.
    @Test
    void load_headsTimesHeadSizeBeyond32Bits_namesTheHeads() throws IOException {
        refuses("heads 1048577", model(Map.of("llama.attention.head_count", 1048577, "llama.attention.head_count_kv", 1,
                "llama.attention.key_length", 4096), 4096, 4096));
    }

    @Test
    void load_headsTimesHeadSizeBeyondARow_namesTheHeads() throws IOException {
        refuses("heads of 4096 elements 257", model(Map.of("llama.attention.head_count", 257, "llama.attention.head_count_kv", 1,
                "llama.attention.key_length", 4096), 32, 32));
    }

    @Test
    void load_moreLayersThanTensors_isRefusedBeforeNamesAreMade() throws IOException {
        Path gguf = RandomModel.tiny(SEED).withArchitecture("qwen2").write(directory.resolve("model.gguf"));
        SafetensorsOfGguf.write(gguf, directory, Optional.empty());
        Path config = directory.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("\"num_hidden_layers\":2", "\"num_hidden_layers\":9999"));

        FormatException refused = assertThrows(FormatException.class, () -> Model.load(directory));

        assertTrue(refused.getMessage().contains("num_hidden_layers is 9999"), refused.getMessage());
    }

    private static void refuses(String expected, byte[] file) throws IOException {
        try (ReferenceBackend backend = new ReferenceBackend()) {
            FormatException refused = assertThrows(FormatException.class,
                    () -> Model.ofGguf("sizes.gguf", MemorySegment.ofArray(file), backend, ModelOptions.STANDARD));

            assertTrue(refused.getMessage().contains(expected), refused.getMessage());
            assertEquals(1, refused.getMessage().lines().count());
        }
    }

    /// A model of one layer that says other sizes than it has.
    ///
    /// @param queries rows of the projection of queries
    /// @param keys rows of those of keys and values
    private byte[] model(Map<String, Integer> said, int queries, int keys) throws IOException {
        Path honest = RandomModel.tiny(SEED).withLayers(1).write(directory.resolve("honest.gguf"));
        Path file = directory.resolve("sizes.gguf");
        try (GgufFile model = GgufFile.open(honest)) {
            GgufWriter writer = new GgufWriter();
            said.forEach(writer::putUint32);
            writer.putAll(model);
            for (Tensor tensor : model.tensors().values()) {
                Shape shape = switch (tensor.name()) {
                    case "blk.0.attn_q.weight" -> Shape.of(queries, 32);
                    case "blk.0.attn_k.weight", "blk.0.attn_v.weight" -> Shape.of(keys, 32);
                    case "blk.0.attn_output.weight" -> Shape.of(32, queries);
                    default -> tensor.shape();
                };
                writer.tensor(shape.equals(tensor.shape()) ? tensor
                        : new Tensor(tensor.name(), DType.F32, shape, MemorySegment.ofArray(new byte[(int) DType.F32.byteSize(shape)])));
            }
            writer.write(file);
        }
        return Files.readAllBytes(file);
    }

    @Test
    void config_everySizeOneBeyondItsBound_isRefusedByName() {
        assertDoesNotThrow(() -> config(1 << 24, 10_000, 1 << 20, 1 << 20, 256, 256, 4096));
        names("vocabulary 16777217", (1 << 24) + 1, 1, 32, 32, 4, 4, 8);
        names("layers 10001", 32, 10_001, 32, 32, 4, 4, 8);
        names("hidden size 1048577", 32, 1, (1 << 20) + 1, 32, 4, 4, 8);
        names("feed-forward size 1048577", 32, 1, 32, (1 << 20) + 1, 4, 4, 8);
        names("heads 65537", 32, 1, 32, 32, (1 << 16) + 1, 1, 2);
        names("head size 4098", 32, 1, 32, 32, 1, 1, 4098);
        names("heads of 4096 elements 257", 32, 1, 32, 32, 257, 1, 4096);
        names("key-value heads 3", 32, 1, 32, 32, 4, 3, 8);
    }

    private static void names(String expected, int vocabulary, int layers, int hidden, int intermediate, int heads, int kvHeads,
            int headDim) {
        String message = assertThrows(IllegalArgumentException.class,
                () -> config(vocabulary, layers, hidden, intermediate, heads, kvHeads, headDim)).getMessage();
        assertTrue(message.startsWith(expected + ": expected"), message);
    }

    private static ModelConfig config(int vocabulary, int layers, int hidden, int intermediate, int heads, int kvHeads, int headDim) {
        return new ModelConfig(Architectures.plain(), vocabulary, layers, hidden, intermediate, heads, kvHeads, headDim, 1e-5f,
                new RopeTable(RopeTable.Pairing.SPLIT, new float[] {1}, 1), 0, 0, 2048);
    }

    @Test
    void attention_rowOfTwoToThe31Elements_isRefused() {
        assertThrows(IllegalArgumentException.class, () -> new AttentionShape(1 << 20, 1, 1 << 11, 1, 0));
        assertEquals(1 << 30, new AttentionShape(1 << 19, 1, 1 << 11, 1, 0).queryWidth());
    }

    @Test
    void kvLayout_sizesBeyondTheirBounds_areRefusedInWords() {
        assertEquals("context of 2147483647 tokens: expected at most 16777216",
                assertThrows(IllegalArgumentException.class, () -> new ModelOptions(Integer.MAX_VALUE, DType.F16)).getMessage());
        String message = assertThrows(IllegalArgumentException.class,
                () -> KvLayout.uniform(1 << 20, 1 << 10, 1 << 16, DType.F16)).getMessage();
        assertTrue(message.contains("expected less than 2^63 bytes"), message);
        assertThrows(IllegalArgumentException.class, () -> KvLayout.uniform(1, 1, Integer.MAX_VALUE, DType.F16));
    }

    @Test
    void kvLayout_asText_saysWhatMemoryItTakes() {
        assertEquals("8192 tokens in 32 layers with 8 key-value heads of 128 elements in F16, 1024.0 MiB",
                KvLayout.uniform(32, 8, 128, DType.F16).describe(8192));
    }
}
