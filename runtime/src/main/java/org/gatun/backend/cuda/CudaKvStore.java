package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.stream.IntStream;
import org.gatun.backend.KvShape;
import org.gatun.backend.KvStore;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.KvKernels;
import org.gatun.cuda.kernels.KvLayer;
import org.gatun.cuda.kernels.VerificationKernels.VerdictSlots;
import org.gatun.tensor.DType;

/// Keys and values on the device, in pages, with the stream of everything that is done to them.
final class CudaKvStore implements KvStore {
    private final KvShape shape;
    private final KernelLibrary library;
    private final CudaStream stream;
    private final DeviceBuffer keys;
    private final DeviceBuffer values;
    private final DeviceBuffer pages;
    private final DeviceBuffer moved; // from, to, count
    private final KernelLaunch move;
    private final long layerBytes;
    private boolean closed;

    CudaKvStore(CudaContext context, KernelLibrary library, KvShape shape) {
        if (shape.dtype() != DType.F16) {
            throw new IllegalArgumentException("KV cache of " + shape.dtype() + ": on CUDA expected F16");
        }
        this.shape = shape;
        this.library = library;
        layerBytes = KvLayer.byteSize(shape.slots(), shape.kvHeads(), shape.headDim());
        stream = context.createStream();
        keys = context.allocate(layerBytes * shape.layers());
        values = context.allocate(layerBytes * shape.layers());
        pages = context.allocateFrom(MemorySegment.ofArray(
                IntStream.range(0, Math.ceilDiv(shape.slots(), KvLayer.PAGE_SLOTS)).toArray()));
        moved = context.allocate(3 * Integer.BYTES);
        // What lies beyond a head's elements must be zero, and nothing is read that was never written.
        stream.fill(keys, (byte) 0);
        stream.fill(values, (byte) 0);
        stream.fillWords(moved, 8, 1, 1);
        move = KvKernels.move(library, layer(0), moved.slice(0, 4), moved.slice(4, 4), moved.slice(8, 4), shape.layers());
    }

    KvLayer layer(int layer) {
        return new KvLayer(keys.slice(layer * layerBytes, layerBytes), values.slice(layer * layerBytes, layerBytes), pages.slice(),
                shape.slots(), shape.kvHeads(), shape.headDim());
    }

    /// The stream of passes over it.
    ///
    /// @throws IllegalStateException if it is closed
    CudaStream stream() {
        requireOpen();
        return stream;
    }

    @Override
    public KvShape shape() {
        return shape;
    }

    @Override
    public void move(int from, int to) {
        requireOpen();
        stream.fillWords(moved, 0, 1, Objects.checkIndex(from, shape.slots()));
        stream.fillWords(moved, 4, 1, Objects.checkIndex(to, shape.slots()));
        move.on(stream);
    }

    /// The launch that moves what a walk wants moved.
    KernelLaunch moves(VerdictSlots verdict) {
        return KvKernels.move(library, layer(0), verdict.from(), verdict.to(), verdict.moves(), shape.layers());
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("KV store is closed");
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (stream.isOpen()) {
            stream.synchronize();
        }
        stream.close();
        moved.close();
        pages.close();
        values.close();
        keys.close();
    }
}
