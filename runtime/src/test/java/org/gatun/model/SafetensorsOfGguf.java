package org.gatun.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.gatun.format.GgufFile;
import org.gatun.format.SafetensorsWriter;
import org.gatun.quantize.Codebook;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import tools.jackson.databind.json.JsonMapper;

/// Rewrites a GGUF model of [RandomModel] as Hugging Face would store it.
public final class SafetensorsOfGguf {
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("token_embd", "model.embed_tokens"),
            Map.entry("output_norm", "model.norm"),
            Map.entry("output", "lm_head"),
            Map.entry("attn_norm", "input_layernorm"),
            Map.entry("ffn_norm", "post_attention_layernorm"),
            Map.entry("attn_q", "self_attn.q_proj"),
            Map.entry("attn_k", "self_attn.k_proj"),
            Map.entry("attn_v", "self_attn.v_proj"),
            Map.entry("attn_output", "self_attn.o_proj"),
            Map.entry("ffn_gate", "mlp.gate_proj"),
            Map.entry("ffn_up", "mlp.up_proj"),
            Map.entry("ffn_down", "mlp.down_proj"));

    private SafetensorsOfGguf() {}

    /// @param fourBits type of the blocks' matrices, as bitsandbytes writes them; empty for that of the GGUF
    public static void write(Path gguf, Path directory, Optional<DType> fourBits) throws IOException {
        Files.createDirectories(directory);
        try (GgufFile file = GgufFile.open(gguf)) {
            SafetensorsWriter writer = new SafetensorsWriter();
            for (Tensor tensor : file.tensors().values()) {
                if (fourBits.isPresent() && tensor.name().startsWith("blk.") && tensor.shape().rank() == 2) {
                    writeFourBits(writer, tensor, fourBits.get());
                } else {
                    writer.tensor(new Tensor(theirName(tensor.name()), tensor.dtype(), tensor.shape(), tensor.data()));
                }
            }
            writer.write(directory.resolve("model.safetensors"));
            Files.writeString(directory.resolve("config.json"), config(file));
            Files.writeString(directory.resolve("tokenizer.json"), tokenizer(file));
        }
    }

    private static void writeFourBits(SafetensorsWriter writer, Tensor tensor, DType type) {
        int count = (int) tensor.shape().elements();
        float[] elements = new float[count];
        Codec.of(tensor.dtype()).decode(tensor.data(), 0, elements, 0, count);
        MemorySegment blocks = MemorySegment.ofArray(new byte[(int) type.rowBytes(count)]);
        Codec.of(type).encode(elements, 0, blocks, 0, count);
        MemorySegment codes = MemorySegment.ofArray(new byte[count / 2]);
        MemorySegment magnitudes = MemorySegment.ofArray(new byte[count / 64 * 4]);
        for (int block = 0; block < count / 64; block++) {
            MemorySegment.copy(blocks, 36L * block, magnitudes, 4L * block, 4);
            MemorySegment.copy(blocks, 36L * block + 4, codes, 32L * block, 32);
        }
        byte[] state = "{\"blocksize\": 64, \"shape\": [%d, %d]}".formatted(tensor.rows(), tensor.columns())
                .getBytes(StandardCharsets.UTF_8);
        String name = theirName(tensor.name());
        writer.tensor(new Tensor(name, DType.U8, Shape.of(count / 2, 1), offHeap(codes)));
        writer.tensor(new Tensor(name + ".absmax", DType.F32, Shape.of(count / 64), offHeap(magnitudes)));
        writer.tensor(new Tensor(name + ".quant_map", DType.F32, Shape.of(16),
                offHeap(MemorySegment.ofArray(Codebook.of(type)))));
        writer.tensor(new Tensor(name + ".quant_state.bitsandbytes__" + type.name().toLowerCase(Locale.ROOT), DType.U8,
                Shape.of(state.length), offHeap(MemorySegment.ofArray(state))));
    }

    private static MemorySegment offHeap(MemorySegment bytes) {
        return Arena.ofAuto().allocate(bytes.byteSize(), 8).copyFrom(bytes);
    }

    private static String theirName(String name) {
        String[] parts = name.split("\\.");
        return parts.length == 2 ? NAMES.get(parts[0]) + "." + parts[1]
                : "model.layers." + parts[1] + "." + NAMES.get(parts[2]) + "." + parts[3];
    }

    private static String config(GgufFile file) throws IOException {
        String prefix = file.metadata().string("general.architecture").orElseThrow() + ".";
        return JsonMapper.shared().writeValueAsString(Map.of(
                "model_type", file.metadata().string("general.architecture").orElseThrow(),
                "vocab_size", file.metadata().strings("tokenizer.ggml.tokens").orElseThrow().size(),
                "num_hidden_layers", file.metadata().integer(prefix + "block_count").orElseThrow(),
                "hidden_size", file.metadata().integer(prefix + "embedding_length").orElseThrow(),
                "intermediate_size", file.metadata().integer(prefix + "feed_forward_length").orElseThrow(),
                "num_attention_heads", file.metadata().integer(prefix + "attention.head_count").orElseThrow(),
                "num_key_value_heads", file.metadata().integer(prefix + "attention.head_count_kv").orElseThrow(),
                "rms_norm_eps", 1e-5,
                "max_position_embeddings", 256));
    }

    private static String tokenizer(GgufFile file) throws IOException {
        Map<String, Integer> vocabulary = new TreeMap<>();
        for (String piece : file.metadata().strings("tokenizer.ggml.tokens").orElseThrow()) {
            vocabulary.put(piece, vocabulary.size());
        }
        return JsonMapper.shared().writeValueAsString(
                Map.of("model", Map.of("type", "BPE", "vocab", vocabulary, "merges", new String[0])));
    }
}
