package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.gatun.decoding.TokenSequence;
import org.junit.jupiter.api.Test;

class SuffixArrayTest {
    private static final long SEED = 11;
    /// "banana" with a, b and n as 1, 2 and 3.
    private static final int[] BANANA = {2, 1, 3, 1, 3, 1};

    @Test
    void sort_banana_ordersItsEnds() {
        int[] order = {0, 1, 2, 3, 4, 5};

        SuffixArray.sort(BANANA, 6, order, 0, 6, SuffixArray.DEPTH);

        assertArrayEquals(new int[] {5, 3, 1, 0, 4, 2}, order);
    }

    @Test
    void find_anInBanana_findsBothPlaces() {
        Continuations found = new Continuations();

        new SuffixArray(BANANA).find(new TokenSequence(1, 3), found);

        assertEquals(2, found.match());
        assertEquals("1(3(1))", Trees.text(found, 16)); // "a" at both, then "na" at one
    }

    @Test
    void sort_randomTexts_isTheOrderOfArrays() {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < 200; i++) {
            int[] tokens = random.ints(random.nextInt(1, 60), 0, random.nextInt(1, 5)).toArray();
            int[] order = IntStream.range(0, tokens.length).toArray();

            SuffixArray.sort(tokens, tokens.length, order, 0, order.length, tokens.length);

            int[] expected = IntStream.range(0, tokens.length).boxed()
                    .sorted((a, b) -> Arrays.compare(tokens, a, tokens.length, tokens, b, tokens.length))
                    .mapToInt(Integer::intValue).toArray();
            assertArrayEquals(expected, order, "seed " + SEED + ", text " + i);
        }
    }

    @Test
    void find_randomTexts_findsTheLongestEndThatGoesOn() {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < 500; i++) {
            int[] corpus = random.ints(80, -1, 4).toArray();
            TokenSequence text = new TokenSequence(random.ints(random.nextInt(1, 30), 0, 4).toArray());
            Continuations found = new Continuations();

            new SuffixArray(corpus).find(text, found);

            assertEquals(longestThatGoesOn(corpus, text), found.match(), "seed " + SEED + ", corpus " + i);
        }
    }

    private static int longestThatGoesOn(int[] corpus, TokenSequence text) {
        int longest = 0;
        for (int end = 1; end < corpus.length; end++) {
            int match = 0;
            while (match < Math.min(end, Math.min(text.length(), SuffixArray.LONGEST_MATCH))
                    && corpus[end - 1 - match] == text.token(text.length() - 1 - match)) {
                match++;
            }
            longest = corpus[end] >= 0 ? Math.max(longest, match) : longest;
        }
        return longest < SuffixArray.SHORTEST_MATCH ? 0 : longest;
    }

    @Test
    void after_twoTokens_givesShares() {
        SuffixArray corpus = new SuffixArray(new int[] {1, 2, 7, 1, 2, 8, 1, 2, 7, 1, 2, -1});

        Successors found = corpus.after(1, 2, 12);

        assertEquals(7, found.token(0));
        assertEquals(0.5f, found.weight(0));
        assertEquals(8, found.token(1));
        assertEquals(0.25f, found.weight(1));
        assertNull(corpus.after(2, 2, 12));
    }
}
