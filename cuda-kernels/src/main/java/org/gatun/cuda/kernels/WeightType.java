package org.gatun.cuda.kernels;

import java.util.Locale;

/// How the weight of a product is kept on the device.
public enum WeightType {
    F32(ElementType.F32, 0, 0),
    F16(ElementType.F16, 0, 0),
    BF16(ElementType.BF16, 0, 0),
    /// Blocks of 32 signed bytes and an f16 scale, in weight tiles.
    Q8_0(ElementType.BF16, 8, 4),
    /// Blocks of 32 codes of 4 bits, less 8, and an f16 scale, in weight tiles.
    Q4_0(ElementType.BF16, 4, 4),
    /// Blocks of 32 codes of 4 bits with scale and minimum, products of a small whole number and an f16, in weight tiles.
    Q4_K(ElementType.BF16, 4, 8),
    /// Blocks of 16 codes of 6 bits, less 32, with a scale that is the product of a signed byte and an f16, in weight tiles.
    Q6_K(ElementType.BF16, 6, 8),
    /// Blocks of 64 codes of 4 bits, entries of a codebook, and an f32 scale, in weight tiles.
    NF4(ElementType.BF16, 4, 4),
    /// As [#NF4], with another codebook.
    FP4(ElementType.BF16, 4, 4),
    /// Blocks of 32 codes of 4 bits that are floating-point numbers, and a power of two, in weight tiles.
    MXFP4(ElementType.BF16, 4, 2),
    /// Blocks of 16 codes of 4 bits that are floating-point numbers, with a scale of 8 bits, and an f32 scale for each output, in weight
    /// tiles.
    NVFP4(ElementType.BF16, 4, 4),
    /// Signed bytes, and an f32 scale for each output, in weight tiles.
    INT8(ElementType.BF16, 8, 0),
    /// Two f16 of every four, and where they are, in weight tiles.
    SPARSE_2_4(ElementType.F16, 8, 8),
    /// As [#SPARSE_2_4] with signed bytes, and an f32 scale for each output, in weight tiles.
    SPARSE_2_4_INT8(ElementType.F16, 4, 8),
    /// One f16 of every four, and where it is, in weight tiles.
    SPARSE_1_4(ElementType.F16, 4, 4),
    /// Two f16 of every eight, and where they are, in weight tiles.
    SPARSE_2_8(ElementType.F16, 4, 6),
    /// Four f16 of every eight, and where they are, in weight tiles.
    SPARSE_4_8(ElementType.F16, 8, 12),
    /// One f16 of every sixteen, and where it is, in weight tiles.
    SPARSE_1_16(ElementType.F16, 1, 2),
    /// Two f16 of every sixteen, and where they are, in weight tiles.
    SPARSE_2_16(ElementType.F16, 2, 4);

    /// Outputs of a weight tile.
    public static final int TILE_OUTPUTS = 8;
    /// Inputs of a weight tile.
    public static final int TILE_INPUTS = 64;

    private final ElementType activations;
    private final int codeBits;
    private final int scaleBytes; // of an output in a weight tile

    WeightType(ElementType activations, int codeBits, int scaleBytes) {
        this.activations = activations;
        this.codeBits = codeBits;
        this.scaleBytes = scaleBytes;
    }

    /// The type that the other operand is read in.
    public ElementType activations() {
        return activations;
    }

    /// Whether it is kept in weight tiles of [#TILE_OUTPUTS] x [#TILE_INPUTS], see `matmul_quantized.cu`.
    public boolean isTiled() {
        return codeBits > 0;
    }

    /// Whether codes are looked up in a table, for which a block needs room.
    public boolean hasTable() {
        return this == NF4 || this == FP4;
    }

    /// Whether some of every few weights are kept, and their places stand where others have scales.
    public boolean isSparse() {
        return name().startsWith("SPARSE");
    }

    /// Whether codes are floating-point numbers themselves, see `matmul_float4.cu`.
    public boolean isFloat4() {
        return this == MXFP4 || this == NVFP4;
    }

    /// Bits of a weight tile that an input of an output takes besides scales.
    public int codeBits() {
        return codeBits;
    }

    /// Bytes of scales for each output of a weight tile; they follow the codes.
    public int scaleBytes() {
        return scaleBytes;
    }

    /// Bytes of the scale of an output that all its inputs share; those of 8 outputs follow their weight tiles.
    public int outputScaleBytes() {
        return this == INT8 || this == SPARSE_2_4_INT8 || isFloat4() ? Float.BYTES : 0;
    }

    /// Bytes of a weight tile.
    public int tileBytes() {
        return TILE_OUTPUTS * (TILE_INPUTS * codeBits / Byte.SIZE + scaleBytes);
    }

    /// Bytes of a weight.
    public long byteSize(long outputs, int inputs) {
        return isTiled() ? Math.ceilDiv(outputs, TILE_OUTPUTS)
                        * (Math.ceilDiv(inputs, TILE_INPUTS) * (long) tileBytes() + TILE_OUTPUTS * outputScaleBytes())
                : Math.multiplyExact(outputs, (long) inputs * activations.byteSize());
    }

    /// As kernels' names have it.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
