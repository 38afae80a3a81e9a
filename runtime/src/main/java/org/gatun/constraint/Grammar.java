package org.gatun.constraint;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A context-free grammar over lexemes, which are regular expressions over bytes. Immutable.
///
/// A rule has a parameter of 64 bits: a set of keys seen, a counter. Whoever calls a rule gives its parameter; a call that ends a production may
/// give its own on, changed, so that a list or an object is a rule that calls itself at its end. A production may ask for a parameter. This
/// is how llguidance has objects in any order and exact counts in a few rules.
///
/// Productions that lead to no text are dropped, so that what may follow may also be finished.
///
/// @param symbols of all productions in a row, each ended by [#END]: a lexeme, or the complement of a call's number
/// @param calls of rules
/// @param productions of each rule
/// @param lexemes expressions in `regexes`
/// @param root the call that a text is
/// @param space what may stand before each lexeme but the first of a text, an expression in `regexes`
/// @param regexes pool of all
record Grammar(int[] symbols, List<Call> calls, List<List<Production>> productions, int[] lexemes, int root, int space, Regexes regexes) {
    /// Ends a production.
    static final int END = Integer.MIN_VALUE;

    /// What a production asks of its rule's parameter.
    ///
    /// @param mask bits looked at
    /// @param value that they have
    /// @param shift where a counter begins
    /// @param least of the counter
    /// @param most of the counter
    record Guard(long mask, long value, int shift, long least, long most) {
        /// Asks nothing.
        static final Guard NONE = new Guard(0, 0, 0, Long.MIN_VALUE, Long.MAX_VALUE);

        /// Asks for bits.
        static Guard bits(long mask, long value) {
            return new Guard(mask, value, 0, Long.MIN_VALUE, Long.MAX_VALUE);
        }

        /// Asks for a counter too, in the bits from `from` on.
        Guard counter(int from, long min, long max) {
            return new Guard(mask, value, from, min, max);
        }

        boolean holds(long parameter) {
            long counter = parameter >>> shift;
            return (parameter & mask) == value && counter >= least && counter <= most;
        }
    }

    /// A rule and what its parameter becomes.
    ///
    /// @param rule number
    /// @param inherits whether it goes on from the caller's parameter, which the call must then end the production of
    /// @param value of the parameter, or what is added to the caller's
    record Call(int rule, boolean inherits, long value) {
        long parameter(long caller) {
            return inherits ? caller + value : value;
        }
    }

    /// One way to write a rule.
    ///
    /// @param start first of its symbols
    /// @param depth how many calls in each other it takes at least, those at the end not counted
    record Production(int start, Guard guard, int depth) {}

    /// A grammar being written. One thread.
    static final class Builder {
        private final Regexes regexes;
        private final String description;
        private final List<List<Rule>> rules = new ArrayList<>();
        private final List<Call> calls = new ArrayList<>();
        private final Map<Call, Integer> callNumbers = new HashMap<>();
        private final List<Integer> lexemes = new ArrayList<>();
        private final Map<Integer, Integer> lexemeNumbers = new HashMap<>();
        private final Map<Integer, List<Rule>> needs = new HashMap<>(); // by rule

        /// One way to write a rule.
        private record Rule(Guard guard, int[] symbols) {}

        /// @param description of the constraint, for messages
        Builder(Regexes regexes, String description) {
            this.regexes = regexes;
            this.description = description;
        }

        /// The pool of its lexemes.
        Regexes regexes() {
            return regexes;
        }

        /// A rule without productions yet.
        int rule() {
            rules.add(new ArrayList<>());
            return rules.size() - 1;
        }

        /// How many rules there are.
        int ruleCount() {
            return rules.size();
        }

        /// The symbol of a lexeme, which is a match of one byte or more.
        int lexeme(int regex) {
            return lexemeNumbers.computeIfAbsent(regex, each -> {
                lexemes.add(each);
                return lexemes.size() - 1;
            });
        }

        /// The symbol of a rule with a parameter of 0.
        int call(int rule) {
            return call(new Call(rule, false, 0));
        }

        /// The symbol of a rule that goes on from its caller's parameter, at the end of a production.
        int tail(int rule, long added) {
            return call(new Call(rule, true, added));
        }

        private int call(Call call) {
            return ~callNumbers.computeIfAbsent(call, each -> {
                calls.add(each);
                return calls.size() - 1;
            });
        }

        /// Adds a production.
        void add(int rule, int... symbols) {
            add(rule, Guard.NONE, symbols);
        }

        /// Adds a production for some parameters.
        ///
        /// @throws IllegalArgumentException if a call before the last goes on from the parameter
        void add(int rule, Guard guard, int... symbols) {
            for (int i = 0; i < symbols.length - 1; i++) {
                if (symbols[i] < 0 && calls.get(~symbols[i]).inherits()) {
                    throw new IllegalArgumentException("a call before the last of a production inherits: expected a parameter of its own");
                }
            }
            rules.get(rule).add(new Rule(guard, symbols.clone()));
        }

        /// Says that a rule leads to a text only if these symbols do: guards ask for them, which [#build] does not follow.
        void need(int rule, int... symbols) {
            needs.computeIfAbsent(rule, _ -> new ArrayList<>()).add(new Rule(Guard.NONE, symbols.clone()));
        }

        /// The grammar, of productions that lead to a text.
        ///
        /// @throws IllegalArgumentException if the rule leads to none
        Grammar build(int rule, int space) {
            int root = ~call(rule);
            BitSet productive = productive();
            if (!productive.get(rule)) {
                throw new IllegalArgumentException("the constraint '" + description + "' is unsatisfiable: no text is valid");
            }
            int[] depths = depths(productive);
            int[] symbols = new int[64];
            int size = 0;
            List<List<Production>> productions = new ArrayList<>();
            for (List<Rule> each : rules) {
                List<Production> kept = new ArrayList<>();
                for (Rule one : each) {
                    if (leadsToText(one, productive)) {
                        if (size + one.symbols.length + 1 > symbols.length) {
                            symbols = Arrays.copyOf(symbols, 2 * (size + one.symbols.length + 1));
                        }
                        kept.add(new Production(size, one.guard, depth(one, depths)));
                        System.arraycopy(one.symbols, 0, symbols, size, one.symbols.length);
                        size += one.symbols.length;
                        symbols[size++] = END;
                    }
                }
                productions.add(List.copyOf(kept));
            }
            return new Grammar(Arrays.copyOf(symbols, size), List.copyOf(calls), productions,
                    lexemes.stream().mapToInt(Integer::intValue).toArray(), root, space, regexes);
        }

        private BitSet productive() {
            BitSet productive = new BitSet();
            boolean grows = true;
            while (grows) {
                grows = false;
                for (int rule = rules.size() - 1; rule >= 0; rule--) {
                    if (!productive.get(rule) && needs.getOrDefault(rule, List.of()).stream().allMatch(each -> leadsToText(each, productive))
                            && rules.get(rule).stream().anyMatch(each -> leadsToText(each, productive))) {
                        productive.set(rule);
                        grows = true;
                    }
                }
            }
            return productive;
        }

        /// How many calls in each other each rule takes at least.
        private int[] depths(BitSet productive) {
            int[] depths = new int[rules.size()];
            Arrays.fill(depths, Integer.MAX_VALUE);
            boolean shrinks = true;
            while (shrinks) {
                shrinks = false;
                for (int rule = rules.size() - 1; rule >= 0; rule--) {
                    for (Rule each : rules.get(rule)) {
                        int depth = leadsToText(each, productive) ? depth(each, depths) : Integer.MAX_VALUE;
                        shrinks |= depth < depths[rule];
                        depths[rule] = Math.min(depth, depths[rule]);
                    }
                }
            }
            return depths;
        }

        private int depth(Rule rule, int[] depths) {
            int depth = 0;
            for (int i = 0; i < rule.symbols.length; i++) {
                if (rule.symbols[i] < 0) {
                    int of = depths[calls.get(~rule.symbols[i]).rule()];
                    depth = Math.max(depth, i == rule.symbols.length - 1 || of == Integer.MAX_VALUE ? of : of + 1);
                }
            }
            return depth;
        }

        private boolean leadsToText(Rule rule, BitSet productive) {
            return Arrays.stream(rule.symbols).allMatch(symbol -> symbol < 0 ? productive.get(calls.get(~symbol).rule())
                    : regexes.continues(lexemes.get(symbol)));
        }
    }
}
