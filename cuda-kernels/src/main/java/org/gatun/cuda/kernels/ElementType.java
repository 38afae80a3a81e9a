package org.gatun.cuda.kernels;

import java.util.Locale;

/// How the elements of an operand are stored; kernels compute in f32.
public enum ElementType {
    F32(4),
    F16(2),
    BF16(2);

    private final int byteSize;

    ElementType(int byteSize) {
        this.byteSize = byteSize;
    }

    /// Bytes of an element.
    public int byteSize() {
        return byteSize;
    }

    /// As kernels' names have it.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
