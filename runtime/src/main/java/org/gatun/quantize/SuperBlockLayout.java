package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.half;
import static org.gatun.quantize.LittleEndian.inverse;
import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.putHalf;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Types of 256 elements in sub-blocks with small integer scales over f16 super-scales. Encoding takes the scales that the extremes of
/// the sub-blocks ask for; others search for better ones.
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

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            int[] codes = codesOverMinimums(source, sourceOffset, target, offset, 15);
            putNibbles(codes, target, offset + 16);
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

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            int[] codes = codesOverMinimums(source, sourceOffset, target, offset, 31);
            for (int j = 0; j < 32; j++) {
                int fifths = 0;
                for (int sub = 0; sub < 8; sub++) {
                    fifths |= codes[32 * sub + j] >> 4 << sub;
                }
                putByte(target, offset + 16 + j, fifths);
            }
            putNibbles(codes, target, offset + 48);
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

        @Override
        public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
            float[] scales = new float[16];
            float largest = 0;
            for (int sub = 0; sub < scales.length; sub++) {
                float extreme = 0;
                for (int i = 16 * sub; i < 16 * sub + 16; i++) {
                    float x = source[sourceOffset + i];
                    extreme = Math.abs(x) > Math.abs(extreme) ? x : extreme;
                }
                scales[sub] = extreme / -32; // the extreme has code 0
                largest = Math.max(largest, Math.abs(scales[sub]));
            }
            putHalf(target, offset + 208, largest / 127);
            float d = half(target, offset + 208);
            target.asSlice(offset, 192).fill((byte) 0);
            for (int i = 0; i < 256; i++) {
                int half = i / 128;
                int run = i / 32 % 4;
                int j = i % 32;
                int scale = Math.clamp(Math.round(scales[i / 16] * inverse(d)), -128, 127);
                putByte(target, offset + 192 + i / 16, scale);
                int code = Math.clamp(Math.round(source[sourceOffset + i] * inverse(d * scale)), -32, 31) + 32;
                long low = offset + 64 * half + 32 * (run % 2) + j;
                long high = offset + 128 + 32 * half + j;
                putByte(target, low, unsignedByte(target, low) | (code & 15) << 4 * (run / 2));
                putByte(target, high, unsignedByte(target, high) | code >> 4 << 2 * run);
            }
        }
    };

    /// Writes super-scales, scales and minimums of eight sub-blocks, and returns the codes of the elements.
    private static int[] codesOverMinimums(float[] source, int sourceOffset, MemorySegment target, long offset, int lastCode) {
        float[] scales = new float[8];
        float[] minimums = new float[8];
        float largestScale = 0;
        float largestMinimum = 0;
        for (int sub = 0; sub < 8; sub++) {
            float smallest = 0; // minimums are not negative: a sub-block of positive elements counts from 0
            float largest = 0;
            for (int i = 32 * sub; i < 32 * sub + 32; i++) {
                smallest = Math.min(smallest, source[sourceOffset + i]);
                largest = Math.max(largest, source[sourceOffset + i]);
            }
            scales[sub] = (largest - smallest) / lastCode;
            minimums[sub] = -smallest;
            largestScale = Math.max(largestScale, scales[sub]);
            largestMinimum = Math.max(largestMinimum, minimums[sub]);
        }
        putHalf(target, offset, largestScale / 63);
        putHalf(target, offset + 2, largestMinimum / 63);
        float d = half(target, offset);
        float dmin = half(target, offset + 2);
        target.asSlice(offset + 4, 12).fill((byte) 0);
        int[] codes = new int[256];
        for (int sub = 0; sub < 8; sub++) {
            int scale = Math.clamp(Math.round(scales[sub] * inverse(d)), 0, 63);
            int minimum = Math.clamp(Math.round(minimums[sub] * inverse(dmin)), 0, 63);
            SixBitScales.put(target, offset + 4, sub, scale, minimum);
            for (int i = 32 * sub; i < 32 * sub + 32; i++) {
                codes[i] = Math.clamp(Math.round((source[sourceOffset + i] + dmin * minimum) * inverse(d * scale)), 0, lastCode);
            }
        }
        return codes;
    }

    private static void putNibbles(int[] codes, MemorySegment target, long offset) {
        for (int i = 0; i < 128; i++) {
            int first = i / 32 * 64 + i % 32;
            putByte(target, offset + i, codes[first] & 15 | (codes[first + 32] & 15) << 4);
        }
    }

    private static int nibble(MemorySegment source, long codes, int sub, int j) {
        return unsignedByte(source, codes + 32 * (sub / 2) + j) >> 4 * (sub % 2) & 15;
    }
}
