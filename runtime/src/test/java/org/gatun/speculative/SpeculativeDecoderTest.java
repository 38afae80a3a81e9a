package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.gatun.backend.MarkovBackend;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SpeculativeDecoderTest {

    @TempDir
    Path directory;

    /// One step by hand: of the tree 2 → (3 → 5, 4 → 0) the target takes the right branch and goes on with 3, whether children were chosen
    /// or sampled. What is accepted stands in the cache behind the root, else the next step, which sees the two latest tokens in the cache,
    /// would emit something else.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void step_treeOfTwoBranches_keepsTheOneTheTargetTakes(boolean sampled) throws IOException {
        MarkovBackend tables = new MarkovBackend(6, 1, 1, null).with(1, 2, 4).with(2, 4, 0).with(4, 0, 3).with(0, 3, 5);
        RandomModel shape = new RandomModel("llama", DType.F32, 6, 32, 1, 1, 1, 32, 128, 1, 1);
        try (Model model = Model.load(shape.write(directory.resolve("m.gguf")), tables, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            TwoBranches drafter = new TwoBranches(sampled);
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY.withTemperature(1), new int[] {0, 1, 2});

            assertEquals(3, session.step(decoder, 16));
            assertArrayEquals(new int[] {4, 0, 3}, decoder.text().from(3));
            assertEquals(5, session.length());
            assertEquals(2, drafter.accepted);
            assertArrayEquals(new int[] {0, 2, 4}, drafter.path);

            assertEquals(1, session.step(decoder, 16));
            assertEquals(5, decoder.text().last());
            assertEquals(4, decoder.statistics().emitted());
            assertEquals(2, decoder.statistics().targetPasses());
            assertEquals(4, decoder.statistics().drafted());
            assertEquals(2, decoder.statistics().accepted());
        }
    }

    @Test
    void step_drafterThatReadsLogitsUnasked_isRefused() throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, 6, 32, 1, 1, 1, 32, 128, 1, 1);
        try (Model model = Model.load(shape.write(directory.resolve("m.gguf")), new MarkovBackend(6, 1, 1, null), ModelOptions.STANDARD);
                Session session = model.openSession()) {
            TwoBranches drafter = new TwoBranches(false);
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {0, 1});
            session.step(decoder, 16);

            assertThrows(IllegalStateException.class, () -> drafter.step.mostProbable(0, 1, new int[1], 0));
            assertThrows(IllegalStateException.class, () -> drafter.step.distribution(0, new TokenDistribution(6)));
        }
    }

    private static final class TwoBranches implements Drafter {
        private final boolean sampled;
        private int accepted = -1;
        private int[] path;
        private Step step;

        TwoBranches(boolean sampled) {
            this.sampled = sampled;
        }

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            // needs nothing
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            if (accepted >= 0) {
                return;
            }
            if (sampled) {
                tree.setDistribution(0, ProposalSampling.WITHOUT_REPLACEMENT, TokenDistribution.of(0, 0, 0, 0.6, 0.3, 0.1));
            }
            int left = sampled ? tree.addSampled(0, 3) : tree.add(0, 3);
            int right = sampled ? tree.addSampled(0, 4) : tree.add(0, 4);
            tree.add(left, 5);
            tree.add(right, 0);
        }

        @Override
        public void observe(TokenSequence text, Step observed) {
            step = observed;
            if (accepted < 0) {
                accepted = step.accepted();
                path = IntStream.rangeClosed(0, accepted).map(step::acceptedNode).toArray();
            }
        }

        @Override
        public void close() {
            // holds nothing
        }
    }
}
