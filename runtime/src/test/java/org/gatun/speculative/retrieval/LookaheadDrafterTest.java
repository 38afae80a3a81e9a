package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.gatun.backend.MarkovBackend;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculativeDecoder;
import org.gatun.speculative.TokenTree;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LookaheadDrafterTest {
    private static final int LENGTH = 4;

    @TempDir
    Path directory;

    /// The text is 3 4 5 6 7 3 4 and so on.
    @Test
    void generate_periodicText_learnsItsPhrases() throws IOException {
        MarkovBackend tables = new MarkovBackend(8, 1, 1, null);
        for (int token = 0; token < 8; token++) {
            tables.withFollowers(token, token == 7 ? 3 : token + 1);
        }
        RandomModel shape = new RandomModel("llama", DType.F32, 8, 32, 1, 1, 1, 32, 128, 1, 1);
        LookaheadDrafter drafter = new LookaheadDrafter(100, 3, LENGTH, 2);
        try (Model model = Model.load(shape.write(directory.resolve("model.gguf")), tables, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {3, 4, 5, 6, 7});
            for (int pass = 0; pass < 20; pass++) {
                session.step(decoder, 100);
            }

            assertTrue(drafter.knows(3, 4, 5, 6));
            assertTrue(drafter.knows(7, 3, 4, 5));
            assertFalse(drafter.knows(3, 4, 5, 7));
            int[] text = decoder.text().from(0);
            assertArrayEquals(IntStream.range(0, text.length).map(i -> 3 + i % 5).toArray(), text);
            assertEquals(decoder.text().length() - 1, session.length());
            assertTrue(decoder.statistics().meanAcceptedLength() > 2, decoder.statistics().toString());
        }
    }

    @Test
    void draft_rows_areTheWindowAndNoMore() {
        LookaheadDrafter drafter = new LookaheadDrafter(1000, 3, LENGTH, 2);
        TokenSequence text = new TokenSequence(IntStream.range(0, 1000).toArray());
        drafter.begin(null, text, Sampling.GREEDY);
        for (int limit = 1; limit < 12; limit++) {
            TokenTree tree = new TokenTree(64).begin(text.last());
            drafter.draft(text, tree, limit);
            assertEquals(Math.min(3, (limit - 1) / (LENGTH - 1)) * (LENGTH - 1) + 1, tree.size());
        }
    }

    @Test
    void draft_promptOfPadding_proposesNone() {
        LookaheadDrafter drafter = new LookaheadDrafter(10, 3, LENGTH, 2);
        TokenSequence text = new TokenSequence(IntStream.range(10, 20).toArray());
        drafter.begin(null, text, Sampling.GREEDY);
        TokenTree tree = new TokenTree(64, 10).begin(text.last());

        drafter.draft(text, tree, 64);

        assertTrue(tree.size() > 1);
        assertTrue(IntStream.range(1, tree.size()).allMatch(node -> tree.token(node) < 10));
    }
}
