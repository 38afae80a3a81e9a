package org.gatun.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.gatun.format.GgufWriter;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// Writes small models with random weights: every path of loading and running, and none of the meaning.
///
/// @param architecture as in GGUF; decides biases (qwen2), head norms (qwen3) and rope pairing
/// @param dtype of the matrices
/// @param seed of the weights
/// @param sharpness factor on the logits, so that sampled text is neither noise nor a constant
public record RandomModel(String architecture, DType dtype, int vocabulary, int hidden, int layers, int heads, int kvHeads,
        int intermediate, int context, long seed, float sharpness) {

    /// A model small enough for the reference backend.
    public static RandomModel tiny(long seed) {
        return new RandomModel("llama", DType.F32, 32, 32, 2, 4, 2, 64, 256, seed, 6);
    }

    /// A shape to measure with, of some 170 million or 1.1 billion weights and 2,048 tokens of context.
    ///
    /// @param name `170m` or `1b`
    public static RandomModel ofShape(String name, DType dtype) {
        return switch (name) {
            case "170m" -> new RandomModel("llama", dtype, 32_000, 1024, 12, 16, 4, 2816, 2048, 1, 1);
            case "1b" -> new RandomModel("llama", dtype, 32_000, 2048, 16, 32, 8, 8192, 2048, 1, 1);
            default -> throw new IllegalArgumentException("shape " + name + ": expected 170m or 1b");
        };
    }

    /// This shape in another type.
    public RandomModel withDtype(DType dtype) {
        return new RandomModel(architecture, dtype, vocabulary, hidden, layers, heads, kvHeads, intermediate, context, seed,
                sharpness);
    }

    /// This shape with another number of layers.
    public RandomModel withLayers(int layers) {
        return new RandomModel(architecture, dtype, vocabulary, hidden, layers, heads, kvHeads, intermediate, context, seed,
                sharpness);
    }

    /// This shape for another architecture.
    public RandomModel withArchitecture(String architecture) {
        return new RandomModel(architecture, dtype, vocabulary, hidden, layers, heads, kvHeads, intermediate, context, seed,
                sharpness);
    }

    /// Writes it as GGUF and returns the path.
    public Path write(Path file) {
        return write(file, vocabulary, vocabulary);
    }

    /// Writes it with padding at the end of the vocabulary.
    ///
    /// @param used tokens that are no padding
    /// @param listed tokens that the tokenizer has, those from `used` on unused; rows beyond have none
    public Path write(Path file, int used, int listed) {
        SplittableRandom random = new SplittableRandom(seed);
        int headDim = hidden / heads;
        GgufWriter writer = new GgufWriter()
                .putString("general.architecture", architecture)
                .putUint32(architecture + ".block_count", layers)
                .putUint32(architecture + ".context_length", context)
                .putUint32(architecture + ".embedding_length", hidden)
                .putUint32(architecture + ".feed_forward_length", intermediate)
                .putUint32(architecture + ".attention.head_count", heads)
                .putUint32(architecture + ".attention.head_count_kv", kvHeads)
                .putFloat32(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
        if (listed != vocabulary) {
            writer.putUint32(architecture + ".vocab_size", vocabulary);
        }
        vocabulary(writer, used, listed);
        matrix(writer, random, "token_embd.weight", vocabulary, hidden, 1);
        for (int layer = 0; layer < layers; layer++) {
            String block = "blk." + layer + ".";
            vector(writer, random, block + "attn_norm.weight", hidden, 1);
            vector(writer, random, block + "ffn_norm.weight", hidden, 1);
            matrix(writer, random, block + "attn_q.weight", hidden, hidden, 1);
            matrix(writer, random, block + "attn_k.weight", kvHeads * headDim, hidden, 1);
            matrix(writer, random, block + "attn_v.weight", kvHeads * headDim, hidden, 1);
            matrix(writer, random, block + "attn_output.weight", hidden, hidden, 1);
            matrix(writer, random, block + "ffn_gate.weight", intermediate, hidden, 1);
            matrix(writer, random, block + "ffn_up.weight", intermediate, hidden, 1);
            matrix(writer, random, block + "ffn_down.weight", hidden, intermediate, 1);
            if (architecture.equals("qwen2")) {
                vector(writer, random, block + "attn_q.bias", hidden, 0);
                vector(writer, random, block + "attn_k.bias", kvHeads * headDim, 0);
                vector(writer, random, block + "attn_v.bias", kvHeads * headDim, 0);
            }
            if (architecture.equals("qwen3")) {
                vector(writer, random, block + "attn_q_norm.weight", headDim, 1);
                vector(writer, random, block + "attn_k_norm.weight", headDim, 1);
            }
        }
        vector(writer, random, "output_norm.weight", hidden, 1);
        matrix(writer, random, "output.weight", vocabulary, hidden, sharpness);
        try {
            writer.write(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return file;
    }

    /// Ids 0 to 2 are control tokens, the rest single characters from U+0041 on.
    private static void vocabulary(GgufWriter writer, int used, int listed) {
        List<String> pieces = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        int[] types = new int[listed];
        for (int id = 0; id < listed; id++) {
            types[id] = id >= used ? 5 : id == 0 ? 2 : id < 3 ? 3 : 1;
            if (id >= 3) {
                pieces.add(id >= used ? "[PAD" + id + "]" : Character.toString('A' + id - 3));
            }
        }
        writer.putString("tokenizer.ggml.model", "llama")
                .putStrings("tokenizer.ggml.tokens", pieces)
                .putFloat32s("tokenizer.ggml.scores", new float[listed])
                .putInt32s("tokenizer.ggml.token_type", types)
                .putUint32("tokenizer.ggml.unknown_token_id", 0)
                .putUint32("tokenizer.ggml.bos_token_id", 1)
                .putUint32("tokenizer.ggml.eos_token_id", 2);
    }

    private void matrix(GgufWriter writer, SplittableRandom random, String name, int rows, int columns, float scale) {
        float[] elements = new float[rows * columns];
        for (int i = 0; i < elements.length; i++) {
            elements[i] = (float) (random.nextDouble(-1.7, 1.7) * scale / Math.sqrt(columns));
        }
        tensor(writer, name, dtype, Shape.of(rows, columns), elements);
    }

    private static void vector(GgufWriter writer, SplittableRandom random, String name, int length, float mean) {
        float[] elements = new float[length];
        for (int i = 0; i < length; i++) {
            elements[i] = mean + (float) random.nextDouble(-0.2, 0.2);
        }
        tensor(writer, name, DType.F32, Shape.of(length), elements);
    }

    private static void tensor(GgufWriter writer, String name, DType dtype, Shape shape, float[] elements) {
        byte[] bytes = new byte[Math.toIntExact(dtype.rowBytes(elements.length))];
        MemorySegment data = MemorySegment.ofArray(bytes);
        Codec.of(dtype).encode(elements, 0, data, 0, elements.length);
        writer.tensor(new Tensor(name, dtype, shape, data));
    }
}
