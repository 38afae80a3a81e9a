package org.gatun.backend;

import org.gatun.tensor.DType;

/// The sizes of a KV cache.
///
/// @param layers number of layers
/// @param kvHeads key-value heads a layer
/// @param headDim elements a head
/// @param slots rows a layer can hold
/// @param dtype stored type, [DType#F16] or [DType#F32]
public record KvShape(int layers, int kvHeads, int headDim, int slots, DType dtype) {

    /// @throws IllegalArgumentException if a size is not positive or the type is neither F16 nor F32
    public KvShape {
        if (layers <= 0 || kvHeads <= 0 || headDim <= 0 || slots <= 0) {
            throw new IllegalArgumentException("KV cache of " + layers + " layers, " + kvHeads + " heads of " + headDim
                    + ", " + slots + " slots: expected positive sizes");
        }
        if (dtype != DType.F16 && dtype != DType.F32) {
            throw new IllegalArgumentException("KV cache of " + dtype + ": expected F16 or F32");
        }
    }

    /// Bytes of keys and values together.
    public long byteSize() {
        return 2L * layers * kvHeads * headDim * slots * dtype.blockBytes();
    }
}
