package org.gatun.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// What a token is sampled by besides logits: the tokens before it, as far as penalties look at them, and the tokens allowed. Reused from
/// place to place; allocates only when the counts grow. One thread at a time.
public final class SamplingContext {
    private final int[] recent = new int[2 * Sampling.REPETITION_WINDOW]; // the latest tokens
    private int length;
    private final TokenCounts counts = new TokenCounts();
    private boolean counting;
    private TokenMasks masks; // null if any token is allowed
    private int maskedRow;

    /// Starts behind a text, with any token allowed.
    ///
    /// @param sampling whose penalties say what is kept
    /// @param text the tokens before, of which the first `length` count; not kept
    /// @param promptLength how many of them are prompt: the others were generated
    public void set(Sampling sampling, int[] text, int length, int promptLength) {
        this.length = Math.min(length, Sampling.REPETITION_WINDOW);
        System.arraycopy(text, length - this.length, recent, 0, this.length);
        counting = sampling.penalties().countTokens();
        if (counting) {
            counts.set(text, Math.min(promptLength, length), length);
        }
        masks = null;
    }

    /// Starts where another stands.
    public void set(SamplingContext other) {
        length = other.recentTokens();
        System.arraycopy(other.recent, other.firstRecent(), recent, 0, length);
        counting = other.counting;
        if (counting) {
            counts.set(other.counts);
        }
        masks = other.masks;
        maskedRow = other.maskedRow;
    }

    /// Goes behind one token more.
    ///
    /// @param generated whether it is no part of the prompt
    public void add(int token, boolean generated) {
        if (length == recent.length) {
            length = Sampling.REPETITION_WINDOW;
            System.arraycopy(recent, recent.length - length, recent, 0, length);
        }
        recent[length++] = token;
        if (counting && generated) {
            counts.add(token);
        }
    }

    /// Allows the tokens of a row's mask only, if it has one.
    ///
    /// @param masks null to allow any
    public void restrict(TokenMasks masks, int row) {
        this.masks = masks != null && masks.isRestricted(row) ? masks : null;
        maskedRow = row;
    }

    /// How many tokens the repetition penalty looks at.
    int recentTokens() {
        return Math.min(length, Sampling.REPETITION_WINDOW);
    }

    /// One of these, the latest last.
    int recent(int index) {
        return recent[firstRecent() + index];
    }

    void writeRecent(MemorySegment target, long offset) {
        MemorySegment.copy(recent, firstRecent(), target, ValueLayout.JAVA_INT, offset, recentTokens());
    }

    private int firstRecent() {
        return length - recentTokens();
    }

    /// How often tokens were generated; only if a penalty asks for it.
    TokenCounts counts() {
        return counts;
    }

    /// Whether only some tokens are allowed.
    boolean isRestricted() {
        return masks != null;
    }

    /// Which of 32 tokens are allowed, where only some are.
    ///
    /// @param word number of the first of them, divided by 32
    int allowed(int word) {
        return masks.word(maskedRow, word);
    }
}
