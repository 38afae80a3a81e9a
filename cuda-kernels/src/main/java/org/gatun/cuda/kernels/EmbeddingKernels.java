package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `embedding.cu`: rows of a table.
public final class EmbeddingKernels {
    private static final int MAX_THREADS = 256;

    private EmbeddingKernels() {}

    /// Row `r` of `out` is row `ids[r]` of the table. An id outside the table gives zeros and sets bit 0 of `error`.
    ///
    /// @param out `[rows, width]`
    /// @param error `[1] int`
    /// @param table `[vocabulary, width]`
    /// @param ids `[rows] int`
    /// @throws IllegalArgumentException if a buffer is too small
    public static KernelLaunch gather(KernelLibrary library, ElementType tableType, ElementType outType, DeviceBuffer out,
            DeviceBuffer error, DeviceBuffer table, DeviceBuffer ids, int rows, int vocabulary, int width) {
        CudaFunction kernel = library.kernel("embedding_gather_" + tableType + "_" + outType);
        KernelLaunch.check(kernel, "out", out, outType.byteSize(), rows, width);
        KernelLaunch.check(kernel, "error", error, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "table", table, tableType.byteSize(), vocabulary, width);
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows);
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(rows, KernelLaunch.threads(Math.ceilDiv(width, 8), MAX_THREADS)),
                kernel.arguments().set(0, out).set(1, error).set(2, table).set(3, ids).set(4, vocabulary).set(5, width));
    }
}
