package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `embedding.cu`: rows of a table.
public final class EmbeddingKernels {
    private static final int MAX_THREADS = 256;

    private EmbeddingKernels() {}

    /// Row `r` of `out` is row `ids[r]` of the table. An id outside the table gives zeros and sets bit 0 of `error`.
    ///
    /// @param type of the table
    /// @param out `[rows, width] f32`
    /// @param error `[1] int`
    /// @param table `[vocabulary, width]`
    /// @param ids `[rows] int`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch gather(KernelLibrary library, ElementType type, DeviceSlice out, DeviceSlice error, DeviceSlice table,
            DeviceSlice ids, Rows rows, int vocabulary, int width) {
        CudaFunction kernel = library.kernel("embedding_gather_" + type);
        KernelLaunch.check(kernel, "out", out, Float.BYTES, rows.max(), width);
        KernelLaunch.check(kernel, "error", error, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "table", table, type.byteSize(), vocabulary, width);
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows.max());
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(rows.max(), KernelLaunch.threads(Math.ceilDiv(width, 4), MAX_THREADS)),
                kernel.arguments().set(0, out).set(1, error).set(2, table).set(3, ids).set(4, rows.count())
                        .set(5, vocabulary).set(6, width));
    }
}
