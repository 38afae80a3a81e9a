package org.gatun.backend.reference;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import org.gatun.backend.KvShape;
import org.gatun.backend.KvStore;
import org.gatun.lifetime.Lifetime;
import org.gatun.quantize.Codec;

/// Keys and values on the heap: `[layer][slot][kvHeads · headDim]`, already rounded to the stored type.
final class ReferenceKvStore implements KvStore {
    private final ReferenceBackend backend;
    private final Lifetime lifetime = new Lifetime("KV store", this::release);
    private final KvShape shape;
    private final Codec codec;
    private final float[] head; // whole blocks, zero behind the head
    private final MemorySegment stored; // the same
    private float[][][] keys;
    private float[][][] values;

    ReferenceKvStore(ReferenceBackend backend, KvShape shape) {
        this.backend = backend;
        this.shape = shape;
        codec = Codec.of(shape.dtype());
        head = new float[Math.ceilDiv(shape.headDim(), shape.dtype().blockElements()) * shape.dtype().blockElements()];
        stored = MemorySegment.ofArray(new byte[(int) shape.dtype().rowBytes(head.length)]);
        keys = new float[shape.layers()][shape.slots()][];
        values = new float[shape.layers()][shape.slots()][];
    }

    @Override
    public KvShape shape() {
        return shape;
    }

    @Override
    public void move(int from, int to) {
        Objects.checkIndex(from, shape.slots());
        Objects.checkIndex(to, shape.slots());
        lifetime.enter();
        try {
            for (int layer = 0; layer < shape.layers(); layer++) {
                keys[layer][to] = keys[layer][from];
                values[layer][to] = values[layer][from];
            }
        } finally {
            lifetime.leave();
        }
    }

    /// Passes over it are uses.
    Lifetime lifetime() {
        return lifetime;
    }

    /// Stores one row, rounded; rows are never changed in place, so that `move` may share them. Heads that their type cannot hold, since
    /// what a model computes overflows, become NaN.
    void put(int layer, int slot, float[] source, int sourceOffset, boolean key) {
        float[] row = new float[shape.kvHeads() * shape.headDim()];
        for (int at = 0; at < row.length; at += shape.headDim()) {
            System.arraycopy(source, sourceOffset + at, head, 0, shape.headDim());
            try {
                codec.encode(head, 0, stored, 0, head.length);
                codec.decode(stored, 0, head, 0, head.length);
                System.arraycopy(head, 0, row, at, shape.headDim());
            } catch (IllegalArgumentException _) {
                Arrays.fill(row, at, at + shape.headDim(), Float.NaN);
            }
        }
        (key ? keys : values)[layer][slot] = row;
    }

    float[] key(int layer, int slot) {
        return keys[layer][slot];
    }

    float[] value(int layer, int slot) {
        return values[layer][slot];
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        keys = null;
        values = null;
        backend.forget(this);
    }
}
