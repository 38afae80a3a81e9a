package org.gatun.cuda.simulator;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/// A floating-point format by its definition: numbers as exact decimals, rounded by looking at the remainder. Slow and plain, to
/// compare the simulator's fast ways with.
enum BinaryFormat {
    F64(11, 52), F32(8, 23), F16(5, 10), BF16(8, 7), E5M2(5, 2), E4M3(4, 3) {
        @Override
        boolean isInfinity(long magnitude) {
            return false;
        }

        @Override
        boolean isNaN(long magnitude) {
            return magnitude == 0x7f;
        }
    };

    private final int exponentBits;
    private final int fractionBits;

    BinaryFormat(int exponentBits, int fractionBits) {
        this.exponentBits = exponentBits;
        this.fractionBits = fractionBits;
    }

    /// The format of a PTX type, null if that is whole.
    static BinaryFormat of(String type) {
        return switch (type.replace("x2", "")) {
            case "f64" -> F64;
            case "f32" -> F32;
            case "f16" -> F16;
            case "bf16" -> BF16;
            case "e4m3" -> E4M3;
            case "e5m2" -> E5M2;
            default -> null;
        };
    }

    int bits() {
        return 1 + exponentBits + fractionBits;
    }

    private int bias() {
        return (1 << exponentBits - 1) - 1;
    }

    boolean isInfinity(long magnitude) {
        return magnitude == ((1L << exponentBits) - 1) << fractionBits;
    }

    boolean isNaN(long magnitude) {
        return magnitude > ((1L << exponentBits) - 1) << fractionBits;
    }

    /// The number that bits stand for; every format here is within f64.
    double decode(long bits) {
        long magnitude = bits & (1L << bits() - 1) - 1;
        double sign = (bits >>> bits() - 1 & 1) != 0 ? -1 : 1;
        if (isNaN(magnitude)) {
            return Double.NaN;
        }
        if (isInfinity(magnitude)) {
            return sign * Double.POSITIVE_INFINITY;
        }
        long exponent = magnitude >>> fractionBits;
        long fraction = magnitude & (1L << fractionBits) - 1;
        return sign * (exponent == 0 ? fraction * Math.scalb(1.0, 1 - bias() - fractionBits)
                : ((1L << fractionBits) + fraction) * Math.scalb(1.0, (int) exponent - bias() - fractionBits));
    }

    /// The smallest normal number.
    double smallestNormal() {
        return Math.scalb(1.0, 1 - bias());
    }

    double largest() {
        long infinity = ((1L << exponentBits) - 1) << fractionBits;
        return decode(this == E4M3 ? 0x7e : infinity - 1);
    }

    /// An exact number rounded to the format.
    ///
    /// @param mode `rn`, `rz`, `rm`, `rp`, or `rna` for ties away from zero
    /// @param sign of a zero
    double round(BigDecimal exact, String mode, boolean negativeZero) {
        if (exact.signum() == 0) {
            return negativeZero ? -0.0 : 0.0;
        }
        int exponent = exact.abs().compareTo(BigDecimal.ONE) >= 0
                ? exact.abs().toBigInteger().bitLength() - 1 : -BigDecimal.ONE.divide(exact.abs(), 0, RoundingMode.CEILING)
                        .subtract(BigDecimal.ONE).toBigInteger().bitLength();
        int unit = Math.max(exponent, 1 - bias()) - fractionBits;
        BigDecimal scaled = unit >= 0 ? exact.divide(new BigDecimal(BigInteger.TWO.pow(unit)))
                : exact.multiply(new BigDecimal(BigInteger.TWO.pow(-unit)));
        BigDecimal rounded = scaled.setScale(0, switch (mode) {
            case "rz" -> RoundingMode.DOWN;
            case "rm" -> RoundingMode.FLOOR;
            case "rp" -> RoundingMode.CEILING;
            case "rna" -> RoundingMode.HALF_UP;
            default -> RoundingMode.HALF_EVEN;
        });
        BigDecimal value = unit >= 0 ? rounded.multiply(new BigDecimal(BigInteger.TWO.pow(unit)))
                : rounded.divide(new BigDecimal(BigInteger.TWO.pow(-unit)));
        if (value.abs().compareTo(new BigDecimal(largest())) > 0) {
            boolean stays = mode.equals("rz") || mode.equals(exact.signum() > 0 ? "rm" : "rp");
            return exact.signum() * (stays ? largest() : Double.POSITIVE_INFINITY);
        }
        return value.signum() == 0 ? exact.signum() < 0 ? -0.0 : 0.0 : value.doubleValue();
    }
}
