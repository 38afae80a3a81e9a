package org.gatun.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LawTest {
    private static final long SEED = 20261121;

    @Test
    void add_whatIsNoWeight_leavesTheTokenImpossible() {
        Law law = Law.of(Double.NaN, -1, 0, 1e-30, Double.NEGATIVE_INFINITY, 0.25);

        assertEquals(1, law.size());
        assertEquals(1, law.probability(5));
    }

    @Test
    void add_moreThanOne_countsAsOne() {
        Law law = Law.of(Double.POSITIVE_INFINITY, 1, 7);

        assertEquals(law.weight(1), law.weight(0));
        assertEquals(law.weight(1), law.weight(2));
    }

    @Test
    void add_tokenTwiceOrOutsideTheVocabulary_isRefused() {
        Law law = Law.of(0.5, 0);

        assertThrows(IllegalStateException.class, () -> law.add(0, 0.1));
        assertThrows(IndexOutOfBoundsException.class, () -> law.add(2, 0.1));
        assertThrows(IndexOutOfBoundsException.class, () -> law.add(-1, 0.1));
        assertEquals(1, law.probability(0));
    }

    /// Sums and words must not overflow, however flat the law.
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 1000, 1 << 17, (1 << 17) + 1, 300_000})
    void write_everyTokenAtMost_areWordsOfWeightAndToken(int vocabulary) {
        Law law = Law.of(IntStream.range(0, vocabulary).mapToDouble(_ -> 1).toArray());
        long[] words = new long[vocabulary];
        law.write(MemorySegment.ofArray(words), 0);

        int bits = Integer.SIZE - Integer.numberOfLeadingZeros(vocabulary - 1);
        assertTrue(law.mass() > 0 && law.mass() / vocabulary == law.weight(0));
        for (int token = 0; token < vocabulary; token++) {
            assertEquals(token, words[token] & (1L << bits) - 1);
            assertEquals(law.weight(token), words[token] >>> bits);
        }
    }

    @Test
    void subtract_tokensInAnyOrder_leavesTheSame() {
        SplittableRandom random = new SplittableRandom(SEED);
        int vocabulary = 501;
        double[] mine = random.doubles(vocabulary).toArray();
        double[] taken = random.doubles(vocabulary).map(weight -> weight < 0.3 ? 0 : weight).toArray();
        Law rising = Law.of(mine);
        rising.subtract(Law.of(taken));
        Law falling = new Law(vocabulary);
        Law other = new Law(vocabulary);
        for (int token = vocabulary - 1; token >= 0; token--) {
            falling.add(token, mine[token]);
            other.add(token, taken[token]);
        }
        falling.subtract(other);

        assertEquals(rising.mass(), falling.mass());
        assertEquals(rising.size(), falling.size());
        for (int token = 0; token < vocabulary; token++) {
            assertEquals(rising.weight(token), falling.weight(token), "seed " + SEED + ", token " + token);
        }
        assertEquals(IntStream.range(0, vocabulary).mapToLong(rising::weight).sum(), rising.mass());
    }
}
