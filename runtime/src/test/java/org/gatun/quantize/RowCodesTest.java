package org.gatun.quantize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RowCodesTest {
    private static final long SEED = 7;

    private static RowCodes of(float threshold, float... row) {
        return RowCodes.of(row, 0, row.length, threshold);
    }

    @Test
    void of_halves_goToTheEvenCode() {
        RowCodes codes = of(Float.POSITIVE_INFINITY, -127, 0.5f, 1.5f, 2.5f, -2.5f, 126.4f, 0);

        assertEquals(1, codes.scale());
        assertArrayEquals(new byte[] {-127, 0, 2, 2, -2, 126, 0}, codes.codes());
        assertEquals(0, codes.outliers().length);
    }

    @Test
    void of_outliers_areListedAndDoNotCount() {
        RowCodes codes = of(6, 6, 1, -100, 5.9f, 0.1f, -6.1f);

        assertArrayEquals(new int[] {0, 2, 5}, codes.outliers());
        assertEquals(5.9f / 127, codes.scale());
        assertArrayEquals(new byte[] {0, 22, 0, 127, 2, 0}, codes.codes());
    }

    @Test
    void of_partOfAnArray_isThatPart() {
        RowCodes codes = RowCodes.of(new float[] {1000, 2, -1, 1000}, 1, 2, Float.POSITIVE_INFINITY);

        assertArrayEquals(new byte[] {127, -64}, codes.codes());
    }

    @Test
    void of_zerosAndNearly_haveScaleZero() {
        assertEquals(0, of(Float.POSITIVE_INFINITY, 0, -0.0f, 0).scale());
        assertEquals(0, of(Float.POSITIVE_INFINITY, Float.MIN_VALUE, -RowCodes.MIN / 2).scale());
        assertEquals(0, of(6, 7, 8, -9).scale());
        RowCodes min = of(Float.POSITIVE_INFINITY, RowCodes.MIN, -RowCodes.MIN / 2);
        assertTrue(min.scale() > 0);
        assertArrayEquals(new byte[] {127, -64}, min.codes());
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void of_notFinite_isNaNAndHasNoOutliers(float bad) {
        for (float threshold : new float[] {6, Float.POSITIVE_INFINITY}) {
            RowCodes codes = of(threshold, 1, bad, 70);

            assertTrue(Float.isNaN(codes.scale()));
            assertArrayEquals(new byte[3], codes.codes());
            assertEquals(0, codes.outliers().length);
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {1e-36f, 1, 1e10f, Float.MAX_VALUE})
    void of_anyMagnitude_isWithinHalfAStep(float magnitude) {
        SplittableRandom random = new SplittableRandom(SEED);
        float[] row = new float[1000];
        for (int i = 0; i < row.length; i++) {
            row[i] = (float) (random.nextDouble(-1, 1) * magnitude);
        }
        RowCodes codes = of(Float.POSITIVE_INFINITY, row);
        for (int i = 0; i < row.length; i++) {
            assertEquals(row[i], (double) codes.codes()[i] * codes.scale(), 0.5001 * codes.scale(), "seed " + SEED + ", element " + i);
        }
    }
}
