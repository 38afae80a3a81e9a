package org.gatun.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
    private static final long SEED = 20261120;
    private static final int SAMPLES = 200_000;
    private static final float[] LOGITS = {0.3f, -1.2f, 1.7f, 0.0f, 1.1f, -3.0f, 0.9f, 0.2f};

    @Test
    void bits_zeroCounterAndKey_matchPublishedPhilox() {
        CounterRandom random = new CounterRandom(0);

        int[] found = IntStream.range(0, 4).map(token -> random.bits(CounterRandom.Purpose.TOKEN, 0, 0, token)).toArray();

        // philox4x32-10 of counter 0, key 0, from the known-answer file of the Random123 library
        int[] published = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
        assertArrayEquals(published, found);
    }

    @Test
    void sample_temperatureZero_takesLargestLogitLowestIdOnTies() {
        assertEquals(1, sample(Sampling.GREEDY, new float[] {1, 5, 5, 2}, new int[0]));
    }

    @Test
    void sample_sameSeedAndPosition_givesSameToken() {
        Sampling sampling = Sampling.GREEDY.withTemperature(1).withSeed(SEED);
        int[] first = IntStream.range(0, 100).map(i -> sample(sampling, LOGITS, new int[i])).toArray();
        int[] second = IntStream.range(0, 100).map(i -> sample(sampling, LOGITS, new int[i])).toArray();

        assertArrayEquals(first, second);
    }

    @ParameterizedTest
    @CsvSource({"1.0, 0, 1.0, 0.0", "0.5, 0, 1.0, 0.0", "1.0, 3, 1.0, 0.0", "1.0, 0, 0.8, 0.0", "0.7, 5, 0.9, 0.05",
        "2.0, 0, 1.0, 0.3"})
    void sample_manySamples_followsTheDistribution(double temperature, int topK, double topP, double minP) {
        Sampling sampling = new Sampling(temperature, topK, topP, minP, 1, SEED);
        double[] distribution = distribution(LOGITS, sampling);
        long[] counts = new long[LOGITS.length];
        Sampler sampler = new Sampler(sampling, LOGITS.length);
        MemorySegment logits = MemorySegment.ofArray(LOGITS);
        SamplingContext context = new SamplingContext();
        for (int position = 0; position < SAMPLES; position++) {
            counts[sampler.sample(logits, 0, position, context)]++;
        }

        double chiSquare = 0;
        for (int id = 0; id < distribution.length; id++) {
            if (distribution[id] == 0) {
                assertEquals(0, counts[id], "token " + id + " was to be left out");
            } else {
                double expected = distribution[id] * SAMPLES;
                chiSquare += (counts[id] - expected) * (counts[id] - expected) / expected;
            }
        }
        // 7 degrees of freedom at most: 29.9 has probability 1e-4
        assertTrue(chiSquare < 29.9, "seed " + SEED + ": chi-square " + chiSquare + " of " + Arrays.toString(counts));
    }

    /// The definition, written without regard to speed.
    private static double[] distribution(float[] logits, Sampling sampling) {
        Integer[] order = IntStream.range(0, logits.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, (a, b) -> logits[a] != logits[b] ? Float.compare(logits[b], logits[a]) : a - b);
        double[] distribution = new double[logits.length];
        int kept = sampling.topK() == 0 ? logits.length : sampling.topK();
        double sum = 0;
        for (int i = 0; i < kept; i++) {
            distribution[order[i]] = Math.exp((logits[order[i]] - logits[order[0]]) / sampling.temperature());
            sum += distribution[order[i]];
        }
        double mass = 0;
        for (int i = 0; i < logits.length; i++) {
            double probability = distribution[order[i]] / sum;
            if (mass >= sampling.topP() || distribution[order[i]] < sampling.minP()) {
                distribution[order[i]] = 0;
            }
            mass += probability;
        }
        double left = Arrays.stream(distribution).sum();
        return Arrays.stream(distribution).map(weight -> weight / left).toArray();
    }

    @Test
    void sample_repetitionPenalty_weakensRecentTokensOnly() {
        Sampling sampling = Sampling.GREEDY.withRepetitionPenalty(2);
        int[] longAgo = new int[1 + Sampling.REPETITION_WINDOW];
        Arrays.fill(longAgo, 3);
        longAgo[0] = 1;

        assertEquals(2, sample(sampling, new float[] {0, 5, 4, 0}, new int[] {1}));
        assertEquals(1, sample(sampling, new float[] {0, 5, 4, 0}, longAgo));
        assertEquals(2, sample(sampling, new float[] {-9, -1, -1.5f, -9}, new int[] {1, 1}), "a negative logit grows");
    }

    @Test
    void sample_infiniteNegativeLogits_neverChosen() {
        float[] logits = {Float.NEGATIVE_INFINITY, 0, Float.NEGATIVE_INFINITY};
        for (int position = 0; position < 1000; position++) {
            assertEquals(1, sample(Sampling.GREEDY.withTemperature(1), logits, new int[position]));
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {-1, Double.NaN, Double.POSITIVE_INFINITY})
    void sampling_badTemperature_isRefused(double temperature) {
        assertThrows(IllegalArgumentException.class, () -> Sampling.GREEDY.withTemperature(temperature));
    }

    private static int sample(Sampling sampling, float[] logits, int[] text) {
        SamplingContext context = new SamplingContext();
        context.set(sampling, text, text.length, 0);
        return new Sampler(sampling, logits.length).sample(MemorySegment.ofArray(logits), 0, text.length, context);
    }
}
