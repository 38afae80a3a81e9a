package org.gatun.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class RowStatisticsTest {
    @Test
    void compute_workedRow_hasItsNumbers() {
        RowStatistics statistics = new RowStatistics(2, 3, 2, 0);
        float[] logits = {9, 9, 9, 9, (float) Math.log(2), Float.NaN, (float) Math.log(4), (float) Math.log(2)};

        statistics.compute(MemorySegment.ofArray(logits), 1, 1, 4);

        assertEquals(1, statistics.rows());
        assertEquals(2, statistics.token(0, 0));
        assertEquals(0, statistics.token(0, 1), "of equal ones the lowest");
        assertEquals(3, statistics.token(0, 2));
        assertEquals(Math.log(8), statistics.logSumExp(0), 1e-6);
        assertEquals(1.5 * Math.log(2), statistics.entropy(0), 1e-6, "of a half and two quarters");
        assertEquals((float) Math.log(4), statistics.column(0, 0));
        assertEquals((float) Math.log(2), statistics.column(0, 1));
    }

    @Test
    void compute_noNumbers_hasNoEntropy() {
        RowStatistics statistics = new RowStatistics(1, 2);
        statistics.compute(MemorySegment.ofArray(new float[] {Float.NEGATIVE_INFINITY, Float.NaN}), 0, 1, 2);

        assertEquals(Double.NEGATIVE_INFINITY, statistics.logSumExp(0));
        assertTrue(Double.isNaN(statistics.entropy(0)));
        assertEquals(0, statistics.token(0, 0));
    }

    @Test
    void ask_tooMuch_isRefusedByName() {
        RowStatistics statistics = new RowStatistics(3, 2, 7);

        assertEquals("row statistics of 4 rows: expected 3 at most", refused(() -> statistics.requireFor(4, 8)));
        assertEquals("row statistics of token 7: expected one below 7", refused(() -> statistics.requireFor(3, 7)));
        assertEquals("row statistics of the largest 65: expected from 2 to 64", refused(() -> new RowStatistics(1, 65)));
        assertEquals("row statistics of token -1: expected a token from 0 on", refused(() -> new RowStatistics(1, 2, -1)));
        assertEquals("row statistics of 65 tokens: expected 64 at most", refused(() -> new RowStatistics(1, 2, new int[65])));
    }

    private static String refused(Runnable call) {
        return assertThrows(IllegalArgumentException.class, call::run).getMessage();
    }
}
