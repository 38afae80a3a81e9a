package org.gatun.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A distribution over a vocabulary: a weight for each token that is possible. Weights need not sum to 1; what counts is their share of
/// the sum. Reused: [#clear] empties it, and only allocates what the vocabulary needs, once. One thread at a time.
///
/// Weights are whole numbers, and what is done with them is done token by token, so that nothing depends on an order and a kernel finds
/// the same numbers (`verification.cu`). A weight of 1 is 2⁶² units shared out among the tokens that there could be, rounded down to a
/// power of two: sums fit a `long`, and so does a weight beside its token.
public final class TokenDistribution {
    private static final int SUM_BITS = 62;

    private final int tokenBits;
    private final double units;     // of a weight of 1
    private final long[] weights;   // [vocabulary]
    private final int[] tokens;     // [vocabulary] those possible, in the order added
    private int size;
    private long mass;

    /// @param vocabulary number of tokens
    public TokenDistribution(int vocabulary) {
        tokenBits = Integer.SIZE - Integer.numberOfLeadingZeros(vocabulary - 1);
        units = Math.scalb(1.0, SUM_BITS - tokenBits);
        weights = new long[vocabulary];
        tokens = new int[vocabulary];
    }

    /// A distribution from the weights of tokens 0, 1 and so on.
    public static TokenDistribution of(double... weights) {
        TokenDistribution distribution = new TokenDistribution(weights.length);
        for (int token = 0; token < weights.length; token++) {
            distribution.add(token, weights[token]);
        }
        return distribution;
    }

    /// Makes every token impossible.
    public void clear() {
        for (int i = 0; i < size; i++) {
            weights[tokens[i]] = 0;
        }
        size = 0;
        mass = 0;
    }

    /// Makes this distribution another's over the same vocabulary.
    public void set(TokenDistribution other) {
        clear();
        for (int i = 0; i < other.size; i++) {
            tokens[i] = other.tokens[i];
            weights[tokens[i]] = other.weights[tokens[i]];
        }
        size = other.size;
        mass = other.mass;
    }

    /// Gives a token that is impossible so far its weight.
    ///
    /// @param weight of which more than 1 counts as 1; one of less than a unit, or that is no number, leaves the token impossible
    /// @throws IllegalStateException if the token has a weight
    /// @throws IndexOutOfBoundsException if there is no such token
    public void add(int token, double weight) {
        if (weights[token] != 0) {
            throw new IllegalStateException("token " + token + " has a weight: expected one that is impossible so far");
        }
        long whole = (long) (Math.min(weight, 1) * units);
        if (whole > 0) {
            weights[token] = whole;
            tokens[size++] = token;
            mass += whole;
        }
    }

    /// Number of tokens, possible or not.
    public int vocabulary() {
        return weights.length;
    }

    /// Number of tokens that are possible.
    public int size() {
        return size;
    }

    /// A token that is possible.
    public int token(int index) {
        return tokens[index];
    }

    /// Sum of the weights.
    public long mass() {
        return mass;
    }

    /// Weight of a token, 0 if it is impossible.
    public long weight(int token) {
        return weights[token];
    }

    /// Probability of a token.
    public double probability(int token) {
        return mass > 0 ? (double) weights[token] / mass : 0;
    }

    /// Writes the tokens that are possible, `[size] i64`: each below its weight, in as many bits as the last token needs.
    public void write(MemorySegment target, long offset) {
        for (int i = 0; i < size; i++) {
            target.set(ValueLayout.JAVA_LONG, offset + (long) i * Long.BYTES, weights[tokens[i]] << tokenBits | tokens[i]);
        }
    }

    /// The token of the largest weight, the lowest of these; -1 if none is possible.
    public int mostProbable() {
        int best = -1;
        for (int i = 0; i < size; i++) {
            if (best < 0 || comesBefore(tokens[i], best)) {
                best = tokens[i];
            }
        }
        return best;
    }

    /// Makes a token impossible.
    public void remove(int token) {
        mass -= weights[token];
        weights[token] = 0;
        keepPositive();
    }

    /// The weight that a token would have here if it were as probable as by another distribution.
    long weightBy(TokenDistribution other, int token) {
        return share(other.weights[token], ratio(other));
    }

    /// Makes this distribution what is left of it where another is taken away: `max(this - other, 0)` of their probabilities.
    public void subtract(TokenDistribution other) {
        double ratio = ratio(other);
        for (int i = 0; i < other.size; i++) {
            int token = other.tokens[i];
            long taken = Math.min(weights[token], share(other.weights[token], ratio));
            weights[token] -= taken;
            mass -= taken;
        }
        keepPositive();
    }

    private double ratio(TokenDistribution other) {
        return other.mass > 0 ? (double) mass / other.mass : 0;
    }

    private static long share(long weight, double ratio) {
        return (long) Math.rint(weight * ratio);
    }

    private void keepPositive() {
        int kept = 0;
        for (int i = 0; i < size; i++) {
            if (weights[tokens[i]] > 0) {
                tokens[kept++] = tokens[i];
            }
        }
        size = kept;
    }

    /// Samples different tokens one after the other, each with its probability among those not yet sampled: the first arrivals of
    /// an exponential race.
    ///
    /// @param position of the tokens
    /// @param stream tells apart what is sampled at one position
    /// @param count most tokens to sample
    /// @param sampled receives them in order
    /// @return how many were sampled: fewer if fewer are possible
    public int sample(CounterRandom random, int position, int stream, int count, int[] sampled) {
        float[] times = new float[count];
        int arrived = 0;
        for (int i = 0; i < size; i++) {
            int token = tokens[i];
            int bits = random.bits(CounterRandom.Purpose.PROPOSAL, position, stream, token);
            double rate = (double) weights[token] / mass;
            // a variate is not below its own uniform number, which spares nearly all logarithms
            if (arrived == count && PortableMath.minExponential(bits) >= times[count - 1] * rate) {
                continue;
            }
            float time = (float) (PortableMath.exponential(bits) / rate);
            if (arrived == count && time >= times[count - 1]) {
                continue;
            }
            int place = arrived < count ? arrived++ : count - 1;
            while (place > 0 && times[place - 1] > time) {
                times[place] = times[place - 1];
                sampled[place] = sampled[place - 1];
                place--;
            }
            times[place] = time;
            sampled[place] = token;
        }
        return arrived;
    }

    /// The most probable tokens, in falling order, lower ids first among equals.
    ///
    /// @param count most tokens to take
    /// @param taken receives them
    /// @return how many were taken: fewer if fewer are possible
    public int mostProbable(int count, int[] taken) {
        int found = 0;
        for (int i = 0; i < size; i++) {
            int token = tokens[i];
            int place = found;
            while (place > 0 && comesBefore(token, taken[place - 1])) {
                place--;
            }
            if (place < count) {
                found = Math.min(found + 1, count);
                System.arraycopy(taken, place, taken, place + 1, found - 1 - place);
                taken[place] = token;
            }
        }
        return found;
    }

    private boolean comesBefore(int token, int other) {
        return weights[token] > weights[other] || weights[token] == weights[other] && token < other;
    }
}
