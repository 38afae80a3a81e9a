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

class TokenDistributionTest {
    private static final long SEED = 20261121;

    @Test
    void add_whatIsNoWeight_leavesTheTokenImpossible() {
        TokenDistribution distribution = TokenDistribution.of(Double.NaN, -1, 0, 1e-30, Double.NEGATIVE_INFINITY, 0.25);

        assertEquals(1, distribution.size());
        assertEquals(1, distribution.probability(5));
    }

    @Test
    void add_moreThanOne_countsAsOne() {
        TokenDistribution distribution = TokenDistribution.of(Double.POSITIVE_INFINITY, 1, 7);

        assertEquals(distribution.weight(1), distribution.weight(0));
        assertEquals(distribution.weight(1), distribution.weight(2));
    }

    @Test
    void add_tokenTwiceOrOutsideTheVocabulary_isRefused() {
        TokenDistribution distribution = TokenDistribution.of(0.5, 0);

        assertThrows(IllegalStateException.class, () -> distribution.add(0, 0.1));
        assertThrows(IndexOutOfBoundsException.class, () -> distribution.add(2, 0.1));
        assertThrows(IndexOutOfBoundsException.class, () -> distribution.add(-1, 0.1));
        assertEquals(1, distribution.probability(0));
    }

    /// Sums and words must not overflow, however flat the distribution.
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 1000, 1 << 17, (1 << 17) + 1, 300_000})
    void write_everyTokenAtMost_areWordsOfWeightAndToken(int vocabulary) {
        TokenDistribution distribution = TokenDistribution.of(IntStream.range(0, vocabulary).mapToDouble(_ -> 1).toArray());
        long[] words = new long[vocabulary];
        distribution.write(MemorySegment.ofArray(words), 0);

        int bits = Integer.SIZE - Integer.numberOfLeadingZeros(vocabulary - 1);
        assertTrue(distribution.mass() > 0 && distribution.mass() / vocabulary == distribution.weight(0));
        for (int token = 0; token < vocabulary; token++) {
            assertEquals(token, words[token] & (1L << bits) - 1);
            assertEquals(distribution.weight(token), words[token] >>> bits);
        }
    }

    @Test
    void subtract_tokensInAnyOrder_leavesTheSame() {
        SplittableRandom random = new SplittableRandom(SEED);
        int vocabulary = 501;
        double[] mine = random.doubles(vocabulary).toArray();
        double[] taken = random.doubles(vocabulary).map(weight -> weight < 0.3 ? 0 : weight).toArray();
        TokenDistribution rising = TokenDistribution.of(mine);
        rising.subtract(TokenDistribution.of(taken));
        TokenDistribution falling = new TokenDistribution(vocabulary);
        TokenDistribution other = new TokenDistribution(vocabulary);
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
