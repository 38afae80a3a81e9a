package org.gatun.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Samples tokens as a [Sampling] says; what it samples is the definition of what a backend samples, to the bit. Keeps scratch memory:
/// one thread at a time; sampling allocates nothing.
///
/// It is an exponential race (the Gumbel-max trick): token `x` arrives at time `e(seed, position, x) / p(x)`, with `e` exponentially
/// distributed, and the first wins, which follows `p`. The random numbers belong to the position, so whatever else a decoder does, the
/// token it emits at a position is a function of seed and text alone.
///
/// A race needs no sum, hence probabilities stay unnormalised, weights of which the largest is 1. Sums are of weights in units of
/// 2⁻⁴⁰, whole numbers, and so do not depend on their order. Among equal weights the lowest id comes first.
public final class Sampler {
    private static final float UNITS = 0x1p40f;
    /// Candidates of top-k that are gathered, at least, before the worse ones are dropped.
    private static final int GATHERED = 1024;

    private Sampling sampling;
    private final CounterRandom random;
    private final int width;            // of a row of logits
    private final float[] weights;      // [vocabulary] logits, then unnormalised probabilities
    private final long[] candidates;    // [vocabulary] sort keys: weight bits above, complement of the id below
    private float margin;
    private float largest;

    /// @param vocabulary width of a row of logits, all of which are tokens
    public Sampler(Sampling sampling, int vocabulary) {
        this(sampling, vocabulary, vocabulary);
    }

    /// Samples from the first tokens of a row only.
    ///
    /// @param width of a row of logits
    /// @param vocabulary how many tokens there are; the rest of a row is padding, which has no probability
    /// @throws IllegalArgumentException if the row has not so many
    public Sampler(Sampling sampling, int width, int vocabulary) {
        if (vocabulary > width) {
            throw new IllegalArgumentException(vocabulary + " tokens in rows of " + width + " logits: expected no more tokens than logits");
        }
        this.sampling = sampling;
        this.width = width;
        random = new CounterRandom(sampling.seed(), sampling.stream());
        weights = new float[vocabulary];
        candidates = new long[vocabulary];
    }

    /// Samples by other settings from now on. Hot.
    public void use(Sampling sampling) {
        random.reseed(sampling.seed(), sampling.stream());
        this.sampling = sampling;
    }

    /// The settings it samples by.
    public Sampling sampling() {
        return sampling;
    }

    /// Samples a token. Hot.
    ///
    /// @param logits `[rows, vocabulary] f32`; NaN counts as minus infinity
    /// @param row which row
    /// @param position of the token sampled
    /// @param context the tokens before that position, and those allowed there
    public int sample(MemorySegment logits, int row, int position, SamplingContext context) {
        int best = toWeights(logits, row, context);
        return isCertain(best) ? best : exponentialRace(keepCandidates(), position);
    }

    /// Computes the distribution that a token sampled there follows. Hot.
    ///
    /// @param logits as in [#sample]
    /// @param distribution receives the distribution: 1 for the token that is certain, or the weight of each token that may be sampled
    public void distribution(MemorySegment logits, int row, SamplingContext context, TokenDistribution distribution) {
        int best = toWeights(logits, row, context);
        distribution.clear();
        if (isCertain(best)) {
            distribution.add(best, 1);
            return;
        }
        int kept = keepCandidates();
        for (int i = 0; i < kept; i++) {
            distribution.add(~(int) candidates[i], weight(candidates[i]));
        }
    }

    /// Samples a token from a distribution, with the random numbers of a position: the one that [#sample] samples from logits of that
    /// distribution, unless it comes down to weights so small that the distribution rounds them. Hot.
    public int sample(TokenDistribution distribution, int position) {
        for (int i = 0; i < distribution.size(); i++) {
            candidates[i] = candidate(distribution.token(i), distribution.weight(distribution.token(i)));
        }
        return exponentialRace(distribution.size(), position);
    }

    /// Whether there is nothing to sample: temperature 0, or no finite weights.
    private boolean isCertain(int best) {
        return sampling.temperature() == 0 || weights[best] != 1;
    }

    /// Leaves the logits with bias and penalties in [#weights], minus infinity for those not allowed, or their weights, the largest 1, if
    /// there is something to sample.
    ///
    /// @return the token of the largest
    private int toWeights(MemorySegment logits, int row, SamplingContext context) {
        MemorySegment.copy(logits, ValueLayout.JAVA_FLOAT, (long) row * width * Float.BYTES, weights, 0, weights.length);
        addBias();
        penalizeRepetition(context);
        penalizeGenerated(context);
        forbid(context);
        int best = indexOfLargest();
        float max = weights[best];
        if (sampling.temperature() == 0 || !(Math.abs(max) < Float.POSITIVE_INFINITY)) {
            return best;
        }
        float temperature = (float) sampling.temperature();
        for (int id = 0; id < weights.length; id++) {
            weights[id] = PortableMath.exp((weights[id] - max) / temperature);
        }
        return best;
    }

    private void addBias() {
        LogitBias bias = sampling.logitBias();
        for (int i = 0; i < bias.size() && bias.token(i) < weights.length; i++) {
            weights[bias.token(i)] += bias.bias(i);
        }
    }

    private void penalizeRepetition(SamplingContext context) {
        float penalty = (float) sampling.penalties().repetition();
        for (int i = 0; i < context.recentTokens() && penalty != 1; i++) {
            int token = context.recent(i);
            if (token < weights.length && !isAmongFirst(context, i, token)) {
                float logit = weights[token];
                weights[token] = logit > 0 ? logit / penalty : logit * penalty;
            }
        }
    }

    private static boolean isAmongFirst(SamplingContext context, int count, int token) {
        for (int i = 0; i < count; i++) {
            if (context.recent(i) == token) {
                return true;
            }
        }
        return false;
    }

    private void penalizeGenerated(SamplingContext context) {
        if (!sampling.penalties().countTokens()) {
            return;
        }
        float frequency = (float) sampling.penalties().frequency();
        float presence = (float) sampling.penalties().presence();
        TokenCounts counts = context.counts();
        for (int i = 0; i < counts.size() && counts.token(i) < weights.length; i++) {
            float penalty = frequency * counts.count(i) + presence;
            weights[counts.token(i)] -= penalty;
        }
    }

    private void forbid(SamplingContext context) {
        for (int first = 0; first < weights.length && context.isRestricted(); first += Integer.SIZE) {
            int allowed = context.allowed(first / Integer.SIZE);
            for (int id = first; id < Math.min(first + Integer.SIZE, weights.length) && allowed != -1; id++) {
                if ((allowed >>> id & 1) == 0) {
                    weights[id] = Float.NEGATIVE_INFINITY;
                }
            }
        }
    }

    private int indexOfLargest() {
        int best = 0;
        float max = Float.NEGATIVE_INFINITY;
        float second = Float.NEGATIVE_INFINITY;
        for (int id = 0; id < weights.length; id++) {
            float weight = weights[id];
            if (weight > second) {
                if (weight > max) {
                    second = max;
                    max = weight;
                    best = id;
                } else {
                    second = weight;
                }
            }
        }
        largest = max;
        float difference = max - second + 0f; // 0 where -0 is followed by 0, which are equal
        margin = Math.abs(max) < Float.POSITIVE_INFINITY ? Math.min(difference, Float.MAX_VALUE) : difference;
        return best;
    }

    /// By how much the largest logit of the last row exceeded the second, bias, penalties and tokens not allowed taken into account: how
    /// sure the model was. The largest f32 if there is no second; NaN or infinite if the largest is no number.
    public float margin() {
        return margin;
    }

    /// The largest logit of the last row, bias and penalties included; not finite if no logit is a number, or one is infinite.
    public float largest() {
        return largest;
    }

    /// Writes the candidates that top-k, top-p and min-p leave, and returns how many. Only what may be kept is sorted.
    private int keepCandidates() {
        boolean limited = sampling.topK() > 0 && sampling.topK() < weights.length;
        float minP = (float) sampling.minP();
        if (!limited && sampling.topP() == 1) {
            return gather(minP);
        }
        long mass = 0;
        int count;
        if (limited) {
            count = gatherLargest(sampling.topK());
            for (int i = 0; i < count; i++) {
                mass += units(weight(candidates[i]));
            }
        } else {
            for (float weight : weights) {
                mass += units(weight);
            }
            // those below this have less than (1 - topP) of the mass together
            double min = ((1 - sampling.topP()) * mass * (1 - 1e-6) - 1) / weights.length / UNITS;
            count = gather(Math.max(minP, (float) min * (1 - 1e-6f)));
            sortFalling(count);
        }
        long wanted = sampling.topP() == 1 ? Long.MAX_VALUE : (long) Math.ceil(sampling.topP() * mass);
        long kept = 0;
        for (int i = 0; i < count; i++) {
            if (kept >= wanted || weight(candidates[i]) < minP) {
                return i;
            }
            kept += units(weight(candidates[i]));
        }
        return count;
    }

    private int gather(float min) {
        int count = 0;
        for (int id = 0; id < weights.length; id++) {
            if (weights[id] >= min && weights[id] > 0) {
                candidates[count++] = candidate(id, weights[id]);
            }
        }
        return count;
    }

    /// The k largest in falling order.
    private int gatherLargest(int k) {
        int room = Math.min(weights.length, Math.max(GATHERED, 2 * k));
        int count = 0;
        long min = -1;
        for (int id = 0; id < weights.length; id++) {
            long candidate = candidate(id, weights[id]);
            if (candidate > min) {
                candidates[count++] = candidate;
                if (count == room && id + 1 < weights.length) {
                    sortFalling(count);
                    count = k;
                    min = candidates[k - 1];
                }
            }
        }
        sortFalling(count);
        return k;
    }

    private static long candidate(int id, float weight) {
        return (long) Float.floatToRawIntBits(weight) << 32 | ~id & 0xFFFFFFFFL;
    }

    private void sortFalling(int count) {
        Arrays.sort(candidates, 0, count);
        for (int i = 0, j = count - 1; i < j; i++, j--) {
            long swapped = candidates[i];
            candidates[i] = candidates[j];
            candidates[j] = swapped;
        }
    }

    private static float weight(long candidate) {
        return Float.intBitsToFloat((int) (candidate >>> 32));
    }

    private static long units(float weight) {
        return (long) (weight * UNITS);
    }

    private int exponentialRace(int count, int position) {
        int winner = Integer.MAX_VALUE;
        float bestTime = Float.POSITIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            int id = ~(int) candidates[i];
            float weight = weight(candidates[i]);
            int bits = random.bits(CounterRandom.Purpose.TOKEN, position, 0, id);
            // a variate is not below its own uniform number, which spares nearly all logarithms
            if (PortableMath.minExponential(bits) <= bestTime * weight) {
                float time = PortableMath.exponential(bits) / weight;
                if (time < bestTime || time == bestTime && id < winner) {
                    bestTime = time;
                    winner = id;
                }
            }
        }
        return winner;
    }
}
