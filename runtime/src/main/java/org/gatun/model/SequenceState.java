package org.gatun.model;

import java.util.Arrays;
import java.util.Objects;
import org.gatun.backend.PageTable;
import org.gatun.backend.SampledTokens;
import org.gatun.backend.Segment;
import org.gatun.backend.VerificationResult;

/// What a text keeps between passes: its pages, how many of their slots are filled, and by which tokens.
///
/// Owned by a [Session]; owns its pages.
final class SequenceState implements AutoCloseable {
    private final PageTable pages;
    private final int[] tokens; // [slots], the first `length` count
    private int length;

    SequenceState(PageTable pages) {
        this.pages = pages;
        try {
            tokens = new int[pages.slots()];
        } catch (Throwable e) {
            pages.close();
            throw e;
        }
    }

    PageTable pages() {
        return pages;
    }

    /// Tokens whose rows are kept.
    int length() {
        return length;
    }

    /// The backing array of the tokens, of which the first [#length] count.
    int[] tokens() {
        return tokens;
    }

    int capacity() {
        return pages.slots();
    }

    /// Keeps all rows that a causal segment wrote.
    void append(Segment segment) {
        for (int row = 0; row < segment.rows(); row++) {
            append(segment.token(row));
        }
    }

    /// Keeps the first row of a segment and the accepted ones, which follow it.
    ///
    /// @param root token of the first row
    void append(int root, VerificationResult result) {
        append(root);
        for (int i = 0; i < result.accepted(); i++) {
            append(result.token(i));
        }
    }

    /// Keeps the rows of a chain: of the token that it began with and of all sampled but the last, which has none.
    void append(int first, SampledTokens sampled) {
        append(first);
        for (int i = 0; i < sampled.count() - 1; i++) {
            append(sampled.token(i));
        }
    }

    /// Keeps the row of a token, which stands behind those kept.
    void append(int token) {
        tokens[length++] = token;
    }

    /// How many of the first `count` tokens of a text are the first ones here.
    int commonPrefix(int[] text, int count) {
        int mismatch = Arrays.mismatch(tokens, 0, Math.min(length, count), text, 0, Math.min(length, count));
        return mismatch < 0 ? Math.min(length, count) : mismatch;
    }

    /// Forgets all tokens from `newLength` on.
    void rewind(int newLength) {
        length = Objects.checkIndex(newLength, length + 1);
        pages.rewind(length);
    }

    @Override
    public void close() {
        pages.close();
    }
}
