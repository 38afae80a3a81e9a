package org.gatun.sampling;

/// A distribution over a vocabulary: a weight for each token that is possible. Weights need not sum to 1; what counts is their share of
/// the sum. Reused: [#clear] empties it, and only allocates what the vocabulary needs, once. One thread at a time.
public final class Law {
    private final double[] weights; // [vocabulary]
    private final int[] tokens;     // [vocabulary] those possible, in the order added
    private int size;
    private double mass;

    /// @param vocabulary number of tokens
    public Law(int vocabulary) {
        weights = new double[vocabulary];
        tokens = new int[vocabulary];
    }

    /// A law from the weights of tokens 0, 1 and so on.
    public static Law of(double... weights) {
        Law law = new Law(weights.length);
        for (int token = 0; token < weights.length; token++) {
            law.add(token, weights[token]);
        }
        return law;
    }

    /// Makes every token impossible.
    public void clear() {
        for (int i = 0; i < size; i++) {
            weights[tokens[i]] = 0;
        }
        size = 0;
        mass = 0;
    }

    /// Makes this law another's.
    public void set(Law other) {
        clear();
        for (int i = 0; i < other.size; i++) {
            add(other.tokens[i], other.weights[other.tokens[i]]);
        }
    }

    /// Gives a token that is impossible so far its weight; a weight that is not positive leaves it so.
    public void add(int token, double weight) {
        if (weight > 0) {
            weights[token] = weight;
            tokens[size++] = token;
            mass += weight;
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
    public double mass() {
        return mass;
    }

    /// Weight of a token, 0 if it is impossible.
    public double weight(int token) {
        return weights[token];
    }

    /// Probability of a token.
    public double probability(int token) {
        return mass > 0 ? weights[token] / mass : 0;
    }

    /// The token of the largest weight, the lowest of these; -1 if none is possible.
    public int mostProbable() {
        int best = -1;
        for (int i = 0; i < size; i++) {
            int token = tokens[i];
            if (best < 0 || weights[token] > weights[best] || weights[token] == weights[best] && token < best) {
                best = token;
            }
        }
        return best;
    }

    /// Makes a token impossible.
    public void remove(int token) {
        weights[token] = 0;
        keepPositive();
    }

    /// Makes this law what is left of it where another is taken away: `max(this - other, 0)` of their probabilities.
    public void subtract(Law other) {
        for (int i = 0; i < size; i++) {
            weights[tokens[i]] = Math.max(weights[tokens[i]] / mass - other.probability(tokens[i]), 0);
        }
        keepPositive();
    }

    private void keepPositive() {
        int kept = 0;
        mass = 0;
        for (int i = 0; i < size; i++) {
            int token = tokens[i];
            if (weights[token] > 0) {
                tokens[kept++] = token;
                mass += weights[token];
            }
        }
        size = kept;
    }

    /// Draws different tokens one after the other, each with its probability among those not yet drawn: the first arrivals of an
    /// exponential race.
    ///
    /// @param position of the tokens
    /// @param serial tells apart what is drawn at one position
    /// @param count most tokens to draw
    /// @param drawn receives them in order
    /// @return how many were drawn: fewer if fewer are possible
    public int draw(Noise noise, int position, int serial, int count, int[] drawn) {
        float[] times = new float[count];
        int arrived = 0;
        for (int i = 0; i < size; i++) {
            int token = tokens[i];
            int bits = noise.bits(Noise.Purpose.PROPOSAL, position, serial, token);
            double rate = weights[token] / mass;
            // a variate is not below its own uniform number, which spares nearly all logarithms
            if (arrived == count && PortableMath.leastExponential(bits) >= times[count - 1] * rate) {
                continue;
            }
            float time = (float) (PortableMath.exponential(bits) / rate);
            if (arrived == count && time >= times[count - 1]) {
                continue;
            }
            int place = arrived < count ? arrived++ : count - 1;
            while (place > 0 && times[place - 1] > time) {
                times[place] = times[place - 1];
                drawn[place] = drawn[place - 1];
                place--;
            }
            times[place] = time;
            drawn[place] = token;
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
