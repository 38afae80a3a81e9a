package org.gatun.backend.cuda;

import org.gatun.backend.BatchLimits;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.AttentionKernels;
import org.gatun.cuda.kernels.KernelLibrary;

/// The parts of attention that blocks leave each other.
final class AttentionScratch implements AutoCloseable {
    private final CudaContext context;
    private final KernelLibrary library;
    private final Program program;
    private final BatchLimits limits;
    private DeviceBuffer partials;
    private DeviceBuffer arrivals;

    AttentionScratch(CudaBackend backend, Program program, BatchLimits limits) {
        context = backend.context();
        library = backend.library();
        this.program = program;
        this.limits = limits;
    }

    /// Most that it may take.
    static long maxBytes(Program program, BatchLimits limits) {
        return program.steps().stream().mapToLong(step -> step instanceof Step.Attention attention ? AttentionKernels.maxPartialBytes(
                attention.shape().heads(), attention.shape().headDim(), limits.rows()) : 0).max().orElse(0);
    }

    /// Makes room for a graph that is to be captured.
    ///
    /// @param rows most of its passes
    /// @param segments most of its passes
    /// @param segmentRows most rows of one
    /// @param stream of its passes
    /// @param beforeMoving is run if it must move: graphs know the old place
    void grow(int rows, int segments, int segmentRows, boolean tree, AttachedPages pages, CudaStream stream,
            Runnable beforeMoving) {
        long partialBytes = Long.BYTES;
        long arrivalBytes = Long.BYTES;
        for (Step step : program.steps()) {
            if (step instanceof Step.Attention attention) {
                AttentionKernels.Split split = AttentionKernels.split(library, pages.layer(attention.layer()), attention.shape().heads(),
                        rows, segments, segmentRows, tree ? limits.treeRows() : 0);
                partialBytes = Math.max(partialBytes, split.partialBytes());
                arrivalBytes = Math.max(arrivalBytes, split.arrivalBytes());
            }
        }
        if (partials != null && partials.byteSize() >= partialBytes && arrivals.byteSize() >= arrivalBytes) {
            return;
        }
        beforeMoving.run();
        close();
        partials = context.allocate(partialBytes);
        arrivals = context.allocate(arrivalBytes);
        stream.fill(arrivals, (byte) 0);
    }

    DeviceSlice partials() {
        return partials.slice();
    }

    DeviceSlice arrivals() {
        return arrivals.slice();
    }

    @Override
    public void close() {
        if (partials != null) {
            partials.close();
            partials = null;
        }
        if (arrivals != null) {
            arrivals.close();
            arrivals = null;
        }
    }
}
