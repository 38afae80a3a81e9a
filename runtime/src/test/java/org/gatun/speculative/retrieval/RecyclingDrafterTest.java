package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.stream.IntStream;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.model.MarkovModel;
import org.gatun.model.Model;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculativeDecoder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecyclingDrafterTest {
    private static final int VOCABULARY = 12;

    @TempDir
    Path directory;

    /// The worked example of the method: after 5 come 7 and 9, after 7 come 3 and 4; a target that says 7, then 4.
    @Test
    void step_knownSuccessors_areProposedVerifiedAndRefreshed() {
        RecyclingDrafter drafter = new RecyclingDrafter(VOCABULARY, 4);
        try (Backend backend = Backends.open("reference");
                Model before = model("before", backend, 5, new int[] {7, 9}, 7, new int[] {3, 4});
                Model target = model("target", backend, 5, new int[] {7, 8}, 7, new int[] {4, 3}, 9, new int[] {6}, 3, new int[] {11})) {
            try (Session session = before.openSession()) {
                SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {5});
                decoder.step(1);
                decoder.step(1);
            }
            assertEquals("7(3) 9", Trees.text(drafter, 64, 5));
            try (Session session = target.openSession()) {
                SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {5});

                assertEquals(2, decoder.step(10));

                assertArrayEquals(new int[] {5, 7, 4}, decoder.text().from(0));
            }
        }
        assertEquals("7(4) 8", Trees.text(drafter, 64, 5));
        assertEquals(6, drafter.successor(9, 0));
        assertEquals(11, drafter.successor(3, 0));
    }

    @Test
    void generate_sameTextAgain_takesFewerPasses() {
        RecyclingDrafter drafter = new RecyclingDrafter(VOCABULARY, 16);
        try (Backend backend = Backends.open("reference");
                Model model = model("model", backend, 3, new int[] {4}, 4, new int[] {5}, 5, new int[] {6}, 6, new int[] {7},
                        7, new int[] {8}, 8, new int[] {9})) {
            assertTrue(passes(model, drafter) > passes(model, drafter));
        }
        IntStream.range(0, VOCABULARY).forEach(token -> assertTrue(drafter.successor(token, 7) < VOCABULARY));
    }

    private static long passes(Model model, RecyclingDrafter drafter) {
        try (Session session = model.openSession()) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {3});
            while (decoder.text().length() < 7) {
                decoder.step(7 - decoder.text().length());
            }
            assertArrayEquals(new int[] {3, 4, 5, 6, 7, 8, 9}, decoder.text().from(0));
            return decoder.statistics().targetPasses();
        }
    }

    /// @param followers a token and what follows it, alternately
    private Model model(String name, Backend backend, Object... followers) {
        int[][] ranked = new int[VOCABULARY][0];
        for (int i = 0; i < followers.length; i += 2) {
            ranked[(int) followers[i]] = (int[]) followers[i + 1];
        }
        return MarkovModel.load(directory.resolve(name + ".gguf"), MarkovModel.ranked(ranked), backend);
    }
}
