package org.gatun.cuda.kernels;

import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.LaunchConfiguration;

/// The kernels of `kv.cu`: rows of the key-value cache.
public final class KvKernels {
    private static final int HEADS_A_BLOCK = 4;
    private static final int MAX_THREADS = 256;

    private KvKernels() {}

    /// Writes keys and values of each row to the slots from `committed` on, rounded to f16.
    ///
    /// @param k `[rows, kvHeads, headDim] f32`
    /// @param v likewise
    /// @param committed `[1] int`; with the rows it must stay within the layer's slots
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch append(KernelLibrary library, KvLayer layer, DeviceSlice k, DeviceSlice v, Rows rows,
            DeviceSlice committed) {
        CudaFunction kernel = library.kernel("kv_append_f16");
        layer.check(kernel);
        int width = layer.kvHeads() * layer.headDim();
        KernelLaunch.check(kernel, "k", k, Float.BYTES, rows.most(), width);
        KernelLaunch.check(kernel, "v", v, Float.BYTES, rows.most(), width);
        KernelLaunch.check(kernel, "committed", committed, Integer.BYTES, 1);
        return new KernelLaunch(kernel, configuration(rows, layer.kvHeads(), layer), kernel.arguments()
                .set(0, layer.keys()).set(1, layer.values()).set(2, k).set(3, v).set(4, layer.pages()).set(5, rows.count())
                .set(6, committed).set(7, layer.kvHeads()).set(8, layer.headDim()).set(9, layer.storedDim())
                .set(10, width).set(11, width));
    }

    /// Rotates queries and keys of rows that hold queries, keys and values, and appends keys and values as [#append] does.
    ///
    /// @param q `[rows, heads, headDim] f32`, written
    /// @param qkv `[rows, heads + 2 kvHeads, headDim] f32`
    /// @param positions `[rows] int`
    /// @param committed `[1] int`; with the rows it must stay within the layer's slots
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch ropeAppend(KernelLibrary library, KvLayer layer, Rotation rotation, DeviceSlice q, DeviceSlice qkv,
            DeviceSlice positions, Rows rows, DeviceSlice committed, int heads) {
        CudaFunction kernel = library.kernel("kv_rope_append_" + rotation.pairing() + "_f16");
        layer.check(kernel);
        rotation.check(kernel, layer.headDim());
        int allHeads = heads + 2 * layer.kvHeads();
        KernelLaunch.check(kernel, "q", q, Float.BYTES, rows.most(), heads, layer.headDim());
        KernelLaunch.check(kernel, "qkv", qkv, Float.BYTES, rows.most(), allHeads, layer.headDim());
        KernelLaunch.check(kernel, "positions", positions, Integer.BYTES, rows.most());
        KernelLaunch.check(kernel, "committed", committed, Integer.BYTES, 1);
        return new KernelLaunch(kernel, configuration(rows, allHeads, layer), kernel.arguments()
                .set(0, q).set(1, layer.keys()).set(2, layer.values()).set(3, qkv).set(4, positions)
                .set(5, rotation.inverseFrequencies()).set(6, layer.pages()).set(7, rows.count()).set(8, committed)
                .set(9, heads).set(10, layer.kvHeads()).set(11, layer.headDim()).set(12, layer.storedDim())
                .set(13, rotation.pairs()).set(14, rotation.factor()));
    }

    /// Copies slots to slots in all layers of a cache, one after the other.
    ///
    /// @param first the first layer; the others follow in its buffers at a distance
    /// @param from `[count] int`, slots
    /// @param to `[count] int`, slots, rising, each at most its `from`
    /// @param count `[1] int`
    /// @param layers how many there are
    /// @throws IllegalArgumentException if an operand is too small
    public static KernelLaunch move(KernelLibrary library, KvLayer first, DeviceSlice from, DeviceSlice to, DeviceSlice count,
            int layers) {
        CudaFunction kernel = library.kernel("kv_move_f16");
        first.check(kernel);
        KernelLaunch.check(kernel, "from", from, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "to", to, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "count", count, Integer.BYTES, 1);
        long layerBytes = KvLayer.byteSize(first.slots(), first.kvHeads(), first.headDim());
        return new KernelLaunch(kernel,
                LaunchConfiguration.of(layers, first.kvHeads(), KernelLaunch.threads(first.storedDim() / 8 * 2, MAX_THREADS)),
                kernel.arguments().set(0, first.keys()).set(1, first.values()).set(2, first.pages()).set(3, from).set(4, to)
                        .set(5, count).set(6, layerBytes / Short.BYTES).set(7, first.kvHeads()).set(8, first.storedDim()));
    }

    private static LaunchConfiguration configuration(Rows rows, int heads, KvLayer layer) {
        return LaunchConfiguration.of(rows.most(), Math.ceilDiv(heads, HEADS_A_BLOCK),
                KernelLaunch.threads(layer.headDim() / 2, MAX_THREADS));
    }
}
