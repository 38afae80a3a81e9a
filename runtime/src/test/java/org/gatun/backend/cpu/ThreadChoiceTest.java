package org.gatun.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ThreadChoiceTest {
    private static final long SMALL = 6_000_000;

    @Test
    void threads_tinyAndHugeWork_needNoTrial() {
        ThreadChoice choice = new ThreadChoice(4);

        assertEquals(1, choice.threads(1000));
        assertEquals(4, choice.threads(2_000_000_000));
    }

    @Test
    void threads_oneWayFaster_isTakenNearlyAlways() {
        for (int faster : new int[] {1, 4}) {
            ThreadChoice choice = new ThreadChoice(4);

            assertTrue(share(choice, faster, 10_000) > 0.99, "with " + faster);
        }
    }

    @Test
    void threads_otherWayBecomesFaster_isFoundOut() {
        ThreadChoice choice = new ThreadChoice(4);
        share(choice, 4, 500);

        share(choice, 1, 2000);

        assertTrue(share(choice, 1, 1000) > 0.95);
    }

    /// Runs passes that take 100 with `faster` threads and 200 otherwise; returns how many took the faster way.
    private static double share(ThreadChoice choice, int faster, int passes) {
        int right = 0;
        for (int i = 0; i < passes; i++) {
            int threads = choice.threads(SMALL);
            choice.observe(SMALL, threads, threads == faster ? 100 : 200);
            right += threads == faster ? 1 : 0;
        }
        return (double) right / passes;
    }
}
