package org.gatun.backend;

import java.util.List;
import org.gatun.tensor.DType;

/// The sizes of a KV cache.
///
/// @param layers number of layers
/// @param kvHeads key-value heads a layer
/// @param headDim elements a head
/// @param slots rows a layer can hold
/// @param dtype stored type, one of [#TYPES]; blocks of a quantized one begin anew at each head, whose last may be cut short
public record KvShape(int layers, int kvHeads, int headDim, int slots, DType dtype) {
    /// The types that keys and values can be stored in. Not every backend has all.
    public static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0);

    /// @throws IllegalArgumentException if a size is not positive or the type is none of [#TYPES]
    public KvShape {
        if (layers <= 0 || kvHeads <= 0 || headDim <= 0 || slots <= 0) {
            throw new IllegalArgumentException("KV cache of " + layers + " layers, " + kvHeads + " heads of " + headDim
                    + ", " + slots + " slots: expected positive sizes");
        }
        requireType(dtype);
    }

    /// @throws IllegalArgumentException if keys and values cannot be stored in a type
    public static void requireType(DType type) {
        if (!TYPES.contains(type)) {
            throw new IllegalArgumentException("KV cache of " + type + ": expected one of " + TYPES);
        }
    }

    /// Bytes that the keys, or the values, of a head of a slot take.
    public int headBytes() {
        int scales = Math.ceilDiv(headDim, dtype.blockElements());
        return dtype.isQuantized() ? headDim + scales * (dtype.blockBytes() - dtype.blockElements()) : headDim * dtype.blockBytes();
    }

    /// Bytes of keys and values together.
    public long byteSize() {
        return 2L * layers * kvHeads * slots * headBytes();
    }
}
