package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `embedding.cu`: rows of a table.
public final class EmbeddingKernels {
    private static final int MAX_THREADS = 256;

    private EmbeddingKernels() {}

    /// Row `r` of `out` is row `ids[r]` of the table, or where that is -1 and rows are given, row `r` of these. Any other id outside the
    /// table gives zeros and sets bit 0 of `error`.
    ///
    /// @param type of the table
    /// @param out `[rows, width] f32`
    /// @param error `[1] int`
    /// @param table `[vocabulary, width]`
    /// @param given `[rows, width] f32`
    /// @param ids `[rows] int`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch gather(KernelLibrary library, ElementType type, DeviceSlice out, DeviceSlice error, DeviceSlice table,
            Optional<DeviceSlice> given, DeviceSlice ids, Rows rows, int vocabulary, int width) {
        CudaFunction kernel = library.kernel("embedding_gather_" + type);
        KernelLaunch.check(kernel, "out", out, Float.BYTES, rows.max(), width);
        KernelLaunch.check(kernel, "error", error, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "table", table, type.byteSize(), vocabulary, width);
        given.ifPresent(slice -> KernelLaunch.check(kernel, "given", slice, Float.BYTES, rows.max(), width));
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows.max());
        KernelArguments arguments = kernel.arguments().set("out", out).set("error", error).set("table", table).set("given", given)
                .set("ids", ids).set("rows", rows.count()).set("vocabulary", vocabulary).set("width", width);
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(rows.max(), KernelLaunch.threads(Math.ceilDiv(width, 4), MAX_THREADS)), arguments);
    }
}
