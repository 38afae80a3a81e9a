package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `tree.cu`: which rows of a tree pass each of them attends to.
public final class TreeKernels {
    private static final int ROWS_A_BLOCK = 4;

    private TreeKernels() {}

    /// Lists the rows that each row attends to.
    ///
    /// @param paths written; their stride is a multiple of 64
    /// @param ancestors `[rows, stride / 64] long`: bit `v` says that the row attends to row `v`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch paths(KernelLibrary library, TreePaths paths, DeviceSlice ancestors, Rows rows) {
        CudaFunction kernel = library.kernel("tree_paths");
        int words = paths.stride() / Long.SIZE;
        paths.check(kernel, rows.max());
        KernelLaunch.check(kernel, "ancestors", ancestors, Long.BYTES, rows.max(), words);
        return new KernelLaunch(kernel, LaunchConfiguration.of(Math.ceilDiv(rows.max(), ROWS_A_BLOCK), 32 * ROWS_A_BLOCK),
                kernel.arguments().set("paths", paths.rows()).set("lengths", paths.lengths()).set("ancestors", ancestors)
                        .set("rows", rows.count()).set("words", words));
    }
}
