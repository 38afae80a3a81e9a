package org.gatun.tensor;

import java.util.Optional;

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
    /// A sign, 4 bits of exponent and 3 of fraction: up to 448, without infinities.
    F8_E4M3(1, 1),
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
    /// 64 elements: f32 scale, 32 bytes of 4-bit codes of quantiles of a normal distribution; `value = scale · codebook[code]`.
    NF4(64, 36),
    /// As [#NF4], with codes of a sign and three bits.
    FP4(64, 36),
    /// 32 elements: a power of two in a byte, 16 bytes of codes of a sign and three bits, each a small floating-point number.
    MXFP4(32, 17),
    /// A row is an f32 scale, the same for all of a tensor, and blocks of 16 elements: a scale of [#F8_E4M3], not negative, and 8 bytes of
    /// codes as in [#MXFP4]; value = scale · scale of the block · number of the code.
    NVFP4(16, 9, Float.BYTES),
    /// 64 elements of [#NVFP4] as GGUF has them: 4 scales of blocks, then their codes; the scale of the tensor is elsewhere.
    NVFP4_BLOCKS(64, 36),
    /// A row is an f32 scale and a signed byte an element; value = scale · code.
    INT8(1, 1, Float.BYTES),
    /// Of each 4 elements 2 are kept, as f16; see [Sparsity].
    SPARSE_2_4_F16(2, 4, F16),
    /// Of each 4 elements 2 are kept, as [#INT8].
    SPARSE_2_4_INT8(2, 4, INT8),
    /// Of each 4 elements 2 are kept, as [#NF4].
    SPARSE_2_4_NF4(2, 4, NF4),
    /// Of each 4 elements 1 is kept, as f16.
    SPARSE_1_4_F16(1, 4, F16),
    /// Of each 8 elements 2 are kept, as f16.
    SPARSE_2_8_F16(2, 8, F16),
    /// Of each 8 elements 4 are kept, as f16.
    SPARSE_4_8_F16(4, 8, F16),
    /// Of each 16 elements 1 is kept, as f16.
    SPARSE_1_16_F16(1, 16, F16),
    /// Of each 16 elements 2 are kept, as f16.
    SPARSE_2_16_F16(2, 16, F16);

    /// Of every few elements of a row some are kept, the others are 0. A block of 64 elements has the values of those that are kept, in
    /// order, then their places within their groups as a stream of bits, the lowest of the first byte first. The values are f16; or
    /// signed bytes, to be multiplied by the scale of the row; or [DType#NF4], an f32 scale and the codes, the first of two in the high
    /// half.
    ///
    /// @param kept elements of a group that are kept, even if some of them are 0
    /// @param group elements of a group, a power of two up to 16
    /// @param values how those that are kept are stored: [DType#F16], [DType#INT8] or [DType#NF4]
    public record Sparsity(int kept, int group, DType values) {
        /// Elements of a block, for all.
        public static final int BLOCK_ELEMENTS = 64;

        /// Elements of a block that are kept.
        public int blockKept() {
            return BLOCK_ELEMENTS / group * kept;
        }

        /// Bits of a place.
        public int indexBits() {
            return Integer.numberOfTrailingZeros(group);
        }

        /// Bytes of the values of a block, behind which the places begin.
        public int valueBytes() {
            return values == NF4 ? Float.BYTES + blockKept() / 2 : blockKept() * values.blockBytes;
        }

        private int blockBytes() {
            return valueBytes() + blockKept() * indexBits() / Byte.SIZE;
        }
    }

    private final int blockElements;
    private final int blockBytes;
    private final int headerBytes;
    private final Optional<Sparsity> sparsity;

    DType(int blockElements, int blockBytes) {
        this(blockElements, blockBytes, 0);
    }

    DType(int blockElements, int blockBytes, int headerBytes) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
        this.headerBytes = headerBytes;
        sparsity = Optional.empty();
    }

    DType(int kept, int group, DType values) {
        Sparsity of = new Sparsity(kept, group, values);
        blockElements = Sparsity.BLOCK_ELEMENTS;
        blockBytes = of.blockBytes();
        headerBytes = values.headerBytes;
        sparsity = Optional.of(of);
    }

    /// Elements that are stored together; 1 for plain types.
    public int blockElements() {
        return blockElements;
    }

    /// Bytes of one block.
    public int blockBytes() {
        return blockBytes;
    }

    /// Bytes before the blocks of each row: those of its f32 scale, or 0.
    public int headerBytes() {
        return headerBytes;
    }

    /// Whether the rows of a tensor have the same scale in their headers.
    public boolean hasTensorScale() {
        return this == NVFP4;
    }

    /// Which elements are kept, if not all are.
    public Optional<Sparsity> sparsity() {
        return sparsity;
    }

    /// Whether elements are coded in blocks or rows with shared scales, or some of them left out.
    public boolean isQuantized() {
        return blockElements > 1 || headerBytes > 0;
    }

    /// Bytes that a row takes. For types without a header rows follow each other as one long row would.
    ///
    /// @throws IllegalArgumentException if `columns` is negative or no multiple of the block
    /// @throws ArithmeticException if the size is beyond a `long`
    public long rowBytes(long columns) {
        if (columns < 0 || columns % blockElements != 0) {
            throw new IllegalArgumentException(
                    columns + " elements of " + this + ": expected a multiple of " + blockElements);
        }
        return Math.addExact(headerBytes, Math.multiplyExact(columns / blockElements, (long) blockBytes));
    }

    /// Bytes that a tensor takes.
    ///
    /// @throws IllegalArgumentException if its rows are no multiple of the block
    /// @throws ArithmeticException if the size is beyond a `long`
    public long byteSize(Shape shape) {
        return Math.multiplyExact(shape.rows(), rowBytes(shape.columns()));
    }
}
