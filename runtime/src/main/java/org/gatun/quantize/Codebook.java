package org.gatun.quantize;

import org.gatun.tensor.DType;

/// The codebooks of the types whose codes are entries of one.
public final class Codebook {
    private Codebook() {}

    /// The 16 entries, a copy.
    ///
    /// @param dtype [DType#NF4] or [DType#FP4]
    /// @throws IllegalArgumentException if the type has no codebook
    public static float[] of(DType dtype) {
        if (dtype == DType.NF4) {
            return CodebookLayout.NF4.codebook.clone();
        }
        if (dtype == DType.FP4) {
            return CodebookLayout.FP4.codebook.clone();
        }
        throw new IllegalArgumentException(dtype + " has no codebook: expected NF4 or FP4");
    }
}
