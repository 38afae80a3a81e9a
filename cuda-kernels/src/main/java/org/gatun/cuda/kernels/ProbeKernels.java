package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `probe.cu`, which measure the device rather than compute.
public final class ProbeKernels {
    private static final int THREADS = 256;
    private static final int BLOCKS_A_MULTIPROCESSOR = 8;
    private static final int PACK_BYTES = 16;

    private ProbeKernels() {}

    /// Reads all of a buffer, as fast as the device can.
    ///
    /// @param out `[4] int`: becomes, xor what it was, the xor of all words by their number modulo 4
    /// @param in of a multiple of 16 bytes
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch read(KernelLibrary library, DeviceSlice out, DeviceSlice in) {
        CudaFunction kernel = library.kernel("probe_read");
        KernelLaunch.check(kernel, "out", out, Integer.BYTES, 4);
        KernelLaunch.check(kernel, "in", in, PACK_BYTES, 1);
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(BLOCKS_A_MULTIPROCESSOR * library.context().device().multiprocessors(), THREADS),
                kernel.arguments().set("out", out).set("in", in).set("packs", in.byteSize() / PACK_BYTES));
    }
}
