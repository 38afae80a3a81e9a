package org.gatun.tensor;

/// How the elements of a tensor are stored. Quantized types store blocks of consecutive elements of a row;
/// their layouts are those of GGUF, and Gatun's own for types that it does not have (`org.gatun.quantize` decodes them).
public enum DType {
    F64(1, 8),
    F32(1, 4),
    F16(1, 2),
    BF16(1, 2),
    I64(1, 8),
    I32(1, 4),
    I16(1, 2),
    I8(1, 1),
    U8(1, 1),
    /// One byte, 0 or 1.
    BOOL(1, 1),
    /// 32 elements: f16 scale, 16 bytes of 4-bit codes; value = scale · (code − 8).
    Q4_0(32, 18),
    /// 32 elements: f16 scale, f16 minimum, 16 bytes of 4-bit codes; value = scale · code + minimum.
    Q4_1(32, 20),
    /// 32 elements: f16 scale, 4 bytes of fifth bits, 16 bytes of 4-bit codes; value = scale · (code − 16).
    Q5_0(32, 22),
    /// 32 elements: f16 scale, f16 minimum, 4 bytes of fifth bits, 16 bytes of codes; value = scale · code + minimum.
    Q5_1(32, 24),
    /// 32 elements: f16 scale, 32 signed bytes; value = scale · code.
    Q8_0(32, 34),
    /// 256 elements in eight sub-blocks with 6-bit scales and minimums over f16 super-scales.
    Q4_K(256, 144),
    /// As [#Q4_K], with a fifth bit a code.
    Q5_K(256, 176),
    /// 256 elements of 6 bits in sixteen sub-blocks with 8-bit scales over one f16 super-scale.
    Q6_K(256, 210),
    /// 64 elements: f32 scale, 32 bytes of 4-bit codes of quantiles of a normal distribution; `value = scale · book[code]`.
    NF4(64, 36),
    /// As [#NF4], with codes of a sign and three bits.
    FP4(64, 36);

    private final int blockElements;
    private final int blockBytes;

    DType(int blockElements, int blockBytes) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    /// Elements that are stored together; 1 for plain types.
    public int blockElements() {
        return blockElements;
    }

    /// Bytes of one block.
    public int blockBytes() {
        return blockBytes;
    }

    /// Whether elements are coded in blocks with shared scales.
    public boolean isQuantized() {
        return blockElements > 1;
    }

    /// Bytes that `elements` elements take.
    ///
    /// @throws IllegalArgumentException if `elements` is negative or no multiple of the block
    /// @throws ArithmeticException if the size is beyond a `long`
    public long byteSize(long elements) {
        if (elements < 0 || elements % blockElements != 0) {
            throw new IllegalArgumentException(
                    elements + " elements of " + this + ": expected a multiple of " + blockElements);
        }
        return Math.multiplyExact(elements / blockElements, (long) blockBytes);
    }
}
