package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `rope.cu`: rotary position embedding.
public final class RopeKernels {
    private static final int HEADS_A_BLOCK = 4;
    private static final int MAX_THREADS = 256;

    private RopeKernels() {}

    /// Turns each head of each row by its position.
    ///
    /// @param out `[rows, heads, headDim] f32`; may be `in`
    /// @param in `[rows, heads, headDim] f32`
    /// @param positions `[rows] int`
    /// @param headDim an even number
    /// @throws IllegalArgumentException if an operand is too small, or a head odd or without so many pairs
    public static KernelLaunch rotate(KernelLibrary library, Rotation rotation, DeviceSlice out, DeviceSlice in, DeviceSlice positions,
            Rows rows, int heads, int headDim) {
        CudaFunction kernel = library.kernel("rope_" + rotation.pairing());
        KernelLaunch.check(kernel, "out", out, Float.BYTES, rows.max(), heads, headDim);
        KernelLaunch.check(kernel, "in", in, Float.BYTES, rows.max(), heads, headDim);
        KernelLaunch.check(kernel, "positions", positions, Integer.BYTES, rows.max());
        rotation.check(kernel, headDim);
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(rows.max(), Math.ceilDiv(heads, HEADS_A_BLOCK),
                        KernelLaunch.threads(rotation.pairs(), MAX_THREADS)),
                rotation.set(kernel.arguments()).set("out", out).set("in", in).set("positions", positions)
                        .set("rows", rows.count()).set("heads", heads).set("head_dim", headDim));
    }
}
