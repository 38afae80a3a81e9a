package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.gatun.backend.KvShape;
import org.gatun.backend.KvStore;
import org.gatun.lifetime.Lifetime;

/// Keys and values off-heap, laid out as `struct gatun_kv` says, with the scratch memory of the attention over them.
final class CpuKvStore implements KvStore {
    private final CpuBackend backend;
    private final NativeLibrary library;
    private final MemorySegment pool;
    private final KvShape shape;
    private final Lifetime lifetime = new Lifetime("KV store", this::release);
    private final Arena arena = Arena.ofShared();
    private final MemorySegment struct;
    private final MemorySegment scratch;

    CpuKvStore(CpuBackend backend, NativeLibrary library, MemorySegment pool, KvShape shape) {
        this.backend = backend;
        this.library = library;
        this.pool = pool;
        this.shape = shape;
        int slots = roundedSlots(shape);
        try {
            long bytes = Math.multiplyExact((long) shape.layers() * shape.kvHeads(), (long) slots * shape.headBytes());
            struct = arena.allocate(NativeLayout.KV);
            set("keys", library.allocate(arena, bytes + NativeLayout.PADDING));
            set("values", library.allocate(arena, bytes + NativeLayout.PADDING));
            set("layers", shape.layers());
            set("kv_heads", shape.kvHeads());
            set("head_dim", shape.headDim());
            set("slots", slots);
            set("type", NativeLayout.type(shape.dtype()));
            scratch = library.allocate(arena, library.scratchBytes(pool, slots));
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    private void set(String field, MemorySegment value) {
        struct.set(ValueLayout.ADDRESS, NativeLayout.offset(NativeLayout.KV, field), value);
    }

    private void set(String field, int value) {
        struct.set(ValueLayout.JAVA_INT, NativeLayout.offset(NativeLayout.KV, field), value);
    }

    @Override
    public KvShape shape() {
        return shape;
    }

    /// Passes over it are uses.
    Lifetime lifetime() {
        return lifetime;
    }

    /// Its slots, rounded up.
    int slots() {
        return roundedSlots(shape);
    }

    private static int roundedSlots(KvShape shape) {
        return Math.ceilDiv(shape.slots(), NativeLayout.LANES) * NativeLayout.LANES;
    }

    /// Its `struct gatun_kv`.
    MemorySegment struct() {
        return struct;
    }

    /// Whether its scratch memory is for the threads of `pool`.
    boolean isOf(MemorySegment pool) {
        return this.pool.equals(pool);
    }

    MemorySegment scratch() {
        return scratch;
    }

    @Override
    public void move(int from, int to) {
        lifetime.enter();
        try {
            library.move(struct, Objects.checkIndex(from, shape.slots()), Objects.checkIndex(to, shape.slots()));
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        try (arena) {
            backend.forget(this);
        }
    }
}
