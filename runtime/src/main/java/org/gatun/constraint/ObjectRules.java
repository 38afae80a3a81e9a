package org.gatun.constraint;

import java.util.ArrayList;
import java.util.List;
import org.gatun.constraint.Grammar.Guard;
import org.gatun.constraint.Schema.ObjectCase;
import org.gatun.constraint.Schema.Others;

/// Writes the rules of objects. In declared order: two rules for each place among the named keys, before the first member and behind one, then those
/// of other keys. In any order: two rules, whose parameter has a bit for each named key. The parameter also counts the members that need not be,
/// where a count is bounded.
///
/// A named key is never written twice. Another key may be: readers take the last value, and each is valid.
final class ObjectRules {
    /// Most named keys in any order: bits of a parameter, beside a counter, or without one.
    private static final int MAX_COUNTED = 40;
    private static final int MAX_UNCOUNTED = 58;
    private static final int MAX_SOME = 4;

    private final SchemaCompiler compiler;
    private final Grammar.Builder grammar;
    private final JsonRules json;
    private final ObjectCase object;
    private final List<Member> named = new ArrayList<>();
    private final List<Member> others = new ArrayList<>();
    private final boolean declared;
    private final long finds;    // low bits of the parameter: what must be among the others was there
    private long ends;           // that of what must be the last of the others: its key must not come again
    private final int shift;     // of the counter
    private final long least;    // of members that need not be
    private final long most;
    private final boolean counts;

    /// A key and its value.
    ///
    /// @param key lexeme
    /// @param bit of a named key in any order, or of a key that must be among the others
    private record Member(int key, Schema schema, boolean isRequired, long bit) {}

    ObjectRules(SchemaCompiler compiler, ObjectCase object, String place) {
        this.compiler = compiler;
        this.object = object;
        grammar = compiler.grammar();
        json = compiler.json();
        least = Math.max(0, object.min() - object.required().size());
        SchemaAlgebra algebra = compiler.normalizer().algebra();
        declared = compiler.options().order() == SchemaOptions.PropertyOrder.DECLARED || object.named().size()
                > (object.min() > object.required().size() || object.max() < Long.MAX_VALUE ? MAX_COUNTED : MAX_UNCOUNTED);
        object.named().forEach((key, schema) -> {
            if (!schema.equals(Schema.NEVER) && (least == 0 || !algebra.isProvablyEmpty(schema))) {
                named.add(new Member(json.key(compiler.text().stringOf(key)), schema, object.required().contains(key),
                        declared ? 0 : 1L << MAX_SOME + named.size()));
            }
        });
        finds = (1L << object.some().size()) - 1;
        shift = declared ? MAX_SOME : MAX_SOME + named.size();
        addOthers(place);
        long optional = named.size() - object.required().size();
        long room = object.max() == Long.MAX_VALUE ? Long.MAX_VALUE : object.max() - object.required().size();
        most = others.isEmpty() && room >= optional ? Long.MAX_VALUE : room;
        counts = least > 0 || most < Long.MAX_VALUE;
        if (!others.isEmpty() && least > 1) {
            throw new UnsupportedSchemaException("minProperties", place, "keys that are not declared are counted, and one may be written twice",
                    "declare the properties, or set additionalProperties to false");
        }
        if (finds != 0 && (object.some().size() > MAX_SOME || Long.bitCount(ends) > 1 || most < Long.MAX_VALUE)) {
            throw new UnsupportedSchemaException("not, oneOf or if", place, "keys that are not declared must be there, and are counted or of more kinds",
                    "make the alternatives differ in type or in the value of a required property");
        }
    }

    private void addOthers(String place) {
        JsonText text = compiler.text();
        Regexes regexes = text.regexes();
        int known = regexes.union(object.named().keySet().stream().mapToInt(text::stringOf).toArray());
        for (Others each : object.rest()) {
            int keys = known == Regexes.EMPTY ? each.keys() : live(regexes.conjunction(each.keys(), regexes.complement(known)), place);
            if (keys != Regexes.EMPTY) {
                others.add(new Member(json.key(keys), each.schema(), false, 0));
                for (int i = 0; i < object.some().size(); i++) {
                    Others some = object.some().get(i);
                    int found = live(regexes.conjunction(keys, some.keys()), place);
                    Schema schema = Schema.allOf(each.schema(), some.schema());
                    if (found != Regexes.EMPTY && !schema.equals(Schema.NEVER)) {
                        others.add(new Member(json.key(found), schema, false, 1L << i));
                    }
                    ends |= schema.equals(each.schema()) ? 0 : 1L << i;
                }
            }
        }
    }

    private int live(int regex, String place) {
        try {
            return compiler.text().regexes().live(regex);
        } catch (IllegalArgumentException e) {
            throw new UnsupportedSchemaException("patternProperties or propertyNames", place, e.getMessage(), "have simpler patterns");
        }
    }

    /// Adds the objects to a rule.
    void write(int rule) {
        long required = named.stream().filter(Member::isRequired).count();
        long found = others.stream().mapToLong(Member::bit).reduce(0, (a, b) -> a | b);
        if (required < object.required().size() || most < 0 || others.isEmpty() && named.size() - required < least || found != finds) {
            return; // there is none
        }
        int members = declared ? declared() : inAnyOrder();
        named.stream().filter(Member::isRequired).forEach(each -> grammar.need(members, each.key(), compiler.symbol(each.schema())));
        for (int i = 0; i < object.some().size(); i++) {
            long bit = 1L << i;
            int witness = grammar.rule();
            others.stream().filter(each -> each.bit() == bit).forEach(each -> grammar.add(witness, each.key(), compiler.symbol(each.schema())));
            grammar.need(members, grammar.call(witness));
        }
        grammar.add(rule, json.beginObject, grammar.call(members), json.endObject);
    }

    private int declared() {
        int before = grammar.rule();
        int behind = grammar.rule();
        int first = before;
        long left = named.stream().filter(each -> !each.isRequired()).count();
        for (Member each : named) {
            int nextBefore = grammar.rule();
            int nextBehind = grammar.rule();
            add(before, each, each.bit(), false, nextBehind);
            add(behind, each, each.bit(), true, nextBehind);
            if (!each.isRequired()) {
                left--;
                Guard guard = others.isEmpty() && least > left ? counter(least - left, Long.MAX_VALUE) : Guard.NONE;
                grammar.add(before, guard, grammar.tail(nextBefore, 0));
                grammar.add(behind, guard, grammar.tail(nextBehind, 0));
            }
            before = nextBefore;
            behind = nextBehind;
        }
        addOthers(before, behind);
        end(before, 0);
        end(behind, 0);
        return first;
    }

    private int inAnyOrder() {
        int before = grammar.rule();
        int behind = grammar.rule();
        long required = 0;
        for (Member each : named) {
            required |= each.isRequired() ? each.bit() : 0;
            add(before, each, each.bit(), false, behind);
            add(behind, each, each.bit(), true, behind);
        }
        addOthers(before, behind);
        end(before, required);
        end(behind, required);
        return before;
    }

    private void addOthers(int before, int behind) {
        for (Member each : others) {
            add(before, each, each.bit() | ends, false, behind);
            add(behind, each, each.bit() | ends, true, behind);
        }
    }

    private void end(int rule, long bits) {
        long all = bits | finds;
        grammar.add(rule, all == 0 && least == 0 ? Guard.NONE : new Guard(all, all, shift, least, Long.MAX_VALUE));
    }

    private Guard counter(long from, long to) {
        return new Guard(0, 0, shift, from, to);
    }

    /// Adds a member, if there is room for it.
    ///
    /// @param free bits that must not be set: its key is not there yet
    private void add(int rule, Member member, long free, boolean comma, int next) {
        long unit = member.isRequired() || !counts ? 0 : 1L << shift;
        long bit = member.bit();
        int symbol = compiler.symbol(member.schema());
        if (unit == 0) {
            add(rule, free == 0 ? Guard.NONE : Guard.bits(free, 0), member, comma, symbol, grammar.tail(next, bit));
        } else if (most < Long.MAX_VALUE) {
            add(rule, new Guard(free, 0, shift, 0, most - 1), member, comma, symbol, grammar.tail(next, bit + unit));
        } else { // enough is enough
            add(rule, new Guard(free, 0, shift, 0, least - 1), member, comma, symbol, grammar.tail(next, bit + unit));
            add(rule, new Guard(free, 0, shift, least, Long.MAX_VALUE), member, comma, symbol, grammar.tail(next, bit));
        }
    }

    private void add(int rule, Guard guard, Member member, boolean comma, int symbol, int tail) {
        if (comma) {
            grammar.add(rule, guard, json.comma, member.key(), symbol, tail);
        } else {
            grammar.add(rule, guard, member.key(), symbol, tail);
        }
    }
}
