package org.gatun.quantize;

/// The 8-bit floating-point numbers of [org.gatun.tensor.DType#F8_E4M3]: a sign, an exponent of 4 bits with bias 7 and a fraction of 3.
/// There are no infinities; exponent and fraction of all ones are no number.
final class EightBitFloat {
    static final float LARGEST = 448;
    /// The smallest that is no number, without a sign.
    static final int NOT_A_NUMBER = 0x7f;

    private static final int BIAS = 7;
    private static final int FRACTION_BITS = 3;

    private EightBitFloat() {}

    static float decode(int bits) {
        int exponent = bits >> FRACTION_BITS & 15;
        int fraction = bits & 7;
        float magnitude = (bits & NOT_A_NUMBER) == NOT_A_NUMBER ? Float.NaN
                : Math.scalb(exponent == 0 ? fraction : fraction + 8, Math.max(exponent, 1) - BIAS - FRACTION_BITS);
        return bits < 0x80 ? magnitude : -magnitude;
    }

    /// Rounds a finite number to nearest, ties to even; beyond the largest it is the largest.
    static int encode(float number) {
        float magnitude = Math.min(Math.abs(number), LARGEST);
        int exponent = Math.max(Math.getExponent(magnitude), 1 - BIAS);
        int units = (int) Math.rint(Math.scalb((double) magnitude, FRACTION_BITS - exponent)); // 16 carries into the exponent
        int bits = units < 8 ? units : (exponent + BIAS - 1 << FRACTION_BITS) + units;
        return number < 0 ? bits | 0x80 : bits;
    }
}
