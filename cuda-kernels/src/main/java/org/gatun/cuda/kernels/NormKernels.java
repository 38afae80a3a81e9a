package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
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
        return new KernelLaunch(kernel, configuration(rows, groups), arguments(kernel, out, in, gain, rows, groups, epsilon)
                .setNull("sum").setNull("residual"));
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
        return new KernelLaunch(kernel, configuration(rows, groups), arguments(kernel, out, in, gain, rows, groups, epsilon)
                .set("sum", sum).set("residual", residual));
    }

    private static KernelArguments arguments(CudaFunction kernel, DeviceSlice out, DeviceSlice in, DeviceSlice gain, Rows rows,
            Groups groups, float epsilon) {
        return kernel.arguments().set("out", out).set("in", in).set("gain", gain).set("rows", rows.count())
                .set("width", groups.width).set("in_stride", groups.inStride).set("out_stride", groups.outStride)
                .set("epsilon", epsilon);
    }

    private static LaunchConfiguration configuration(Rows rows, Groups groups) {
        return LaunchConfiguration.of(rows.max(), groups.groups, KernelLaunch.threads(Math.ceilDiv(groups.width, 4), MAX_THREADS));
    }
}
