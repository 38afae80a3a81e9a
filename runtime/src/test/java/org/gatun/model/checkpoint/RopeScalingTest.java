package org.gatun.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.gatun.plan.RopeTable;
import org.junit.jupiter.api.Test;

class RopeScalingTest {
    private static final int DIMENSIONS = 128;

    @Test
    void table_none_isThePapersGeometricSeries() {
        float[] frequencies = table(new RopeScaling.None(), 10_000).inverseFrequencies();

        assertEquals(64, frequencies.length);
        assertEquals(1, frequencies[0]);
        assertEquals(Math.pow(10_000, -0.5), frequencies[32], 1e-9);
    }

    @Test
    void table_linear_dividesEveryFrequency() {
        float[] plain = table(new RopeScaling.None(), 10_000).inverseFrequencies();
        float[] scaled = table(new RopeScaling.Linear(4), 10_000).inverseFrequencies();

        for (int pair = 0; pair < plain.length; pair++) {
            assertEquals(plain[pair] / 4, scaled[pair], plain[pair] * 1e-6);
        }
    }

    @Test
    void table_llama3_keepsShortWavesDividesLongOnesAndIsMonotone() {
        float[] plain = table(new RopeScaling.None(), 500_000).inverseFrequencies();
        float[] scaled = table(new RopeScaling.Llama3(8, 1, 4, 8192), 500_000).inverseFrequencies();

        for (int pair = 0; pair < plain.length; pair++) {
            double wavelength = 2 * Math.PI / plain[pair];
            if (wavelength < 8192 / 4.0) {
                assertEquals(plain[pair], scaled[pair]);
            } else if (wavelength > 8192) {
                assertEquals(plain[pair] / 8, scaled[pair], plain[pair] * 1e-6);
            } else {
                assertTrue(scaled[pair] < plain[pair] && scaled[pair] > plain[pair] / 8, "pair " + pair);
            }
            assertTrue(pair == 0 || scaled[pair] < scaled[pair - 1]);
        }
    }

    @Test
    void table_yarn_extrapolatesFastPairsAndInterpolatesSlowOnes() {
        RopeTable scaled = table(new RopeScaling.Yarn(16, 4096, 32, 1, RopeScaling.Yarn.standardAttentionFactor(16), true), 10_000);
        float[] plain = table(new RopeScaling.None(), 10_000).inverseFrequencies();
        float[] frequencies = scaled.inverseFrequencies();

        // 128 ln(4096 / (32 · 2π)) / (2 ln 10000) = 20.9 and 128 ln(4096 / 2π) / (2 ln 10000) = 45.03: pairs 20 and 46
        assertEquals(plain[20], frequencies[20], plain[20] * 1e-6);
        assertEquals(plain[46] / 16, frequencies[46], plain[46] * 1e-6);
        double half = 13 / 26.0;
        assertEquals(plain[33] * (half / 16 + 1 - half), frequencies[33], plain[33] * 1e-6);
        assertEquals(1.2772588, scaled.attentionFactor(), 1e-6);
    }

    private static RopeTable table(RopeScaling scaling, double base) {
        return scaling.table(RopeTable.Pairing.SPLIT, DIMENSIONS, base);
    }
}
