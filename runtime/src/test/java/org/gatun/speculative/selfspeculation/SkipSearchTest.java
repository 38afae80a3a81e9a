package org.gatun.speculative.selfspeculation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SkipSearchTest {
    private static final long SEED = 3;

    @Test
    void next_fewSets_triesEachOnceAndKeepsTheBest() {
        SkipSearch search = new SkipSearch(6, 2, 2, SEED);
        int trials = 0;
        while (!search.isOver()) {
            boolean[] set = search.next();
            assertEquals(2, IntStream.range(0, 6).filter(i -> set[i]).count());
            search.observe(set, set[1] && set[4] ? 1 : 0.5);
            trials++;
        }
        assertEquals(15, trials);
        assertArrayEquals(new boolean[] {false, true, false, false, true, false}, search.best());
    }

    @Test
    void next_sameSeed_triesTheSameSets() {
        SkipSearch one = new SkipSearch(20, 9, 2, SEED);
        SkipSearch other = new SkipSearch(20, 9, 2, SEED);
        for (int i = 0; i < 60; i++) {
            boolean[] set = one.next();
            assertArrayEquals(set, other.next());
            one.observe(set, set[3] ? 0.2 : 0.4);
            other.observe(set, set[3] ? 0.2 : 0.4);
        }
    }

    @Test
    void isOver_goodEnoughOrPatienceGone_ends() {
        SkipSearch search = new SkipSearch(40, 18, 0.9, SEED);
        search.observe(search.next(), 0.95);
        assertTrue(search.isOver());
        SkipSearch stuck = new SkipSearch(40, 18, 0.9, SEED);
        int trials = 0;
        while (!stuck.isOver()) {
            stuck.observe(stuck.next(), 0.1);
            trials++;
        }
        assertEquals(302, trials);
    }

    @Test
    void upperBound_setLikeGoodOnes_isAboveSetLikeBadOnes() {
        List<boolean[]> sets = new ArrayList<>();
        List<Double> scores = new ArrayList<>();
        for (int i = 1; i < 12; i++) {
            boolean[] good = new boolean[12];
            good[0] = true;
            good[i] = true;
            sets.add(good);
            scores.add(0.9);
            boolean[] bad = new boolean[12];
            bad[i] = true;
            sets.add(bad);
            scores.add(0.1);
        }
        boolean[] like = new boolean[12];
        like[0] = like[2] = like[5] = true;
        boolean[] unlike = new boolean[12];
        unlike[1] = unlike[2] = unlike[5] = true;
        GaussianProcess process = new GaussianProcess(sets, scores);

        assertTrue(process.upperBound(like) > process.upperBound(unlike));
    }
}
