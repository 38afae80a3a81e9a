package org.gatun.backend.reference;

import java.util.Objects;
import org.gatun.backend.KvShape;
import org.gatun.backend.KvStore;
import org.gatun.tensor.DType;

/// Keys and values on the heap: `[layer][slot][kvHeads · headDim]`, already rounded to the stored type.
final class ReferenceKvStore implements KvStore {
    private final KvShape shape;
    private float[][][] keys;
    private float[][][] values;

    ReferenceKvStore(KvShape shape) {
        this.shape = shape;
        keys = new float[shape.layers()][shape.slots()][];
        values = new float[shape.layers()][shape.slots()][];
    }

    @Override
    public KvShape shape() {
        return shape;
    }

    @Override
    public void move(int from, int to) {
        requireOpen();
        Objects.checkIndex(from, shape.slots());
        Objects.checkIndex(to, shape.slots());
        for (int layer = 0; layer < shape.layers(); layer++) {
            keys[layer][to] = keys[layer][from];
            values[layer][to] = values[layer][from];
        }
    }

    /// Stores one row, rounded; rows are never changed in place, so that `move` may share them.
    void put(int layer, int slot, float[] source, int sourceOffset, boolean key) {
        requireOpen();
        float[] row = new float[shape.kvHeads() * shape.headDim()];
        for (int i = 0; i < row.length; i++) {
            float element = source[sourceOffset + i];
            row[i] = shape.dtype() == DType.F16 ? Float.float16ToFloat(Float.floatToFloat16(element)) : element;
        }
        (key ? keys : values)[layer][slot] = row;
    }

    float[] key(int layer, int slot) {
        return keys[layer][slot];
    }

    float[] value(int layer, int slot) {
        return values[layer][slot];
    }

    private void requireOpen() {
        if (keys == null) {
            throw new IllegalStateException("KV store is closed");
        }
    }

    @Override
    public void close() {
        keys = null;
        values = null;
    }
}
