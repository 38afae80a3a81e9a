package org.gatun.backend;

import java.util.List;
import java.util.Locale;
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

    /// Most slots: positions up to here are whole numbers in f32, which rotation takes them as.
    public static final int MAX_SLOTS = 1 << 24;

    /// @throws IllegalArgumentException if a size is not positive, there are more than [#MAX_SLOTS] slots or 2⁶³ bytes in all, or the
    ///         type is none of [#TYPES]
    public KvShape {
        requireType(dtype);
        if (layers <= 0 || kvHeads <= 0 || headDim <= 0 || slots <= 0) {
            throw new IllegalArgumentException("KV cache of " + layers + " layers, " + kvHeads + " heads of " + headDim
                    + ", " + slots + " slots: expected positive sizes");
        }
        requireSlots(slots);
        try {
            byteSize(layers, kvHeads, slots, headBytes(headDim, dtype));
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("KV cache of " + layers + " layers, " + kvHeads + " heads of " + headDim + ", " + slots
                    + " slots: expected less than 2^63 bytes", e);
        }
    }

    /// @throws IllegalArgumentException if there are more than [#MAX_SLOTS]
    public static void requireSlots(int slots) {
        if (slots > MAX_SLOTS) {
            throw new IllegalArgumentException("context of " + slots + " tokens: expected at most " + MAX_SLOTS);
        }
    }

    /// @throws IllegalArgumentException if keys and values cannot be stored in a type
    public static void requireType(DType type) {
        if (!TYPES.contains(type)) {
            throw new IllegalArgumentException("KV cache of " + type + ": expected one of " + TYPES);
        }
    }

    /// Bytes that the keys, or the values, of a head of a slot take.
    public int headBytes() {
        return headBytes(headDim, dtype);
    }

    private static int headBytes(int headDim, DType dtype) {
        int scales = Math.ceilDiv(headDim, dtype.blockElements());
        return dtype.isQuantized() ? Math.addExact(headDim, Math.multiplyExact(scales, dtype.blockBytes() - dtype.blockElements()))
                : Math.multiplyExact(headDim, dtype.blockBytes());
    }

    /// Bytes of keys and values together.
    public long byteSize() {
        return byteSize(layers, kvHeads, slots, headBytes());
    }

    private static long byteSize(long layers, int kvHeads, int slots, int headBytes) {
        return Math.multiplyExact(Math.multiplyExact(Math.multiplyExact(2 * layers, kvHeads), slots), headBytes);
    }

    /// As in messages: `16384 tokens in 4 layers with 2 key-value heads of 64 elements in F16, 32.0 MiB`.
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%d tokens in %d layers with %d key-value heads of %d elements in %s, %.1f MiB", slots,
                layers, kvHeads, headDim, dtype, byteSize() / 0x1p20);
    }
}
