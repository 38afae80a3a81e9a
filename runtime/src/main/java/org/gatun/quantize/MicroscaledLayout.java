package org.gatun.quantize;

import static org.gatun.quantize.LittleEndian.putByte;
import static org.gatun.quantize.LittleEndian.unsignedByte;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Blocks of codes of 4 bits that are floating-point numbers themselves, under a scale of a byte: the scale, then bytes of which byte `j`
/// has the code of element `j` in its low half, and in its high half that of the element half a block further. A code is a sign and
/// three bits, two of exponent and one of fraction: 0, 0.5, 1, 1.5, 2, 3, 4 or 6.
///
/// Codes are rounded to nearest, ties to the even one, and saturate.
enum MicroscaledLayout implements Layout {
    /// 32 elements of the OCP microscaling formats; the scale is `2^(e − 127)`, where as in GGUF 255 is no special exponent. Encoding
    /// takes the exponent of the largest magnitude, so that it lies from 4 to 8.
    MXFP4(32) {
        @Override
        double scale(int bits) {
            return Math.scalb(1.0, bits - BIAS);
        }

        @Override
        int scaleOf(float largest) {
            return Math.max(0, Math.getExponent(largest) - LARGEST_EXPONENT + BIAS);
        }
    },
    /// 16 elements, in units of the scale of the row; the scale is an [EightBitFloat]. Encoding rounds that with which the largest
    /// magnitude is 6, but not to 0: small elements have more bits with the smallest scale.
    NVFP4(16) {
        @Override
        double scale(int bits) {
            return EightBitFloat.decode(bits);
        }

        @Override
        int scaleOf(float largest) {
            return largest == 0 ? 0 : Math.max(1, EightBitFloat.encode(largest / LARGEST));
        }

        @Override
        public Optional<String> damage(MemorySegment source, long offset) {
            return damageOfScale(unsignedByte(source, offset));
        }
    };

    /// The largest number of a code.
    static final float LARGEST = 6;

    private static final int BIAS = 127;
    private static final int LARGEST_EXPONENT = 2; // of 6
    private static final float[] MAGNITUDES = {0, 0.5f, 1, 1.5f, 2, 3, 4, LARGEST};

    private final int elements;

    MicroscaledLayout(int elements) {
        this.elements = elements;
    }

    abstract double scale(int bits);

    /// The scale with which to encode a block.
    abstract int scaleOf(float largest);

    /// What is wrong with the scale of a block of `NVFP4`.
    static Optional<String> damageOfScale(int bits) {
        return bits < EightBitFloat.NOT_A_NUMBER ? Optional.empty()
                : Optional.of("have a scale of " + EightBitFloat.decode(bits) + ": expected a number, not negative");
    }

    @Override
    public void decode(MemorySegment source, long offset, float[] target, int targetOffset) {
        double scale = scale(unsignedByte(source, offset));
        for (int j = 0; j < elements / 2; j++) {
            int pair = unsignedByte(source, offset + 1 + j);
            target[targetOffset + j] = number(pair & 15, scale);
            target[targetOffset + j + elements / 2] = number(pair >> 4, scale);
        }
    }

    /// The number of a code.
    static float number(int code, double scale) {
        float magnitude = (float) (MAGNITUDES[code & 7] * scale);
        return code < 8 ? magnitude : -magnitude;
    }

    @Override
    public void encode(float[] source, int sourceOffset, MemorySegment target, long offset) {
        float largest = 0;
        for (int j = 0; j < elements; j++) {
            largest = Math.max(largest, Math.abs(source[sourceOffset + j]));
        }
        int bits = scaleOf(largest);
        double scale = scale(bits);
        putByte(target, offset, bits);
        for (int j = 0; j < elements / 2; j++) {
            putByte(target, offset + 1 + j, code(source[sourceOffset + j], scale)
                    | code(source[sourceOffset + j + elements / 2], scale) << 4);
        }
    }

    private static int code(float element, double scale) {
        double magnitude = scale == 0 ? 0 : Math.abs(element) / scale;
        int code = 0;
        while (code < 7) {
            double middle = (MAGNITUDES[code] + MAGNITUDES[code + 1]) / 2;
            if (magnitude < middle || magnitude == middle && code % 2 == 0) {
                break;
            }
            code++;
        }
        return element < 0 ? code | 8 : code;
    }
}
