package org.gatun.backend;

import java.util.Objects;

/// What a verified segment gave: the tokens sampled along one path of its tree, and the rows that carry them. Reused from pass to pass.
///
/// Token 0 is the one sampled after the first row. Token `i` was proposed by row `row(i)` as long as `i < accepted()`; the last token,
/// number `accepted()`, no row proposed.
public final class VerificationResult {
    private final int[] rows;
    private final int[] tokens;
    private final float[] margins;
    private int accepted;

    /// @param capacity most rows of a segment
    public VerificationResult(int capacity) {
        rows = new int[capacity];
        tokens = new int[capacity];
        margins = new float[capacity];
    }

    /// Most rows of a segment.
    public int capacity() {
        return rows.length;
    }

    /// How many rows below the first were accepted.
    public int accepted() {
        return accepted;
    }

    /// An accepted row, from the child of the first down.
    public int row(int index) {
        return rows[Objects.checkIndex(index, accepted)];
    }

    /// A token sampled, from the one after the first row on; there is one more than rows were accepted.
    public int token(int index) {
        return tokens[Objects.checkIndex(index, accepted + 1)];
    }

    /// By how much the largest logit exceeded the second where a token was sampled, bias and penalties included and tokens not allowed left
    /// out; the largest f32 where there is no second, NaN or infinite where the largest is no number.
    public float margin(int index) {
        return margins[Objects.checkIndex(index, accepted + 1)];
    }

    /// Forgets everything.
    public void clear() {
        accepted = 0;
    }

    /// Notes the token sampled after the last accepted row.
    public void setToken(int token, float margin) {
        tokens[accepted] = token;
        margins[accepted] = margin;
    }

    /// Accepts the row that carries the token just sampled.
    public void accept(int row) {
        rows[accepted++] = row;
    }
}
