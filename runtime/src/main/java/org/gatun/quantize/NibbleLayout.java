package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.INT;
import static org.gatun.quantize.LittleEndian.half;
import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.putHalf;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;

/// `Q4_0`, `Q4_1`, `Q5_0`, `Q5_1`: 32 codes `q` of 4 or 5 bits. In this order: f16 scale `d`; f16 minimum `m`, if the
/// type has one; a word of fifth bits, if the type has them, bit `j` for element `j`; 16 bytes of low bits, where byte
/// `j` holds element `j` in its low and element `j + 16` in its high half.
///
/// Codes are computed from the f32 scale and cut to integers after a half was added; only what is stored of the scale
/// is rounded to f16.
record NibbleLayout(Bits bits, Origin origin) implements Layout {
    private static final int ELEMENTS = 32;

    /// Size of a code.
    enum Bits { FOUR, FIVE }

    /// What a code counts from.
    enum Origin {
        /// The value is `d · (q − half of the codes)`; the element of largest magnitude has code 0.
        MIDDLE,
        /// The value is `d · q + m`.
        MINIMUM
    }

    private int middle() {
        return bits == Bits.FOUR ? 8 : 16;
    }

    private long fifthBits(long offset) {
        return offset + (origin == Origin.MIDDLE ? 2 : 4);
    }

    private long lowBits(long offset) {
        return fifthBits(offset) + (bits == Bits.FOUR ? 0 : 4);
    }

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        float d = half(source, offset);
        int fifths = bits == Bits.FOUR ? 0 : source.get(INT, fifthBits(offset));
        for (int j = 0; j < ELEMENTS; j++) {
            int low = unsignedByte(source, lowBits(offset) + j % 16) >> 4 * (j / 16) & 15;
            int code = low | (fifths >>> j & 1) << 4;
            target[targetOffset + j] = switch (origin) {
                case MIDDLE -> (code - middle()) * d;
                case MINIMUM -> code * d + half(source, offset + 2);
            };
        }
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        float smallest = source[sourceOffset];
        float largest = smallest;
        float extreme = 0;
        for (int j = 0; j < ELEMENTS; j++) {
            float x = source[sourceOffset + j];
            smallest = Math.min(smallest, x);
            largest = Math.max(largest, x);
            extreme = Math.abs(x) > Math.abs(extreme) ? x : extreme;
        }
        int lastCode = 2 * middle() - 1;
        float m = origin == Origin.MIDDLE ? 0 : smallest;
        float d = origin == Origin.MIDDLE ? extreme / -middle() : (largest - m) / lastCode;
        float bias = origin == Origin.MIDDLE ? middle() + 0.5f : 0.5f;
        float inverse = LittleEndian.inverse(d);
        int[] codes = new int[ELEMENTS];
        int fifths = 0;
        for (int j = 0; j < ELEMENTS; j++) {
            codes[j] = Math.clamp((int) ((source[sourceOffset + j] - m) * inverse + bias), 0, lastCode);
            fifths |= (codes[j] >> 4) << j;
        }
        putHalf(target, offset, d);
        if (origin == Origin.MINIMUM) {
            putHalf(target, offset + 2, m);
        }
        if (bits == Bits.FIVE) {
            target.set(INT, fifthBits(offset), fifths);
        }
        for (int j = 0; j < ELEMENTS / 2; j++) {
            putByte(target, lowBits(offset) + j, codes[j] & 15 | (codes[j + 16] & 15) << 4);
        }
    }
}
