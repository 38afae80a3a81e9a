package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `attention.cu`: attention over a paged cache, of chains and trees. A row has the same bits whatever rows are
/// beside it, and in whatever slots the keys lie that it attends to.
public final class AttentionKernels {
    private static final int WARP_QUERY_ROWS = 16;
    private static final int MIN_WARPS = 4;
    private static final int CHUNK_KEYS = 256;
    private static final int STEP_KEYS = 32;
    private static final int PADDING = 8;
    private static final int PARTIAL_EXTRA = 8; // running maximum and sum, and what fills the sector
    private static final int OWN_SHARED_BYTES = 12 * 1024; // at most, that the kernel declares itself
    private static final double LOG2_E = 1.4426950408889634;

    private AttentionKernels() {}

    /// Sizes of one attention.
    ///
    /// @param heads of the queries, a multiple of the cache's
    /// @param scale on the scores
    /// @param window a row attends to only positions above its own minus this; 0 for all
    public record Shape(int heads, float scale, int window) {}

    /// How the work is split, and the scratch they need.
    ///
    /// @param warps a block
    /// @param pool rows of shared memory that hold the keys of a tree's own rows; 0 for chains, and for trees whose keys do not fit: then
    ///        each row's are copied anew
    /// @param sharedBytes a block
    /// @param queryBlocks blocks side by side for a key-value head
    /// @param chunks of 256 keys
    /// @param partialBytes of scratch for parts of results
    /// @param arrivalBytes of scratch for counting them: zero before the first launch, left zero by each
    public record Split(int warps, int pool, int sharedBytes, int queryBlocks, int chunks, long partialBytes, long arrivalBytes) {}

    /// How attention would be split.
    ///
    /// @param treeRows most rows of a tree, 0 for chains only
    /// @throws IllegalArgumentException if the device has not enough shared memory
    public static Split split(KernelLibrary library, KvLayer layer, int heads, int maxRows, int treeRows) {
        int rowBytes = (layer.storedDim() + PADDING) * Short.BYTES;
        int queryRows = Math.multiplyExact(maxRows, heads / layer.kvHeads());
        int maxWarps = Math.clamp(Math.ceilDiv(queryRows, WARP_QUERY_ROWS), MIN_WARPS, layer.storedDim() > 128 ? 8 : 16);
        int available = library.context().device().maxSharedBytes() - OWN_SHARED_BYTES;
        int ofWarp = WARP_QUERY_ROWS * rowBytes;
        int pool = treeRows == 0 ? 0 : stageSlots(layer) + treeRows;
        if (MIN_WARPS * ofWarp + 2 * pool * rowBytes > available) {
            pool = 0;
        }
        int copies = Math.max(ringBytes(layer), 2 * pool * rowBytes);
        int gathered = treeRows > 0 && pool == 0 ? STEP_KEYS * rowBytes : 0; // of each warp, where the ring was
        int warps = maxWarps;
        while (warps > 0 && warps * ofWarp + Math.max(copies, warps * gathered) > available) {
            warps--;
        }
        if (warps == 0) {
            throw new IllegalArgumentException("heads of %d elements: attention needs %d bytes of shared memory, %s has %d".formatted(
                    layer.headDim(), ofWarp + copies, library.context().device().name(), available));
        }
        int queryBlocks = Math.ceilDiv(queryRows, warps * WARP_QUERY_ROWS);
        int chunks = Math.ceilDiv(layer.slots(), CHUNK_KEYS);
        long partials = (long) layer.kvHeads() * queryBlocks * warps * WARP_QUERY_ROWS * chunks * (layer.storedDim() + PARTIAL_EXTRA)
                * Float.BYTES;
        return new Split(warps, pool, warps * ofWarp + Math.max(copies, warps * gathered), queryBlocks, chunks, partials,
                (long) queryBlocks * layer.kvHeads() * Integer.BYTES);
    }

    /// Slots that the kernel copies and awaits together.
    private static int stageSlots(KvLayer layer) {
        return layer.storedDim() > 128 ? 32 : 64;
    }

    /// Two stages of keys and values, as operands or as they are stored; then there is one of operands besides.
    private static int ringBytes(KvLayer layer) {
        int stored = layer.storedDim();
        int operands = 2 * stageSlots(layer) * (stored + PADDING) * Short.BYTES;
        return layer.type() == KvType.Q8_0
                ? operands + 4 * stageSlots(layer) * (layer.type().lineBytes(stored) + layer.type().scaleBytes(stored)) : 2 * operands;
    }

    /// Softmax attention of each row over the slots it may see: those below `committed`, and of the pass's own rows, which are
    /// appended to the cache already, all up to itself, or those of its path in a tree.
    ///
    /// @param outType of `out`
    /// @param out `[rows, heads, headDim]`
    /// @param q `[rows, heads, headDim] f32`
    /// @param positions `[rows] int`
    /// @param committed `[1] int`
    /// @param tree empty for a chain
    /// @param partials scratch, see [Split]
    /// @param arrivals scratch, see [Split]; not shared with another launch that may run at the same time
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch attend(KernelLibrary library, KvLayer layer, Shape shape, ElementType outType, DeviceSlice out,
            DeviceSlice q, DeviceSlice positions, Rows rows, DeviceSlice committed, Optional<TreePaths> tree, DeviceSlice partials,
            DeviceSlice arrivals) {
        CudaFunction kernel = library.kernel("attention_" + layer.type() + "_" + layer.storedDim());
        int treeRows = tree.map(TreePaths::stride).orElse(0);
        Split split = split(library, layer, shape.heads, rows.max(), treeRows);
        layer.check(kernel);
        KernelLaunch.check(kernel, "out", out, outType.byteSize(), rows.max(), shape.heads, layer.headDim());
        KernelLaunch.check(kernel, "q", q, Float.BYTES, rows.max(), shape.heads, layer.headDim());
        KernelLaunch.check(kernel, "positions", positions, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "committed", committed, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "partials", partials, 1, split.partialBytes);
        KernelLaunch.check(kernel, "arrivals", arrivals, 1, split.arrivalBytes);
        tree.ifPresent(paths -> paths.check(kernel, rows.max()));
        KernelArguments arguments = kernel.arguments()
                .set(0, out).set(1, q).set(2, layer.pages()).set(3, positions).set(4, rows.count()).set(5, committed)
                .set(8, partials).set(9, arrivals).set(10, layer.offset()).set(11, shape.heads).set(12, layer.kvHeads())
                .set(13, layer.headDim()).set(14, outType.ordinal()).set(15, treeRows).set(16, split.pool).set(17, shape.window)
                .set(18, split.chunks).set(19, (float) (shape.scale * LOG2_E));
        TreePaths.set(arguments, 6, tree);
        kernel.allowDynamicSharedBytes(split.sharedBytes);
        return new KernelLaunch(kernel, new LaunchConfiguration(split.queryBlocks, layer.kvHeads(), split.chunks, 32 * split.warps, 1, 1,
                split.sharedBytes, 1, false, false), arguments);
    }
}
