package org.gatun.quantize;

import java.util.Arrays;

/// A row of activations in 8 bits: with `max` the largest magnitude, element `x` is near `code · scale`, `scale = max / 127` and
/// `code` the whole number nearest to `x · (127 / max)`, ties to even. All of that is f32, so that every backend has the same codes.
///
/// Outliers are not counted, and their codes are 0. A row whose largest magnitude is below 2^-120 is all zeros with scale 0; one with
/// anything that is not finite has scale NaN and codes 0, so that nothing which comes of it looks like a number.
///
/// @param codes from -127 to 127
/// @param outliers which elements those are, rising
public record RowCodes(byte[] codes, float scale, int[] outliers) {
    /// Magnitudes below have no reciprocal, times 127, in f32.
    public static final float MIN = 0x1p-120f;

    private static final float LARGEST_CODE = 127;

    /// The codes of `length` elements from `offset` on.
    ///
    /// @param threshold elements of this magnitude or more are outliers; infinity for none
    public static RowCodes of(float[] elements, int offset, int length, float threshold) {
        byte[] codes = new byte[length];
        int[] outliers = new int[length];
        int count = 0;
        float max = 0;
        boolean finite = true;
        for (int i = 0; i < length; i++) {
            float magnitude = Math.abs(elements[offset + i]);
            finite &= Float.isFinite(magnitude);
            if (magnitude >= threshold) {
                outliers[count++] = i;
            } else {
                max = Math.max(max, magnitude);
            }
        }
        if (!finite) {
            return new RowCodes(codes, Float.NaN, new int[0]);
        }
        if (max >= MIN) {
            float inverse = LARGEST_CODE / max;
            for (int i = 0; i < length; i++) {
                float x = elements[offset + i];
                codes[i] = Math.abs(x) >= threshold ? 0 : (byte) Math.rint(x * inverse);
            }
        }
        return new RowCodes(codes, max >= MIN ? max / LARGEST_CODE : 0, Arrays.copyOf(outliers, count));
    }
}
