package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.gatun.constraint.Constraint;

/// What `--constrain` says a text must be.
final class ConstraintChoice {
    /// For the help.
    static final String DESCRIPTION = "write nothing but json (any value), schema:FILE (JSON that this JSON Schema allows), "
            + "regex:R (a match of R as a whole), or choices:FILE (one of its lines)";

    private ConstraintChoice() {}

    /// @throws IllegalArgumentException if it names no kind of constraint
    static Constraint parse(String text, Console console) throws IOException {
        int colon = text.indexOf(':');
        String kind = colon < 0 ? text : text.substring(0, colon);
        String rest = text.substring(colon + 1);
        if (kind.equals("json") && colon < 0) {
            return Constraint.json();
        }
        if (rest.isEmpty() || colon < 0) {
            throw unknown(text);
        }
        return switch (kind) {
            case "schema" -> Constraint.jsonSchema(console.read(Path.of(rest)));
            case "regex" -> Constraint.regex(rest);
            case "choices" -> choices(console.read(Path.of(rest)), rest);
            default -> throw unknown(text);
        };
    }

    private static Constraint choices(String lines, String file) {
        List<String> choices = lines.lines().filter(line -> !line.isEmpty()).toList();
        if (choices.isEmpty()) {
            throw new IllegalArgumentException("--constrain choices:" + file + ": found no line, expected one text at least");
        }
        return Constraint.choices(choices);
    }

    private static IllegalArgumentException unknown(String text) {
        return new IllegalArgumentException("--constrain " + text + ": expected json, schema:FILE, regex:R or choices:FILE");
    }
}
