package org.gatun.constraint;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// A schema as an expression over parts of a document, equal where it is built alike. What it allows is found by [SchemaNormalizer].
sealed interface Schema {
    /// Allows everything.
    Schema ANY = new AllOf(Set.of());
    /// Allows nothing.
    Schema NEVER = new AnyOf(Set.of());

    /// What stands at a place of the document.
    ///
    /// @param pointer to it, by which it is known
    record At(String pointer, JsonNode node) implements Schema {
        /// A member.
        At child(String... path) {
            JsonNode member = node;
            String place = pointer;
            for (String step : path) {
                member = member.isArray() ? member.get(Integer.parseInt(step)) : member.get(step);
                place = SchemaDocument.child(place, step);
            }
            return new At(place, member);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof At at && pointer.equals(at.pointer);
        }

        @Override
        public int hashCode() {
            return pointer.hashCode();
        }
    }

    /// One value.
    record Value(JsonNode value) implements Schema {}

    /// What is known already.
    record Known(Cases cases) implements Schema {}

    /// All of some.
    record AllOf(Set<Schema> parts) implements Schema {}

    /// Any of some.
    record AnyOf(Set<Schema> parts) implements Schema {}

    /// What another does not allow.
    record Not(Schema of) implements Schema {}

    static Schema allOf(Schema... parts) {
        Set<Schema> flat = new LinkedHashSet<>();
        for (Schema part : parts) {
            if (part.equals(NEVER)) {
                return NEVER;
            }
            if (part instanceof AllOf(Set<Schema> inner)) {
                flat.addAll(inner);
            } else {
                flat.add(part);
            }
        }
        return flat.size() == 1 ? flat.iterator().next() : new AllOf(flat);
    }

    static Schema anyOf(List<? extends Schema> parts) {
        Set<Schema> flat = new LinkedHashSet<>();
        for (Schema part : parts) {
            if (part.equals(ANY)) {
                return ANY;
            }
            if (part instanceof AnyOf(Set<Schema> inner)) {
                flat.addAll(inner);
            } else {
                flat.add(part);
            }
        }
        return flat.size() == 1 ? flat.iterator().next() : new AnyOf(flat);
    }

    static Schema not(Schema of) {
        return of instanceof Not(Schema inner) ? inner : of.equals(ANY) ? NEVER : of.equals(NEVER) ? ANY : new Not(of);
    }

    /// What a schema allows, type by type. Texts of scalars are regular languages, of which two things hold: each text is one of a value that
    /// is allowed, and each value that is allowed has its plain texts among them (see [JsonText]). So conjunction and union are
    /// those of the languages, and what is not allowed are the plain texts that are not in one.
    ///
    /// @param words expression of `null`, `true` and `false`
    /// @param numbers expression
    /// @param strings expression, quotes included
    /// @param arrays any of these
    /// @param objects any of these
    record Cases(int words, int numbers, int strings, List<ArrayCase> arrays, List<ObjectCase> objects) {
        /// None.
        static final Cases NONE = new Cases(Regexes.EMPTY, Regexes.EMPTY, Regexes.EMPTY, List.of(), List.of());

        public Cases {
            arrays = List.copyOf(arrays);
            objects = List.copyOf(objects);
        }

        static Cases objects(List<ObjectCase> cases) {
            return new Cases(Regexes.EMPTY, Regexes.EMPTY, Regexes.EMPTY, List.of(), cases);
        }
    }

    /// Lists.
    ///
    /// @param prefix of the first elements
    /// @param rest of the others
    /// @param max [Long#MAX_VALUE] for any number
    /// @param contains what elements must be among
    record ArrayCase(List<Schema> prefix, Schema rest, long min, long max, List<Contains> contains, boolean unique) {
        static final ArrayCase ANY = new ArrayCase(List.of(), Schema.ANY, 0, Long.MAX_VALUE, List.of(), false);

        public ArrayCase {
            prefix = List.copyOf(prefix);
            contains = List.copyOf(contains);
        }

        static ArrayCase sized(long min, long max) {
            return new ArrayCase(List.of(), Schema.ANY, min, max, List.of(), false);
        }

        Schema element(int index) {
            return index < prefix.size() ? prefix.get(index) : rest;
        }
    }

    /// How many elements are to match.
    record Contains(Schema schema, long min, long max) {}

    /// Objects.
    ///
    /// @param named what is under some keys, in order
    /// @param rest what may be under others, whose expressions are apart; a key that is neither named nor in one of these must not be there
    /// @param required keys, all of them named
    /// @param some keys and values of each of which one must be there
    record ObjectCase(Map<String, Schema> named, List<Others> rest, Set<String> required, List<Others> some, long min, long max) {
        public ObjectCase {
            named = Collections.unmodifiableMap(new LinkedHashMap<>(named));
            rest = List.copyOf(rest);
            required = Collections.unmodifiableSet(new LinkedHashSet<>(required));
            some = List.copyOf(some);
        }
    }

    /// What is under keys that a plain string's expression matches.
    record Others(int keys, Schema schema) {}
}
