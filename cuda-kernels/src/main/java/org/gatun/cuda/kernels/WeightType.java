package org.gatun.cuda.kernels;

import java.util.Locale;

/// How the weight of a product is kept on the device.
public enum WeightType {
    F32(ElementType.F32, 0),
    F16(ElementType.F16, 0),
    BF16(ElementType.BF16, 0),
    /// Blocks of 32 signed bytes and an f16 scale, in units.
    Q8_0(ElementType.BF16, 544),
    /// Blocks of 32 codes of 4 bits, less 8, and an f16 scale, in units.
    Q4_0(ElementType.BF16, 288);

    /// Outputs of a unit.
    public static final int UNIT_OUTPUTS = 8;
    /// Inputs of a unit.
    public static final int UNIT_INPUTS = 64;

    private final ElementType activations;
    private final int unitBytes;

    WeightType(ElementType activations, int unitBytes) {
        this.activations = activations;
        this.unitBytes = unitBytes;
    }

    /// The type that the other operand is read in.
    public ElementType activations() {
        return activations;
    }

    /// Whether it is kept in units of [#UNIT_OUTPUTS] x [#UNIT_INPUTS], see `matmul_quantized.cu`.
    public boolean hasUnits() {
        return unitBytes > 0;
    }

    /// Bytes of a unit.
    public int unitBytes() {
        return unitBytes;
    }

    /// Bytes of a weight.
    public long byteSize(long outputs, int inputs) {
        return hasUnits() ? Math.ceilDiv(outputs, UNIT_OUTPUTS) * Math.ceilDiv(inputs, UNIT_INPUTS) * unitBytes
                : Math.multiplyExact(outputs, (long) inputs * activations.byteSize());
    }

    /// As kernels' names have it.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
