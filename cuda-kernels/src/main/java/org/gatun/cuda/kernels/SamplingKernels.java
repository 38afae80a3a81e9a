package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `sampling.cu`: the largest logits, and what else there is to say of a row. Equal ones come by rising id; NaN counts as minus infinity.
public final class SamplingKernels {
    /// The most that top-k keeps of a row.
    public static final int MAX_K = 64;

    private static final int THREADS = 256;
    private static final int SLICE = 4096;

    private SamplingKernels() {}

    /// The ids of each row's `k` largest logits, and these, the largest first.
    ///
    /// @param ids `[rows, k] int`
    /// @param values `[rows, k] f32`
    /// @param arrived `[rows] int`, scratch, zero before the first launch and left zero by each; not shared with another launch that
    ///        may run at the same time
    /// @param lists scratch of [#listBytes]; likewise
    /// @param logits `[rows, vocabulary] f32`
    /// @param k 1 to [#MAX_K], and not more than the vocabulary
    /// @throws IllegalArgumentException if an operand is too small or `k` out of range
    public static KernelLaunch topK(KernelLibrary library, DeviceSlice ids, DeviceSlice values, DeviceSlice arrived,
            DeviceSlice lists, DeviceSlice logits, Rows rows, int vocabulary, int k) {
        CudaFunction kernel = library.kernel("sampling_top_k_f32");
        if (k < 1 || k > Math.min(MAX_K, vocabulary)) {
            throw new IllegalArgumentException("k of %s: found %d, expected 1 to %d".formatted(kernel, k,
                    Math.min(MAX_K, vocabulary)));
        }
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows.max(), k);
        KernelLaunch.check(kernel, "values", values, Float.BYTES, rows.max(), k);
        KernelLaunch.check(kernel, "arrived", arrived, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "lists", lists, 1, listBytes(rows.max(), vocabulary));
        KernelLaunch.check(kernel, "logits", logits, Float.BYTES, rows.max(), vocabulary);
        return new KernelLaunch(kernel, LaunchConfiguration.of(slices(vocabulary), rows.max(), THREADS),
                kernel.arguments().set("ids", ids).set("values", values).set("arrived", arrived).set("lists", lists)
                        .set("logits", logits).set("rows", rows.count()).set("vocabulary", vocabulary).set("k", k));
    }

    /// The ids of each row's `k` largest logits, and these, as [#topK] has them; the logarithm of the sum of the exponentials of its logits, and
    /// the entropy of their softmax; and the logits of chosen tokens.
    ///
    /// @param ids `[rows, k] int`
    /// @param values `[rows, k] f32`
    /// @param sums `[rows, 2] f32`
    /// @param chosen `[rows, chosenCount] f32`
    /// @param arrived `[rows] int`, scratch as of [#topK]
    /// @param lists scratch of [#listBytes]; likewise
    /// @param parts scratch of [#partBytes]; likewise
    /// @param logits `[rows, vocabulary] f32`
    /// @param columns `[chosenCount] int`, tokens, which are not checked
    /// @param k 1 to [#MAX_K], and not more than the vocabulary
    /// @throws IllegalArgumentException if an operand is too small or `k` out of range
    public static KernelLaunch rowStatistics(KernelLibrary library, DeviceSlice ids, DeviceSlice values, DeviceSlice sums,
            DeviceSlice chosen, DeviceSlice arrived, DeviceSlice lists, DeviceSlice parts, DeviceSlice logits, DeviceSlice columns,
            Rows rows, int vocabulary, int k, int chosenCount) {
        CudaFunction kernel = library.kernel("sampling_row_statistics_f32");
        if (k < 1 || k > Math.min(MAX_K, vocabulary)) {
            throw new IllegalArgumentException("k of %s: found %d, expected 1 to %d".formatted(kernel, k,
                    Math.min(MAX_K, vocabulary)));
        }
        KernelLaunch.check(kernel, "ids", ids, Integer.BYTES, rows.max(), k);
        KernelLaunch.check(kernel, "values", values, Float.BYTES, rows.max(), k);
        KernelLaunch.check(kernel, "sums", sums, Float.BYTES, rows.max(), 2);
        KernelLaunch.check(kernel, "arrived", arrived, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "lists", lists, 1, listBytes(rows.max(), vocabulary));
        KernelLaunch.check(kernel, "parts", parts, 1, partBytes(rows.max(), vocabulary));
        KernelLaunch.check(kernel, "logits", logits, Float.BYTES, rows.max(), vocabulary);
        if (chosenCount > 0) {
            KernelLaunch.check(kernel, "chosen", chosen, Float.BYTES, rows.max(), chosenCount);
            KernelLaunch.check(kernel, "columns", columns, Integer.BYTES, chosenCount);
        }
        return new KernelLaunch(kernel, LaunchConfiguration.of(slices(vocabulary), rows.max(), THREADS),
                kernel.arguments().set("ids", ids).set("values", values).set("sums", sums).set("chosen", chosen)
                        .set("arrived", arrived).set("lists", lists).set("parts", parts).set("logits", logits).set("columns", columns)
                        .set("rows", rows.count()).set("vocabulary", vocabulary).set("k", k).set("chosen_count", chosenCount));
    }

    /// Bytes of scratch that row statistics need for what slices sum up.
    public static long partBytes(int rows, int vocabulary) {
        return (long) rows * slices(vocabulary) * 4 * Float.BYTES;
    }

    /// Bytes of scratch that top-k needs for its lists.
    public static long listBytes(int rows, int vocabulary) {
        return (long) rows * slices(vocabulary) * MAX_K * Long.BYTES;
    }

    private static int slices(int vocabulary) {
        return Math.ceilDiv(vocabulary, SLICE);
    }
}
