package org.gatun.cuda.kernels;

import java.util.Locale;

/// How the elements of an operand are stored; kernels compute in f32.
public enum ElementType {
    F32(4),
    BF16(2);

    private final int byteSize;

    ElementType(int byteSize) {
        this.byteSize = byteSize;
    }

    /// Bytes of an element.
    public int byteSize() {
        return byteSize;
    }

    /// Elements of 16 bytes, the widest access.
    int pack() {
        return 16 / byteSize;
    }

    /// As kernels' names have it.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
