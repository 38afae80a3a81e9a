package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `tree.cu`: what the rows of a tree pass see of each other.
public final class TreeKernels {
    private static final int ROWS_A_BLOCK = 4;

    private TreeKernels() {}

    /// Lists the rows that each row sees.
    ///
    /// @param paths `[rows, 64 words] int`: the numbers of the bits that are set, rising
    /// @param lengths `[rows] int`: how many
    /// @param ancestors `[rows, words] long`: bit `v` says that the row sees row `v`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch paths(KernelLibrary library, DeviceSlice paths, DeviceSlice lengths, DeviceSlice ancestors, Rows rows,
            int words) {
        CudaFunction kernel = library.kernel("tree_paths");
        KernelLaunch.check(kernel, "paths", paths, Integer.BYTES, rows.most(), 64L * words);
        KernelLaunch.check(kernel, "lengths", lengths, Integer.BYTES, rows.most());
        KernelLaunch.check(kernel, "ancestors", ancestors, Long.BYTES, rows.most(), words);
        return new KernelLaunch(kernel, LaunchConfiguration.of(Math.ceilDiv(rows.most(), ROWS_A_BLOCK), 32 * ROWS_A_BLOCK),
                kernel.arguments().set(0, paths).set(1, lengths).set(2, ancestors).set(3, rows.count()).set(4, words));
    }
}
