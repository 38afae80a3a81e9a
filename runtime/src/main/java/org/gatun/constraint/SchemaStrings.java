package org.gatun.constraint;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.constraint.Schema.At;
import tools.jackson.databind.JsonNode;

/// The keywords of strings: `pattern`, `format`, `minLength` and `maxLength`.
final class SchemaStrings {
    private static final long MAX_COUNT = 10_000_000;
    private final JsonText text;
    private final Regexes regexes;
    private final Set<String> notes;
    private final Map<String, Integer> known = new HashMap<>();

    /// @param notes where to say which formats are not known
    SchemaStrings(JsonText text, Set<String> notes) {
        this.text = text;
        this.notes = notes;
        regexes = text.regexes();
    }

    /// Strings that a place allows.
    int of(At at) {
        JsonNode node = at.node();
        List<Integer> all = new ArrayList<>();
        long least = SchemaKeywords.count(at, "minLength", 0);
        long most = SchemaKeywords.count(at, "maxLength", Long.MAX_VALUE);
        if (least > MAX_COUNT) {
            throw new UnsupportedSchemaException("minLength", at.pointer(), "it is above " + MAX_COUNT, "ask for shorter strings");
        }
        if (most < least) {
            return Regexes.EMPTY;
        }
        if (least > 0 || most < Integer.MAX_VALUE) {
            all.add(text.string(regexes.repeat(text.plainCharacter, (int) least, (int) Math.min(most, Regexes.UNBOUNDED))));
        }
        if (node.has("pattern")) {
            if (!node.get("pattern").isString()) {
                throw SchemaKeywords.malformed(at, "pattern", "a regular expression");
            }
            all.add(pattern(node.get("pattern").stringValue(), "pattern", at));
        }
        if (node.has("format")) {
            String name = node.get("format").asString("");
            String expression = SchemaFormats.BY_NAME.get(name);
            if (SchemaFormats.REFUSED.contains(name)) {
                throw new UnsupportedSchemaException("format", at.pointer(), "it asks for " + name, "leave it out and check the answer");
            }
            if (expression == null) {
                notes.add("format " + name + " is not known and is an annotation");
            } else {
                all.add(known.computeIfAbsent("format " + name, _ -> whole(expression)));
                if (SchemaFormats.LENGTHS.containsKey(name)) {
                    all.add(whole(SchemaFormats.LENGTHS.get(name)));
                }
            }
        }
        return all.isEmpty() ? text.anyString : regexes.live(regexes.conjunction(all.stream().mapToInt(Integer::intValue).toArray()));
    }

    private int whole(String expression) {
        return text.string(RegexSyntax.whole(expression, regexes, text::characters));
    }

    /// Strings in which an expression is found.
    ///
    /// @throws UnsupportedSchemaException if the expression is not supported
    int pattern(String expression, String keyword, At at) {
        try {
            return known.computeIfAbsent(expression, _ -> text.string(RegexSyntax.anywhere(expression, regexes, text::characters)));
        } catch (IllegalArgumentException e) {
            throw new UnsupportedSchemaException(keyword, at.pointer(), e.getMessage(), "write it otherwise");
        }
    }
}
