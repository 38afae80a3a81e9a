package org.gatun.backend;

/// What a layer keeps of a text between passes.
public sealed interface LayerState {

    /// Keys and values of an attention layer.
    ///
    /// @param kvHeads key-value heads
    /// @param headDim elements of a head
    /// @param window rows attend to positions above their own minus this; 0 for all
    record Attention(int kvHeads, int headDim, int window) implements LayerState {
        /// @throws IllegalArgumentException if a size is not positive, or the window negative
        public Attention {
            if (kvHeads <= 0 || headDim <= 0 || window < 0) {
                throw new IllegalArgumentException("keys and values of " + kvHeads + " heads of " + headDim + " elements, window " + window
                        + ": expected positive sizes, and a window of 0 for none");
            }
        }
    }
}
