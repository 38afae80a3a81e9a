package org.gatun.cuda.simulator;

/// Floating-point formats of 16 and 8 bits, and rounding to them. NaN becomes the format's canonical one.
final class NarrowFloats {
    static final int F16_NAN = 0x7fff;
    static final int BF16_NAN = 0x7fff;

    private NarrowFloats() {}

    /// The directions in which PTX rounds.
    enum Rounding {
        /// To nearest, ties to even.
        RN,
        /// Towards zero.
        RZ,
        /// Down.
        RM,
        /// Up.
        RP;

        /// The whole number a quotient becomes.
        double apply(double x) {
            return switch (this) {
                case RN -> Math.rint(x);
                case RZ -> x < 0 ? Math.ceil(x) : Math.floor(x);
                case RM -> Math.floor(x);
                case RP -> Math.ceil(x);
            };
        }
    }

    /// Zero of the same sign for a subnormal number.
    static float flush(float x) {
        return Math.abs(x) < Float.MIN_NORMAL ? x * 0 : x;
    }

    static float bf16ToFloat(int bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    static int floatToBf16(float x) {
        int bits = Float.floatToRawIntBits(x);
        return x != x ? BF16_NAN : bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    }

    static float f16ToFloat(int bits) {
        return Float.float16ToFloat((short) bits);
    }

    static int floatToF16(float x) {
        return x != x ? F16_NAN : Float.floatToFloat16(x) & 0xffff;
    }

    /// A format: sign, exponent, and so many bits of precision, the leading one included.
    ///
    /// @param precision bits of the significand
    /// @param min exponent of normal numbers
    /// @param largest finite number
    /// @param hasInfinity or else what is too large is NaN
    /// @param width of the encoding in bits
    enum Format {
        F16(11, -14, 65504, true, 16), BF16(8, -126, 0x1.FEp127, true, 16), E4M3(4, -6, 448, false, 8), E5M2(3, -14, 57344, true, 8),
        TF32(11, -126, 0x1.FFCp127, true, 32);

        private final int precision;
        private final int minExponent;
        private final double largest;
        private final boolean hasInfinity;
        private final int width;

        Format(int precision, int minExponent, double largest, boolean hasInfinity, int width) {
            this.precision = precision;
            this.minExponent = minExponent;
            this.largest = largest;
            this.hasInfinity = hasInfinity;
            this.width = width;
        }

        private int sign() {
            return 1 << width - 1;
        }

        private int infinity() {
            return width == 8 ? this == E5M2 ? 0x7c : 0x7f : this == F16 ? 0x7c00 : 0x7f80;
        }

        int nan() {
            return width == 8 ? 0x7f : 0x7fff;
        }

        /// The nearest number of this format in a direction, as its bits.
        ///
        /// @param saturate whether what is too large becomes the largest finite number
        int encode(double x, Rounding rounding, boolean saturate) {
            if (x != x) {
                return nan();
            }
            int sign = Double.doubleToRawLongBits(x) < 0 ? sign() : 0;
            int exponent = x == 0 || Double.isInfinite(x) ? minExponent : Math.max(Math.getExponent(x), minExponent);
            double quantum = Math.scalb(1.0, exponent - precision + 1);
            double rounded = Double.isInfinite(x) ? x : rounding.apply(x / quantum) * quantum;
            double magnitude = Math.abs(rounded);
            if (magnitude > largest) {
                boolean towardsZero = rounding == Rounding.RZ || rounding == (sign == 0 ? Rounding.RM : Rounding.RP);
                if (saturate || towardsZero && !Double.isInfinite(x)) {
                    magnitude = largest;
                } else {
                    return sign | (hasInfinity ? infinity() : nan());
                }
            }
            if (magnitude == 0) {
                return sign;
            }
            int e = Math.max(Math.getExponent(magnitude), minExponent);
            int significand = (int) (magnitude / Math.scalb(1.0, e - precision + 1));
            int biased = significand < 1 << precision - 1 ? 0 : e - minExponent + 1;
            return sign | (biased << precision - 1) + (significand & (1 << precision - 1) - 1);
        }

        float decode(int bits) {
            int magnitude = bits & sign() - 1;
            float sign = (bits & sign()) != 0 ? -1 : 1;
            if (hasInfinity ? magnitude > infinity() : magnitude == nan()) {
                return Float.NaN;
            }
            if (hasInfinity && magnitude == infinity()) {
                return sign * Float.POSITIVE_INFINITY;
            }
            int biased = magnitude >>> precision - 1;
            int fraction = magnitude & (1 << precision - 1) - 1;
            return biased == 0 ? sign * Math.scalb((float) fraction, minExponent - precision + 1)
                    : sign * Math.scalb((float) (fraction | 1 << precision - 1), biased - 1 + minExponent - precision + 1);
        }
    }

    /// The nearest f32 in a direction to the sum of `x` and a much smaller `rest`.
    static float toFloat(double x, double rest, Rounding rounding) {
        float nearest = (float) x;
        if (rounding == Rounding.RN) {
            return (float) toOdd(x, rest);
        }
        if (nearest != nearest || Double.isInfinite(x)) {
            return nearest;
        }
        double beyond = Float.isInfinite(nearest) ? -nearest : x - nearest;
        double error = beyond != 0 ? beyond : rest; // of what it should be, over what it is
        boolean down = rounding == Rounding.RM || rounding == Rounding.RZ && x > 0;
        boolean up = rounding == Rounding.RP || rounding == Rounding.RZ && x < 0;
        return down && error < 0 ? Math.nextDown(nearest) : up && error > 0 ? Math.nextUp(nearest) : nearest;
    }

    /// A neighbour of `x` whose last bit is odd, if there is a rest: rounding that to fewer bits is rounding the sum once.
    static double toOdd(double x, double rest) {
        return rest == 0 || rest != rest || Double.isInfinite(x) || (Double.doubleToRawLongBits(x) & 1) != 0 ? x
                : rest > 0 ? Math.nextUp(x) : Math.nextDown(x);
    }

    /// What `a + b` leaves out of the exact sum (D. Knuth's two-sum).
    static double sumError(double a, double b) {
        double sum = a + b;
        double bb = sum - a;
        return a - (sum - bb) + (b - bb);
    }
}
