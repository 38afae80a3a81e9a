package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;

/// `MXFP4` of the OCP microscaling formats: a byte `e`, then 16 bytes of which byte `j` has the code of element `j` in its low and of
/// element `j + 16` in its high half. A code is a sign and three bits, a floating-point number of two bits of exponent and one of
/// fraction: 0, 0.5, 1, 1.5, 2, 3, 4 or 6. The value is that times `2^(e − 127)`; as in GGUF, 255 is no special exponent.
///
/// Encoding takes the exponent of the largest magnitude, so that it lies from 4 to 8; codes are rounded to nearest, ties to the even one,
/// and saturate.
record MicroscaledLayout() implements Layout {
    private static final int ELEMENTS = 32;
    private static final int BIAS = 127;
    private static final int LARGEST_EXPONENT = 2; // of 6
    private static final float[] MAGNITUDES = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        int exponent = unsignedByte(source, offset) - BIAS;
        for (int j = 0; j < ELEMENTS; j++) {
            int code = unsignedByte(source, offset + 1 + j % 16) >> 4 * (j / 16) & 15;
            float magnitude = Math.scalb(MAGNITUDES[code & 7], exponent);
            target[targetOffset + j] = code < 8 ? magnitude : -magnitude;
        }
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        float largest = 0;
        for (int j = 0; j < ELEMENTS; j++) {
            largest = Math.max(largest, Math.abs(source[sourceOffset + j]));
        }
        int exponent = Math.max(-BIAS, Math.getExponent(largest) - LARGEST_EXPONENT);
        putByte(target, offset, exponent + BIAS);
        for (int j = 0; j < ELEMENTS / 2; j++) {
            putByte(target, offset + 1 + j,
                    code(source[sourceOffset + j], exponent) | code(source[sourceOffset + j + 16], exponent) << 4);
        }
    }

    private static int code(float element, int exponent) {
        float magnitude = Math.scalb(Math.abs(element), -exponent);
        int code = 0;
        while (code < 7) {
            float middle = (MAGNITUDES[code] + MAGNITUDES[code + 1]) / 2;
            if (magnitude < middle || magnitude == middle && code % 2 == 0) {
                break;
            }
            code++;
        }
        return element < 0 ? code | 8 : code;
    }
}
