package org.gatun.constraint;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// What of some lexemes has been read: an automaton, built as it is walked, whose states are what is left to match of each. One thread at a
/// time.
final class Lexer {
    private final Grammar grammar;
    private final Regexes regexes;
    private final ByteClasses classes;
    private final Map<State, State> states = new HashMap<>();
    private final int mostStates;

    /// Lexemes under way. Equal ones are one, as long as they are kept.
    static final class State {
        private final int[] lexemes; // rising
        private final int[] rests;   // [lexemes] what is to match of each
        private final int[] ended;   // those that may end here
        private final int space;     // what may still stand before them, EMPTY within them
        private final int hash;
        private final State[] next;  // [byte classes]

        private State(int[] lexemes, int[] rests, int[] ended, int space, int byteClasses) {
            this.space = space;
            this.lexemes = lexemes;
            this.rests = rests;
            this.ended = ended;
            this.hash = 31 * (31 * (31 * Arrays.hashCode(lexemes) + Arrays.hashCode(rests)) + Arrays.hashCode(ended)) + space;
            this.next = new State[byteClasses];
        }

        /// The lexemes that the bytes so far are; some may go on.
        int[] ended() {
            return ended;
        }

        /// Whether nothing goes on.
        boolean isDone() {
            return lexemes.length == 0;
        }

        /// What is left to match of each lexeme that goes on.
        int[] rests() {
            return rests;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof State state && space == state.space && Arrays.equals(lexemes, state.lexemes) && Arrays.equals(rests, state.rests)
                    && Arrays.equals(ended, state.ended);
        }

        @Override
        public int hashCode() {
            return hash;
        }
    }

    /// @param mostStates kept; beyond, they are made anew each time
    Lexer(Grammar grammar, int mostStates) {
        this.grammar = grammar;
        this.mostStates = mostStates;
        regexes = grammar.regexes();
        classes = regexes.classes();
    }

    /// Before some lexemes. Space is read once for all of them: none begins with it.
    ///
    /// @param lexemes rising
    /// @param first whether a text begins here, where there is no space
    State start(int[] lexemes, boolean first) {
        int[] rests = new int[lexemes.length];
        for (int i = 0; i < lexemes.length; i++) {
            rests[i] = grammar.lexemes()[lexemes[i]];
        }
        return intern(new State(lexemes, rests, new int[0], first ? Regexes.EMPTY : grammar.space(), classes.count()));
    }

    /// Behind a byte of a class; hot.
    State next(State state, int byteClass) {
        State next = state.next[byteClass];
        if (next == null) {
            next = step(state, classes.representative(byteClass));
            if (states.size() < mostStates) {
                state.next[byteClass] = next;
            }
        }
        return next;
    }

    private State step(State state, int value) {
        int space = regexes.derivative(state.space, value);
        if (space != Regexes.EMPTY) {
            return intern(new State(state.lexemes, state.rests, new int[0], space, classes.count()));
        }
        int[] lexemes = new int[state.lexemes.length];
        int[] rests = new int[lexemes.length];
        int[] ended = new int[lexemes.length];
        int going = 0;
        int done = 0;
        for (int i = 0; i < state.lexemes.length; i++) {
            int rest = regexes.derivative(state.rests[i], value);
            if (regexes.isNullable(rest)) {
                ended[done++] = state.lexemes[i];
            }
            if (regexes.continues(rest)) {
                lexemes[going] = state.lexemes[i];
                rests[going++] = rest;
            }
        }
        return intern(new State(Arrays.copyOf(lexemes, going), Arrays.copyOf(rests, going), Arrays.copyOf(ended, done), Regexes.EMPTY,
                classes.count()));
    }

    private State intern(State state) {
        State known = states.get(state);
        if (known == null && states.size() < mostStates) {
            states.put(state, state);
        }
        return known == null ? state : known;
    }
}
