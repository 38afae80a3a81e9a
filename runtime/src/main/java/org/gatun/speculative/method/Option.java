package org.gatun.speculative.method;

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
    /// @param least smallest value
    /// @param most largest value
    record Number(String name, String summary, int number, int least, int most) implements Option {

        @Override
        public String standard() {
            return Integer.toString(number);
        }

        @Override
        public String expected() {
            return "a whole number from " + least + " to " + most;
        }

        @Override
        public boolean accepts(String value) {
            try {
                int parsed = Integer.parseInt(value);
                return parsed >= least && parsed <= most;
            } catch (NumberFormatException _) {
                return false;
            }
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
}
