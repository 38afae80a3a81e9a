package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.Sampling;
import org.junit.jupiter.api.Test;

class AdedDrafterTest {
    /// After `1 2` comes 3 nine times in ten, else 4; after `2 3` comes 5, after `3 5` comes 6.
    private static final SuffixArray CORPUS = new SuffixArray(IntStream.range(0, 10)
            .flatMap(i -> i == 4 ? IntStream.of(1, 2, 4, -1) : IntStream.of(1, 2, 3, 5, 6, -1)).toArray());
    private static final SuffixArray NONE = new SuffixArray(new int[0]);

    @Test
    void promise_workedExamples_areMet() {
        assertEquals(13.6343, TrigramSearch.promise(3, 2, 5, 0.5), 5e-5);
        assertEquals(9.2806, TrigramSearch.promise(2, 1, 5, 0.2), 5e-5);
    }

    @Test
    void adapt_twice_addsTwoSteps() {
        TrigramTable table = new TrigramTable(NONE);
        table.adapt(new TokenSequence(1, 2, 3), 0, 100);
        table.adapt(new TokenSequence(1, 2, 3), 0, 100);

        assertEquals(3, table.after(1, 2).token(0));
        assertEquals(0.08f, table.after(1, 2).weight(0), 1e-6f);
    }

    @Test
    void adapt_always_stopsAtTheCap() {
        TrigramTable table = new TrigramTable(CORPUS);
        for (int i = 0; i < 100; i++) {
            table.adapt(new TokenSequence(1, 2, 4), 0, 100);
        }
        assertEquals(4, table.after(1, 2).token(0));
        assertEquals(3f, table.after(1, 2).weight(0));
        assertEquals(0.9f, table.after(1, 2).weight(1), 1e-6f);
    }

    @Test
    void draft_corpus_findsTheLikelyPath() {
        String tree = Trees.text(begun(CORPUS, 16, 1, 2), 64, 1, 2);

        assertEquals("3(5(6)) 4", tree);
    }

    @Test
    void draft_budget_isKept() {
        assertEquals("3", Trees.text(begun(CORPUS, 16, 1, 2), 2, 1, 2));
        assertEquals("3(5)", Trees.text(begun(CORPUS, 3, 1, 2), 64, 1, 2));
    }

    @Test
    void draft_sameSeed_isTheSameTree() {
        int[] text = new SplittableRandom(5).ints(400, 0, 6).toArray();

        String tree = Trees.text(begun(NONE, 24, text), 64, text);

        assertEquals(tree, Trees.text(begun(NONE, 24, text), 64, text));
        assertTrue(tree.length() > 20, tree);
    }

    private static AdedDrafter begun(SuffixArray corpus, int rows, int... text) {
        AdedDrafter drafter = new AdedDrafter(corpus, 100, rows);
        drafter.begin(null, new TokenSequence(text), Sampling.GREEDY.withSeed(3));
        return drafter;
    }
}
