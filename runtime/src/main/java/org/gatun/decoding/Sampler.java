package org.gatun.decoding;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Chooses tokens as a [Sampling] says. Keeps scratch memory: one thread at a time; choosing allocates nothing.
///
/// The draw is an exponential race: token `x` arrives at time `-ln u(seed, position, x) / p(x)` and the first wins, which
/// has law `p`. The noise belongs to the position, so whatever else a decoder does, the token it emits at a position is a
/// function of seed and text alone.
///
/// A race needs no sum, hence probabilities stay unnormalised: the largest is 1. A token can win only if
/// `(1 - u) / p` is below the best time so far (as `-ln u ≥ 1 - u`), which spares nearly all logarithms.
public final class Sampler {
    private final Sampling sampling;
    private final Noise noise;
    private final float[] weights;      // [vocabulary] logits, then unnormalised probabilities
    private final long[] candidates;    // [vocabulary] sort keys: probability bits above, complement of the id below
    private float lead;

    /// @param vocabulary width of a row of logits
    public Sampler(Sampling sampling, int vocabulary) {
        this.sampling = sampling;
        noise = new Noise(sampling.seed());
        weights = new float[vocabulary];
        candidates = new long[vocabulary];
    }

    /// The settings it was made with.
    public Sampling sampling() {
        return sampling;
    }

    /// The token after `text[0 .. length)`. Hot.
    ///
    /// @param logits `[rows, vocabulary] f32`
    /// @param row which row
    /// @param text tokens so far
    /// @param length how many of them count; also the position of the token chosen
    public int choose(MemorySegment logits, int row, int[] text, int length) {
        MemorySegment.copy(logits, ValueLayout.JAVA_FLOAT, (long) row * weights.length * Float.BYTES, weights, 0,
                weights.length);
        return choose(text, length);
    }

    private int choose(int[] text, int length) {
        if (sampling.repetitionPenalty() != 1) {
            penalizeRepetition(text, length);
        }
        int best = indexOfLargest();
        if (sampling.temperature() == 0) {
            return best;
        }
        double largest = weights[best];
        for (int id = 0; id < weights.length; id++) {
            weights[id] = (float) Math.exp((weights[id] - largest) / sampling.temperature());
        }
        if (sampling.topK() == 0 && sampling.topP() == 1 && sampling.minP() == 0) {
            return raceAll(length);
        }
        return raceCandidates(keepCandidates(), length);
    }

    private void penalizeRepetition(int[] text, int length) {
        int start = Math.max(0, length - Sampling.REPETITION_WINDOW);
        for (int i = start; i < length; i++) {
            if (!contains(text, start, i, text[i])) {
                float logit = weights[text[i]];
                weights[text[i]] = (float) (logit > 0 ? logit / sampling.repetitionPenalty()
                        : logit * sampling.repetitionPenalty());
            }
        }
    }

    private static boolean contains(int[] text, int from, int to, int token) {
        for (int i = from; i < to; i++) {
            if (text[i] == token) {
                return true;
            }
        }
        return false;
    }

    private int indexOfLargest() {
        int best = 0;
        float largest = weights[0];
        float second = Float.NEGATIVE_INFINITY;
        for (int id = 1; id < weights.length; id++) {
            float weight = weights[id];
            if (weight > second) {
                if (weight > largest) {
                    second = largest;
                    largest = weight;
                    best = id;
                } else {
                    second = weight;
                }
            }
        }
        lead = largest - second;
        return best;
    }

    /// By how much the largest logit of the last row led the second, penalties included: how sure the model was.
    public float lead() {
        return lead;
    }

    /// Writes the candidates that top-k, top-p and min-p leave, most probable first, lowest id first on ties.
    ///
    /// Only what may be kept is sorted. With `V` tokens of total mass `M`, those below `(1 - topP) · M / V` have less than
    /// `(1 - topP) · M` together, so the set of top-p lies above that threshold.
    private int keepCandidates() {
        double mass = 0;
        for (float weight : weights) {
            mass += weight;
        }
        double threshold = sampling.topK() == 0
                ? Math.max(sampling.minP(), (1 - sampling.topP()) * mass / weights.length * (1 - 1e-6))
                : sampling.minP();
        int count = 0;
        for (int id = 0; id < weights.length; id++) {
            if (weights[id] >= threshold) {
                candidates[count++] = (long) Float.floatToIntBits(weights[id]) << 32 | ~id & 0xFFFFFFFFL;
            }
        }
        Arrays.sort(candidates, 0, count);
        reverse(count);
        if (sampling.topK() > 0 && sampling.topK() < count) {
            count = sampling.topK();
            mass = 0;
            for (int i = 0; i < count; i++) {
                mass += weight(candidates[i]);
            }
        }
        double kept = 0;
        for (int i = 0; i < count; i++) {
            if (kept >= sampling.topP() * mass && i > 0 || weight(candidates[i]) < sampling.minP()) {
                return i;
            }
            kept += weight(candidates[i]);
        }
        return count;
    }

    private void reverse(int count) {
        for (int i = 0, j = count - 1; i < j; i++, j--) {
            long swapped = candidates[i];
            candidates[i] = candidates[j];
            candidates[j] = swapped;
        }
    }

    private static float weight(long candidate) {
        return Float.intBitsToFloat((int) (candidate >>> 32));
    }

    private int raceAll(int position) {
        int winner = -1;
        double bestTime = Double.POSITIVE_INFINITY;
        for (int id = 0; id < weights.length; id++) {
            double time = arrival(weights[id], position, id, bestTime);
            if (time < bestTime) {
                bestTime = time;
                winner = id;
            }
        }
        return winner;
    }

    private int raceCandidates(int count, int position) {
        int winner = -1;
        double bestTime = Double.POSITIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            int id = ~(int) candidates[i];
            double time = arrival(weight(candidates[i]), position, id, bestTime);
            if (time < bestTime || time == bestTime && id < winner) {
                bestTime = time;
                winner = id;
            }
        }
        return winner;
    }

    private double arrival(float weight, int position, int id, double bestTime) {
        if (weight == 0) {
            return Double.POSITIVE_INFINITY;
        }
        float uniform = noise.uniform(position, id);
        if ((1 - uniform) / (double) weight > bestTime) {
            return Double.POSITIVE_INFINITY;
        }
        return -Math.log(uniform) / weight;
    }
}
