package org.gatun.speculative.method;

import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;

/// A setting of a method, as written in `method:name=value`.
public sealed interface Option {

    /// Its name.
    String name();

    /// One line for people.
    String summary();

    /// Its value if none is given.
    String standard();

    /// What values it takes, for messages.
    String expected();

    /// Whether a value is one that it takes.
    boolean accepts(String value);

    /// A whole number.
    ///
    /// @param number if none is given
    /// @param min smallest value
    /// @param max largest value
    record Number(String name, String summary, int number, int min, int max) implements Option {

        @Override
        public String standard() {
            return Integer.toString(number);
        }

        @Override
        public String expected() {
            return "a whole number from " + min + " to " + max;
        }

        @Override
        public boolean accepts(String value) {
            try {
                int parsed = Integer.parseInt(value);
                return parsed >= min && parsed <= max;
            } catch (NumberFormatException _) {
                return false;
            }
        }
    }

    /// A number with a fraction, as `0.25`.
    ///
    /// @param number if none is given
    /// @param min smallest value
    /// @param max largest value
    record Decimal(String name, String summary, double number, double min, double max) implements Option {

        @Override
        public String standard() {
            return Double.toString(number);
        }

        @Override
        public String expected() {
            return "a number from " + plain(min) + " to " + plain(max) + ", such as " + plain(number);
        }

        private static String plain(double value) {
            return new BigDecimal(Double.toString(value)).stripTrailingZeros().toPlainString();
        }

        @Override
        public boolean accepts(String value) {
            return value.matches("\\d{1,9}(\\.\\d{1,9})?") && Double.parseDouble(value) >= min && Double.parseDouble(value) <= max;
        }
    }

    /// One of a few words.
    ///
    /// @param words the first if none is given
    record Choice(String name, String summary, List<String> words) implements Option {

        Choice(String name, String summary, String... words) {
            this(name, summary, List.of(words));
        }

        @Override
        public String standard() {
            return words.getFirst();
        }

        @Override
        public String expected() {
            return "one of " + String.join(", ", words);
        }

        @Override
        public boolean accepts(String value) {
            return words.contains(value);
        }
    }

    /// A text, such as a file; no comma and no colon can be in it.
    ///
    /// @param standard if none is given
    /// @param expected what it should be, for messages
    record Text(String name, String summary, String standard, String expected) implements Option {

        @Override
        public boolean accepts(String value) {
            return !value.isBlank();
        }
    }

    /// A few whole numbers with `-` between, as `3-2-1`.
    ///
    /// @param standard if none are given
    /// @param max largest number
    record Numbers(String name, String summary, String standard, int max) implements Option {
        private static final int LENGTH = 16;

        @Override
        public String expected() {
            return "up to " + LENGTH + " whole numbers from 1 to " + max + " with '-' between";
        }

        @Override
        public boolean accepts(String value) {
            String[] parts = value.split("-", -1);
            Number part = new Number(name, summary, 1, 1, max);
            return parts.length <= LENGTH && Arrays.stream(parts).allMatch(part::accepts);
        }
    }
}
