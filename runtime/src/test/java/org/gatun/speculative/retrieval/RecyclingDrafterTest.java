package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.gatun.backend.MarkovBackend;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculativeDecoder;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecyclingDrafterTest {
    private static final int VOCABULARY = 12;

    @TempDir
    Path directory;

    /// The worked example of the method: after 5 come 7 and 9, after 7 come 3 and 4; a target that says 7, then 4.
    @Test
    void step_knownSuccessors_areProposedVerifiedAndRefreshed() throws IOException {
        RecyclingDrafter drafter = new RecyclingDrafter(VOCABULARY, 4);
        try (Model before = model(tables().withFollowers(5, 7, 9).withFollowers(7, 3, 4)); Session session = before.openSession()) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {1, 5});
            session.step(decoder, 1);
            session.step(decoder, 1);
        }
        assertEquals("7(3) 9", Trees.text(drafter, 64, 5));

        MarkovBackend target = tables().withFollowers(5, 7, 8).withFollowers(7, 4, 3).withFollowers(9, 6).withFollowers(3, 11);
        try (Model model = model(target); Session session = model.openSession()) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {1, 5});

            assertEquals(2, session.step(decoder, 10));

            assertArrayEquals(new int[] {1, 5, 7, 4}, decoder.text().from(0));
        }
        assertEquals("7(4) 8", Trees.text(drafter, 64, 5));
        assertEquals(6, drafter.successor(9, 0));
        assertEquals(11, drafter.successor(3, 0));
    }

    @Test
    void generate_sameTextAgain_takesFewerPasses() throws IOException {
        RecyclingDrafter drafter = new RecyclingDrafter(VOCABULARY, 16);
        MarkovBackend counting = tables();
        for (int token = 3; token < 9; token++) {
            counting.withFollowers(token, token + 1);
        }
        try (Model model = model(counting)) {
            assertTrue(passes(model, drafter) > passes(model, drafter));
        }
        IntStream.range(0, VOCABULARY).forEach(token -> assertTrue(drafter.successor(token, 7) < VOCABULARY));
    }

    private static long passes(Model model, RecyclingDrafter drafter) {
        try (Session session = model.openSession()) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {1, 3});
            while (decoder.text().length() < 8) {
                session.step(decoder, 8 - decoder.text().length());
            }
            assertArrayEquals(new int[] {1, 3, 4, 5, 6, 7, 8, 9}, decoder.text().from(0));
            return decoder.statistics().targetPasses();
        }
    }

    private static MarkovBackend tables() {
        return new MarkovBackend(VOCABULARY, 1, 1, null);
    }

    private Model model(MarkovBackend tables) throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, VOCABULARY, 32, 1, 1, 1, 32, 128, 1, 1);
        return Model.load(shape.write(directory.resolve("model.gguf")), tables, ModelOptions.STANDARD);
    }
}
