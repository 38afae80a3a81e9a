package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `norm.cu`: root-mean-square normalisation.
public final class NormKernels {
    static final int MAX_THREADS = 1024;

    private NormKernels() {}

    /// Where the groups of a row lie.
    ///
    /// @param groups a row
    /// @param width elements of a group
    /// @param inStride elements from row to row of the input, a multiple of 4 if the width is
    /// @param outStride likewise of the result
    public record Groups(int groups, int width, int inStride, int outStride) {
        /// Groups that fill their rows.
        public static Groups dense(int groups, int width) {
            return new Groups(groups, width, groups * width, groups * width);
        }

        private long inElements(int rows) {
            return (long) (rows - 1) * inStride + (long) groups * width;
        }

        private long outElements(int rows) {
            return (long) (rows - 1) * outStride + (long) groups * width;
        }
    }

    /// `out = in / sqrt(mean(in²) + epsilon) · gain`, group by group.
    ///
    /// @param type of `out`
    /// @param out may be `in` if it is f32
    /// @param in f32
    /// @param gain `[width] f32`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch rms(KernelLibrary library, ElementType type, DeviceSlice out, DeviceSlice in, DeviceSlice gain,
            Rows rows, Groups groups, float epsilon) {
        CudaFunction kernel = library.kernel("norm_rms_" + type);
        KernelLaunch.check(kernel, "out", out, type.byteSize(), groups.outElements(rows.max()));
        KernelLaunch.check(kernel, "in", in, Float.BYTES, groups.inElements(rows.max()));
        KernelLaunch.check(kernel, "gain", gain, Float.BYTES, groups.width);
        return new KernelLaunch(kernel, configuration(rows, groups), kernel.arguments()
                .set(0, out).set(1, in).set(2, gain).set(3, rows.count())
                .set(4, groups.width).set(5, groups.inStride).set(6, groups.outStride).set(7, epsilon));
    }

    /// First `sum = in + residual`, then the norm of `sum`.
    ///
    /// @param type of `out`
    /// @param sum f32; may be `residual` or `in`
    /// @param in f32
    /// @param residual f32
    /// @param gain `[width] f32`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch rmsAdd(KernelLibrary library, ElementType type, DeviceSlice out, DeviceSlice sum, DeviceSlice in,
            DeviceSlice residual, DeviceSlice gain, Rows rows, Groups groups, float epsilon) {
        CudaFunction kernel = library.kernel("norm_rms_add_" + type);
        KernelLaunch.check(kernel, "out", out, type.byteSize(), groups.outElements(rows.max()));
        KernelLaunch.check(kernel, "sum", sum, Float.BYTES, groups.inElements(rows.max()));
        KernelLaunch.check(kernel, "in", in, Float.BYTES, groups.inElements(rows.max()));
        KernelLaunch.check(kernel, "residual", residual, Float.BYTES, groups.inElements(rows.max()));
        KernelLaunch.check(kernel, "gain", gain, Float.BYTES, groups.width);
        return new KernelLaunch(kernel, configuration(rows, groups), kernel.arguments()
                .set(0, out).set(1, sum).set(2, in).set(3, residual).set(4, gain).set(5, rows.count())
                .set(6, groups.width).set(7, groups.inStride).set(8, groups.outStride).set(9, epsilon));
    }

    private static LaunchConfiguration configuration(Rows rows, Groups groups) {
        return LaunchConfiguration.of(rows.max(), groups.groups, KernelLaunch.threads(Math.ceilDiv(groups.width, 4), MAX_THREADS));
    }
}
