package org.gatun.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What changes logits before a token is sampled: bias, penalties and masks.
class SamplingRequestTest {
    private static final int[] TEXT = {0, 1, 1, 2, 1}; // the first is prompt

    /// Logits 4, 3.9, 3.5 and 3: token 0 is prompt, 1 was generated three times, 2 once, 3 never.
    @ParameterizedTest
    @CsvSource({"0, 0, 0", "2, 0, 0", "0, 2, 0", "-0.04, 0, 1", "0, -0.2, 1", "-0.5, 0.9, 1", "0.5, -1.6, 2"})
    void sample_frequencyAndPresence_countGeneratedTokensOnly(double frequency, double presence, int expected) {
        Sampling sampling = Sampling.GREEDY.withFrequencyPenalty(frequency).withPresencePenalty(presence);

        assertEquals(expected, sample(sampling, TEXT, 1, null, 4, 3.9f, 3.5f, 3));
    }

    @Test
    void sample_promptThatIsLonger_countsLess() {
        Sampling sampling = Sampling.GREEDY.withFrequencyPenalty(0.1);

        assertEquals(0, sample(sampling, new int[] {0, 0, 1}, 2, null, 3, 3, 2), "token 1 was generated, 0 was not");
        assertEquals(1, sample(sampling, new int[] {0, 0, 1}, 0, null, 3, 3, 2), "token 0 was generated twice, 1 once");
    }

    @Test
    void sample_bias_isAddedBeforeTheRepetitionPenalty() {
        Sampling biased = Sampling.GREEDY.withLogitBias(LogitBias.of(Map.of(1, 3.0)));

        assertEquals(1, sample(biased, new int[0], 0, null, 1, -1, 0));
        assertEquals(0, sample(biased.withRepetitionPenalty(4), new int[] {1}, 0, null, 1, -1, 0), "2 / 4 is less than 1");
        assertEquals(1, sample(biased.withRepetitionPenalty(1.5), new int[] {1}, 0, null, 1, -1, 0), "2 / 1.5 is more");
    }

    @Test
    void sample_mask_keepsWeightsOfTheLargestThatIsAllowed() {
        TokenMasks masks = new TokenMasks(2, 40);
        masks.restrict(1);
        masks.allow(1, 33);
        masks.allow(1, 39);
        float[] logits = new float[40];
        Arrays.fill(logits, 500); // e^500 is beyond f32: beside it those that are allowed would weigh nothing
        logits[33] = 1;
        logits[39] = 0;
        Sampler sampler = new Sampler(Sampling.GREEDY.withTemperature(1).withSeed(4), 40);
        SamplingContext context = new SamplingContext();
        int[] counts = new int[40];
        for (int position = 0; position < 10_000; position++) {
            context.set(sampler.sampling(), new int[0], 0, 0);
            context.restrict(masks, 1);
            counts[sampler.sample(MemorySegment.ofArray(logits), 0, position, context)]++;
        }

        assertEquals(10_000, counts[33] + counts[39]);
        assertEquals(1 / (1 + Math.exp(-1)), counts[33] / 10_000.0, 0.02);
        assertEquals(1, sampler.margin());
        context.restrict(masks, 0);
        assertTrue(sampler.sample(MemorySegment.ofArray(logits), 0, 0, context) < 33, "row 0 has no mask");
    }

    @Test
    void sample_oneTokenAllowed_isAheadByTheLargestNumber() {
        TokenMasks masks = new TokenMasks(1, 3);
        masks.set(0, 2);
        Sampler sampler = new Sampler(Sampling.GREEDY, 3);
        SamplingContext context = new SamplingContext();
        context.restrict(masks, 0);

        assertEquals(1, sampler.sample(MemorySegment.ofArray(new float[] {9, 1, 7}), 0, 0, context));
        assertEquals(Float.MAX_VALUE, sampler.margin());
    }

    /// Against a table of the vocabulary and sums in another order of the text.
    @Test
    void sample_everythingAtOnce_isWhatBruteForceSays() {
        SplittableRandom random = new SplittableRandom(TestScale.seed());
        for (int round = 0; round < TestScale.rounds(2_000, 200_000); round++) {
            int vocabulary = random.nextInt(1, 70);
            int[] text = random.ints(random.nextInt(0, 150), 0, vocabulary).toArray();
            int promptLength = random.nextInt(text.length + 1);
            Map<Integer, Double> bias = new HashMap<>();
            random.ints(random.nextInt(5), 0, vocabulary).forEach(token -> bias.put(token, random.nextInt(-8, 9) / 4.0));
            Sampling sampling = new Sampling(0, 0, 1, 0, new Penalties(random.nextInt(1, 4) / 2.0, random.nextInt(-4, 5) / 4.0,
                    random.nextInt(-4, 5) / 4.0), LogitBias.of(bias), 0, 0);
            TokenMasks masks = new TokenMasks(1, vocabulary);
            if (random.nextBoolean()) {
                masks.restrict(0);
                random.ints(random.nextInt(1, 6), 0, vocabulary).forEach(token -> masks.allow(0, token));
            }
            float[] logits = new float[vocabulary];
            for (int token = 0; token < vocabulary; token++) {
                logits[token] = random.nextInt(-20, 20) / 2f;
            }

            float[] expected = new float[vocabulary];
            for (int token = 0; token < vocabulary; token++) {
                expected[token] = adjusted(sampling, logits[token], token, text, promptLength, masks);
            }
            int best = 0;
            for (int token = 1; token < vocabulary; token++) {
                best = expected[token] > expected[best] ? token : best;
            }
            assertEquals(best, sample(sampling, text, promptLength, masks, logits), "seed " + TestScale.seed() + ", round " + round);
        }
    }

    private static float adjusted(Sampling sampling, float logit, int token, int[] text, int promptLength, TokenMasks masks) {
        if (!masks.allows(0, token)) {
            return Float.NEGATIVE_INFINITY;
        }
        float value = logit;
        LogitBias bias = sampling.logitBias();
        for (int i = 0; i < bias.size(); i++) {
            value += bias.token(i) == token ? bias.bias(i) : 0;
        }
        float repetition = (float) sampling.penalties().repetition();
        if (Arrays.stream(text, Math.max(0, text.length - Sampling.REPETITION_WINDOW), text.length).anyMatch(seen -> seen == token)) {
            value = value > 0 ? value / repetition : value * repetition;
        }
        long count = Arrays.stream(text, promptLength, text.length).filter(seen -> seen == token).count();
        return count == 0 ? value : value - (float) (sampling.penalties().frequency() * count + sampling.penalties().presence());
    }

    private static int sample(Sampling sampling, int[] text, int promptLength, TokenMasks masks, float... logits) {
        SamplingContext context = new SamplingContext();
        context.set(sampling, text, text.length, promptLength);
        context.restrict(masks, 0);
        return new Sampler(sampling, logits.length).sample(MemorySegment.ofArray(logits), 0, text.length, context);
    }

    /// Texts that grow, are cut and change, as sequences with drafts do.
    @Test
    void counts_textThatChanges_areThoseOfACountFromTheStart() {
        SplittableRandom random = new SplittableRandom(TestScale.seed());
        TokenCounts counts = new TokenCounts();
        TokenCounts copy = new TokenCounts();
        int[] text = new int[300];
        for (int round = 0; round < 3_000; round++) {
            int changed = random.nextInt(text.length);
            for (int i = changed; i < text.length; i++) {
                text[i] = random.nextInt(80);
            }
            int from = random.nextInt(10) == 0 ? random.nextInt(changed + 1) : 0;
            int to = random.nextInt(from, text.length + 1);
            counts.set(text, from, to);
            counts.add(7);
            copy.set(counts);

            TreeMap<Integer, Integer> expected = new TreeMap<>(Map.of(7, 1));
            Arrays.stream(text, from, to).forEach(token -> expected.merge(token, 1, Integer::sum));
            for (TokenCounts found : new TokenCounts[] {counts, copy}) {
                int[][] entries = new int[found.size()][];
                Arrays.setAll(entries, i -> new int[] {found.token(i), found.count(i)});
                assertArrayEquals(expected.entrySet().stream().map(entry -> new int[] {entry.getKey(), entry.getValue()})
                        .toArray(int[][]::new), entries, "seed " + TestScale.seed() + ", round " + round);
            }
        }
    }

    @Test
    void masks_wrongOnes_areRefusedByName() {
        TokenMasks masks = new TokenMasks(4, 33);
        assertEquals("token mask of row 2 has 1 words: expected 2 for 33 tokens", refused(() -> masks.set(2, -1)));
        assertThrows(IllegalStateException.class, () -> masks.allow(0, 1));
        masks.restrict(0);
        assertThrows(IndexOutOfBoundsException.class, () -> masks.allow(0, 33));
        assertEquals("token mask of row 0 allows no token: expected one at least", refused(() -> masks.requireFor(4, 33)));
        masks.set(0, 0, -2); // token 32 is the only one in that word
        assertEquals("token mask of row 0 allows no token: expected one at least", refused(() -> masks.requireFor(4, 33)));
        masks.allow(0, 32);
        masks.requireFor(4, 33);
        assertEquals("token masks for 33 tokens: expected 32, the width of a row of logits", refused(() -> masks.requireFor(4, 32)));
        masks.set(3, 1, 0);
        assertEquals("token mask of row 3 of a segment of 3 rows: expected one of its rows", refused(() -> masks.requireFor(3, 33)));
        masks.clear();
        masks.requireFor(3, 33);
        assertFalse(masks.isRestricted(0));
        assertTrue(masks.allows(0, 5));
    }

    @ParameterizedTest
    @ValueSource(doubles = {2.001, -2.001, Double.NaN, Double.POSITIVE_INFINITY})
    void penalties_outOfRange_areRefusedByName(double penalty) {
        assertEquals("frequency-penalty " + penalty + ": expected from -2 to 2",
                refused(() -> Sampling.GREEDY.withFrequencyPenalty(penalty)));
        assertEquals("presence-penalty " + penalty + ": expected from -2 to 2", refused(() -> Sampling.GREEDY.withPresencePenalty(penalty)));
    }

    @Test
    void bias_hostile_isRefusedByName() {
        for (double bias : new double[] {100.1, -1e300, Double.NaN, Double.NEGATIVE_INFINITY}) {
            assertEquals("logit-bias of token 4: " + bias + ": expected from -100 to 100", refused(() -> LogitBias.of(Map.of(4, bias))));
        }
        assertEquals("logit-bias of token -1: expected a token from 0 on", refused(() -> LogitBias.of(Map.of(-1, 1.0))));
        Map<Integer, Double> many = new HashMap<>();
        for (int token = 0; token <= LogitBias.MAX_TOKENS; token++) {
            many.put(token, 1.0);
        }
        assertEquals("logit-bias of 1025 tokens: expected 1024 at most", refused(() -> LogitBias.of(many)));
        assertEquals("logit-bias of token 9: expected one below 9", refused(() -> LogitBias.of(Map.of(9, 1.0)).requireBelow(9)));
        assertEquals(LogitBias.of(Map.of(3, 1.0)), LogitBias.of(Map.of(3, 1.0, 9, 2.0)).below(9));
        assertThrows(IllegalArgumentException.class, () -> Sampling.GREEDY.withStream(CounterRandom.STREAMS));
    }

    private static String refused(Runnable call) {
        return assertThrows(IllegalArgumentException.class, call::run).getMessage();
    }
}
