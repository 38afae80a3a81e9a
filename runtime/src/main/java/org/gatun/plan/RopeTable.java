package org.gatun.plan;

import java.util.Arrays;
import java.util.Objects;

/// Rotary position embedding as data: every scaling (linear, llama3, YaRN) is one table and one factor.
/// Pair `i` of a head is rotated by the angle `f32(position) · inverseFrequencies[i]`, rounded to f32;
/// sine and cosine are multiplied by `attentionFactor`. Dimensions beyond the table pass unrotated.
/// (Su et al. 2021, arXiv 2104.09864.)
///
/// @param pairing which elements of a head form pair `i`
/// @param inverseFrequencies `[rotated dimensions / 2]`, radians a position
/// @param attentionFactor factor on sine and cosine; 1 but for YaRN
public record RopeTable(Pairing pairing, float[] inverseFrequencies, float attentionFactor) {

    /// Which elements of a head form pair `i`.
    public enum Pairing {
        /// Elements `2i` and `2i + 1`.
        INTERLEAVED,
        /// Elements `i` and `i + pairs`.
        SPLIT
    }

    public RopeTable {
        Objects.requireNonNull(pairing, "pairing");
        inverseFrequencies = inverseFrequencies.clone();
    }

    /// A copy, `[rotated dimensions / 2]`.
    @Override
    public float[] inverseFrequencies() {
        return inverseFrequencies.clone();
    }

    /// Number of rotated pairs a head.
    public int pairs() {
        return inverseFrequencies.length;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RopeTable(var otherPairing, var otherFrequencies, var otherFactor)
                && pairing == otherPairing
                && attentionFactor == otherFactor
                && Arrays.equals(inverseFrequencies, otherFrequencies);
    }

    @Override
    public int hashCode() {
        return Objects.hash(pairing, attentionFactor, Arrays.hashCode(inverseFrequencies));
    }
}
