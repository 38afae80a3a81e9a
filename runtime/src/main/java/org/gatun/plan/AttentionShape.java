package org.gatun.plan;

/// The sizes and rules of one attention: which heads share keys, how scores are scaled, how far back a row attends.
///
/// @param heads query heads, a multiple of `kvHeads`
/// @param kvHeads key and value heads
/// @param headDim elements a head
/// @param scale factor on the scores
/// @param window a row attends to only keys whose position is more than its own minus `window`; 0 for no limit
public record AttentionShape(int heads, int kvHeads, int headDim, float scale, int window) {

    /// @throws IllegalArgumentException if a size is not positive, the heads do not divide into groups, or a row of them has 2³¹ elements
    ///         or more
    public AttentionShape {
        if (heads <= 0 || kvHeads <= 0 || headDim <= 0 || window < 0 || heads % kvHeads != 0
                || (long) heads * headDim > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("attention with " + heads + " heads, " + kvHeads + " key-value heads of "
                    + headDim + " and window " + window + ": expected positive sizes, heads a multiple of key-value heads, less than 2^31 elements in all");
        }
    }

    /// Query heads that share one key-value head.
    public int group() {
        return heads / kvHeads;
    }

    /// Width of a row of queries, `heads · headDim`.
    public int queryWidth() {
        return heads * headDim;
    }

    /// Width of a row of keys or values, `kvHeads · headDim`.
    public int kvWidth() {
        return kvHeads * headDim;
    }
}
