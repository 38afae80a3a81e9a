package org.gatun.constraint;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.gatun.constraint.Grammar.Call;
import org.gatun.constraint.Grammar.Production;

/// Which bytes may follow a text that a grammar allows: Earley's parser (*An efficient context-free parsing algorithm*, 1970) above the
/// [Lexer], as an automaton that is built as it is walked.
///
/// All ways to cut a text into lexemes are followed at once, so that no rule of the longest match takes a text away. A row of items begins
/// wherever a lexeme may end. Its items refer to the row where their rule began by identity, and rows with equal items are one row: a text
/// that comes back to the same place in a list or an object, at any depth, comes back to the same row. A call that ends its production is not waited for:
/// the callee completes what its caller would have (Leo, *A general context-free parsing algorithm running in linear time*, 1991, does so
/// on the way back), so that lists and objects written as rules that call themselves at the end stay in place, too.
///
/// Hence states are values: a text under way is one reference, going back is remembering it, and what was found out about a state (where
/// bytes lead, which tokens may follow) holds whenever it is met again.
///
/// Bounded: beyond [#MAX_STATES] states are made anew each time and not kept. One thread at a time.
final class Parser {
    /// Most states, and most rows, that are kept.
    static final int MAX_STATES = 60_000;
    /// Most items of a row: a grammar that needs more is ambiguous beyond use.
    private static final int MAX_ITEMS = 100_000;

    private final Grammar grammar;
    private final Lexer lexer;
    private final ByteClasses classes;
    private final Map<Set<Item>, Row> rows = new HashMap<>();
    private final Map<Key, State> states = new HashMap<>();
    private final Map<Lexing, State> behind = new HashMap<>(); // where a row leads once so much has been read
    private final State dead;
    private final State start;
    private final int maxDepth;

    /// A production under way.
    ///
    /// @param goal the call that it completes
    /// @param at the symbol that follows
    /// @param parameter of its rule
    /// @param origin the row where the goal was called, null for that of the text
    private record Item(int goal, int at, long parameter, Row origin) {
        @Override
        public int hashCode() {
            return (31 * (31 * goal + at) + Long.hashCode(parameter)) * 31 + System.identityHashCode(origin);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Item(int otherGoal, int otherAt, long otherParameter, Row otherOrigin) && goal == otherGoal
                    && at == otherAt && parameter == otherParameter && origin == otherOrigin;
        }
    }

    /// A place where lexemes begin.
    private static final class Row {
        private final Map<Integer, List<Item>> waiting = new HashMap<>(); // by goal called here
        private final Map<Integer, List<Item>> byLexeme = new HashMap<>();
        private boolean complete;  // the text may end here
        private int depth;         // most calls in each other that are under way
        private Lexer.State start;
    }

    /// A row and what has been read since.
    private record Lexing(Row row, Lexer.State lexer) {
        @Override
        public int hashCode() {
            return 31 * System.identityHashCode(row) + lexer.hashCode();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Lexing(Row otherRow, Lexer.State otherLexer) && row == otherRow && lexer.equals(otherLexer);
        }
    }

    private record Key(Set<Lexing> lexings, boolean complete) {}

    /// A text under way: all ways to read it. Equal ones are one, as long as they are kept.
    static final class State {
        private final Lexing[] lexings;
        private final boolean complete;
        private final State[] next; // [byte classes]

        private State(Lexing[] lexings, boolean complete, int byteClasses) {
            this.lexings = lexings;
            this.complete = complete;
            next = new State[byteClasses];
        }

        /// Whether the text may end here.
        boolean isComplete() {
            return complete;
        }

        /// Whether `count` more of `unit`, an expression, may follow, as far as the form of what is left to match shows it.
        boolean takes(Regexes regexes, int unit, int count) {
            for (Lexing each : lexings) {
                for (int rest : each.lexer.rests()) {
                    if (regexes.beginsWithRepeats(rest, unit, count)) {
                        return true;
                    }
                }
            }
            return false;
        }
    }

    /// @param maxDepth most calls in each other
    /// @throws IllegalArgumentException if every text takes more
    Parser(Grammar grammar, int maxDepth) {
        this.grammar = grammar;
        this.maxDepth = maxDepth;
        lexer = new Lexer(grammar, MAX_STATES);
        classes = grammar.regexes().classes();
        dead = new State(new Lexing[0], false, 0);
        Set<Item> kernel = new HashSet<>();
        for (Production each : grammar.productions().get(grammar.calls().get(grammar.root()).rule())) {
            if (each.guard().holds(grammar.calls().get(grammar.root()).value()) && each.depth() <= maxDepth) {
                kernel.add(new Item(grammar.root(), each.start(), grammar.calls().get(grammar.root()).value(), null));
            }
        }
        if (kernel.isEmpty()) {
            throw new IllegalArgumentException("every text of the constraint is more than " + maxDepth + " levels deep: expected a larger depth");
        }
        Row first = row(kernel, false, true);
        start = state(first.start.isDone() ? Set.of() : Set.of(new Lexing(first, first.start)), first.complete);
    }

    /// Before a text.
    State start() {
        return start;
    }

    /// Where no text leads.
    State dead() {
        return dead;
    }

    /// The class of a byte, for [#next].
    int byteClass(int value) {
        return classes.of(value);
    }

    /// Behind a byte of a class; [#dead] if none may follow. Hot.
    State next(State state, int byteClass) {
        if (state == dead) {
            return dead;
        }
        State next = state.next[byteClass];
        if (next == null) {
            next = step(state, byteClass);
            if (states.size() < MAX_STATES) {
                state.next[byteClass] = next;
            }
        }
        return next;
    }

    private State step(State state, int byteClass) {
        Step step = new Step();
        for (Lexing each : state.lexings) {
            step.add(each.row, lexer.next(each.lexer, byteClass));
        }
        return step.end();
    }

    /// What of some lexemes has been read in a state with one way to read it, else null.
    static Lexer.State reading(State state) {
        return state.lexings.length == 1 ? state.lexings[0].lexer : null;
    }

    /// Behind a byte within lexemes, as far as the lexer has a say. Hot.
    Lexer.State read(Lexer.State reading, int byteClass) {
        return lexer.next(reading, byteClass);
    }

    /// Behind a state with one way to read it, once more has been read of its lexemes.
    State behind(State state, Lexer.State read) {
        Lexing key = new Lexing(state.lexings[0].row, read);
        State known = behind.get(key);
        if (known == null) {
            Step step = new Step();
            step.add(key.row, read);
            known = step.end();
            if (behind.size() < MAX_STATES) {
                behind.put(key, known);
            }
        }
        return known;
    }

    /// Collects all ways to read a text.
    private final class Step {
        private final Set<Lexing> going = HashSet.newHashSet(4);
        private Kernel kernel;

        void add(Row row, Lexer.State read) {
            if (!read.isDone()) {
                going.add(new Lexing(row, read));
            }
            for (int lexeme : read.ended()) {
                kernel = kernel == null ? new Kernel() : kernel;
                for (Item item : row.byLexeme.get(lexeme)) {
                    kernel.add(new Item(item.goal, item.at + 1, item.parameter, item.origin));
                }
            }
        }

        State end() {
            boolean complete = false;
            if (kernel != null) {
                Row row = row(kernel.items, kernel.complete, false);
                complete = row.complete;
                if (!row.start.isDone()) {
                    going.add(new Lexing(row, row.start));
                }
            }
            return going.isEmpty() && !complete ? dead : state(going, complete);
        }
    }

    private State state(Set<Lexing> lexings, boolean complete) {
        Key key = new Key(lexings, complete);
        State known = states.get(key);
        if (known == null) {
            known = new State(lexings.toArray(Lexing[]::new), complete, classes.count());
            if (states.size() < MAX_STATES) {
                states.put(key, known);
            }
        }
        return known;
    }

    /// Items behind a lexeme, the completed ones replaced by those that waited for them: what a row is known by.
    private final class Kernel {
        private final Set<Item> items = new HashSet<>();
        private final Set<Item> completed = new HashSet<>();
        private boolean complete;

        void add(Item item) {
            if (grammar.symbols()[item.at] != Grammar.END) {
                items.add(item);
            } else if (item.origin == null) {
                complete = true;
            } else if (completed.add(new Item(item.goal, 0, 0, item.origin))) {
                for (Item waiting : item.origin.waiting.getOrDefault(item.goal, List.of())) {
                    add(new Item(waiting.goal, waiting.at + 1, waiting.parameter, waiting.origin));
                }
            }
        }
    }

    private Row row(Set<Item> kernel, boolean complete, boolean first) {
        Set<Item> key = kernel;
        if (complete || first) { // which is part of what a row is
            key = new HashSet<>(kernel);
            key.add(new Item(complete ? -1 : -2, 0, 0, null));
        }
        Row known = rows.get(key);
        if (known == null) {
            known = new Closure(complete).of(kernel, first);
            if (rows.size() < MAX_STATES) {
                rows.put(key, known);
            }
        }
        return known;
    }

    /// A row made of its kernel: rules that are called are begun, those that may be nothing are completed at once.
    private final class Closure {
        private final Row row = new Row();
        private final Set<Item> seen = new HashSet<>();
        private final Deque<Item> open = new ArrayDeque<>();
        private final Set<Item> completed = new HashSet<>();

        Closure(boolean complete) {
            row.complete = complete;
        }

        Row of(Set<Item> kernel, boolean first) {
            for (Item item : kernel) {
                row.depth = Math.max(row.depth, depth(item.origin));
                add(item);
            }
            while (!open.isEmpty()) {
                if (seen.size() > MAX_ITEMS) {
                    throw new IllegalStateException("more than " + MAX_ITEMS + " ways to go on with a text: expected a simpler constraint");
                }
                Item item = open.pop();
                int symbol = grammar.symbols()[item.at];
                if (symbol == Grammar.END) {
                    complete(item);
                } else if (symbol >= 0) {
                    row.byLexeme.computeIfAbsent(symbol, _ -> new ArrayList<>(2)).add(item);
                } else {
                    call(item, ~symbol);
                }
            }
            row.start = lexer.start(row.byLexeme.keySet().stream().mapToInt(Integer::intValue).sorted().toArray(), first);
            return row;
        }

        /// Calls in each other that are under way in what was called in a row.
        private static int depth(Row origin) {
            return origin == null ? 0 : origin.depth + 1;
        }

        private void add(Item item) {
            if (seen.add(item)) {
                open.push(item);
            }
        }

        private void advance(Item item) {
            add(new Item(item.goal, item.at + 1, item.parameter, item.origin));
        }

        private void call(Item item, int number) {
            Call call = grammar.calls().get(number);
            long parameter = call.parameter(item.parameter);
            boolean ends = grammar.symbols()[item.at + 1] == Grammar.END;
            int goal = ends ? item.goal : number;
            Row origin = ends ? item.origin : row;
            for (Production each : grammar.productions().get(call.rule())) {
                if (each.guard().holds(parameter) && depth(origin) + each.depth() <= maxDepth) {
                    add(new Item(goal, each.start(), parameter, origin));
                }
            }
            if (!ends) {
                row.waiting.computeIfAbsent(number, _ -> new ArrayList<>(2)).add(item);
                if (completed.contains(new Item(number, 0, 0, row))) {
                    advance(item);
                }
            }
        }

        private void complete(Item item) {
            if (item.origin == null) {
                row.complete = true;
            } else if (completed.add(new Item(item.goal, 0, 0, item.origin))) {
                List.copyOf(item.origin.waiting.getOrDefault(item.goal, List.of())).forEach(this::advance);
            }
        }
    }
}
