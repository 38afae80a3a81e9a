package org.gatun.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import tools.jackson.databind.JsonNode;

/// A JSON object of a tokenizer's file, whose keys are ticked off as they are read: those that nobody asked for by the
/// time of [#end] are refused by name. What becomes of each key is noted in a [FormatReport].
///
/// Refusing goes on reading, so that all that is not supported is named at once; see [Source#requireSupported].
final class JsonPart {

    /// Where parts come from, and what was refused there.
    static final class Source {
        private final Path file;
        private final String name;
        private final FormatReport report;
        private final Set<String> refused = new LinkedHashSet<>();

        /// @param file for messages
        /// @param name of the file in the report
        Source(Path file, String name, FormatReport report) {
            this.file = file;
            this.name = name;
            this.report = report;
        }

        void read(String part) {
            report.read(name, part);
        }

        void ignore(String part, String reason) {
            report.ignore(name, part, reason);
        }

        void refuse(String part, String reason) {
            report.refuse(name, part, reason);
            refused.add(part + ": " + reason);
        }

        void warn(String message) {
            report.warn(name + ": " + message);
        }

        /// Names the part of the file that this is, if it is not all of it.
        String inFile(String what) {
            return file.endsWith(name) ? what : name + ": " + what;
        }

        FormatException problem(String what) {
            return new FormatException(file, -1, inFile(what));
        }

        /// @throws FormatException that names all that was refused, if anything was
        void requireSupported() throws FormatException {
            if (!refused.isEmpty()) {
                throw problem(String.join("; ", refused));
            }
        }
    }

    private final Source source;
    private final String name;
    private final JsonNode json;
    private final Set<String> asked = new LinkedHashSet<>();

    /// @param name of this part in messages and in the report; empty for the whole file
    JsonPart(Source source, String name, JsonNode json) {
        this.source = source;
        this.name = name;
        this.json = json;
    }

    Source source() {
        return source;
    }

    String name() {
        return name;
    }

    /// The name of what stands under a key of this part.
    String name(String key) {
        return name.isEmpty() ? key : name + "." + key;
    }

    /// Whether there is a value other than null.
    boolean has(String key) {
        return json.hasNonNull(key);
    }

    /// The keys that there are.
    Collection<String> names() {
        return json.propertyNames();
    }

    /// What stands under a key; a missing node if nothing does.
    JsonNode node(String key) {
        if (asked.add(key) && json.has(key)) {
            source.read(name(key));
        }
        return json.path(key);
    }

    /// Notes a key that changes no token.
    void ignore(String key, String reason) {
        if (asked.add(key) && json.has(key)) {
            source.ignore(name(key), reason);
        }
    }

    /// Notes that the value of a key is not supported.
    void refuse(String key, String reason) {
        asked.add(key);
        source.refuse(name(key), reason);
    }

    Optional<String> text(String key) throws FormatException {
        JsonNode value = node(key);
        if (value.isMissingNode() || value.isNull()) {
            return Optional.empty();
        }
        return Optional.of(text(key, value));
    }

    String text(String key, JsonNode value) throws FormatException {
        if (!value.isString()) {
            throw problem(key, value, "a text");
        }
        return value.stringValue();
    }

    String requiredText(String key) throws FormatException {
        return text(key, node(key));
    }

    /// A text of one character.
    int character(String key) throws FormatException {
        String text = requiredText(key);
        if (text.isEmpty() || text.length() != Character.charCount(text.codePointAt(0))) {
            throw problem(key, node(key), "one character");
        }
        return text.codePointAt(0);
    }

    Optional<Boolean> flag(String key) throws FormatException {
        JsonNode value = node(key);
        if (value.isMissingNode() || value.isNull()) {
            return Optional.empty();
        }
        if (!value.isBoolean()) {
            throw problem(key, value, "true or false");
        }
        return Optional.of(value.booleanValue());
    }

    boolean flag(String key, boolean usual) throws FormatException {
        return flag(key).orElse(usual);
    }

    int integer(String key, int usual, int min) throws FormatException {
        JsonNode value = node(key);
        return value.isMissingNode() || value.isNull() ? usual : integer(key, value, min);
    }

    int integer(String key, JsonNode value, int min) throws FormatException {
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < min) {
            throw problem(key, value, "a number from " + min + " to " + Integer.MAX_VALUE);
        }
        return value.intValue();
    }

    /// The object under a key, if there is one: its name here is the section and its type, `normalizer Strip`.
    Optional<JsonPart> typed(String key) throws FormatException {
        JsonNode value = node(key);
        return value.isMissingNode() || value.isNull() ? Optional.empty() : Optional.of(typed(key, value));
    }

    private JsonPart typed(String section, JsonNode value) throws FormatException {
        if (!value.isObject()) {
            throw problem(section, value, "an object");
        }
        return new JsonPart(source, section + " " + value.path("type").asString("without type"), value);
    }

    /// The parts of the `Sequence` that this is, each named after the section of this one.
    List<JsonPart> sequence(String key) throws FormatException {
        List<JsonPart> parts = new ArrayList<>();
        for (JsonNode element : array(key)) {
            parts.add(typed(name.substring(0, name.indexOf(' ')), element));
        }
        return parts;
    }

    JsonNode array(String key) throws FormatException {
        JsonNode value = node(key);
        if (!value.isArray()) {
            throw problem(key, value, "a list");
        }
        return value;
    }

    /// The objects in a list, which share a name.
    List<JsonPart> objects(String key) throws FormatException {
        List<JsonPart> parts = new ArrayList<>();
        JsonNode list = node(key);
        if (!list.isMissingNode() && !list.isNull()) {
            for (JsonNode element : array(key)) {
                if (!element.isObject()) {
                    throw problem(key, element, "an object");
                }
                parts.add(new JsonPart(source, name(key), element));
            }
        }
        return parts;
    }

    /// The type that the part names.
    String type() throws FormatException {
        return text("type").orElse("");
    }

    /// Refuses the keys that nobody asked for.
    void end() {
        json.propertyNames().forEach(key -> {
            if (!asked.contains(key)) {
                source.refuse(name(key), "unknown key");
            }
        });
    }

    FormatException problem(String key, JsonNode found, String expected) {
        return problem(name(key) + " is " + (found.isMissingNode() ? "missing" : shortened(found.toString())) + ": expected " + expected);
    }

    FormatException problem(String what) {
        return source.problem(what);
    }

    private static String shortened(String text) {
        return text.length() <= 60 ? text : text.substring(0, text.offsetByCodePoints(0, 40)) + "...";
    }
}
