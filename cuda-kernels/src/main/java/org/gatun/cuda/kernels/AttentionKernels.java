package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `attention.cu`: attention over paged caches, of one sequence or of many. A row has the same bits whatever rows and
/// segments are beside it, and in whatever slots the keys lie that it attends to.
public final class AttentionKernels {
    private static final int WARP_QUERY_ROWS = 16;
    private static final int MIN_WARPS = 4;
    private static final int WALKED_QUERY_ROWS = 512; // above which a segment that is no tree is not split
    private static final int CHUNK_KEYS = 128;
    private static final int FIRST_OCTAVE = 13;
    private static final int CHUNKS_AN_OCTAVE = 32;
    private static final int MIN_PLACES = 2;
    private static final int STEP_KEYS = 32;
    private static final int MIN_STAGE = 32;
    private static final int MAX_STAGE = 64; // a page
    private static final int PADDING = 8;
    private static final int PARTIAL_EXTRA = 8; // running maxima and sums of a query row
    private static final long MAX_PARTIAL_BYTES = 32L << 20;
    private static final int OWN_SHARED_BYTES = 12 * 1024; // at most, that a kernel declares itself
    private static final double LOG2_E = 1.4426950408889634;

    private AttentionKernels() {}

    /// Sizes of one attention.
    ///
    /// @param heads of the queries, a multiple of the cache's
    /// @param scale on the scores
    /// @param window a row attends to only positions above its own minus this; 0 for all
    public record Shape(int heads, float scale, int window) {}

    /// How the work is split, and the scratch it needs: at most 32 MiB, or what two parts of each query row take if that is more.
    ///
    /// @param few whether the four warps of a block share 16 query rows
    /// @param warps a block
    /// @param stage slots that are copied and awaited together
    /// @param pool rows of shared memory that hold the keys of a tree's own rows; 0 for chains, and for trees whose keys do not fit: then
    ///        each row's are copied anew
    /// @param copyBytes of a block's shared memory for keys and values
    /// @param spanInShared whether blocks keep what they add up there
    /// @param sharedBytes a block
    /// @param blocks as many as run at a time
    /// @param vectors of partial results that there is room for
    /// @param partialBytes of scratch for these
    /// @param arrivalBytes of scratch for counting them: zero before the first launch, left zero by each
    public record Split(boolean few, int warps, int stage, int pool, int copyBytes, boolean spanInShared, int sharedBytes, int blocks,
            int vectors, long partialBytes, long arrivalBytes) {}

    /// How attention would be split.
    ///
    /// @param maxRows of a pass
    /// @param segments most of a pass
    /// @param segmentRows most rows of one
    /// @param treeRows most rows of a tree, 0 if there are none
    /// @throws IllegalArgumentException if the device has not enough shared memory
    public static Split split(KernelLibrary library, KvLayer layer, int heads, int maxRows, int segments, int segmentRows, int treeRows) {
        return split(library, layer, heads, maxRows, segments, segmentRows, treeRows,
                Math.multiplyExact(segmentRows, heads / layer.kvHeads()) <= WARP_QUERY_ROWS);
    }

    /// The same with a choice of kernel, which changes no bit of the result.
    ///
    /// @param few whether the four warps of a block share 16 query rows
    public static Split split(KernelLibrary library, KvLayer layer, int heads, int maxRows, int segments, int segmentRows, int treeRows,
            boolean few) {
        boolean walked = isWalked(layer, heads, segmentRows, treeRows);
        int stage = layer.storedDim() > 128 || walked ? MIN_STAGE : MAX_STAGE;
        Split split = split(library, layer, heads, maxRows, segments, segmentRows, treeRows, few, stage);
        if (split.spanInShared || stage == MIN_STAGE) {
            return split;
        }
        Split shorter = split(library, layer, heads, maxRows, segments, segmentRows, treeRows, few, MIN_STAGE);
        return shorter.spanInShared ? shorter : split;
    }

    private static boolean isWalked(KvLayer layer, int heads, int segmentRows, int treeRows) {
        return treeRows == 0 && Math.multiplyExact(segmentRows, heads / layer.kvHeads()) > WALKED_QUERY_ROWS;
    }

    private static Split split(KernelLibrary library, KvLayer layer, int heads, int maxRows, int segments, int segmentRows, int treeRows,
            boolean few, int stage) {
        int group = heads / layer.kvHeads();
        int queryRows = segmentRows * group;
        int rowBytes = (layer.storedDim() + PADDING) * Short.BYTES;
        int spanBytes = partialBytes(layer.storedDim());
        int available = library.context().device().maxSharedBytes() - OWN_SHARED_BYTES;
        int pool = treeRows == 0 ? 0 : stage + treeRows;
        if ((few ? 1 : MIN_WARPS) * WARP_QUERY_ROWS * rowBytes + 2 * pool * rowBytes + stage * 64 > available) {
            pool = 0;
        }
        int warps = few || isWalked(layer, heads, segmentRows, treeRows) ? MIN_WARPS
                : Math.clamp(Math.ceilDiv(queryRows, WARP_QUERY_ROWS), MIN_WARPS, layer.storedDim() > 128 ? 8 : 16);
        while (warps > 0 && sharedBytes(layer, few, warps, stage, pool, treeRows) > available) {
            warps = few ? 0 : warps - 1;
        }
        if (warps == 0) {
            throw new IllegalArgumentException("heads of %d elements: attention needs %d bytes of shared memory, %s has %d".formatted(
                    layer.headDim(), sharedBytes(layer, few, few ? MIN_WARPS : 1, stage, pool, treeRows),
                    library.context().device().name(), available));
        }
        int blockQueryRows = few ? WARP_QUERY_ROWS : warps * WARP_QUERY_ROWS;
        int sharedBytes = sharedBytes(layer, few, warps, stage, pool, treeRows);
        boolean spanInShared = sharedBytes + blockQueryRows * spanBytes <= (warps > MIN_WARPS ? available : available / 2);
        sharedBytes += spanInShared ? blockQueryRows * spanBytes : 0;
        int blocks = library.context().device().multiprocessors() * (warps > MIN_WARPS || sharedBytes > available / 2 ? 1 : 2);
        long rowVectors = (long) maxRows * heads;
        long vectors = rowVectors * Math.clamp(MAX_PARTIAL_BYTES / (rowVectors * spanBytes), MIN_PLACES,
                Math.max(MIN_PLACES, chunks(layer.slots())));
        return new Split(few, warps, stage, pool, copyBytes(layer, warps, stage, pool, treeRows), spanInShared, sharedBytes, blocks,
                Math.toIntExact(vectors), vectors * spanBytes,
                (Math.ceilDiv((long) maxRows * group, blockQueryRows) + segments) * layer.kvHeads() * Integer.BYTES);
    }

    /// Bytes of partial results that passes need at most, whatever the context.
    ///
    /// @param maxRows of a pass
    /// @throws IllegalArgumentException if there is no attention for heads of this size
    public static long maxPartialBytes(int heads, int headDim, int maxRows) {
        return Math.max(MAX_PARTIAL_BYTES, (long) MIN_PLACES * maxRows * heads * partialBytes(KvLayer.storedDim(headDim)));
    }

    /// Of a query row, what a run leaves: its sums, running maximum and running sum.
    private static int partialBytes(int storedDim) {
        return (storedDim + PARTIAL_EXTRA) * Float.BYTES;
    }

    /// Chunks that so many keys are cut into, see `attention_work.cuh`.
    static int chunks(int keys) {
        int last = keys - 1;
        if (last < 1 << FIRST_OCTAVE) {
            return last / CHUNK_KEYS + 1;
        }
        int octave = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(last);
        return (1 << FIRST_OCTAVE) / CHUNK_KEYS + CHUNKS_AN_OCTAVE * (octave - FIRST_OCTAVE) + (last >> octave - 5) % CHUNKS_AN_OCTAVE + 1;
    }

    private static int sharedBytes(KvLayer layer, boolean few, int warps, int stage, int pool, int treeRows) {
        int rowBytes = (layer.storedDim() + PADDING) * Short.BYTES;
        return (few ? 1 : warps) * WARP_QUERY_ROWS * rowBytes + copyBytes(layer, warps, stage, pool, treeRows) + (few ? stage * 64 : 0);
    }

    /// For keys and values on their way, and in the end for what is merged.
    private static int copyBytes(KvLayer layer, int warps, int stage, int pool, int treeRows) {
        int rowBytes = (layer.storedDim() + PADDING) * Short.BYTES;
        int gathered = treeRows > 0 && pool == 0 ? warps * STEP_KEYS * rowBytes : 0; // of each warp
        int merged = warps * 4 * layer.storedDim() * Float.BYTES;
        return Math.max(Math.max(ringBytes(layer, stage), 2 * pool * rowBytes), Math.max(gathered, merged));
    }

    /// Two stages of keys and values, as operands or as they are stored; then there is one of operands besides.
    private static int ringBytes(KvLayer layer, int stage) {
        int stored = layer.storedDim();
        int operands = 2 * stage * (stored + PADDING) * Short.BYTES;
        return layer.type() == KvType.Q8_0
                ? operands + 4 * stage * (layer.type().lineBytes(stored) + layer.type().scaleBytes(stored)) : 2 * operands;
    }

    /// Softmax attention of each row over the slots that its segment's mask names; the rows of the pass are appended to their caches
    /// already.
    ///
    /// @param outType of `out`
    /// @param out `[rows, heads, headDim]`
    /// @param q `[rows, heads, headDim] f32`
    /// @param positions `[rows] int`
    /// @param tree empty if no segment is one
    /// @param partials scratch, see [Split]
    /// @param arrivals scratch, see [Split]; not shared with another launch that may run at the same time
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch attend(KernelLibrary library, KvLayer layer, Shape shape, ElementType outType, DeviceSlice out,
            DeviceSlice q, DeviceSlice positions, Rows rows, Segments segments, Optional<TreePaths> tree, DeviceSlice partials,
            DeviceSlice arrivals) {
        return attend(library, layer, shape, split(library, layer, shape.heads, rows.max(), segments.max(), segments.maxRows(),
                tree.map(TreePaths::stride).orElse(0)), outType, out, q, positions, rows, segments, tree, partials, arrivals);
    }

    /// The same with another split, which changes no bit of the result.
    public static KernelLaunch attend(KernelLibrary library, KvLayer layer, Shape shape, Split split, ElementType outType, DeviceSlice out,
            DeviceSlice q, DeviceSlice positions, Rows rows, Segments segments, Optional<TreePaths> tree, DeviceSlice partials,
            DeviceSlice arrivals) {
        CudaFunction kernel = library.kernel((split.few ? "attention_few_" : "attention_") + layer.type() + "_" + layer.storedDim());
        segments.check(kernel, rows.max());
        KernelLaunch.check(kernel, "out", out, outType.byteSize(), rows.max(), shape.heads, layer.headDim());
        KernelLaunch.check(kernel, "q", q, Float.BYTES, rows.max(), shape.heads, layer.headDim());
        KernelLaunch.check(kernel, "positions", positions, Integer.BYTES, rows.max());
        KernelLaunch.check(kernel, "partials", partials, 1, split.partialBytes);
        KernelLaunch.check(kernel, "arrivals", arrivals, 1, split.arrivalBytes);
        tree.ifPresent(paths -> paths.check(kernel, rows.max()));
        KernelArguments arguments = kernel.arguments()
                .set("out", out).set("q", q).set("positions", positions).set("rows", rows.count())
                .set("segments", segments.memory()).set("segment_count", segments.count()).set("ranges", segments.ranges())
                .set("paths", tree.map(TreePaths::rows)).set("lengths", tree.map(TreePaths::lengths))
                .set("path_stride", tree.map(TreePaths::stride).orElse(0)).set("partials", partials).set("arrivals", arrivals)
                .set("layer", layer.offset()).set("heads", shape.heads).set("kv_heads", layer.kvHeads()).set("head_dim", layer.headDim())
                .set("out_type", outType.ordinal()).set("window", shape.window).set("vectors", split.vectors).set("stage", split.stage)
                .set("pool", split.pool).set("copy_bytes", split.copyBytes).set("span_in_shared", split.spanInShared ? 1 : 0)
                .set("scale", (float) (shape.scale * LOG2_E));
        kernel.allowDynamicSharedBytes(split.sharedBytes);
        return new KernelLaunch(kernel, LaunchConfiguration.of(split.blocks, 32 * split.warps).withDynamicSharedBytes(split.sharedBytes),
                arguments);
    }
}
