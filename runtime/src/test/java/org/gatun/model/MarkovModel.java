package org.gatun.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.gatun.backend.Backend;
import org.gatun.format.GgufWriter;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;

/// A model whose next token depends on the last one alone, as a table says: for tests that must know every probability.
///
/// Embeddings are unit vectors, attention and feed-forward add zero, and the head holds the table.
public final class MarkovModel {
    private static final int HIDDEN = 32;
    private static final float EPSILON = 1e-5f; // of the norm, as in the header

    private MarkovModel() {}

    /// Writes and loads it.
    ///
    /// @param laws `[vocabulary, vocabulary]` weights of the next token by the last one; at most 32 tokens, 0 to 2 being control tokens
    public static Model load(Path file, double[][] laws, Backend backend) {
        int vocabulary = laws.length;
        RandomModel shape = new RandomModel("llama", DType.F32, vocabulary, HIDDEN, 1, 4, 2, HIDDEN, 256, 0, 1);
        GgufWriter writer = shape.header();
        float[] units = new float[vocabulary * HIDDEN];
        float[] head = new float[vocabulary * HIDDEN];
        double norm = 1 / Math.sqrt(1.0 / HIDDEN + EPSILON);
        for (int last = 0; last < vocabulary; last++) {
            units[last * HIDDEN + last] = 1;
            for (int next = 0; next < vocabulary; next++) {
                head[next * HIDDEN + last] = (float) (Math.log(Math.max(laws[last][next], 1e-12)) / norm);
            }
        }
        tensor(writer, "token_embd.weight", units, vocabulary, HIDDEN);
        tensor(writer, "output.weight", head, vocabulary, HIDDEN);
        float[] ones = new float[HIDDEN];
        Arrays.fill(ones, 1);
        for (String name : new String[] {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"}) {
            tensor(writer, name, ones, HIDDEN);
        }
        for (String name : new String[] {"attn_q", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
            tensor(writer, "blk.0." + name + ".weight", new float[HIDDEN * HIDDEN], HIDDEN, HIDDEN);
        }
        for (String name : new String[] {"attn_k", "attn_v"}) {
            tensor(writer, "blk.0." + name + ".weight", new float[HIDDEN / 2 * HIDDEN], HIDDEN / 2, HIDDEN);
        }
        try {
            writer.write(file);
            return Model.load(file, backend, ModelOptions.STANDARD);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Laws in which one token follows each, nearly surely, then others in a given order.
    ///
    /// @param followers `[vocabulary, count]` most probable first; what is not named is less probable, lower ids first
    public static double[][] ranked(int[]... followers) {
        double[][] laws = new double[followers.length][followers.length];
        for (int last = 0; last < followers.length; last++) {
            for (int next = 0; next < followers.length; next++) {
                laws[last][next] = Math.pow(0.5, 10 + next);
            }
            for (int rank = 0; rank < followers[last].length; rank++) {
                laws[last][followers[last][rank]] = Math.pow(0.5, rank);
            }
        }
        return laws;
    }

    private static void tensor(GgufWriter writer, String name, float[] elements, long... sizes) {
        RandomModel.tensor(writer, name, DType.F32, Shape.of(sizes), elements);
    }
}
