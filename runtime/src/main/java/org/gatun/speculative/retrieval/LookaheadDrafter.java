package org.gatun.speculative.retrieval;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.CounterRandom;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Lets the target guess several tokens of the future at once, in every pass anew, and proposes short phrases that such guesses settled
/// on. (Lookahead decoding, Fu et al. 2024, arXiv 2402.02057.)
///
/// The guesses are a window of rows, one generation each, the oldest first: token `i` of the first row stands `i + 1` places after the
/// root, those of each later row one place further. In the tree the first row is a chain, and the column of each of its tokens hangs
/// below it; so the guesses are candidates like all others. What the target says after the last row becomes a row, the first row
/// leaves, and each column with its new token is a phrase, remembered by its first token.
public final class LookaheadDrafter implements Drafter {
    private static final int FREE = -1;

    private final int vocabulary;
    private final int columns;
    private final int rows;
    private final int guesses;
    private final int[] window;     // [rows, columns]
    private final int[] ends;       // [columns] node of the last row, of the columns that were in the tree
    private final int[] next;       // [columns]
    private final Map<Integer, int[]> phrases = new HashMap<>(); // by token: [guesses, rows] what followed, latest first
    private int placed;
    private TokenSequence prompt;
    private int promptLength;
    private CounterRandom random;
    private int stream;

    /// @param vocabulary number of tokens, padding left out
    /// @param window columns of guesses
    /// @param length tokens of a phrase, the one it is remembered by included; at least 2
    /// @param guesses phrases to propose, at most
    public LookaheadDrafter(int vocabulary, int window, int length, int guesses) {
        this.vocabulary = vocabulary;
        this.guesses = guesses;
        columns = window;
        rows = length - 1;
        this.window = new int[rows * columns];
        ends = new int[columns];
        next = new int[columns];
    }

    @Override
    public Requirements requirements() {
        return Requirements.LOGITS;
    }

    @Override
    public void begin(SequenceState target, TokenSequence text, Sampling sampling) {
        prompt = text;
        promptLength = text.length();
        random = new CounterRandom(sampling.seed(), sampling.stream());
        stream = 0;
        for (int i = 0; i < window.length; i++) {
            window[i] = anyOfPrompt();
        }
    }

    private int anyOfPrompt() {
        int token = prompt.token((int) (random.uniform(CounterRandom.Purpose.PROPOSAL, promptLength, stream++) * promptLength));
        return token < vocabulary ? token : 0; // padding is as good a guess as any other token
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        int[] known = phrases.get(text.last());
        for (int guess = 0; known != null && guess < guesses && known[guess * rows] != FREE; guess++) {
            int node = 0;
            for (int i = 0; i < rows && tree.size() < maxNodes; i++) {
                node = tree.add(node, known[guess * rows + i]);
            }
        }
        int first = 0;
        for (placed = 0; placed < columns && tree.size() + rows <= maxNodes; placed++) {
            first = tree.add(first, window[placed]);
            int node = first;
            for (int row = 1; row < rows; row++) {
                node = tree.add(node, window[row * columns + placed]);
            }
            ends[placed] = node;
        }
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        for (int column = 0; column < columns; column++) {
            if (column < placed) {
                step.mostProbable(ends[column], 1, next, column);
                remember(column);
            } else {
                next[column] = anyOfPrompt();
            }
        }
        int moved = Math.min(step.accepted(), columns); // the root moved further by as many
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                int from = column + moved;
                window[row * columns + column] = from >= columns ? anyOfPrompt()
                        : row + 1 < rows ? window[(row + 1) * columns + from] : next[from];
            }
        }
    }

    /// Puts the phrase of a column before those known of its first token; of these the same one, or else the oldest, leaves.
    private void remember(int column) {
        int[] known = phrases.computeIfAbsent(window[column], _ -> {
            int[] free = new int[guesses * rows];
            Arrays.fill(free, FREE);
            return free;
        });
        int leaving = 0;
        while (leaving < guesses - 1 && !isColumn(known, leaving, column)) {
            leaving++;
        }
        System.arraycopy(known, 0, known, rows, leaving * rows);
        for (int i = 0; i < rows; i++) {
            known[i] = phraseToken(column, i);
        }
    }

    private boolean isColumn(int[] known, int guess, int column) {
        for (int i = 0; i < rows; i++) {
            if (known[guess * rows + i] != phraseToken(column, i)) {
                return false;
            }
        }
        return true;
    }

    private int phraseToken(int column, int index) {
        return index + 1 < rows ? window[(index + 1) * columns + column] : next[column];
    }

    /// Whether a phrase is remembered: its first token, and what follows.
    boolean knows(int first, int... following) {
        int[] known = phrases.get(first);
        for (int guess = 0; known != null && guess < guesses; guess++) {
            if (Arrays.equals(known, guess * rows, guess * rows + rows, following, 0, following.length)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() {
        // holds nothing
    }
}
