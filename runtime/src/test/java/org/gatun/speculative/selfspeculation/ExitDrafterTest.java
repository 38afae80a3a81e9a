package org.gatun.speculative.selfspeculation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExitDrafterTest {

    @ParameterizedTest
    @CsvSource({"0.35, 1, 4, 0.0375", "0.72, 3, 8, 0.0466", "0.80, 2, 12, 0.0436", "0.88, 3, 16, 0.0417", "0.5, 0, 4, 0.03125"})
    void tokensPerLayer_workedExample_isAsPublished(double acceptance, int count, int depth, double expected) {
        assertEquals(expected, ExitDrafter.tokensPerLayer(acceptance, count, depth, 32, 0), 5e-5);
    }

    @Test
    void tokensPerLayer_exitThatNeverGuesses_neverPays() {
        for (int count = 1; count < 20; count++) {
            assertTrue(ExitDrafter.tokensPerLayer(0, count, 1, 32, 0) < ExitDrafter.tokensPerLayer(0, 0, 0, 32, 0));
        }
    }

    @Test
    void tokensPerLayer_exitThatAlwaysGuesses_emitsAllOfTheDraft() {
        assertEquals(5.0 / (4 * 8 + 32), ExitDrafter.tokensPerLayer(1, 4, 8, 32, 0), 1e-12);
    }
}
