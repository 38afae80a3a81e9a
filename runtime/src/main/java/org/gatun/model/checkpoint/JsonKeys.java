package org.gatun.model.checkpoint;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.model.architecture.ConfigKeys;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// A JSON object beside a model, of which each key that is asked for is noted as read, and the others as [UnreadKeys] has them. A key
/// whose value is `null` is as one that is not there.
final class JsonKeys implements ConfigKeys {
    private final Path model;
    private final String file;
    private final String prefix;
    private final ObjectNode object;
    private final FormatReport report;
    private final Set<String> read = new HashSet<>();

    /// @param model for messages
    /// @param file name of the file
    JsonKeys(Path model, String file, ObjectNode object, FormatReport report) {
        this(model, file, "", object, report);
    }

    private JsonKeys(Path model, String file, String prefix, ObjectNode object, FormatReport report) {
        this.model = model;
        this.file = file;
        this.prefix = prefix;
        this.object = object;
        this.report = report;
    }

    /// The value of a key, empty if it is missing or `null`.
    Optional<JsonNode> find(String key) {
        JsonNode value = object.path(key);
        if (!value.isMissingNode() && read.add(key)) {
            report.read(file, prefix + key);
        }
        return value.isMissingNode() || value.isNull() ? Optional.empty() : Optional.of(value);
    }

    /// The object of a key, whose own keys are noted apart.
    Optional<JsonKeys> object(String key) throws FormatException {
        Optional<JsonNode> value = find(key);
        if (value.isEmpty()) {
            return Optional.empty();
        }
        if (!(value.get() instanceof ObjectNode inner)) {
            throw failure(key, "an object");
        }
        return Optional.of(new JsonKeys(model, file, prefix + key + ".", inner, report));
    }

    /// @throws FormatException if it is missing or no whole number
    int integer(String key) throws FormatException {
        if (find(key).isEmpty()) {
            throw failure(key, "a whole number");
        }
        return integer(key, 0);
    }

    @Override
    public int integer(String key, int standard) throws FormatException {
        Optional<JsonNode> value = find(key);
        if (value.isEmpty()) {
            return standard;
        }
        double number = value.get().isNumber() ? value.get().doubleValue() : Double.NaN;
        if (number != (int) number) {
            throw failure(key, "a whole number");
        }
        return (int) number;
    }

    /// A whole number, which may be written once for each layer.
    ///
    /// @throws FormatException if it is none, or the layers differ
    int ofLayers(String key, int layers, int standard) throws FormatException {
        Optional<JsonNode> value = find(key).filter(JsonNode::isArray);
        if (value.isEmpty()) {
            return integer(key, standard);
        }
        JsonNode first = value.get().path(0);
        if (value.get().size() != layers || !first.isNumber() || first.doubleValue() != (int) first.doubleValue()) {
            throw failure(key, "a whole number, or one for each of the " + layers + " layers");
        }
        if (value.get().valueStream().anyMatch(element -> !element.isNumber() || element.doubleValue() != first.doubleValue())) {
            throw failure(key, "the same for each layer: layers that differ are not supported");
        }
        return (int) first.doubleValue();
    }

    /// @throws FormatException if it is missing, none, or the layers differ
    int ofLayers(String key, int layers) throws FormatException {
        if (find(key).isEmpty()) {
            throw failure(key, "a whole number");
        }
        return ofLayers(key, layers, 0);
    }

    /// @throws FormatException if it is missing or no number
    double number(String key) throws FormatException {
        if (find(key).isEmpty()) {
            throw failure(key, "a number");
        }
        return number(key, 0);
    }

    double number(String key, double standard) throws FormatException {
        Optional<JsonNode> value = find(key);
        if (value.isPresent() && !(value.get().isNumber() && Double.isFinite(value.get().doubleValue()))) {
            throw failure(key, "a number");
        }
        return value.map(JsonNode::doubleValue).orElse(standard);
    }

    @Override
    public boolean bool(String key, boolean standard) throws FormatException {
        Optional<JsonNode> value = find(key);
        if (value.isPresent() && !value.get().isBoolean()) {
            throw failure(key, "true or false");
        }
        return value.map(JsonNode::booleanValue).orElse(standard);
    }

    Optional<String> text(String key) throws FormatException {
        Optional<JsonNode> value = find(key);
        if (value.isPresent() && !value.get().isString()) {
            throw failure(key, "a text");
        }
        return value.map(JsonNode::stringValue);
    }

    @Override
    public boolean has(String key) {
        return object.hasNonNull(key);
    }

    /// Whether a list or an object has nothing in it; so for what is missing.
    boolean isEmpty(String key) {
        return object.path(key).isEmpty();
    }

    /// Notes what is not done.
    void refuse(String key, String reason) {
        report.refuse(file, prefix + key, reason);
    }

    /// @throws FormatException if something that was noted is not done
    void requireSupported() throws FormatException {
        report.requireSupported(model);
    }

    @Override
    public void warn(String key, String message) {
        report.warn(file + ": " + prefix + key + " " + message);
    }

    /// Notes what becomes of the keys that nobody asked for.
    void finish(UnreadKeys rules) {
        object.properties().stream().filter(entry -> !read.contains(entry.getKey()))
                .forEach(entry -> rules.note(report, file, prefix, entry.getKey(), plain(entry.getValue())));
    }

    FormatException failure(String key, String expected) {
        JsonNode found = object.path(key);
        return new FormatException(model, -1, file + ": " + prefix + key + " is " + (found.isMissingNode() ? "missing" : found)
                + ": expected " + expected);
    }

    /// A value as numbers, texts, truth values, lists and maps.
    private static Object plain(JsonNode node) {
        if (node.isArray()) {
            List<Object> list = new ArrayList<>();
            node.valueStream().forEach(element -> list.add(plain(element)));
            return list;
        }
        if (node.isObject()) {
            Map<String, Object> map = new LinkedHashMap<>();
            node.properties().forEach(entry -> map.put(entry.getKey(), plain(entry.getValue())));
            return map;
        }
        return node.isNumber() ? (Object) node.doubleValue() : node.isBoolean() ? (Object) node.booleanValue()
                : node.isNull() ? null : node.asString();
    }
}
