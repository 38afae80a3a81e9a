package org.gatun.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import org.gatun.template.Expression.BinaryOperator;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.Real;

/// Python's arithmetic with integers, which have as many digits as they need, up to a bound.
record Integers(Budget budget) {
    /// What has more digits Python does not print either.
    static final int MAX_DIGITS = 4_300;
    private static final BigInteger LIMIT = BigInteger.TEN.pow(MAX_DIGITS);
    private static final int EXACT_BITS = 53;
    /// Enough that rounding twice is rounding once, but for quotients made to differ.
    private static final MathContext QUOTIENT = new MathContext(60);

    /// @throws Refusal if it has too many digits
    static BigInteger bounded(BigInteger value) {
        if (value.abs().compareTo(LIMIT) >= 0) {
            throw tooLarge();
        }
        return value;
    }

    private static Refusal tooLarge() {
        return new Refusal("an integer has more than " + MAX_DIGITS + " digits");
    }

    /// @throws Refusal if it is larger than any `double`
    static double real(BigInteger value) {
        double real = value.doubleValue();
        if (Double.isInfinite(real)) {
            throw new Refusal("an integer of " + value.abs().toString().length() + " digits is too large for a number with a point");
        }
        return real;
    }

    /// Without what is behind the point.
    ///
    /// @throws Refusal if it is infinite or not a number
    static BigInteger truncated(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            throw new Refusal(Printer.real(value) + " is no integer");
        }
        return new BigDecimal(value).toBigInteger();
    }

    /// Not for negative powers, which are no integers.
    Value binary(BinaryOperator operator, BigInteger left, BigInteger right) {
        budget.work(1 + (long) left.bitLength() * right.bitLength() / (1 << 13));
        if (operator == BinaryOperator.DIVIDE) {
            return new Real(quotient(left, demandNonZero(right)));
        }
        BigInteger result = switch (operator) {
            case ADD -> left.add(right);
            case SUBTRACT -> left.subtract(right);
            case MULTIPLY -> left.multiply(right);
            case FLOOR_DIVIDE -> floor(left, demandNonZero(right))[0];
            case MODULO -> floor(left, demandNonZero(right))[1];
            case POWER -> power(left, right);
            case DIVIDE -> throw new AssertionError(operator);
        };
        budget.bytes(result.bitLength() / 8);
        return new Int(bounded(result));
    }

    private static BigInteger demandNonZero(BigInteger divisor) {
        if (divisor.signum() == 0) {
            throw new Refusal("division by zero");
        }
        return divisor;
    }

    /// Quotient and rest; the rest has the sign of the divisor.
    private static BigInteger[] floor(BigInteger left, BigInteger right) {
        BigInteger[] both = left.divideAndRemainder(right);
        if (both[1].signum() != 0 && both[1].signum() != right.signum()) {
            both[0] = both[0].subtract(BigInteger.ONE);
            both[1] = both[1].add(right);
        }
        return both;
    }

    private static double quotient(BigInteger left, BigInteger right) {
        if (left.bitLength() <= EXACT_BITS && right.bitLength() <= EXACT_BITS) {
            return left.doubleValue() / right.doubleValue();
        }
        return real(new BigDecimal(left).divide(new BigDecimal(right), QUOTIENT));
    }

    private static double real(BigDecimal quotient) {
        double real = quotient.doubleValue();
        if (Double.isInfinite(real)) {
            throw new Refusal("a quotient is too large for a number with a point");
        }
        return real;
    }

    private static BigInteger power(BigInteger base, BigInteger exponent) {
        if (base.abs().compareTo(BigInteger.ONE) <= 0) {
            return exponent.signum() == 0 ? BigInteger.ONE : exponent.testBit(0) ? base : base.abs();
        }
        boolean isShort = exponent.bitLength() < Integer.SIZE
                && (base.bitLength() - 1L) * exponent.intValue() <= LIMIT.bitLength();
        if (!isShort) {
            throw tooLarge();
        }
        return base.pow(exponent.intValue());
    }
}
