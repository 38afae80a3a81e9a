package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `activation.cu`: gated activations.
public final class ActivationKernels {
    private static final int THREADS = 256;

    private ActivationKernels() {}

    /// `out = gate · σ(gate) · up`, element by element.
    ///
    /// @param out `[count]`; may be `gate` or `up`
    /// @param gate `[count]`
    /// @param up `[count]`
    /// @throws IllegalArgumentException if a buffer is too small
    public static KernelLaunch swiglu(KernelLibrary library, ElementType type, DeviceBuffer out, DeviceBuffer gate, DeviceBuffer up,
            int count) {
        CudaFunction kernel = library.kernel("activation_swiglu_" + type);
        KernelLaunch.check(kernel, "out", out, type.byteSize(), count);
        KernelLaunch.check(kernel, "gate", gate, type.byteSize(), count);
        KernelLaunch.check(kernel, "up", up, type.byteSize(), count);
        return new KernelLaunch(kernel, LaunchConfiguration.of(Math.ceilDiv(count, THREADS * type.pack()), THREADS),
                kernel.arguments().set(0, out).set(1, gate).set(2, up).set(3, count));
    }
}
