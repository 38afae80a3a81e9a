package org.gatun.constraint;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BinaryOperator;
import org.gatun.constraint.Schema.ArrayCase;
import org.gatun.constraint.Schema.Cases;
import org.gatun.constraint.Schema.Contains;
import org.gatun.constraint.Schema.ObjectCase;
import org.gatun.constraint.Schema.Others;
import tools.jackson.databind.JsonNode;

/// Conjunction, union and complement of what schemas allow, and whether two have something in common. Schemas below are combined, not looked at:
/// but for [#areApart] and [#isProvablyEmpty], which look a few levels deep.
final class SchemaAlgebra {
    /// Most lists, or objects, of which one schema allows any.
    private static final int MAX_CASES = 512;
    /// How deep is looked for a reason why nothing is allowed.
    private static final int DEPTH = 4;

    private final JsonText text;
    private final Regexes regexes;
    private final SchemaNormalizer normalizer;

    SchemaAlgebra(JsonText text, SchemaNormalizer normalizer) {
        this.text = text;
        this.normalizer = normalizer;
        regexes = text.regexes();
    }

    /// Everything.
    Cases any() {
        return new Cases(text.words, text.anyNumber, text.anyString, List.of(ArrayCase.ANY), List.of(anyObject()));
    }

    /// Any object.
    ObjectCase anyObject() {
        return object(Map.of(), Set.of());
    }

    /// An object with some keys, and any others.
    ObjectCase object(Map<String, Schema> named, Set<String> required) {
        return new ObjectCase(named, List.of(new Others(text.plainString, Schema.ANY)), required, List.of(), 0, Long.MAX_VALUE);
    }

    /// One value.
    Cases value(JsonNode value, JsonNumbers numbers) {
        int none = Regexes.EMPTY;
        if (value.isObject()) {
            Map<String, Schema> named = new LinkedHashMap<>();
            value.properties().forEach(each -> named.put(each.getKey(), new Schema.Value(each.getValue())));
            return Cases.objects(List.of(new ObjectCase(named, List.of(), named.keySet(), List.of(), 0, Long.MAX_VALUE)));
        }
        if (value.isArray()) {
            List<Schema> elements = new ArrayList<>();
            value.forEach(each -> elements.add(new Schema.Value(each)));
            return new Cases(none, none, none, List.of(new ArrayCase(elements, Schema.ANY, elements.size(), elements.size(), List.of(), false)),
                    List.of());
        }
        if (value.isNumber()) {
            return new Cases(none, numbers.value(value.decimalValue()), none, List.of(), List.of());
        }
        return value.isString() ? new Cases(none, none, text.stringOf(value.stringValue()), List.of(), List.of())
                : new Cases(text.text(value.toString()), none, none, List.of(), List.of());
    }

    /// What both allow.
    ///
    /// @param place for messages
    /// @throws UnsupportedSchemaException if that takes too many cases
    Cases intersect(Cases one, Cases other, String place) {
        return new Cases(both(one.words(), other.words(), text.words), both(one.numbers(), other.numbers(), text.anyNumber),
                both(one.strings(), other.strings(), text.anyString),
                product(one.arrays(), other.arrays(), SchemaAlgebra::bothArrays, place),
                product(one.objects(), other.objects(), this::bothObjects, place));
    }

    private int both(int one, int other, int full) {
        return one == full ? other : other == full ? one : regexes.live(regexes.conjunction(one, other));
    }

    private static <T> List<T> product(List<T> some, List<T> others, BinaryOperator<T> both, String place) {
        Set<T> found = new LinkedHashSet<>();
        for (T one : some) {
            for (T other : others) {
                T each = both.apply(one, other);
                if (each != null) {
                    found.add(each);
                }
                if (found.size() > MAX_CASES) {
                    throw new UnsupportedSchemaException("allOf, anyOf, oneOf or not", place, "they make more than " + MAX_CASES + " cases",
                            "combine fewer alternatives");
                }
            }
        }
        return List.copyOf(found);
    }

    /// @return null if no list is both
    private static ArrayCase bothArrays(ArrayCase one, ArrayCase other) {
        List<Schema> prefix = new ArrayList<>();
        for (int i = 0; i < Math.max(one.prefix().size(), other.prefix().size()); i++) {
            prefix.add(Schema.allOf(one.element(i), other.element(i)));
        }
        List<Contains> contains = new ArrayList<>(new LinkedHashSet<>(one.contains()));
        other.contains().stream().filter(each -> !contains.contains(each)).forEach(contains::add);
        return bounded(new ArrayCase(prefix, Schema.allOf(one.rest(), other.rest()), Math.max(one.min(), other.min()),
                Math.min(one.max(), other.max()), contains, one.unique() || other.unique()));
    }

    /// The same, ended before an element that nothing can be.
    ///
    /// @return null if there is no such list
    static ArrayCase bounded(ArrayCase array) {
        long max = array.max();
        for (int i = 0; i <= array.prefix().size() && i < max; i++) {
            if (array.element(i).equals(Schema.NEVER)) {
                max = i;
            }
        }
        boolean cut = max < array.prefix().size();
        List<Schema> prefix = cut ? array.prefix().subList(0, (int) max) : array.prefix();
        Schema rest = max <= prefix.size() ? Schema.ANY : array.rest();
        return max < array.min() ? null : new ArrayCase(prefix, rest, array.min(), max, array.contains(), array.unique() && max > 1);
    }

    /// @return null if no object is both
    private ObjectCase bothObjects(ObjectCase one, ObjectCase other) {
        Map<String, Schema> named = new LinkedHashMap<>();
        one.named().forEach((key, schema) -> named.put(key, Schema.allOf(schema, under(other, key))));
        other.named().forEach((key, schema) -> named.computeIfAbsent(key, _ -> Schema.allOf(under(one, key), schema)));
        Set<String> required = new LinkedHashSet<>(one.required());
        required.addAll(other.required());
        List<Others> rest = new ArrayList<>();
        for (Others some : one.rest()) {
            for (Others others : other.rest()) {
                int keys = both(some.keys(), others.keys(), text.plainString);
                Schema schema = Schema.allOf(some.schema(), others.schema());
                if (keys != Regexes.EMPTY && !schema.equals(Schema.NEVER)) {
                    rest.add(new Others(keys, schema));
                }
            }
        }
        Set<Others> some = new LinkedHashSet<>(one.some());
        some.addAll(other.some());
        ObjectCase both = new ObjectCase(named, rest, required, List.copyOf(some), Math.max(one.min(), other.min()),
                Math.min(one.max(), other.max()));
        boolean none = required.stream().anyMatch(key -> named.get(key).equals(Schema.NEVER)) || both.min() > both.max()
                || required.size() > both.max();
        return none ? null : both;
    }

    /// What may be under a key.
    Schema under(ObjectCase object, String key) {
        Schema named = object.named().get(key);
        if (named != null) {
            return named;
        }
        for (Others each : object.rest()) {
            if (each.keys() == text.plainString || regexes.matches(each.keys(), JsonText.spelled(key))) {
                return each.schema();
            }
        }
        return Schema.NEVER;
    }

    /// Objects without what may be under a named key: one case for each key that may be it, one for the others.
    List<ObjectCase> withoutSomeNamed(ObjectCase object) {
        if (object.some().isEmpty()) {
            return List.of(object);
        }
        Others first = object.some().getFirst();
        List<Others> left = object.some().subList(1, object.some().size());
        List<ObjectCase> found = new ArrayList<>();
        object.named().forEach((key, schema) -> {
            if (regexes.matches(first.keys(), JsonText.spelled(key))) {
                Map<String, Schema> named = new LinkedHashMap<>(object.named());
                named.put(key, Schema.allOf(schema, first.schema()));
                Set<String> required = new LinkedHashSet<>(object.required());
                required.add(key);
                found.addAll(withoutSomeNamed(new ObjectCase(named, object.rest(), required, left, object.min(), object.max())));
            }
        });
        for (ObjectCase each : withoutSomeNamed(new ObjectCase(object.named(), object.rest(), object.required(), left, object.min(), object.max()))) {
            List<Others> some = new ArrayList<>(List.of(first));
            some.addAll(each.some());
            found.add(new ObjectCase(each.named(), each.rest(), each.required(), some, each.min(), each.max()));
        }
        return found;
    }

    /// What any allows.
    Cases union(List<Cases> some) {
        Set<ArrayCase> arrays = new LinkedHashSet<>();
        Set<ObjectCase> objects = new LinkedHashSet<>();
        some.forEach(each -> arrays.addAll(each.arrays()));
        some.forEach(each -> objects.addAll(each.objects()));
        return new Cases(regexes.union(some.stream().mapToInt(Cases::words).toArray()), regexes.union(some.stream().mapToInt(Cases::numbers).toArray()),
                regexes.union(some.stream().mapToInt(Cases::strings).toArray()),
                arrays.contains(ArrayCase.ANY) ? List.of(ArrayCase.ANY) : List.copyOf(arrays),
                objects.contains(anyObject()) ? List.of(anyObject()) : List.copyOf(objects));
    }

    /// What is not allowed.
    ///
    /// @throws UnsupportedSchemaException if that is not known
    Cases negate(Cases of, String place) {
        List<ArrayCase> arrays = List.of(ArrayCase.ANY);
        for (ArrayCase each : of.arrays()) {
            arrays = product(arrays, SchemaNegation.of(each, place), SchemaAlgebra::bothArrays, place);
        }
        List<ObjectCase> objects = List.of(anyObject());
        for (ObjectCase each : of.objects()) {
            objects = product(objects, new SchemaNegation(text, this).of(each, place), this::bothObjects, place);
        }
        return new Cases(without(of.words(), text.words, text.words), without(of.numbers(), text.anyNumber, text.plainNumber),
                without(of.strings(), text.anyString, text.plainString), arrays, objects);
    }

    private int without(int some, int all, int plain) {
        return some == all ? Regexes.EMPTY : some == Regexes.EMPTY ? all : regexes.live(regexes.conjunction(plain, regexes.complement(some)));
    }

    /// Whether nothing is allowed by both, as far as a few levels show.
    boolean areApart(Schema one, Schema other) {
        return areApart(one, other, DEPTH);
    }

    private boolean areApart(Schema one, Schema other, int depth) {
        if (one.equals(Schema.NEVER) || other.equals(Schema.NEVER)) {
            return true;
        }
        if (depth == 0 || one.equals(other)) {
            return false;
        }
        Cases some = normalizer.casesIfKnowable(one);
        Cases others = some == null ? null : normalizer.casesIfKnowable(other);
        if (others == null) {
            return false;
        }
        return !meet(some.words(), others.words()) && !meet(some.numbers(), others.numbers()) && !meet(some.strings(), others.strings())
                && some.arrays().stream().allMatch(each -> others.arrays().stream().allMatch(array -> areApart(each, array, depth)))
                && some.objects().stream().allMatch(each -> others.objects().stream().allMatch(object -> areApart(each, object, depth)));
    }

    private boolean meet(int one, int other) {
        return one != Regexes.EMPTY && other != Regexes.EMPTY && regexes.matchesSomething(regexes.conjunction(one, other));
    }

    private boolean areApart(ArrayCase one, ArrayCase other, int depth) {
        long least = Math.max(one.min(), other.min());
        if (least > Math.min(one.max(), other.max())) {
            return true;
        }
        for (int i = 0; i < Math.min(least, 1 + Math.max(one.prefix().size(), other.prefix().size())); i++) {
            if (areApart(one.element(i), other.element(i), depth - 1)) {
                return true;
            }
        }
        return false;
    }

    private boolean areApart(ObjectCase one, ObjectCase other, int depth) {
        Set<String> required = new LinkedHashSet<>(one.required());
        required.addAll(other.required());
        return Math.max(one.min(), Math.max(other.min(), required.size())) > Math.min(one.max(), other.max())
                || required.stream().anyMatch(key -> areApart(under(one, key), under(other, key), depth - 1));
    }

    /// Whether nothing is allowed, as far as a few levels show.
    boolean isProvablyEmpty(Schema schema) {
        return areApart(schema, Schema.ANY, DEPTH);
    }
}
