package org.gatun.constraint;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.constraint.Schema.ArrayCase;
import org.gatun.constraint.Schema.Contains;
import org.gatun.constraint.Schema.ObjectCase;
import org.gatun.constraint.Schema.Others;

/// What lists and objects must be in order not to be some: one reason each.
///
/// @param algebra of what is below
record SchemaNegation(JsonText text, SchemaAlgebra algebra) {
    private static UnsupportedSchemaException unsupported(String place, String what) {
        return new UnsupportedSchemaException("not, oneOf or if", place, "what this schema does not allow is needed, and " + what,
                "make the alternatives differ in type or in the value of a required property");
    }

    /// Lists that are not so.
    static List<ArrayCase> of(ArrayCase array, String place) {
        List<ArrayCase> reasons = new ArrayList<>();
        if (array.unique()) {
            throw unsupported(place, "that is a list with an element twice");
        }
        if (array.min() > 0) {
            reasons.add(ArrayCase.sized(0, array.min() - 1));
        }
        if (array.max() < Long.MAX_VALUE) {
            reasons.add(ArrayCase.sized(array.max() + 1, Long.MAX_VALUE));
        }
        List<Schema> before = new ArrayList<>();
        for (Schema each : array.prefix()) {
            if (!each.equals(Schema.ANY)) {
                List<Schema> prefix = new ArrayList<>(before);
                prefix.add(Schema.not(each));
                reasons.add(new ArrayCase(prefix, Schema.ANY, prefix.size(), Long.MAX_VALUE, List.of(), false));
            }
            before.add(Schema.ANY);
        }
        if (!array.rest().equals(Schema.ANY)) {
            if (!array.prefix().isEmpty()) {
                throw unsupported(place, "that is a list with another element behind the first ones");
            }
            reasons.add(containing(Schema.not(array.rest()), 1, Long.MAX_VALUE));
        }
        for (Contains each : array.contains()) {
            if (each.min() > 0) {
                reasons.add(containing(each.schema(), 0, each.min() - 1));
            }
            if (each.max() < Long.MAX_VALUE) {
                reasons.add(containing(each.schema(), each.max() + 1, Long.MAX_VALUE));
            }
        }
        return reasons.stream().map(SchemaAlgebra::bounded).toList();
    }

    private static ArrayCase containing(Schema schema, long min, long max) {
        return max == 0 ? new ArrayCase(List.of(), Schema.not(schema), 0, Long.MAX_VALUE, List.of(), false)
                : new ArrayCase(List.of(), Schema.ANY, 0, Long.MAX_VALUE, List.of(new Contains(schema, min, max)), false);
    }

    /// Objects that are not so.
    List<ObjectCase> of(ObjectCase object, String place) {
        List<ObjectCase> reasons = new ArrayList<>();
        for (String key : object.required()) {
            reasons.add(algebra.object(Map.of(key, Schema.NEVER), Set.of()));
        }
        object.named().forEach((key, schema) -> {
            if (!schema.equals(Schema.ANY)) {
                reasons.add(algebra.object(Map.of(key, Schema.not(schema)), Set.of(key)));
            }
        });
        Regexes regexes = text.regexes();
        int named = regexes.union(object.named().keySet().stream().mapToInt(text::stringOf).toArray());
        int allowed = regexes.union(object.rest().stream().mapToInt(Others::keys).toArray());
        int forbidden = regexes.live(regexes.conjunction(text.plainString, regexes.complement(regexes.union(allowed, named))));
        if (forbidden != Regexes.EMPTY) {
            reasons.add(size(List.of(new Others(forbidden, Schema.ANY)), 0, Long.MAX_VALUE));
        }
        for (Others each : object.rest()) {
            int keys = regexes.live(regexes.conjunction(each.keys(), regexes.complement(named)));
            if (!each.schema().equals(Schema.ANY) && keys != Regexes.EMPTY) {
                reasons.add(size(List.of(new Others(keys, Schema.not(each.schema()))), 0, Long.MAX_VALUE));
            }
        }
        for (Others each : object.some()) {
            int none = regexes.live(regexes.conjunction(text.plainString, regexes.complement(each.keys())));
            reasons.add(new ObjectCase(Map.of(), List.of(new Others(none, Schema.ANY), new Others(each.keys(), Schema.not(each.schema()))), Set.of(),
                    List.of(), 0, Long.MAX_VALUE));
        }
        if (object.min() > 0) {
            reasons.add(size(List.of(), 0, object.min() - 1));
        }
        if (object.max() < Long.MAX_VALUE) {
            reasons.add(size(List.of(), object.max() + 1, Long.MAX_VALUE));
        }
        return reasons;
    }

    private ObjectCase size(List<Others> some, long min, long max) {
        return new ObjectCase(Map.of(), List.of(new Others(text.plainString, Schema.ANY)), Set.of(), some, min, max);
    }
}
