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
    private static final int DRAWS = 200_000;
    private static final float[] LOGITS = {0.3f, -1.2f, 1.7f, 0.0f, 1.1f, -3.0f, 0.9f, 0.2f};

    @Test
    void bits_zeroCounterAndKey_matchPublishedPhilox() {
        Noise noise = new Noise(0);

        int[] found = IntStream.range(0, 4).map(token -> noise.bits(Noise.Purpose.TOKEN, 0, 0, token)).toArray();

        // philox4x32-10 of counter 0, key 0, from the known-answer file of the Random123 library
        int[] published = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
        assertArrayEquals(published, found);
    }

    @Test
    void draw_temperatureZero_takesLargestLogitLowestIdOnTies() {
        assertEquals(1, draw(Sampling.GREEDY, new float[] {1, 5, 5, 2}, new int[0]));
    }

    @Test
    void draw_sameSeedAndPosition_givesSameToken() {
        Sampling sampling = Sampling.GREEDY.withTemperature(1).withSeed(SEED);
        int[] first = IntStream.range(0, 100).map(i -> draw(sampling, LOGITS, new int[i])).toArray();
        int[] second = IntStream.range(0, 100).map(i -> draw(sampling, LOGITS, new int[i])).toArray();

        assertArrayEquals(first, second);
    }

    @ParameterizedTest
    @CsvSource({"1.0, 0, 1.0, 0.0", "0.5, 0, 1.0, 0.0", "1.0, 3, 1.0, 0.0", "1.0, 0, 0.8, 0.0", "0.7, 5, 0.9, 0.05",
        "2.0, 0, 1.0, 0.3"})
    void draw_manyDraws_followsTheLaw(double temperature, int topK, double topP, double minP) {
        Sampling sampling = new Sampling(temperature, topK, topP, minP, 1, SEED);
        double[] law = law(LOGITS, sampling);
        long[] counts = new long[LOGITS.length];
        Sampler sampler = new Sampler(sampling, LOGITS.length);
        MemorySegment logits = MemorySegment.ofArray(LOGITS);
        int[] text = new int[DRAWS];
        for (int position = 0; position < DRAWS; position++) {
            counts[sampler.draw(logits, 0, position, text, position)]++;
        }

        double chiSquare = 0;
        for (int id = 0; id < law.length; id++) {
            if (law[id] == 0) {
                assertEquals(0, counts[id], "token " + id + " was to be left out");
            } else {
                double expected = law[id] * DRAWS;
                chiSquare += (counts[id] - expected) * (counts[id] - expected) / expected;
            }
        }
        // 7 degrees of freedom at most: 29.9 has probability 1e-4
        assertTrue(chiSquare < 29.9, "seed " + SEED + ": chi-square " + chiSquare + " of " + Arrays.toString(counts));
    }

    /// The definition, written without regard to speed.
    private static double[] law(float[] logits, Sampling sampling) {
        Integer[] order = IntStream.range(0, logits.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, (a, b) -> logits[a] != logits[b] ? Float.compare(logits[b], logits[a]) : a - b);
        double[] law = new double[logits.length];
        int kept = sampling.topK() == 0 ? logits.length : sampling.topK();
        double sum = 0;
        for (int i = 0; i < kept; i++) {
            law[order[i]] = Math.exp((logits[order[i]] - logits[order[0]]) / sampling.temperature());
            sum += law[order[i]];
        }
        double mass = 0;
        for (int i = 0; i < logits.length; i++) {
            double probability = law[order[i]] / sum;
            if (mass >= sampling.topP() || law[order[i]] < sampling.minP()) {
                law[order[i]] = 0;
            }
            mass += probability;
        }
        double left = Arrays.stream(law).sum();
        return Arrays.stream(law).map(weight -> weight / left).toArray();
    }

    @Test
    void draw_repetitionPenalty_weakensRecentTokensOnly() {
        Sampling sampling = Sampling.GREEDY.withRepetitionPenalty(2);
        int[] longAgo = new int[1 + Sampling.REPETITION_WINDOW];
        Arrays.fill(longAgo, 3);
        longAgo[0] = 1;

        assertEquals(2, draw(sampling, new float[] {0, 5, 4, 0}, new int[] {1}));
        assertEquals(1, draw(sampling, new float[] {0, 5, 4, 0}, longAgo));
        assertEquals(2, draw(sampling, new float[] {-9, -1, -1.5f, -9}, new int[] {1, 1}), "a negative logit grows");
    }

    @Test
    void draw_infiniteNegativeLogits_neverChosen() {
        float[] logits = {Float.NEGATIVE_INFINITY, 0, Float.NEGATIVE_INFINITY};
        for (int position = 0; position < 1000; position++) {
            assertEquals(1, draw(Sampling.GREEDY.withTemperature(1), logits, new int[position]));
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {-1, Double.NaN, Double.POSITIVE_INFINITY})
    void sampling_badTemperature_isRefused(double temperature) {
        assertThrows(IllegalArgumentException.class, () -> Sampling.GREEDY.withTemperature(temperature));
    }

    private static int draw(Sampling sampling, float[] logits, int[] text) {
        return new Sampler(sampling, logits.length).draw(MemorySegment.ofArray(logits), 0, text.length, text, text.length);
    }
}
