package org.gatun.model.architecture;

import java.util.stream.IntStream;
import org.gatun.backend.KvLayout;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;

/// The sizes and constants of a decoder-only transformer, as its file states them.
///
/// Every size has a bound here, far above any model there is, so that no product of two of them that a backend counts in 32 bits
/// overflows. Whether the weights have these sizes is checked before anything is allocated by them (see [Architecture#record]).
///
/// @param architecture what kind of model it is
/// @param vocabulary number of token ids
/// @param layers number of blocks
/// @param hidden width of the residual stream
/// @param intermediate width of the feed-forward part
/// @param heads query heads
/// @param kvHeads key-value heads
/// @param headDim elements a head
/// @param normEpsilon of every RMS norm
/// @param rope rotation of queries and keys
/// @param window sliding attention window in tokens, 0 for none
/// @param windowFromLayer first layer that has the window
/// @param contextLength most positions the model was trained for
public record ModelConfig(
        Architecture architecture, int vocabulary, int layers, int hidden, int intermediate, int heads, int kvHeads, int headDim,
        float normEpsilon, RopeTable rope, int window, int windowFromLayer, int contextLength) {
    /// Most token ids.
    public static final int MAX_VOCABULARY = 1 << 24;
    /// Most blocks.
    public static final int MAX_LAYERS = 10_000;
    /// Most elements of a row: of hidden states, of the feed-forward part, and of all heads together.
    public static final int MAX_WIDTH = 1 << 20;
    /// Most query heads.
    public static final int MAX_HEADS = 1 << 16;
    /// Most elements of a head.
    public static final int MAX_HEAD_DIM = 4096;

    /// @throws IllegalArgumentException if a size is not positive, beyond its bound, or does not fit the others
    public ModelConfig {
        requireWithin("vocabulary", vocabulary, MAX_VOCABULARY);
        requireWithin("layers", layers, MAX_LAYERS);
        requireWithin("hidden size", hidden, MAX_WIDTH);
        requireWithin("feed-forward size", intermediate, MAX_WIDTH);
        requireWithin("heads", heads, MAX_HEADS);
        requireHeadDim(headDim);
        requireWithin("heads of " + headDim + " elements", heads, MAX_WIDTH / headDim);
        require(kvHeads > 0 && heads % kvHeads == 0, "key-value heads", kvHeads, "a divisor of the " + heads + " heads");
        require(contextLength > 0, "context length", contextLength, "a positive number");
        require(2 * rope.pairs() <= headDim, "rotated dimensions", 2 * rope.pairs(), "at most the head size " + headDim);
        require(window >= 0, "sliding window", window, "a number of tokens, 0 for none");
        if (!(normEpsilon >= 0 && normEpsilon < 1)) {
            throw new IllegalArgumentException("norm epsilon " + normEpsilon + ": expected a small positive number");
        }
    }

    /// Checks a head size, for what is allocated by it before there is a config.
    ///
    /// @throws IllegalArgumentException if it is not an even number from 2 to [#MAX_HEAD_DIM]
    public static int requireHeadDim(int headDim) {
        require(headDim > 0 && headDim % 2 == 0 && headDim <= MAX_HEAD_DIM, "head size", headDim,
                "an even number from 2 to " + MAX_HEAD_DIM);
        return headDim;
    }

    private static void requireWithin(String what, int found, int max) {
        require(found > 0 && found <= max, what, found, "1 to " + max);
    }

    private static void require(boolean valid, String what, int found, String expected) {
        if (!valid) {
            throw new IllegalArgumentException(what + " " + found + ": expected " + expected);
        }
    }

    /// Elements of all query heads of a row.
    public int queryWidth() {
        return heads * headDim;
    }

    /// Elements of all keys, or all values, of a row.
    public int kvWidth() {
        return kvHeads * headDim;
    }

    /// Attention of a layer.
    public AttentionShape attention(int layer) {
        return new AttentionShape(heads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)),
                layer >= windowFromLayer ? window : 0);
    }

    /// What is kept of each token.
    public KvLayout kvLayout(DType dtype) {
        return new KvLayout(IntStream.range(0, layers).mapToObj(layer -> architecture.layerState(this, layer)).toList(), dtype);
    }
}
