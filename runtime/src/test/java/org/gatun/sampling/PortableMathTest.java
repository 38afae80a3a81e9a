package org.gatun.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PortableMathTest {
    private static final long SEED = 20261121;
    private static final double BOUND = 2.5e-7;

    @Test
    void exp_wholeRange_isWithinTwoUlp() {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < 1_000_000; i++) {
            float x = (float) -random.nextDouble(i % 2 == 0 ? 1 : 87);
            assertClose(Math.exp(x), PortableMath.exp(x), "exp " + x);
        }
        assertEquals(1, PortableMath.exp(0));
        assertEquals(0, PortableMath.exp(-87.1f));
        assertEquals(0, PortableMath.exp(Float.NEGATIVE_INFINITY));
        assertEquals(0, PortableMath.exp(Float.NaN));
    }

    @Test
    void exponential_allMagnitudes_isWithinTwoUlp() {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < 1_000_000; i++) {
            int bits = random.nextInt() >>> random.nextInt(32);
            checkExponential(bits);
            checkExponential(~bits);
        }
    }

    private static void checkExponential(int bits) {
        double uniform = (Integer.toUnsignedLong(bits) + 0.5) * 0x1p-32;
        float found = PortableMath.exponential(bits);
        assertTrue(found > 0 && found < 23, "exponential of " + bits + ": " + found);
        assertClose(-Math.log1p(-uniform), found, "exponential of " + bits);
    }

    private static void assertClose(double expected, double found, String what) {
        assertTrue(Math.abs(found - expected) <= BOUND * expected, what + ": found " + found + ", expected " + expected);
    }
}
