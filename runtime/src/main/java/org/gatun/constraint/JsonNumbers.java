package org.gatun.constraint;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Numbers between bounds, digit by digit, without exponent.
final class JsonNumbers {
    private static final int MAX_DIGITS = 400;
    private static final int MAX_PLACES = 8;
    private static final int MAX_FACTOR_DIGITS = 8;

    private final JsonText text;
    private final Regexes regexes;
    private final int digits;
    private final int fraction;

    JsonNumbers(JsonText text) {
        this.text = text;
        regexes = text.regexes();
        digits = text.ascii("[0-9]*");
        fraction = text.ascii("(\\.[0-9]+)?");
    }

    /// Whole numbers.
    int integers() {
        return text.ascii("0|-?[1-9][0-9]*");
    }

    /// A number, zeros at the end of a fraction included.
    int value(BigDecimal value) {
        requireShort(value);
        String plain = value.signum() == 0 ? "0" : value.stripTrailingZeros().toPlainString();
        return regexes.concat(text.text(plain), text.ascii(plain.indexOf('.') < 0 ? "(\\.0+)?" : "0*"));
    }

    /// Numbers from a bound on.
    int atLeast(BigDecimal bound, boolean strict) {
        requireShort(bound);
        if (bound.signum() == 0) {
            return text.ascii(strict ? "([1-9][0-9]*(\\.[0-9]+)?|0\\.[0-9]*[1-9][0-9]*)([eE][+-]?[0-9]+)?"
                    : "(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?");
        }
        return bound.signum() > 0 ? fromOn(bound, strict)
                : regexes.union(magnitudes(), negative(upTo(bound.negate(), strict)));
    }

    /// Numbers up to a bound.
    int atMost(BigDecimal bound, boolean strict) {
        requireShort(bound);
        if (bound.signum() == 0) {
            return regexes.union(negative(atLeast(bound, true)), strict ? Regexes.EMPTY : text.ascii("-?0(\\.0+)?([eE][+-]?[0-9]+)?"));
        }
        return bound.signum() > 0 ? regexes.union(upTo(bound, strict), negative(magnitudes()))
                : negative(fromOn(bound.negate(), strict));
    }

    private static void requireShort(BigDecimal bound) {
        if ((long) bound.precision() + Math.abs((long) bound.scale()) > MAX_DIGITS) {
            throw new IllegalArgumentException("a bound of more than " + MAX_DIGITS + " digits");
        }
    }

    private int magnitudes() {
        return text.ascii("(0|[1-9][0-9]*)(\\.[0-9]+)?");
    }

    private int negative(int magnitude) {
        return regexes.concat(text.text("-"), magnitude);
    }

    private static String whole(BigDecimal value) {
        return value.setScale(0, RoundingMode.DOWN).toBigInteger().toString();
    }

    private static String decimals(BigDecimal value) {
        String plain = value.signum() == 0 ? "0" : value.stripTrailingZeros().toPlainString();
        int point = plain.indexOf('.');
        return point < 0 ? "" : plain.substring(point + 1);
    }

    private int digit(int from, int to) {
        return from > to ? Regexes.EMPTY : regexes.bytes('0' + from, '0' + to);
    }

    private int anyDigits(int count) {
        return regexes.repeat(digit(0, 9), count, count);
    }

    /// Magnitudes that are not below a bound.
    private int fromOn(BigDecimal bound, boolean strict) {
        String whole = whole(bound);
        List<Integer> parts = new ArrayList<>();
        parts.add(regexes.concat(digit(1, 9), anyDigits(whole.length()), digits, fraction));
        for (int i = 0; i < whole.length(); i++) {
            parts.add(regexes.concat(text.text(whole.substring(0, i)), digit(whole.charAt(i) - '0' + 1, 9),
                    anyDigits(whole.length() - i - 1), fraction));
        }
        String decimals = decimals(bound);
        int more = tailFromOn(decimals, strict);
        int behind = regexes.concat(text.text("."), more);
        parts.add(regexes.concat(text.text(whole), decimals.isEmpty() && !strict ? fraction : behind));
        return union(parts);
    }

    /// Decimals that are not below some.
    private int tailFromOn(String decimals, boolean strict) {
        if (decimals.isEmpty()) {
            return strict ? text.ascii("[0-9]*[1-9][0-9]*") : digits;
        }
        int first = decimals.charAt(0) - '0';
        return regexes.union(regexes.concat(digit(first + 1, 9), digits),
                regexes.concat(digit(first, first), tailFromOn(decimals.substring(1), strict)));
    }

    /// Magnitudes that are not above a bound.
    private int upTo(BigDecimal bound, boolean strict) {
        String whole = whole(bound);
        List<Integer> parts = new ArrayList<>();
        for (int length = 1; length < whole.length(); length++) {
            parts.add(regexes.concat(digit(length == 1 ? 0 : 1, 9), anyDigits(length - 1), fraction));
        }
        for (int i = 0; i < whole.length(); i++) {
            parts.add(regexes.concat(text.text(whole.substring(0, i)), digit(i == 0 && whole.length() > 1 ? 1 : 0, whole.charAt(i) - '0' - 1),
                    anyDigits(whole.length() - i - 1), fraction));
        }
        String decimals = decimals(bound);
        if (!decimals.isEmpty()) {
            parts.add(text.text(whole));
            parts.add(regexes.concat(text.text(whole), text.text("."), tailUpTo(decimals, strict, true)));
        } else if (!strict) {
            parts.add(regexes.concat(text.text(whole), text.ascii("(\\.0+)?")));
        }
        return union(parts);
    }

    /// Decimals that are not above some, which do not end in zero.
    private int tailUpTo(String decimals, boolean strict, boolean first) {
        if (decimals.isEmpty()) {
            return strict ? Regexes.EMPTY : text.ascii("0*");
        }
        int digit = decimals.charAt(0) - '0';
        return regexes.union(first ? Regexes.EMPTY : Regexes.EPSILON, regexes.concat(digit(0, digit - 1), digits),
                regexes.concat(digit(digit, digit), tailUpTo(decimals.substring(1), strict, false)));
    }

    /// Multiples of a number; empty if it has too many digits.
    Optional<Integer> multiples(BigDecimal of) {
        BigDecimal factor = of.stripTrailingZeros();
        int places = Math.max(0, factor.scale());
        if (places > MAX_PLACES || factor.precision() - factor.scale() + places > MAX_FACTOR_DIGITS) {
            return Optional.empty();
        }
        int multiple = regexes.multiple(Multiple.of(factor.scaleByPowerOfTen(places).intValueExact(), places));
        return Optional.of(regexes.conjunction(regexes.concat(regexes.optional(text.text("-")), multiple),
                text.ascii("-?(0|[1-9][0-9]*)(\\.[0-9]+)?")));
    }

    private int union(List<Integer> parts) {
        return regexes.union(parts.stream().mapToInt(Integer::intValue).toArray());
    }
}
