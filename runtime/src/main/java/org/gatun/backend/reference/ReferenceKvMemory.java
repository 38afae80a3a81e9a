package org.gatun.backend.reference;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.backend.PageTable;
import org.gatun.quantize.Codec;

/// Pages on the heap: `[layer][page · 64 + slot][kvHeads · headDim]`, already rounded to the stored type.
final class ReferenceKvMemory implements KvPool.Memory {
    private final KvLayout layout;
    private final float[][][] keys;
    private final float[][][] values;

    ReferenceKvMemory(KvLayout layout, int pages) {
        this.layout = layout;
        keys = new float[layout.layers().size()][pages * KvPool.PAGE_SLOTS][];
        values = new float[layout.layers().size()][pages * KvPool.PAGE_SLOTS][];
    }

    @Override
    public KvPool.PageList openList(int pages) {
        return (_, _) -> { }; // passes ask the table
    }

    @Override
    public void copyPage(int from, int to) {
        for (int layer = 0; layer < keys.length; layer++) {
            System.arraycopy(keys[layer], from * KvPool.PAGE_SLOTS, keys[layer], to * KvPool.PAGE_SLOTS, KvPool.PAGE_SLOTS);
            System.arraycopy(values[layer], from * KvPool.PAGE_SLOTS, values[layer], to * KvPool.PAGE_SLOTS, KvPool.PAGE_SLOTS);
        }
    }

    @Override
    public void move(PageTable table, int from, int to) {
        for (int layer = 0; layer < keys.length; layer++) {
            keys[layer][table.poolSlot(to)] = keys[layer][table.poolSlot(from)];
            values[layer][table.poolSlot(to)] = values[layer][table.poolSlot(from)];
        }
    }

    /// Stores the keys of a row.
    void putKey(int layer, int poolSlot, float[] source, int offset) {
        keys[layer][poolSlot] = rounded(layer, source, offset);
    }

    /// Stores the values of a row.
    void putValue(int layer, int poolSlot, float[] source, int offset) {
        values[layer][poolSlot] = rounded(layer, source, offset);
    }

    /// A row as it is stored. Rows are never changed in place, so that pages and slots may share them. Heads that their type cannot hold,
    /// since what a model computes overflows, become NaN.
    private float[] rounded(int layer, float[] source, int offset) {
        int headDim = layout.layers().get(layer).headDim();
        int blockElements = layout.dtype().blockElements();
        float[] head = new float[Math.ceilDiv(headDim, blockElements) * blockElements]; // whole blocks, zero behind the head
        MemorySegment stored = MemorySegment.ofArray(new byte[(int) layout.dtype().rowBytes(head.length)]);
        Codec codec = Codec.of(layout.dtype());
        float[] row = new float[layout.layers().get(layer).kvHeads() * headDim];
        for (int at = 0; at < row.length; at += headDim) {
            System.arraycopy(source, offset + at, head, 0, headDim);
            try {
                codec.encode(head, 0, stored, 0, head.length);
                codec.decode(stored, 0, head, 0, head.length);
                System.arraycopy(head, 0, row, at, headDim);
            } catch (IllegalArgumentException _) {
                Arrays.fill(row, at, at + headDim, Float.NaN);
            }
        }
        return row;
    }

    float[] key(int layer, int poolSlot) {
        return keys[layer][poolSlot];
    }

    float[] value(int layer, int poolSlot) {
        return values[layer][poolSlot];
    }

    @Override
    public void release() {
        // the heap's
    }
}
