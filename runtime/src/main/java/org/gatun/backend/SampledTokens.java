package org.gatun.backend;

import java.util.Objects;

/// The tokens that [Executable#decodeChain] sampled, each after the one before. Reused from call to call.
public final class SampledTokens {
    private final int[] tokens;
    private final float[] margins;
    private int count;

    /// @param capacity most tokens
    public SampledTokens(int capacity) {
        tokens = new int[capacity];
        margins = new float[capacity];
    }

    /// How many there are.
    public int count() {
        return count;
    }

    /// A token, the first one sampled being number 0.
    public int token(int index) {
        return tokens[Objects.checkIndex(index, count)];
    }

    /// By how much the largest logit exceeded the second where a token was sampled, bias and penalties included and tokens not allowed left
    /// out; the largest f32 where there is no second, NaN or infinite where the largest is no number.
    public float margin(int index) {
        return margins[Objects.checkIndex(index, count)];
    }

    /// Forgets everything.
    public void clear() {
        count = 0;
    }

    /// Adds a token.
    public void add(int token, float margin) {
        tokens[count] = token;
        margins[count++] = margin;
    }
}
