package org.gatun.cuda.kernels;

import java.util.Locale;

/// How a cache stores the elements of keys and values, see `cache.cuh`.
public enum KvType {
    F16(2),
    BF16(2),
    /// A signed byte an element, and for 32 of a head an f16 scale.
    Q8_0(1);

    private static final int SCALED = 32;

    private final int elementBytes;

    KvType(int elementBytes) {
        this.elementBytes = elementBytes;
    }

    /// Bytes of the elements of a head, without scales.
    int lineBytes(int storedDim) {
        return storedDim * elementBytes;
    }

    /// Bytes of the scales of a head.
    int scaleBytes(int storedDim) {
        return this == Q8_0 ? Math.ceilDiv(storedDim, SCALED) * Short.BYTES : 0;
    }

    /// As kernels' names have it.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
