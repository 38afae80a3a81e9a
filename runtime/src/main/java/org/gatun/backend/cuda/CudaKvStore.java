package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.stream.IntStream;
import org.gatun.backend.KvShape;
import org.gatun.backend.KvStore;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KvKernels;
import org.gatun.cuda.kernels.KvLayer;
import org.gatun.cuda.kernels.KvType;
import org.gatun.lifetime.Lifetime;

/// Keys and values on the device, in pages, with the stream of everything that is done to them.
final class CudaKvStore implements KvStore {
    private final CudaBackend backend;
    private final Lifetime lifetime = new Lifetime("KV store", this::release);
    private final KvShape shape;
    private final DeviceResources owned = new DeviceResources();
    private final CudaStream stream;
    private final DeviceBuffer memory;
    private final DeviceBuffer pages; // addresses
    private final DeviceBuffer moved; // from, to, count
    private final KernelLaunch move;

    CudaKvStore(CudaBackend backend, KvShape shape) {
        this.backend = backend;
        this.shape = shape;
        CudaContext context = backend.context();
        int pageBytes = KvLayer.pageBytes(type(shape), shape.layers(), shape.kvHeads(), shape.headDim());
        int count = KvLayer.pageCount(shape.slots());
        try {
            stream = owned.add(context.createStream());
            memory = owned.add(context.allocate((long) count * pageBytes));
            pages = owned.add(context.allocateFrom(
                    MemorySegment.ofArray(KvLayer.addresses(memory, pageBytes, IntStream.range(0, count).toArray()))));
            moved = owned.add(context.allocate(3 * Integer.BYTES));
            // What lies beyond a head's elements must be zero, and nothing is read that was never written.
            stream.fill(memory, (byte) 0);
            stream.fillWords(moved, 8, 1, 1);
            move = KvKernels.move(backend.library(), layer(shape, pages.slice(), 0), moved.slice(0, 4), moved.slice(4, 4),
                    moved.slice(8, 4), shape.layers());
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    private static KvType type(KvShape shape) {
        return switch (shape.dtype()) {
            case F16 -> KvType.F16;
            case BF16 -> KvType.BF16;
            case Q8_0 -> KvType.Q8_0;
            default -> throw new IllegalArgumentException("KV cache of " + shape.dtype() + ": on CUDA expected F16, BF16 or Q8_0");
        };
    }

    /// A layer of a cache of some shape.
    ///
    /// @param pages where the addresses of its pages will be
    static KvLayer layer(KvShape shape, DeviceSlice pages, int layer) {
        return new KvLayer(pages, shape.slots(), shape.kvHeads(), shape.headDim(), type(shape), layer);
    }

    /// Puts the addresses of its pages where the launches of an executable expect them, in the order of its stream.
    void copyPages(DeviceBuffer target) {
        stream.copy(target, 0, pages, 0, pages.byteSize());
    }

    /// Queueing passes over it are uses, and so is waiting for them.
    Lifetime lifetime() {
        return lifetime;
    }

    /// The stream of passes over it; only within a use.
    CudaStream stream() {
        return stream;
    }

    /// Waits for all passes over it. One that is closed has waited, or waits now.
    void awaitPasses() {
        if (lifetime.tryEnterInTurn()) {
            try {
                stream.synchronize();
            } finally {
                lifetime.leave();
            }
        } else {
            lifetime.close();
        }
    }

    @Override
    public KvShape shape() {
        return shape;
    }

    @Override
    public void move(int from, int to) {
        lifetime.enter();
        try {
            stream.fillWords(moved, 0, 1, Objects.checkIndex(from, shape.slots()));
            stream.fillWords(moved, 4, 1, Objects.checkIndex(to, shape.slots()));
            move.on(stream);
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        try (owned) {
            stream.synchronize();
        } finally {
            backend.forget(this);
        }
    }
}
