package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.backend.PageTable;

/// Pages off-heap, laid out as `struct gatun_kv` says, with the scratch memory of the attention over them.
final class CpuKvMemory implements KvPool.Memory {
    private final NativeLibrary library;
    private final MemorySegment threads;
    private final int slots;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment struct;
    private final MemorySegment scratch;

    /// @param threads the pool that runs passes
    CpuKvMemory(NativeLibrary library, MemorySegment threads, KvLayout layout, int pages) {
        this.library = library;
        this.threads = threads;
        slots = Math.min(pages * KvPool.PAGE_SLOTS, KvLayout.MAX_SLOTS);
        try {
            struct = arena.allocate(NativeLayout.KV);
            long bytes = Math.addExact(Math.multiplyExact(KvPool.pageBytes(layout), (long) pages), NativeLayout.PADDING);
            set("pages", library.allocate(arena, bytes));
            set("layers", layers(layout));
            struct.set(ValueLayout.JAVA_LONG, NativeLayout.offset(NativeLayout.KV, "page_bytes"), KvPool.pageBytes(layout));
            set("type", NativeLayout.type(layout.dtype()));
            set("layer_count", layout.layers().size());
            scratch = library.allocate(arena, library.scratchBytes(threads, slots));
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    private MemorySegment layers(KvLayout layout) {
        MemorySegment layers = arena.allocate(NativeLayout.KV_LAYER, layout.layers().size());
        long offset = 0;
        for (int i = 0; i < layout.layers().size(); i++) {
            long at = i * NativeLayout.KV_LAYER.byteSize();
            int kvHeads = layout.layers().get(i).kvHeads();
            layers.set(ValueLayout.JAVA_LONG, at + NativeLayout.offset(NativeLayout.KV_LAYER, "offset"), offset);
            layers.set(ValueLayout.JAVA_INT, at + NativeLayout.offset(NativeLayout.KV_LAYER, "kv_heads"), kvHeads);
            layers.set(ValueLayout.JAVA_INT, at + NativeLayout.offset(NativeLayout.KV_LAYER, "head_dim"), layout.layers().get(i).headDim());
            offset += 2L * KvPool.PAGE_SLOTS * kvHeads * layout.headBytes(i);
        }
        return layers;
    }

    private void set(String field, MemorySegment value) {
        struct.set(ValueLayout.ADDRESS, NativeLayout.offset(NativeLayout.KV, field), value);
    }

    private void set(String field, int value) {
        struct.set(ValueLayout.JAVA_INT, NativeLayout.offset(NativeLayout.KV, field), value);
    }

    /// Page numbers as `struct gatun_segment` has them.
    ///
    /// @param memory `[pages] i32`
    record Numbers(Arena arena, MemorySegment memory) implements KvPool.PageList {
        @Override
        public void set(int index, int page) {
            memory.setAtIndex(ValueLayout.JAVA_INT, index, page);
        }

        @Override
        public void close() {
            arena.close();
        }
    }

    @Override
    public KvPool.PageList openList(int pages) {
        Arena list = Arena.ofShared();
        try {
            return new Numbers(list, list.allocate(ValueLayout.JAVA_INT, pages));
        } catch (Throwable e) {
            list.close();
            throw e;
        }
    }

    /// Most slots that a row can attend to.
    int slots() {
        return slots;
    }

    /// Its `struct gatun_kv`.
    MemorySegment struct() {
        return struct;
    }

    /// Whether passes over it are run by `pool`.
    boolean isOf(MemorySegment pool) {
        return threads.equals(pool);
    }

    MemorySegment scratch() {
        return scratch;
    }

    @Override
    public void copyPage(int from, int to) {
        library.copyPage(struct, from, to);
    }

    @Override
    public void move(PageTable table, int from, int to) {
        library.move(struct, table.poolSlot(from), table.poolSlot(to));
    }

    @Override
    public void release() {
        arena.close();
    }
}
