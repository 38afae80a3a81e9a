package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `norm.cu`: root-mean-square normalisation.
public final class NormKernels {
    private static final int MAX_THREADS = 1024;

    private NormKernels() {}

    /// `out = in / sqrt(mean(in²) + epsilon) · gain`, group by group.
    ///
    /// @param out `[groups, width]`; may be `in`
    /// @param in `[groups, width]`
    /// @param gain `[width] f32`
    /// @throws IllegalArgumentException if a buffer is too small
    public static KernelLaunch rms(KernelLibrary library, ElementType type, DeviceBuffer out, DeviceBuffer in, DeviceBuffer gain,
            int groups, int width, float epsilon) {
        CudaFunction kernel = library.kernel("norm_rms_" + type);
        KernelLaunch.check(kernel, "out", out, type.byteSize(), groups, width);
        KernelLaunch.check(kernel, "in", in, type.byteSize(), groups, width);
        KernelLaunch.check(kernel, "gain", gain, Float.BYTES, width);
        return new KernelLaunch(kernel, configuration(groups, width), kernel.arguments()
                .set(0, out).set(1, in).set(2, gain).set(3, width).set(4, epsilon));
    }

    /// First `sum = in + residual`, then the norm of `sum`.
    ///
    /// @param out `[groups, width]`
    /// @param sum `[groups, width]`; may be `residual` or `in`
    /// @param in `[groups, width]`
    /// @param residual `[groups, width]`
    /// @param gain `[width] f32`
    /// @throws IllegalArgumentException if a buffer is too small
    public static KernelLaunch rmsAdd(KernelLibrary library, ElementType type, DeviceBuffer out, DeviceBuffer sum, DeviceBuffer in,
            DeviceBuffer residual, DeviceBuffer gain, int groups, int width, float epsilon) {
        CudaFunction kernel = library.kernel("norm_rms_add_" + type);
        KernelLaunch.check(kernel, "out", out, type.byteSize(), groups, width);
        KernelLaunch.check(kernel, "sum", sum, type.byteSize(), groups, width);
        KernelLaunch.check(kernel, "in", in, type.byteSize(), groups, width);
        KernelLaunch.check(kernel, "residual", residual, type.byteSize(), groups, width);
        KernelLaunch.check(kernel, "gain", gain, Float.BYTES, width);
        return new KernelLaunch(kernel, configuration(groups, width), kernel.arguments()
                .set(0, out).set(1, sum).set(2, in).set(3, residual).set(4, gain).set(5, width).set(6, epsilon));
    }

    private static LaunchConfiguration configuration(int groups, int width) {
        return LaunchConfiguration.of(groups, KernelLaunch.threads(Math.ceilDiv(width, 8), MAX_THREADS));
    }
}
