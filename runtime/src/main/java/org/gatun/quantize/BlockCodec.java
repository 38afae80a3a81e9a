package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.INT;
import static org.gatun.quantize.LittleEndian.half;
import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.putHalf;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.tensor.DType;

/// Types of 32 elements a block with an f16 scale `d`: codes `q` of 4, 5 or 8 bits, and for the `_1` types an f16
/// minimum `m`. Codes of 4 bits are packed by halves: byte `j` holds element `j` in its low and `j + 16` in its high
/// bits. The fifth bits of a 5-bit type are one little-endian word, bit `j` for element `j`.
///
/// Encoding computes codes from the f32 scale; only the stored scale is rounded to f16. A block whose scale vanishes
/// is all zeros or, with a minimum, all `m`.
enum BlockCodec implements Codec {
    /// `d · (q − 8)`: d, 16 bytes of codes.
    Q4_0(DType.Q4_0) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            float d = half(source, offset);
            for (int j = 0; j < ELEMENTS; j++) {
                target[targetOffset + j] = (nibble(source, offset + 2, j) - 8) * d;
            }
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            float d = extreme(source, sourceOffset) / -8;
            int[] codes = codes(source, sourceOffset, 0, d, 8.5f, 15);
            putHalf(target, offset, d, DType.Q4_0);
            putNibbles(target, offset + 2, codes);
        }
    },
    /// `d · q + m`: d, m, 16 bytes of codes.
    Q4_1(DType.Q4_1) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            float d = half(source, offset);
            float m = half(source, offset + 2);
            for (int j = 0; j < ELEMENTS; j++) {
                target[targetOffset + j] = nibble(source, offset + 4, j) * d + m;
            }
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            float m = minimum(source, sourceOffset);
            float d = (maximum(source, sourceOffset) - m) / 15;
            int[] codes = codes(source, sourceOffset, m, d, 0.5f, 15);
            putHalf(target, offset, d, DType.Q4_1);
            putHalf(target, offset + 2, m, DType.Q4_1);
            putNibbles(target, offset + 4, codes);
        }
    },
    /// `d · (q − 16)`: d, word of fifth bits, 16 bytes of low bits.
    Q5_0(DType.Q5_0) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            float d = half(source, offset);
            for (int j = 0; j < ELEMENTS; j++) {
                target[targetOffset + j] = (nibble(source, offset + 6, j) + fifthBit(source, offset + 2, j) - 16) * d;
            }
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            float d = extreme(source, sourceOffset) / -16;
            int[] codes = codes(source, sourceOffset, 0, d, 16.5f, 31);
            putHalf(target, offset, d, DType.Q5_0);
            putFifthBits(target, offset + 2, codes);
            putNibbles(target, offset + 6, codes);
        }
    },
    /// `d · q + m`: d, m, word of fifth bits, 16 bytes of low bits.
    Q5_1(DType.Q5_1) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            float d = half(source, offset);
            float m = half(source, offset + 2);
            for (int j = 0; j < ELEMENTS; j++) {
                target[targetOffset + j] = (nibble(source, offset + 8, j) + fifthBit(source, offset + 4, j)) * d + m;
            }
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            float m = minimum(source, sourceOffset);
            float d = (maximum(source, sourceOffset) - m) / 31;
            int[] codes = codes(source, sourceOffset, m, d, 0.5f, 31);
            putHalf(target, offset, d, DType.Q5_1);
            putHalf(target, offset + 2, m, DType.Q5_1);
            putFifthBits(target, offset + 4, codes);
            putNibbles(target, offset + 8, codes);
        }
    },
    /// `d · q`: d, 32 signed bytes.
    Q8_0(DType.Q8_0) {
        @Override
        public void decodeBlock(MemorySegment source, long offset, float[] target, int targetOffset) {
            float d = half(source, offset);
            for (int j = 0; j < ELEMENTS; j++) {
                target[targetOffset + j] = source.get(ValueLayout.JAVA_BYTE, offset + 2 + j) * d;
            }
        }

        @Override
        public void encodeBlock(float[] source, int sourceOffset, MemorySegment target, long offset) {
            float d = Math.abs(extreme(source, sourceOffset)) / 127;
            float inverse = inverse(d);
            putHalf(target, offset, d, DType.Q8_0);
            for (int j = 0; j < ELEMENTS; j++) {
                float x = source[sourceOffset + j] * inverse;
                putByte(target, offset + 2 + j, (int) (x + Math.copySign(0.5, x)));
            }
        }
    };

    private static final int ELEMENTS = 32;

    private final DType dtype;

    BlockCodec(DType dtype) {
        this.dtype = dtype;
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public boolean canEncode() {
        return true;
    }

    private static int nibble(MemorySegment source, long offset, int j) {
        return unsignedByte(source, offset + j % 16) >> 4 * (j / 16) & 15;
    }

    /// 16 if the fifth bit of element `j` is set, else 0.
    private static int fifthBit(MemorySegment source, long offset, int j) {
        return (source.get(INT, offset) >>> j & 1) << 4;
    }

    private static void putNibbles(MemorySegment target, long offset, int[] codes) {
        for (int j = 0; j < ELEMENTS / 2; j++) {
            putByte(target, offset + j, codes[j] & 15 | (codes[j + 16] & 15) << 4);
        }
    }

    private static void putFifthBits(MemorySegment target, long offset, int[] codes) {
        int bits = 0;
        for (int j = 0; j < ELEMENTS; j++) {
            bits |= (codes[j] >> 4) << j;
        }
        target.set(INT, offset, bits);
    }

    /// `(x − m) / d + bias`, cut to an integer from 0 to `largest`.
    private static int[] codes(float[] source, int sourceOffset, float m, float d, float bias, int largest) {
        float inverse = inverse(d);
        int[] codes = new int[ELEMENTS];
        for (int j = 0; j < ELEMENTS; j++) {
            codes[j] = Math.clamp((int) ((source[sourceOffset + j] - m) * inverse + bias), 0, largest);
        }
        return codes;
    }

    /// 1/d; 0 for a scale so small that f16 cannot hold it and f32 not its inverse.
    private static float inverse(float d) {
        float inverse = 1 / d;
        return Float.isFinite(inverse) ? inverse : 0;
    }

    /// The element of largest magnitude with its sign, the first of equals.
    private static float extreme(float[] source, int sourceOffset) {
        float extreme = 0;
        for (int j = 0; j < ELEMENTS; j++) {
            if (Math.abs(source[sourceOffset + j]) > Math.abs(extreme)) {
                extreme = source[sourceOffset + j];
            }
        }
        return extreme;
    }

    private static float minimum(float[] source, int sourceOffset) {
        float minimum = source[sourceOffset];
        for (int j = 1; j < ELEMENTS; j++) {
            minimum = Math.min(minimum, source[sourceOffset + j]);
        }
        return minimum;
    }

    private static float maximum(float[] source, int sourceOffset) {
        float maximum = source[sourceOffset];
        for (int j = 1; j < ELEMENTS; j++) {
            maximum = Math.max(maximum, source[sourceOffset + j]);
        }
        return maximum;
    }
}
