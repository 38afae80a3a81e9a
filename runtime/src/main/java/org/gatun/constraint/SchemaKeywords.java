package org.gatun.constraint;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.constraint.Schema.ArrayCase;
import org.gatun.constraint.Schema.At;
import org.gatun.constraint.Schema.Cases;
import org.gatun.constraint.Schema.Contains;
import org.gatun.constraint.Schema.ObjectCase;
import org.gatun.constraint.Schema.Others;
import tools.jackson.databind.JsonNode;

/// The keywords of a schema that say what a value is by itself: types, values, bounds, what is in lists and objects.
final class SchemaKeywords {
    /// Their names.
    static final Set<String> NAMES = Set.of("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
            "minLength", "maxLength", "pattern", "format", "items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems",
            "contains", "minContains", "maxContains", "properties", "patternProperties", "additionalProperties", "propertyNames", "required",
            "minProperties", "maxProperties");
    private static final Set<String> TYPES = Set.of("null", "boolean", "number", "integer", "string", "array", "object");
    /// Most sets into which patterns cut the keys.
    private static final int MAX_KEY_SETS = 64;

    private final JsonText text;
    private final Regexes regexes;
    private final JsonNumbers numbers;
    private final SchemaAlgebra algebra;
    private final SchemaNormalizer normalizer;
    private final SchemaStrings strings;

    SchemaKeywords(JsonText text, JsonNumbers numbers, SchemaAlgebra algebra, SchemaNormalizer normalizer, Set<String> notes) {
        this.text = text;
        this.numbers = numbers;
        this.algebra = algebra;
        this.normalizer = normalizer;
        regexes = text.regexes();
        strings = new SchemaStrings(text, notes);
    }

    static IllegalArgumentException malformed(At at, String keyword, String expected) {
        String found = at.node().get(keyword).toString();
        return new IllegalArgumentException("JSON Schema: found " + keyword + " " + (found.length() > 60 ? found.substring(0, 60) + "..." : found)
                + " at " + (at.pointer().isEmpty() ? "the root" : at.pointer()) + ", expected " + expected);
    }

    /// What these keywords allow.
    Cases read(At at) {
        JsonNode node = at.node();
        Set<String> types = types(at);
        int words = regexes.union(types.contains("null") ? text.text("null") : Regexes.EMPTY,
                types.contains("boolean") ? text.ascii("true|false") : Regexes.EMPTY);
        int number = types.contains("number") ? number(at, text.anyNumber) : types.contains("integer") ? number(at, numbers.integers())
                : Regexes.EMPTY;
        ArrayCase array = types.contains("array") ? SchemaAlgebra.bounded(array(at)) : null;
        ObjectCase object = types.contains("object") ? object(at) : null;
        Cases all = new Cases(words, number, types.contains("string") ? strings.of(at) : Regexes.EMPTY,
                array == null ? List.of() : List.of(array), object == null ? List.of() : List.of(object));
        if (node.has("const")) {
            all = algebra.intersect(all, normalizer.cases(new Schema.Value(node.get("const"))), at.pointer());
        }
        if (node.has("enum")) {
            if (!node.get("enum").isArray()) {
                throw malformed(at, "enum", "a list of values");
            }
            List<Cases> values = new ArrayList<>();
            node.get("enum").forEach(value -> values.add(normalizer.cases(new Schema.Value(value))));
            all = algebra.intersect(all, algebra.union(values), at.pointer());
        }
        return all;
    }

    private static Set<String> types(At at) {
        JsonNode type = at.node().path("type");
        Set<String> types = new LinkedHashSet<>();
        if (type.isString()) {
            types.add(type.stringValue());
        } else if (type.isArray()) {
            type.forEach(each -> types.add(each.asString("")));
        } else if (type.isMissingNode()) {
            types.addAll(TYPES);
        }
        if (types.isEmpty() || !TYPES.containsAll(types)) {
            throw malformed(at, "type", "names of " + TYPES.stream().sorted().toList());
        }
        return types;
    }

    private int number(At at, int unbounded) {
        JsonNode node = at.node();
        int regex = bounded(at, unbounded, "minimum", "exclusiveMinimum", true);
        regex = bounded(at, regex, "maximum", "exclusiveMaximum", false);
        if (node.has("multipleOf")) {
            BigDecimal factor = node.get("multipleOf").isNumber() ? node.get("multipleOf").decimalValue() : BigDecimal.ZERO;
            if (factor.signum() <= 0) {
                throw malformed(at, "multipleOf", "a number above zero");
            }
            int multiples = numbers.multiples(factor).orElseThrow(() -> new UnsupportedSchemaException("multipleOf", at.pointer(),
                    factor + " has too many digits", "have at most 8 digits"));
            regex = regexes.conjunction(regex, multiples);
        }
        return regexes.live(regex);
    }

    private int bounded(At at, int regex, String inclusive, String exclusive, boolean lower) {
        JsonNode bound = at.node().path(inclusive);
        JsonNode other = at.node().path(exclusive);
        int within = regex;
        for (JsonNode each : new JsonNode[] {bound, other}) {
            String keyword = each == bound ? inclusive : exclusive;
            if (each.isNumber()) {
                boolean strict = each == other || other.isBoolean() && other.booleanValue(); // the latter up to draft 4
                try {
                    int half = lower ? numbers.atLeast(each.decimalValue(), strict) : numbers.atMost(each.decimalValue(), strict);
                    within = within == text.anyNumber ? half : regexes.conjunction(within, half);
                } catch (IllegalArgumentException e) {
                    throw new UnsupportedSchemaException(keyword, at.pointer(), e.getMessage(), "have fewer digits");
                }
            } else if (!each.isMissingNode() && !(each == other && each.isBoolean())) {
                throw malformed(at, keyword, "a number");
            }
        }
        return within;
    }

    /// A count that a keyword gives.
    static long count(At at, String keyword, long absent) {
        JsonNode value = at.node().path(keyword);
        if (value.isMissingNode()) {
            return absent;
        }
        if (!value.isNumber() || value.decimalValue().signum() < 0 || value.decimalValue().stripTrailingZeros().scale() > 0) {
            throw malformed(at, keyword, "a whole number from 0 on");
        }
        return value.decimalValue().min(BigDecimal.valueOf(Long.MAX_VALUE)).longValue();
    }

    private static ArrayCase array(At at) {
        JsonNode node = at.node();
        List<Schema> prefix = new ArrayList<>();
        String listed = node.path("prefixItems").isArray() ? "prefixItems" : node.path("items").isArray() ? "items" : "";
        for (int i = 0; i < node.path(listed).size(); i++) {
            prefix.add(at.child(listed, Integer.toString(i)));
        }
        String others = listed.equals("items") ? "additionalItems" : "items";
        Schema rest = node.has(others) ? simple(at.child(others)) : Schema.ANY;
        List<Contains> contains = new ArrayList<>();
        if (node.has("contains")) {
            contains.add(new Contains(at.child("contains"), count(at, "minContains", 1), count(at, "maxContains", Long.MAX_VALUE)));
            contains.removeIf(each -> each.min() == 0 && each.max() == Long.MAX_VALUE);
        }
        return new ArrayCase(prefix, rest, count(at, "minItems", 0), count(at, "maxItems", Long.MAX_VALUE), contains,
                node.path("uniqueItems").asBoolean(false));
    }

    /// `true` and `false` as what they are, so that they are known without looking.
    private static Schema simple(At at) {
        return at.node().isBoolean() ? at.node().booleanValue() ? Schema.ANY : Schema.NEVER
                : at.node().isObject() && at.node().isEmpty() ? Schema.ANY : at;
    }

    /// @return null if no object is allowed
    private ObjectCase object(At at) {
        List<Others> patterns = new ArrayList<>();
        for (Map.Entry<String, JsonNode> each : at.node().path("patternProperties").properties()) {
            patterns.add(new Others(strings.pattern(each.getKey(), "patternProperties", at), simple(at.child("patternProperties", each.getKey()))));
        }
        JsonNode names = at.node().path("propertyNames");
        int allowed = names.isMissingNode() ? text.plainString
                : regexes.live(regexes.conjunction(normalizer.cases(at.child("propertyNames")).strings(), text.plainString));
        List<Others> rest = rest(at, patterns, allowed);
        Map<String, Schema> named = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> each : at.node().path("properties").properties()) {
            Schema own = simple(at.child("properties", each.getKey()));
            byte[] spelled = JsonText.spelled(each.getKey());
            for (Others pattern : patterns) {
                own = regexes.matches(pattern.keys(), spelled) ? Schema.allOf(own, pattern.schema()) : own;
            }
            named.put(each.getKey(), regexes.matches(allowed, spelled) ? own : Schema.NEVER);
        }
        Set<String> required = new LinkedHashSet<>();
        JsonNode keys = at.node().path("required");
        if (!keys.isMissingNode() && !keys.isArray()) {
            throw malformed(at, "required", "a list of keys");
        }
        ObjectCase unnamed = new ObjectCase(Map.of(), rest, Set.of(), List.of(), 0, Long.MAX_VALUE);
        for (JsonNode each : keys) {
            required.add(each.asString(""));
            named.computeIfAbsent(each.asString(""), key -> algebra.under(unnamed, key));
        }
        ObjectCase object = new ObjectCase(named, rest, required, List.of(), count(at, "minProperties", 0),
                count(at, "maxProperties", Long.MAX_VALUE));
        boolean none = required.stream().anyMatch(key -> named.get(key).equals(Schema.NEVER)) || required.size() > object.max();
        return none ? null : object;
    }

    /// What may be under keys that are not named: sets of keys that are apart.
    private List<Others> rest(At at, List<Others> patterns, int allowed) {
        JsonNode node = at.node();
        String additional = node.has("additionalProperties") || !node.has("unevaluatedProperties") ? "additionalProperties" : "unevaluatedProperties";
        int matched = regexes.union(patterns.stream().mapToInt(Others::keys).toArray());
        Schema others = node.has(additional) ? simple(at.child(additional)) : Schema.ANY;
        List<Others> rest = new ArrayList<>();
        for (Others pattern : patterns) {
            List<Others> split = new ArrayList<>();
            int left = pattern.keys();
            for (Others each : rest) {
                split.add(new Others(regexes.conjunction(each.keys(), regexes.complement(pattern.keys())), each.schema()));
                split.add(new Others(regexes.conjunction(each.keys(), pattern.keys()), Schema.allOf(each.schema(), pattern.schema())));
                left = regexes.conjunction(left, regexes.complement(each.keys()));
            }
            split.add(new Others(left, pattern.schema()));
            split.removeIf(each -> !regexes.matchesSomething(each.keys()));
            rest = split;
            if (rest.size() > MAX_KEY_SETS) {
                throw new UnsupportedSchemaException("patternProperties", at.pointer(), "too many patterns match the same keys", "have fewer of them");
            }
        }
        rest.add(new Others(patterns.isEmpty() ? text.plainString : regexes.conjunction(text.plainString, regexes.complement(matched)), others));
        return rest.stream().map(each -> allowed == text.plainString ? each : new Others(regexes.conjunction(each.keys(), allowed), each.schema()))
                .filter(each -> !each.schema().equals(Schema.NEVER) && regexes.matchesSomething(each.keys())).toList();
    }
}
