package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;

/// Which rows of the pass each row of a tree pass attends to, itself included; made by [TreeKernels#paths].
///
/// @param rows `[rows, stride] int`: numbers of the rows attended to, rising
/// @param lengths `[rows] int`: how many
/// @param stride most rows of a tree
public record TreePaths(DeviceSlice rows, DeviceSlice lengths, int stride) {
    /// Those of the rows from one on.
    public TreePaths from(int row) {
        long pathBytes = (long) stride * Integer.BYTES * row;
        long lengthBytes = (long) Integer.BYTES * row;
        return new TreePaths(rows.slice(pathBytes, rows.byteSize() - pathBytes), lengths.slice(lengthBytes, lengths.byteSize() - lengthBytes),
                stride);
    }

    void check(CudaFunction kernel, int maxRows) {
        KernelLaunch.check(kernel, "paths", rows, Integer.BYTES, maxRows, stride);
        KernelLaunch.check(kernel, "lengths", lengths, Integer.BYTES, maxRows);
    }

    /// Sets paths and lengths, at `index` and behind it; nulls where there is no tree.
    static void set(KernelArguments arguments, int index, Optional<TreePaths> tree) {
        tree.ifPresentOrElse(paths -> arguments.set(index, paths.rows).set(index + 1, paths.lengths),
                () -> arguments.setNull(index).setNull(index + 1));
    }
}
