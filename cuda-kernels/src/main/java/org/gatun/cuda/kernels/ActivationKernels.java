package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `activation.cu`: element by element.
public final class ActivationKernels {
    private static final int THREADS = 256;
    private static final int ELEMENTS_A_THREAD = 4;

    private ActivationKernels() {}

    /// `out = gate · σ(gate) · up`.
    ///
    /// @param type of `out`
    /// @param out `[rows, width]`; may be `gate` or `up` if it is f32
    /// @param gate `[rows, width] f32`
    /// @param up `[rows, width] f32`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch swiglu(KernelLibrary library, ElementType type, DeviceSlice out, DeviceSlice gate, DeviceSlice up,
            Rows rows, int width) {
        return map(library.kernel("activation_swiglu_" + type), type, out, gate, up, rows, width);
    }

    /// `out = a + b`.
    ///
    /// @param out `[rows, width] f32`; may be `a` or `b`
    /// @param a `[rows, width] f32`
    /// @param b `[rows, width] f32`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch add(KernelLibrary library, DeviceSlice out, DeviceSlice a, DeviceSlice b, Rows rows, int width) {
        return map(library.kernel("activation_add_f32"), ElementType.F32, out, a, b, rows, width);
    }

    /// `out = a`, rounded to nearest even.
    ///
    /// @param type of `out`, not f32
    /// @param out `[rows, width]`
    /// @param a `[rows, width] f32`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch round(KernelLibrary library, ElementType type, DeviceSlice out, DeviceSlice a, Rows rows, int width) {
        CudaFunction kernel = library.kernel("activation_round_" + type);
        KernelLaunch.check(kernel, "out", out, type.byteSize(), rows.max(), width);
        KernelLaunch.check(kernel, "a", a, Float.BYTES, rows.max(), width);
        return new KernelLaunch(kernel, configuration(rows, width),
                kernel.arguments().set("out", out).set("a", a).setNull("b").set("rows", rows.count()).set("width", width));
    }

    private static KernelLaunch map(CudaFunction kernel, ElementType type, DeviceSlice out, DeviceSlice a, DeviceSlice b, Rows rows,
            int width) {
        KernelLaunch.check(kernel, "out", out, type.byteSize(), rows.max(), width);
        KernelLaunch.check(kernel, "the first operand", a, Float.BYTES, rows.max(), width);
        KernelLaunch.check(kernel, "the second operand", b, Float.BYTES, rows.max(), width);
        return new KernelLaunch(kernel, configuration(rows, width),
                kernel.arguments().set("out", out).set("a", a).set("b", b).set("rows", rows.count()).set("width", width));
    }

    private static LaunchConfiguration configuration(Rows rows, int width) {
        long blocks = Math.ceilDiv((long) rows.max() * width, (long) THREADS * ELEMENTS_A_THREAD);
        return LaunchConfiguration.of(Math.toIntExact(blocks), THREADS);
    }
}
