package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;

/// The eight scales and eight minimums of 6 bits, in twelve bytes, of a block of [org.gatun.tensor.DType#Q4_K] or
/// [org.gatun.tensor.DType#Q5_K]: three groups of four. In the first, low six bits are scales 0–3; in the second, minimums 0–3; the
/// third holds the low four bits of scales (low nibble) and minimums (high nibble) 4–7, whose upper two bits are the upper two of the
/// first and second group.
public final class SixBitScales {
    private SixBitScales() {}

    /// The scale of a sub-block.
    ///
    /// @param offset of the twelve bytes
    /// @param sub from 0 to 7
    public static int scale(MemorySegment source, long offset, int sub) {
        return sub < 4
                ? unsignedByte(source, offset + sub) & 63
                : unsignedByte(source, offset + 4 + sub) & 15 | unsignedByte(source, offset + sub - 4) >> 6 << 4;
    }

    /// The minimum of a sub-block.
    ///
    /// @param offset of the twelve bytes
    /// @param sub from 0 to 7
    public static int minimum(MemorySegment source, long offset, int sub) {
        return sub < 4
                ? unsignedByte(source, offset + 4 + sub) & 63
                : unsignedByte(source, offset + 4 + sub) >> 4 | unsignedByte(source, offset + sub) >> 6 << 4;
    }
}
