package org.gatun.constraint;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.gatun.constraint.TokenTrie.Nodes;
import org.gatun.constraint.TokenTrie.Slice;

/// A constraint and the tokens that can spell it. Opens a [ConstraintMatcher] for each text.
///
/// Shared by threads, which take turns: what one found out serves all. Masks of states are kept up to a bound, and states up to a
/// bound, so that memory stays below some 64 MB however long texts are. Holds no memory that is to be closed.
public final class CompiledConstraint {
    /// Bytes of masks that are kept at most.
    private static final int MAX_MASK_BYTES = 16 << 20;

    private final String description;
    private final TokenTrie trie;
    private final Grammar grammar;
    private final Parser parser;
    private final int[] units;
    private final Parser.State[] path;    // [depth] of the walk, where the parser has a say
    private final Lexer.State[] readings; // [depth] of the walk within the lexemes at its beginning, else null
    private final Map<Parser.State, int[]> masks;
    private final ReentrantLock lock = new ReentrantLock();
    private final List<String> notes;

    /// @param units expressions of one character that tokens of slices are made of
    /// @param notes what the constraint does not enforce, as annotations
    /// @param maxDepth most levels of a text
    /// @throws IllegalArgumentException if the tokens cannot begin a text
    CompiledConstraint(String description, Grammar grammar, TokenTrie trie, int[] units, List<String> notes, int maxDepth) {
        this.description = description;
        this.grammar = grammar;
        this.trie = trie;
        this.units = units.clone();
        this.notes = List.copyOf(notes);
        parser = new Parser(grammar, maxDepth);
        path = new Parser.State[trie.longest() + 1];
        readings = new Lexer.State[trie.longest() + 1];
        int most = Math.max(16, MAX_MASK_BYTES / (Integer.BYTES * trie.words()));
        masks = new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Parser.State, int[]> eldest) {
                return size() > most;
            }
        };
        if (!trie.hasAllBytes() && !mask(parser.start(), new int[trie.words()])) {
            throw new IllegalArgumentException(stuck());
        }
    }

    /// What is wrong where no token may follow.
    String stuck() {
        return "no token of the model spells what the constraint '" + description + "' asks for: expected a tokenizer that knows these characters";
    }

    /// Before a text.
    public ConstraintMatcher matcher() {
        return new ConstraintMatcher(this);
    }

    /// Before a text of a model.
    ///
    /// @param vocabularySize tokens of its tokenizer
    /// @throws IllegalArgumentException if the constraint was compiled for another number of tokens, or none of them ends a text
    public ConstraintMatcher matcherFor(int vocabularySize) {
        if (vocabularySize != trie.vocabularySize()) {
            throw new IllegalArgumentException("the constraint '" + description + "' was compiled for " + trie.vocabularySize()
                    + " tokens: expected the tokenizer of the model, which has " + vocabularySize);
        }
        if (trie.endTokens().length == 0) {
            throw new IllegalArgumentException("the constraint '" + description + "': found no token that ends a text, expected one in the tokenizer");
        }
        return matcher();
    }

    /// What the constraint leaves open although it was asked for, such as formats that it does not know; empty if nothing.
    public List<String> notes() {
        return notes;
    }

    /// The tokens.
    TokenTrie trie() {
        return trie;
    }

    Parser.State start() {
        return parser.start();
    }

    /// Behind a token, null if it may not follow.
    Parser.State accept(Parser.State state, int token) {
        lock.lock();
        try {
            Parser.State next = state;
            byte[] bytes = trie.bytes(token);
            for (int i = 0; i < bytes.length && next != parser.dead(); i++) {
                next = parser.next(next, parser.byteClass(bytes[i] & 0xff));
            }
            return bytes.length == 0 || next == parser.dead() ? null : next;
        } finally {
            lock.unlock();
        }
    }

    /// The byte that must follow, -1 if there is none, one of several, or the text may end.
    int forced(Parser.State state) {
        lock.lock();
        try {
            int only = -1;
            for (int each = 0; each < 256 && !state.isComplete(); each++) {
                if (parser.next(state, parser.byteClass(each)) != parser.dead()) {
                    if (only >= 0) {
                        return -1;
                    }
                    only = each;
                }
            }
            return only;
        } finally {
            lock.unlock();
        }
    }

    /// Behind a byte that may follow.
    Parser.State behind(Parser.State state, int value) {
        lock.lock();
        try {
            return parser.next(state, parser.byteClass(value));
        } finally {
            lock.unlock();
        }
    }

    /// Writes which tokens may follow.
    ///
    /// @param mask `[>= ceil(vocabulary / 32)]`, overwritten
    /// @return whether any may; if not, no token spells what must follow
    boolean mask(Parser.State state, int[] mask) {
        lock.lock();
        try {
            int[] known = masks.get(state);
            if (known == null) {
                known = new int[trie.words()];
                compute(state, known);
                masks.put(state, known);
            }
            System.arraycopy(known, 0, mask, 0, known.length);
            Arrays.fill(mask, known.length, mask.length, 0);
            for (int word : known) {
                if (word != 0) {
                    return true;
                }
            }
            return false;
        } finally {
            lock.unlock();
        }
    }

    private void compute(Parser.State state, int[] mask) {
        for (Slice slice : trie.slices()) {
            if (takes(state, slice.length())) {
                for (int word = 0; word < mask.length; word++) {
                    mask[word] |= slice.mask()[word];
                }
            } else {
                walk(state, slice.nodes(), mask);
            }
        }
        walk(state, trie.rest(), mask);
        if (state.isComplete()) {
            for (int token : trie.endTokens()) {
                mask[token >> 5] |= 1 << token;
            }
        }
    }

    private boolean takes(Parser.State state, int count) {
        for (int unit : units) {
            if (state.takes(grammar.regexes(), unit, count)) {
                return true;
            }
        }
        return false;
    }

    /// Walks the trie from a state, and leaves what no text leads through. Within lexemes the lexer knows; the parser is asked where one may end,
    /// so that states of it are made for few nodes.
    private void walk(Parser.State state, Nodes nodes, int[] mask) {
        byte[] bytes = nodes.bytes();
        short[] depths = nodes.depths();
        int[] first = nodes.firstTokens();
        int[] tokens = nodes.tokens();
        path[0] = state;
        readings[0] = Parser.reading(state);
        for (int node = 0; node < bytes.length; ) {
            if (!step(state, depths[node], parser.byteClass(bytes[node] & 0xff))) {
                node = nodes.ends()[node];
                continue;
            }
            for (int i = first[node]; i < first[node + 1]; i++) {
                mask[tokens[i] >> 5] |= 1 << tokens[i];
            }
            node++;
        }
    }

    /// Goes one byte deeper.
    ///
    /// @param from where the walk began
    /// @return whether a text leads there
    private boolean step(Parser.State from, int depth, int byteClass) {
        Lexer.State reading = readings[depth];
        Lexer.State read = reading == null ? null : parser.read(reading, byteClass);
        if (read != null && read.ended().length == 0) {
            readings[depth + 1] = read;
            return !read.isDone();
        }
        readings[depth + 1] = null;
        path[depth + 1] = read == null ? parser.next(path[depth], byteClass) : parser.behind(from, read);
        return path[depth + 1] != parser.dead();
    }

    @Override
    public String toString() {
        return description;
    }
}
