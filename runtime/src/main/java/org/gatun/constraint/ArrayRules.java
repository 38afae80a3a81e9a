package org.gatun.constraint;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.constraint.Grammar.Guard;
import org.gatun.constraint.Schema.ArrayCase;
import org.gatun.constraint.Schema.Cases;
import org.gatun.constraint.Schema.Contains;

/// Writes the rules of lists: one for each place among the first elements and one for all others, whose parameter counts them, each once for
/// how often was found what the list is to contain.
final class ArrayRules {
    /// Most values of which each may be there once: bits of a parameter, beside a counter.
    private static final int MAX_UNIQUE = 50;
    /// Most states of what was found.
    private static final int MAX_FOUND = 256;

    private final SchemaCompiler compiler;
    private final Grammar.Builder grammar;
    private final JsonRules json;
    private final ArrayCase array;
    private final String place;
    private final int fixed; // elements that have a place of their own
    private final long least; // of the others
    private final long most;  // of the others
    private final Map<Place, Integer> elements = new HashMap<>();
    private final Map<Place, Integer> continuations = new HashMap<>();

    /// Between elements.
    ///
    /// @param at number of elements before, at most the fixed ones
    /// @param found how often each was found of what is to be contained, as far as it matters
    private record Place(int at, List<Long> found) {}

    ArrayRules(SchemaCompiler compiler, ArrayCase array, String place) {
        this.compiler = compiler;
        this.array = array;
        this.place = place;
        grammar = compiler.grammar();
        json = compiler.json();
        fixed = array.prefix().size();
        least = Math.max(0, array.min() - fixed);
        most = array.max() == Long.MAX_VALUE ? Long.MAX_VALUE : array.max() - fixed; // negative where the list ends among the first
    }

    /// Adds the lists to a rule.
    void write(int rule) {
        if (array.unique()) {
            writeUnique(rule);
            return;
        }
        Place start = new Place(0, array.contains().stream().map(_ -> 0L).toList());
        if (array.min() == 0 && missing(start) == 0) {
            grammar.add(rule, json.beginArray, json.endArray);
        }
        if (missing(start) <= array.max() && array.max() > 0) {
            grammar.add(rule, json.beginArray, grammar.call(element(start)), json.endArray);
        }
    }

    /// How many elements are needed for what is to be contained.
    private long missing(Place at) {
        long missing = 0;
        for (int i = 0; i < at.found.size(); i++) {
            missing = Math.max(missing, array.contains().get(i).min() - at.found.get(i));
        }
        return missing;
    }

    private Integer element(Place at) {
        Integer known = elements.get(at);
        if (known == null) {
            known = grammar.rule();
            elements.put(at, known);
            if (elements.size() > MAX_FOUND + fixed) {
                throw new UnsupportedSchemaException("contains", place, "minContains and maxContains make more than " + MAX_FOUND + " states",
                        "have smaller counts");
            }
            choose(known, at, 0, array.element(at.at), new ArrayList<>());
        }
        return known;
    }

    /// Chooses for each of what is to be contained whether the element is such.
    private void choose(int rule, Place at, int number, Schema schema, List<Long> found) {
        if (number == array.contains().size()) {
            write(rule, at, schema, new Place(Math.min(at.at + 1, fixed), List.copyOf(found)));
            return;
        }
        Contains each = array.contains().get(number);
        long before = at.found.get(number);
        boolean isCounted = each.max() < Long.MAX_VALUE;
        if (before < (isCounted ? each.max() : each.min())) {
            found.add(before + 1);
            choose(rule, at, number + 1, Schema.allOf(schema, each.schema()), found);
            found.removeLast();
        }
        found.add(before);
        choose(rule, at, number + 1, isCounted ? Schema.allOf(schema, Schema.not(each.schema())) : schema, found);
        found.removeLast();
    }

    private void write(int rule, Place at, Schema schema, Place next) {
        if (schema.equals(Schema.NEVER)) {
            return;
        }
        long missing = missing(next);
        int symbol = compiler.symbol(schema);
        if (at.at < fixed) {
            if (at.at + 1 + missing <= array.max()) {
                grammar.add(rule, symbol, grammar.tail(continuation(next), 0));
            }
        } else if (most < Long.MAX_VALUE) {
            grammar.add(rule, counter(0, most - 1 - missing), symbol, grammar.tail(continuation(next), 1));
        } else if (least > 0) {
            grammar.add(rule, counter(0, least - 1), symbol, grammar.tail(continuation(next), 1));
            grammar.add(rule, counter(least, Long.MAX_VALUE), symbol, grammar.tail(continuation(next), 0));
        } else {
            grammar.add(rule, symbol, grammar.tail(continuation(next), 0));
        }
    }

    private static Guard counter(long least, long most) {
        return new Guard(0, 0, 0, least, most);
    }

    private int continuation(Place at) {
        Integer known = continuations.get(at);
        if (known == null) {
            known = grammar.rule();
            continuations.put(at, known);
            boolean isFixed = at.at < fixed;
            if (missing(at) == 0 && (!isFixed || at.at >= array.min())) {
                grammar.add(known, isFixed || least == 0 ? Guard.NONE : counter(least, Long.MAX_VALUE));
            }
            if (at.at < array.max()) {
                grammar.add(known, isFixed || most == Long.MAX_VALUE ? Guard.NONE : counter(0, most - 1), json.comma,
                        grammar.tail(element(at), 0));
            }
        }
        return known;
    }

    /// Lists without an element twice, of few values: a parameter has a bit for each, and counts.
    private void writeUnique(int rule) {
        Optional<List<String>> values = array.prefix().isEmpty() && array.contains().isEmpty() ? values() : Optional.empty();
        if (values.isEmpty()) {
            throw new UnsupportedSchemaException("uniqueItems", place, "elements may be more than " + MAX_UNIQUE + " values",
                    "list their values in an enum, or leave it out and check the answer");
        }
        int count = values.get().size();
        long top = Math.min(array.max(), count);
        if (array.min() == 0) {
            grammar.add(rule, json.beginArray, json.endArray);
        }
        if (array.min() > top || top == 0) {
            return;
        }
        int first = grammar.rule();
        int more = grammar.rule();
        grammar.add(rule, json.beginArray, grammar.call(first), json.endArray);
        grammar.add(more, new Guard(0, 0, count, array.min(), Long.MAX_VALUE));
        for (int i = 0; i < count; i++) {
            int lexeme = grammar.lexeme(compiler.text().text(values.get().get(i)));
            Guard guard = new Guard(1L << i, 0, count, 0, top - 1);
            int tail = grammar.tail(more, (1L << i) + (1L << count));
            grammar.add(first, guard, lexeme, tail);
            grammar.add(more, guard, json.comma, lexeme, tail);
        }
    }

    private Optional<List<String>> values() {
        Cases cases = compiler.normalizer().cases(array.rest());
        JsonText text = compiler.text();
        Regexes regexes = text.regexes();
        int scalars = regexes.union(cases.words(), regexes.conjunction(cases.numbers(), text.plainNumber),
                regexes.conjunction(cases.strings(), text.plainString));
        return cases.arrays().isEmpty() && cases.objects().isEmpty()
                ? regexes.search().texts(scalars, MAX_UNIQUE).map(all -> all.stream().filter(each -> !each.matches("(?s).*\\\\u00[01][A-F].*")).toList())
                : Optional.empty();
    }
}
