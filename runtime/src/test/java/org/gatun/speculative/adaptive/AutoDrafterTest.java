package org.gatun.speculative.adaptive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
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
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AutoDrafterTest {
    private static final int[] PROMPT = {3, 4, 5};
    private static final GenerationOptions OPTIONS = GenerationOptions.STANDARD.withMaxTokens(200).withIgnoreEndOfText(true)
            .withSampling(Sampling.GREEDY.withTemperature(1).withSeed(5));

    @TempDir
    Path directory;

    /// Proposes one token, always the same, and counts what it is told.
    private static final class Counting implements Drafter {
        private final boolean samples;
        private int begun;
        private int drafted;
        private int observed;
        private int closed;

        Counting(boolean samples) {
            this.samples = samples;
        }

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            begun++;
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            assertTrue(maxNodes > 1, "a drafter is asked where there is room only");
            drafted++;
            if (samples) {
                tree.setDistribution(0, ProposalSampling.INDEPENDENT, TokenDistribution.of(0, 1));
                tree.addSampled(0, 1);
            } else {
                tree.add(0, 1);
            }
        }

        @Override
        public void observe(TokenSequence text, Step step) {
            observed++;
            assertEquals(2, step.tree().size(), "it hears of its own trees only");
        }

        @Override
        public void close() {
            if (closed++ == 0) {
                throw new IllegalStateException("does not close well");
            }
        }
    }

    private interface Body {
        void run(Session session) throws IOException;
    }

    private void withSession(Body body) throws IOException {
        try (Backend backend = Backends.open("reference");
                Model model = Model.load(RandomModel.tiny(42).write(directory.resolve("tiny.gguf")), backend, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            body.run(session);
        }
    }

    @Test
    void auto_twoDrafters_areTriedAndHearOfTheirTrees() throws IOException {
        Counting first = new Counting(false);
        Counting second = new Counting(false);
        AutoDrafter auto = new AutoDrafter(List.of(first, second), 64);
        withSession(session -> {
            int[] expected;
            try (Generation plain = new Generation(session, PROMPT, Optional.empty(), OPTIONS)) {
                plain.text();
                expected = plain.tokens();
            }
            for (int text = 0; text < 2; text++) {
                Generation generation = new Generation(session, PROMPT, auto, OPTIONS);
                generation.text();
                assertArrayEquals(expected, generation.tokens());
            }
        });
        for (Counting drafter : List.of(first, second)) {
            assertEquals(2, drafter.begun);
            assertTrue(drafter.drafted >= MethodChoice.TRIAL_PROPOSALS / 2, "drafted " + drafter.drafted);
            assertEquals(drafter.drafted, drafter.observed);
        }
        assertThrows(IllegalStateException.class, auto::close);
        assertEquals(1, first.closed);
        assertEquals(1, second.closed, "closed though the other threw");
    }

    @Test
    void auto_drafterThatSamples_isRefused() throws IOException {
        AutoDrafter auto = new AutoDrafter(List.of(new Counting(true)), 64);
        withSession(session -> {
            Generation generation = new Generation(session, PROMPT, auto, OPTIONS);

            String message = assertThrows(IllegalStateException.class, generation::text).getMessage();
            assertTrue(message.contains("sampled its proposals"), message);
        });
    }
}
