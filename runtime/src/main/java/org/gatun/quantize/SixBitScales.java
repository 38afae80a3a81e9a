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

    /// Writes the scale and the minimum of a sub-block into twelve bytes that were 0.
    static void put(MemorySegment target, long offset, int sub, int scale, int minimum) {
        if (sub < 4) {
            or(target, offset + sub, scale);
            or(target, offset + 4 + sub, minimum);
        } else {
            or(target, offset + 4 + sub, scale & 15 | (minimum & 15) << 4);
            or(target, offset + sub - 4, scale >> 4 << 6);
            or(target, offset + sub, minimum >> 4 << 6);
        }
    }

    private static void or(MemorySegment target, long offset, int bits) {
        LittleEndian.putByte(target, offset, unsignedByte(target, offset) | bits);
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
