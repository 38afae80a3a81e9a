package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `rope.cu`: rotary position embedding.
public final class RopeKernels {
    private static final int HEADS_A_BLOCK = 4;
    private static final int MAX_THREADS = 256;

    private RopeKernels() {}

    /// Which elements of a head form pair `i`.
    public enum Pairing {
        /// Elements `i` and `i + pairs`.
        SPLIT,
        /// Elements `2i` and `2i + 1`.
        INTERLEAVED
    }

    /// Turns pair `i` of each head by the angle `position · inverseFrequencies[i]`.
    ///
    /// @param out `[rows, heads, headDim]`; may be `in`
    /// @param in `[rows, heads, headDim]`
    /// @param positions `[rows] int`
    /// @param inverseFrequencies `[pairs] f32`, radians a position
    /// @param headDim an even number
    /// @param factor on sine and cosine
    /// @throws IllegalArgumentException if a buffer is too small, or a head odd or without so many pairs
    public static KernelLaunch rotate(KernelLibrary library, ElementType type, Pairing pairing, DeviceBuffer out, DeviceBuffer in,
            DeviceBuffer positions, DeviceBuffer inverseFrequencies, int rows, int heads, int headDim, int pairs, float factor) {
        CudaFunction kernel = library.kernel("rope_" + (pairing == Pairing.SPLIT ? "split_" : "interleaved_") + type);
        KernelLaunch.check(kernel, "out", out, type.byteSize(), rows, heads, headDim);
        KernelLaunch.check(kernel, "in", in, type.byteSize(), rows, heads, headDim);
        KernelLaunch.check(kernel, "positions", positions, Integer.BYTES, rows);
        KernelLaunch.check(kernel, "inverse frequencies", inverseFrequencies, Float.BYTES, pairs);
        if (pairs > headDim / 2 || headDim % 2 != 0) {
            throw new IllegalArgumentException("%d pairs of %s: expected %d at most in a head of %d elements, an even number".formatted(
                    pairs, kernel, headDim / 2, headDim));
        }
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(rows, Math.ceilDiv(heads, HEADS_A_BLOCK), KernelLaunch.threads(pairs, MAX_THREADS)),
                kernel.arguments().set(0, out).set(1, in).set(2, positions).set(3, inverseFrequencies)
                        .set(4, heads).set(5, headDim).set(6, pairs).set(7, factor));
    }
}
