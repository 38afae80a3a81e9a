package org.gatun.backend;

import java.util.Objects;

/// What a verified pass gave: the tokens drawn along one path of its tree, and the rows that carry them. Reused from pass to pass.
///
/// Token 0 is the one drawn after the first row. Token `i` was proposed by row `row(i)` as long as `i < accepted()`; the last token,
/// number `accepted()`, no row proposed.
public final class Verdict {
    private final int[] rows;
    private final int[] tokens;
    private final float[] leads;
    private int accepted;

    /// @param capacity most rows of a pass
    public Verdict(int capacity) {
        rows = new int[capacity];
        tokens = new int[capacity];
        leads = new float[capacity];
    }

    /// How many rows below the first were accepted.
    public int accepted() {
        return accepted;
    }

    /// An accepted row, from the child of the first down.
    public int row(int index) {
        return rows[Objects.checkIndex(index, accepted)];
    }

    /// A token drawn, from the one after the first row on; there is one more than rows were accepted.
    public int token(int index) {
        return tokens[Objects.checkIndex(index, accepted + 1)];
    }

    /// By how much the largest logit led the second where a token was drawn, repetition penalty included; NaN or infinite where the
    /// largest is no number.
    public float lead(int index) {
        return leads[Objects.checkIndex(index, accepted + 1)];
    }

    /// Forgets everything.
    public void clear() {
        accepted = 0;
    }

    /// Notes the token drawn after the last accepted row.
    public void draw(int token, float lead) {
        tokens[accepted] = token;
        leads[accepted] = lead;
    }

    /// Accepts the row that carries the token just drawn.
    public void accept(int row) {
        rows[accepted++] = row;
    }
}
