package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.gatun.backend.MarkovBackend;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.SpeculativeDecoder;
import org.gatun.speculative.TokenTree;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StandDrafterTest {
    private static final int VOCABULARY = 10;
    private static final Sampling SAMPLED = Sampling.GREEDY.withTemperature(1).withSeed(5);

    @TempDir
    Path directory;

    @Test
    void average_twoDistributions_isTheirMean() {
        Successors average = new Successors(10);
        average.average(TokenDistribution.of(0.7, 0.2, 0.05, 0, 0.05), new int[10]);
        average.average(TokenDistribution.of(0.3, 0.6, 0, 0.05, 0.05), new int[10]);

        int[] tokens = {0, 1, 4, 2, 3};
        float[] weights = {0.5f, 0.4f, 0.05f, 0.025f, 0.025f};
        assertEquals(tokens.length, average.size());
        for (int place = 0; place < tokens.length; place++) {
            assertEquals(tokens[place], average.token(place));
            assertEquals(weights[place], average.weight(place), 1e-6f);
        }
    }

    @Test
    void average_moreTokensThanKept_keepsTheHeaviestOfAll() {
        Successors average = new Successors(2);
        average.average(TokenDistribution.of(0.5, 0.4, 0.1), new int[10]);
        average.average(TokenDistribution.of(0, 0.3, 0.7), new int[10]);

        assertEquals(2, average.size());
        assertEquals(1, average.token(0));
        assertEquals(2, average.token(1));
    }

    @Test
    void draft_sampled_samplesWithoutReplacementFromTheAverage() throws IOException {
        double[] distribution = {0, 0, 0, 0.5, 0.25, 0.125, 0.125, 0, 0, 0};
        StandDrafter drafter = new StandDrafter(VOCABULARY, 4); // two children of the root, one of the first
        learn(drafter, SAMPLED, distribution, 3, 4);
        int[] first = new int[VOCABULARY];
        int[][] second = new int[VOCABULARY][VOCABULARY];
        TokenSequence text = new TokenSequence(3, 4);
        TokenTree tree = new TokenTree(64);
        int runs = 100_000;
        for (int i = 0; i < runs; i++) {
            drafter.draft(text, tree.begin(4), 64);
            first[tree.token(1)]++;
            second[tree.token(1)][tree.token(2)]++;
        }

        assertFits(first, distribution, runs);
        for (int sampled = 3; sampled <= 6; sampled++) {
            double[] rest = distribution.clone();
            rest[sampled] = 0;
            assertFits(second[sampled], rest, first[sampled]);
        }
    }

    @Test
    void draft_greedily_longestContextWinsAndTheMostProbableAreTaken() throws IOException {
        StandDrafter drafter = new StandDrafter(VOCABULARY, 4);
        double[] seven = {0, 0, 0, 0, 0, 0, 0.1, 0.9, 0, 0};
        double[] eight = {0, 0, 0, 0, 0, 0, 0.1, 0, 0.9, 0};
        for (int i = 0; i < 3; i++) {
            learn(drafter, Sampling.GREEDY, seven, 3, 4);
        }
        learn(drafter, Sampling.GREEDY, eight, 5, 6, 3, 4);
        drafter.begin(null, new TokenSequence(3, 4), Sampling.GREEDY);

        assertEquals("8", Trees.text(drafter, 64, 5, 6, 3, 4));
        assertEquals("7 8", Trees.text(drafter, 64, 9, 9, 3, 4));
        assertEquals("7", Trees.text(drafter, 2, 9, 9, 3, 4));
        assertEquals("", Trees.text(drafter, 64, 4));
    }

    /// Chi-square of three degrees of freedom at most; it is beyond 25 by chance once in 60,000 times.
    private static void assertFits(int[] counts, double[] distribution, int runs) {
        double mass = Arrays.stream(distribution).sum();
        double chiSquare = 0;
        for (int token = 0; token < distribution.length; token++) {
            double expected = distribution[token] / mass * runs;
            if (expected > 0) {
                chiSquare += (counts[token] - expected) * (counts[token] - expected) / expected;
            } else {
                assertEquals(0, counts[token]);
            }
        }
        assertTrue(chiSquare < 25, "chi-square " + chiSquare + " of " + Arrays.toString(counts));
    }

    /// One step, from a prompt, of a model in which a token of this distribution follows every token.
    private void learn(StandDrafter drafter, Sampling sampling, double[] distribution, int... prompt) throws IOException {
        MarkovBackend tables = new MarkovBackend(VOCABULARY, 1, 1, null);
        IntStream.range(0, VOCABULARY).forEach(last -> tables.withDistribution(last, distribution));
        RandomModel shape = new RandomModel("llama", DType.F32, VOCABULARY, 32, 1, 1, 1, 32, 128, 1, 1);
        try (Model model = Model.load(shape.write(directory.resolve("model.gguf")), tables, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            session.step(new SpeculativeDecoder(session, drafter, sampling, prompt), 1);
        }
    }
}
