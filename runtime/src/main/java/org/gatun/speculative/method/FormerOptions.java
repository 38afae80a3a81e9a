package org.gatun.speculative.method;

import java.util.Map;

/// Names that options had before, taken for one release more.
final class FormerOptions {
    private static final Map<String, String> NAMES =
            Map.of("most", "max", "lead", "margin", "ahead", "draft-ahead", "widths", "branching");

    private FormerOptions() {}

    /// The name that an option has now.
    static String name(String option) {
        return NAMES.getOrDefault(option, option);
    }

    /// A value given under a former name, as it is written now: `lead` was a whole number of tenths.
    static String value(String option, String value) {
        return option.equals("lead") && value.matches("\\d{1,4}") ? Double.toString(Integer.parseInt(value) / 10.0) : value;
    }
}
