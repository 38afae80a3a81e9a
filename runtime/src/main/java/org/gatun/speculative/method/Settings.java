package org.gatun.speculative.method;

import java.util.Arrays;
import java.util.Map;

/// The options of a method with their values, all valid: those given, and the standard ones of the others.
///
/// @param values by name, as text
public record Settings(Map<String, String> values) {

    public Settings {
        values = Map.copyOf(values);
    }

    /// Value of a number option.
    public int number(String option) {
        return Integer.parseInt(text(option));
    }

    /// Value of an option that is a number with a fraction.
    public double decimal(String option) {
        return Double.parseDouble(text(option));
    }

    /// Values of an option that is several numbers.
    public int[] numbers(String option) {
        return Arrays.stream(text(option).split("-")).mapToInt(Integer::parseInt).toArray();
    }

    /// Value of an option as text; empty if none was given and there is no standard one.
    ///
    /// @throws IllegalArgumentException if the method has no such option
    public String text(String option) {
        String value = values.get(option);
        if (value == null) {
            throw new IllegalArgumentException("no option '" + option + "': expected one of " + values.keySet());
        }
        return value;
    }
}
