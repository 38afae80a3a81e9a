package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.half;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Types of 256 elements in sub-blocks with small integer scales over f16 super-scales. Decoding only.
///
/// `Q4_K` and `Q5_K` have eight sub-blocks of 32 with scale and minimum of 6 bits: the value is
/// `d · scale · q − dmin · minimum`, see [SixBitScales].
enum SuperBlockLayout implements Layout {
    /// d, dmin, 12 bytes of scales, 128 bytes of codes: of each 32 bytes, the low nibbles are one sub-block, the high
    /// nibbles the next.
    Q4_K {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            for (int sub = 0; sub < 8; sub++) {
                float scale = half(source, offset) * SixBitScales.scale(source, offset + 4, sub);
                float minimum = half(source, offset + 2) * SixBitScales.minimum(source, offset + 4, sub);
                for (int j = 0; j < 32; j++) {
                    target[targetOffset + 32 * sub + j] = scale * nibble(source, offset + 16, sub, j) - minimum;
                }
            }
        }
    },
    /// As [#Q4_K] with 32 bytes of fifth bits before the codes: bit `s` of byte `j` belongs to element `j` of
    /// sub-block `s`.
    Q5_K {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            for (int sub = 0; sub < 8; sub++) {
                float scale = half(source, offset) * SixBitScales.scale(source, offset + 4, sub);
                float minimum = half(source, offset + 2) * SixBitScales.minimum(source, offset + 4, sub);
                for (int j = 0; j < 32; j++) {
                    int fifth = unsignedByte(source, offset + 16 + j) >> sub & 1;
                    int code = nibble(source, offset + 48, sub, j) | fifth << 4;
                    target[targetOffset + 32 * sub + j] = scale * code - minimum;
                }
            }
        }
    },
    /// `d · scale · (q − 32)` with sixteen sub-blocks of 16: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16
    /// signed scales, d. Each half of 128 elements is four runs of 32: of the half's 64 bytes of nibbles, runs 0 and 1
    /// have the low, runs 2 and 3 the high ones; of its 32 bytes of pairs, run `r` has bits `2r` and `2r + 1`.
    Q6_K {
        @Override
        public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
            float d = half(source, offset + 208);
            for (int i = 0; i < 256; i++) {
                int half = i / 128;
                int run = i / 32 % 4;
                int j = i % 32;
                int low = unsignedByte(source, offset + 64 * half + 32 * (run % 2) + j) >> 4 * (run / 2) & 15;
                int high = unsignedByte(source, offset + 128 + 32 * half + j) >> 2 * run & 3;
                float scale = d * source.get(ValueLayout.JAVA_BYTE, offset + 192 + i / 16);
                target[targetOffset + i] = scale * ((low | high << 4) - 32);
            }
        }
    };

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        throw new UnsupportedOperationException("encoding " + this + " is not supported");
    }

    private static int nibble(MemorySegment source, long codes, int sub, int j) {
        return unsignedByte(source, codes + 32 * (sub / 2) + j) >> 4 * (sub % 2) & 15;
    }
}
