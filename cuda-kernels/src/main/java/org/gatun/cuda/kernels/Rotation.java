package org.gatun.cuda.kernels;

import java.util.Locale;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;

/// How rotary position embedding turns the heads of a row.
///
/// @param pairing which elements form pair `i`
/// @param inverseFrequencies `[pairs] f32`, radians a position
/// @param pairs turned a head
/// @param factor on sine and cosine
public record Rotation(Pairing pairing, DeviceSlice inverseFrequencies, int pairs, float factor) {
    /// Which elements of a head form pair `i`.
    public enum Pairing {
        /// Elements `i` and `i + pairs`.
        SPLIT,
        /// Elements `2i` and `2i + 1`.
        INTERLEAVED;

        /// As kernels' names have it.
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    KernelArguments set(KernelArguments arguments) {
        return arguments.set("inverse_frequencies", inverseFrequencies).set("pairs", pairs).set("factor", factor);
    }

    void check(CudaFunction kernel, int headDim) {
        KernelLaunch.check(kernel, "inverse frequencies", inverseFrequencies, Float.BYTES, pairs);
        if (pairs > headDim / 2 || headDim % 2 != 0) {
            throw new IllegalArgumentException("%d pairs of %s: expected %d at most in a head of %d elements, an even number".formatted(
                    pairs, kernel, headDim / 2, headDim));
        }
    }
}
