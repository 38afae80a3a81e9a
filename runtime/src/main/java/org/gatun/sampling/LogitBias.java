package org.gatun.sampling;

import java.util.Arrays;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/// What is added to the logits of some tokens, whatever the text. Immutable.
public final class LogitBias {
    /// Most tokens with a bias: as many as threads of the block that adds them.
    public static final int MAX_TOKENS = 1024;
    /// The largest bias, which all but forces a token; its opposite all but bans it.
    public static final double MAX = 100;
    /// Nothing is added.
    public static final LogitBias NONE = new LogitBias(new TreeMap<>());

    private final int[] tokens; // rising
    private final float[] biases;

    private LogitBias(SortedMap<Integer, Double> byToken) {
        tokens = byToken.keySet().stream().mapToInt(Integer::intValue).toArray();
        biases = new float[tokens.length];
        for (int i = 0; i < biases.length; i++) {
            biases[i] = byToken.get(tokens[i]).floatValue();
        }
    }

    /// @param byToken what is added to the logit of each token
    /// @throws IllegalArgumentException if there are too many, a token is negative, or a bias is beyond [#MAX]
    public static LogitBias of(Map<Integer, Double> byToken) {
        Sampling.require(byToken.size() <= MAX_TOKENS, "logit-bias of", byToken.size() + " tokens", MAX_TOKENS + " at most");
        byToken.forEach((token, bias) -> {
            Sampling.require(token >= 0, "logit-bias of token", token, "a token from 0 on");
            Sampling.require(Math.abs(bias) <= MAX, "logit-bias of token " + token + ":", bias, "from -100 to 100");
        });
        return new LogitBias(new TreeMap<>(byToken));
    }

    /// The part of it that a smaller vocabulary has.
    public LogitBias below(int vocabulary) {
        if (size() == 0 || tokens[size() - 1] < vocabulary) {
            return this;
        }
        SortedMap<Integer, Double> kept = new TreeMap<>();
        for (int i = 0; i < size() && tokens[i] < vocabulary; i++) {
            kept.put(tokens[i], (double) biases[i]);
        }
        return new LogitBias(kept);
    }

    /// How many tokens have a bias.
    public int size() {
        return tokens.length;
    }

    /// A token with a bias; the next one is larger.
    public int token(int index) {
        return tokens[index];
    }

    /// What is added to its logit.
    public float bias(int index) {
        return biases[index];
    }

    /// Checks that all tokens are of a vocabulary. Hot.
    ///
    /// @throws IllegalArgumentException if one is not
    public void requireBelow(int vocabulary) {
        if (size() > 0 && tokens[size() - 1] >= vocabulary) {
            throw new IllegalArgumentException("logit-bias of token " + tokens[size() - 1] + ": expected one below " + vocabulary);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof LogitBias bias && Arrays.equals(tokens, bias.tokens) && Arrays.equals(biases, bias.biases);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(tokens) + Arrays.hashCode(biases);
    }

    @Override
    public String toString() {
        return "of " + size() + " tokens";
    }
}
