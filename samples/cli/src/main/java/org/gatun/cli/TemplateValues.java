package org.gatun.cli;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gatun.format.JsonFile;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.json.JsonMapper;

/// Values for chat templates, as JSON.
final class TemplateValues {
    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

    private TemplateValues() {}

    /// What options of the form `NAME=JSON` give.
    ///
    /// @param option for messages
    /// @param taken names that are given otherwise, and how, such as `messages` by `--messages`
    /// @throws IllegalArgumentException if one has another form, or a name is given twice
    static Map<String, Object> parse(String option, List<String> given, Map<String, String> taken) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (String one : given) {
            int equals = one.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException(option + " " + one + ": expected NAME=JSON");
            }
            String name = one.substring(0, equals);
            if (taken.containsKey(name) || values.containsKey(name)) {
                throw new IllegalArgumentException(option + " " + one + ": " + name + " is given "
                        + (values.containsKey(name) ? "twice, expected once" : "by " + taken.get(name)));
            }
            values.put(name, json(option + " " + one, one.substring(equals + 1)));
        }
        return values;
    }

    /// A text in JSON as strings, numbers, lists and maps.
    ///
    /// @param source for messages
    /// @throws IllegalArgumentException if it is not JSON
    static Object json(String source, String text) {
        try {
            return JSON.readValue(text, Object.class);
        } catch (JacksonException e) {
            throw new IllegalArgumentException(source + ": " + JsonFile.problem(text.getBytes(StandardCharsets.UTF_8), e)
                    + ", such as true, 3, \"text\" with its quotes, or {\"a\": [1, 2]}", e);
        }
    }
}
