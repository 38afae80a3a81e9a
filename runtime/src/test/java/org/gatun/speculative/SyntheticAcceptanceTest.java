package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.decoding.TokenSequence;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculationStatistics.Depth;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SyntheticAcceptanceTest {
    private static final int[] PROMPT = {3, 4, 5};
    private static final int TOKENS = 400;

    @TempDir
    Path directory;

    /// Proposes a tree of one shape: a chain of three whose first node has a sibling, all of the same token where siblings allow it.
    private static final class Fork implements Drafter {
        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            // needs nothing
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            if (maxNodes >= 5) {
                int first = tree.add(0, 9);
                tree.add(0, 8);
                tree.add(tree.add(first, 9), 9);
            }
        }

        @Override
        public void observe(TokenSequence text, Step step) {
            // learns nothing
        }

        @Override
        public void close() {
            // holds nothing
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.5, 0.8, 1})
    void draft_anyRate_isAcceptedAtItAndTextStays(double rate) throws IOException {
        GenerationOptions options = GenerationOptions.STANDARD.withMaxTokens(TOKENS).withIgnoreEndOfText(true)
                .withSampling(Sampling.GREEDY.withTemperature(1).withSeed(5));
        try (Backend backend = Backends.open("reference");
                Model model = Model.load(RandomModel.tiny(42).write(directory.resolve("tiny.gguf")), backend, ModelOptions.STANDARD);
                Session session = model.openSession();
                Generation plain = new Generation(session, PROMPT, Optional.empty(), options)) {
            plain.text();
            SyntheticAcceptance drafter = new SyntheticAcceptance(new Fork(), rate, 7);
            drafter.expect(plain.tokens());
            try (drafter; Generation generation = new Generation(session, PROMPT, drafter, options)) {
                generation.text();

                assertArrayEquals(plain.tokens(), generation.tokens());
                SpeculationStatistics statistics = generation.statistics();
                for (Depth depth : statistics.depths()) {
                    double deviation = Math.sqrt(rate * (1 - rate) / depth.tested());
                    assertEquals(rate, depth.rate(), 4 * deviation, "seed 7, " + statistics);
                }
            }
        }
    }

    @Test
    void draft_rightAndWrongTokens_keepTheTreesShape() {
        TokenSequence text = new TokenSequence(PROMPT);
        SyntheticAcceptance drafter = new SyntheticAcceptance(new Fork(), 1, 7);
        drafter.expect(new int[] {0, 6, 7, 8});
        drafter.begin(null, text, Sampling.GREEDY);

        TokenTree tree = new TokenTree(8).begin(5);
        drafter.draft(text, tree, 8);

        int[] tokens = new int[tree.size()];
        int[] parents = new int[tree.size()];
        Arrays.setAll(tokens, tree::token);
        Arrays.setAll(parents, tree::parent);
        assertArrayEquals(new int[] {-1, 0, 0, 1, 3}, parents);
        assertArrayEquals(new int[] {5, 0, 1, 6, 7}, tokens);
    }

    @Test
    void syntheticAcceptance_noProbability_isRefused() {
        assertThrows(IllegalArgumentException.class, () -> new SyntheticAcceptance(new Fork(), 1.5, 0));
        assertThrows(IllegalArgumentException.class, () -> new SyntheticAcceptance(new Fork(), Double.NaN, 0));
    }
}
