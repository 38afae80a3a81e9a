package org.gatun.model;

import org.gatun.backend.KvShape;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;

/// The sizes and constants of a decoder-only transformer, as its file states them.
///
/// @param architecture as named in the file
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
        String architecture, int vocabulary, int layers, int hidden, int intermediate, int heads, int kvHeads, int headDim,
        float normEpsilon, RopeTable rope, int window, int windowFromLayer, int contextLength) {

    /// @throws IllegalArgumentException if a size is not positive or does not fit the others
    public ModelConfig {
        require(vocabulary > 0, "vocabulary", vocabulary);
        require(layers > 0 && layers <= 10_000, "layers", layers);
        require(hidden > 0, "hidden size", hidden);
        require(intermediate > 0, "feed-forward size", intermediate);
        require(heads > 0, "heads", heads);
        require(kvHeads > 0 && heads % kvHeads == 0, "key-value heads", kvHeads);
        require(headDim > 0 && headDim % 2 == 0 && headDim <= 4096, "head size", headDim);
        require(contextLength > 0, "context length", contextLength);
        require(2 * rope.pairs() <= headDim, "rotated dimensions", 2 * rope.pairs());
        if (!(normEpsilon >= 0 && normEpsilon < 1)) {
            throw new IllegalArgumentException("norm epsilon " + normEpsilon + ": expected a small positive number");
        }
    }

    private static void require(boolean valid, String what, int found) {
        if (!valid) {
            throw new IllegalArgumentException(what + " " + found + ": not a size of a model");
        }
    }

    /// Attention of a layer.
    public AttentionShape attention(int layer) {
        return new AttentionShape(heads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)),
                layer >= windowFromLayer ? window : 0);
    }

    /// A KV cache for `slots` tokens.
    public KvShape kvShape(int slots, DType dtype) {
        return new KvShape(layers, kvHeads, headDim, slots, dtype);
    }
}
