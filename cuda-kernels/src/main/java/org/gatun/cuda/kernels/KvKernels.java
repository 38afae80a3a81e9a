package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `kv.cu`: rows of the key-value cache.
public final class KvKernels {
    private static final int HEADS_A_BLOCK = 4;
    private static final int MAX_THREADS = 128;

    private KvKernels() {}

    /// Writes keys and values of each row to its slot in its segment's pages, rounded to the type of the cache.
    ///
    /// @param k `[rows, kvHeads, headDim] f32`
    /// @param v likewise
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch append(KernelLibrary library, KvLayer layer, DeviceSlice k, DeviceSlice v, Rows rows,
            Segments segments) {
        CudaFunction kernel = library.kernel("kv_append_" + layer.type());
        segments.check(kernel, rows.max());
        int width = layer.kvHeads() * layer.headDim();
        KernelLaunch.check(kernel, "k", k, Float.BYTES, rows.max(), width);
        KernelLaunch.check(kernel, "v", v, Float.BYTES, rows.max(), width);
        return new KernelLaunch(kernel, configuration(rows, layer.kvHeads(), layer), kernel.arguments()
                .set("k", k).set("v", v).set("segments", segments.memory()).set("row_segments", segments.ofRows())
                .set("rows", rows.count()).set("layer", layer.offset()).set("kv_heads", layer.kvHeads()).set("head_dim", layer.headDim())
                .set("stored_dim", layer.storedDim()).set("k_stride", width).set("v_stride", width));
    }

    /// Rotates queries and keys of rows that hold queries, keys and values, and appends keys and values as [#append] does.
    ///
    /// @param q `[rows, heads, headDim] f32`, written
    /// @param qkv `[rows, heads + 2 kvHeads, headDim] f32`
    /// @param positions `[rows] int`
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch ropeAppend(KernelLibrary library, KvLayer layer, Rotation rotation, DeviceSlice q, DeviceSlice qkv,
            DeviceSlice positions, Rows rows, Segments segments, int heads) {
        CudaFunction kernel = library.kernel("kv_rope_append_" + rotation.pairing() + "_" + layer.type());
        segments.check(kernel, rows.max());
        rotation.check(kernel, layer.headDim());
        int allHeads = heads + 2 * layer.kvHeads();
        KernelLaunch.check(kernel, "q", q, Float.BYTES, rows.max(), heads, layer.headDim());
        KernelLaunch.check(kernel, "qkv", qkv, Float.BYTES, rows.max(), allHeads, layer.headDim());
        KernelLaunch.check(kernel, "positions", positions, Integer.BYTES, rows.max());
        return new KernelLaunch(kernel, configuration(rows, allHeads, layer), rotation.set(kernel.arguments())
                .set("q", q).set("qkv", qkv).set("positions", positions).set("segments", segments.memory())
                .set("row_segments", segments.ofRows()).set("rows", rows.count()).set("layer", layer.offset()).set("heads", heads)
                .set("kv_heads", layer.kvHeads()).set("head_dim", layer.headDim()).set("stored_dim", layer.storedDim()));
    }

    /// Copies slots to slots in all layers of a cache, one after the other.
    ///
    /// @param first the first layer
    /// @param from `[count] int`, slots
    /// @param to `[count] int`, slots, rising, each at most its `from`
    /// @param count `[1] int`
    /// @param layers how many there are
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch move(KernelLibrary library, KvLayer first, DeviceSlice from, DeviceSlice to, DeviceSlice count,
            int layers) {
        CudaFunction kernel = library.kernel("kv_move");
        first.check(kernel);
        KernelLaunch.check(kernel, "from", from, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "to", to, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "count", count, Integer.BYTES, 1);
        int lineBytes = first.type().lineBytes(first.storedDim());
        int scaleBytes = first.type().scaleBytes(first.storedDim());
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(2 * layers, first.kvHeads(),
                        KernelLaunch.threads(lineBytes / 16 + scaleBytes / Short.BYTES, MAX_THREADS)),
                kernel.arguments().set(0, first.pages()).set(1, from).set(2, to).set(3, count).set(4, first.kvHeads())
                        .set(5, lineBytes).set(6, scaleBytes));
    }

    private static LaunchConfiguration configuration(Rows rows, int heads, KvLayer layer) {
        return LaunchConfiguration.of(rows.max(), Math.ceilDiv(heads, HEADS_A_BLOCK),
                KernelLaunch.threads(layer.headDim() / 2, MAX_THREADS));
    }
}
