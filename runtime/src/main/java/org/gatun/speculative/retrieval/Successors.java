package org.gatun.speculative.retrieval;

import org.gatun.sampling.TokenDistribution;

/// The few tokens most likely to come next, each with a weight, heaviest first. One thread at a time.
final class Successors {
    private final int max;
    private final int[] tokens; // [2 * max], of which `max` stay
    private final float[] weights;
    private int size;
    private int averaged; // distributions

    /// @param max tokens to keep
    Successors(int max) {
        this.max = max;
        tokens = new int[2 * max];
        weights = new float[2 * max];
    }

    int size() {
        return size;
    }

    /// The token at a place, heaviest first.
    int token(int place) {
        return tokens[place];
    }

    /// The weight at a place.
    float weight(int place) {
        return weights[place];
    }

    /// Adds to the weight of a token. A new token drives out the lightest, unless that is heavier.
    ///
    /// @param cap no weight becomes larger
    void add(int token, float weight, float cap) {
        raise(token, weight, cap, max);
    }

    private void raise(int token, float weight, float cap, int room) {
        int place = 0;
        while (place < size && tokens[place] != token) {
            place++;
        }
        float raised = Math.min(cap, place < size ? weights[place] + weight : weight);
        if (place == size) {
            if (size < room) {
                size++;
            } else if (weights[--place] > raised) {
                return;
            }
        }
        for (; place > 0 && weights[place - 1] < raised; place--) {
            weights[place] = weights[place - 1];
            tokens[place] = tokens[place - 1];
        }
        weights[place] = raised;
        tokens[place] = token;
    }

    /// Takes one more distribution into the average of the distributions so far, each cut to its most probable tokens.
    void average(TokenDistribution distribution, int[] scratch) {
        int count = distribution.mostProbable(max, scratch);
        float share = 1f / ++averaged;
        for (int place = 0; place < size; place++) {
            weights[place] *= 1 - share;
        }
        for (int i = 0; i < count; i++) {
            raise(scratch[i], (float) distribution.probability(scratch[i]) * share, 1, tokens.length);
        }
        size = Math.min(size, max);
    }

    /// A token sampled by weight.
    ///
    /// @param uniform from 0 on and below 1
    /// @return its place
    int sample(double uniform) {
        double left = 0;
        for (int place = 0; place < size; place++) {
            left += weights[place];
        }
        left *= uniform;
        int place = 0;
        while (place < size - 1 && left >= weights[place]) {
            left -= weights[place++];
        }
        return place;
    }
}
