package org.gatun.constraint;

/// How far digits, perhaps with a point and more digits, are a multiple of `factor` units of the last of some decimal places: a state of the
/// automaton of remainders, which is made as it is walked.
///
/// @param factor from 1 to 100,000,000
/// @param remainder of the digits so far
/// @param left places to come, -1 before the point
/// @param places from 0 to 8
record Multiple(int factor, int remainder, int left, int places) {
    private static final Multiple DEAD = new Multiple(1, 0, Integer.MIN_VALUE, 0);

    /// Before the first digit.
    static Multiple of(int factor, int places) {
        return new Multiple(factor, 0, -1, places);
    }

    /// The state of these [#operands].
    static Multiple of(int[] operands) {
        return new Multiple(operands[0], operands[1], operands[2], operands[3]);
    }

    int[] operands() {
        return new int[] {factor, remainder, left, places};
    }

    /// Whether zeros to the last place make it a multiple.
    boolean isMultiple() {
        return missing(left < 0 ? places : left) == 0;
    }

    /// Whether no digits to come make it one.
    boolean isDead() {
        return this == DEAD || left >= 0 && missing(left) >= power(left);
    }

    /// What so many digits to come have to be, modulo the factor.
    private long missing(int digits) {
        return (factor - remainder * (power(digits) % factor) % factor) % factor;
    }

    private static long power(int exponent) {
        long power = 1;
        for (int i = 0; i < exponent; i++) {
            power *= 10;
        }
        return power;
    }

    /// Behind a digit or the point.
    Multiple behind(int value) {
        if (value == '.' && left < 0) {
            return new Multiple(factor, remainder, places, places);
        }
        if (value < '0' || value > '9' || left == 0 && value != '0') {
            return DEAD;
        }
        return left == 0 ? this : new Multiple(factor, (int) ((10L * remainder + value - '0') % factor), Math.max(-1, left - 1), places);
    }
}
