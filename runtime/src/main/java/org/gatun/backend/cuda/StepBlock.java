package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.backend.AttentionMask;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Segment;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaEvent;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.Segments;
import org.gatun.cuda.kernels.VerificationKernels;

/// What changes from pass to pass, on the device: one copy of a few kilobytes brings it there. The copy of a pass that the host waits
/// for is part of its graph. Others have two blocks on the host in turns, so that a pass is queued while the one before still runs.
final class StepBlock implements AutoCloseable {
    private static final long ROWS = 0;
    private static final long SELECTED_ROWS = 4;
    private static final long SEGMENTS = 8;
    private static final long SEGMENT = 16;
    private static final long REQUEST = SEGMENT + Segments.LAYOUT.byteSize();
    private static final long TOKENS = REQUEST + VerificationKernels.REQUEST_BYTES;

    private final BatchLimits limits;
    private final DeviceResources owned = new DeviceResources();
    private final long positions;
    private final long rowSegments;
    private final long ranges;
    private final long selected;
    private final long masks;
    private final PinnedBuffer host;
    private final Turn[] turns = new Turn[2];
    private final DeviceBuffer device;
    private int sent;

    /// A block on the host, and when its copy to the device is done.
    private record Turn(PinnedBuffer host, CudaEvent copied) {}

    StepBlock(CudaContext context, BatchLimits limits) {
        this.limits = limits;
        positions = TOKENS + 4L * limits.rows();
        rowSegments = positions + 4L * limits.rows();
        ranges = Math.ceilDiv(rowSegments + 4L * limits.rows(), 8) * 8;
        selected = ranges + 8L * AttentionMask.Ranges.MAX_RANGES;
        masks = Math.ceilDiv(selected + 4L * limits.treeRows(), 16) * 16;
        long size = masks + (long) limits.treeRows() * maskWords() * Long.BYTES;
        try {
            host = zeros(context, size);
            for (int i = 0; i < turns.length; i++) {
                turns[i] = new Turn(zeros(context, size), owned.add(context.createEvent()));
            }
            device = owned.add(context.allocate(size));
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    private PinnedBuffer zeros(CudaContext context, long size) {
        PinnedBuffer buffer = owned.add(context.allocatePinned(size));
        buffer.memory().fill((byte) 0);
        return buffer;
    }

    int maskWords() {
        return limits.treeRows() / Long.SIZE;
    }

    /// Takes a pass that the next [#upload] brings to the device; the one before must be done.
    ///
    /// @param pages where the addresses of its pages are on the device
    void write(Segment segment, long pages) {
        write(segment, pages, host.memory());
    }

    /// Queues the copy of a pass, behind whatever the stream is doing.
    ///
    /// @param pages where the addresses of its pages are on the device
    void send(Segment segment, long pages, CudaStream stream) {
        Turn turn = turns[sent++ & 1];
        turn.copied.synchronize(); // that of the pass before the last
        write(segment, pages, turn.host.memory());
        stream.copyToDevice(device, 0, turn.host.memory());
        stream.record(turn.copied);
    }

    private void write(Segment segment, long pages, MemorySegment memory) {
        memory.set(ValueLayout.JAVA_INT, ROWS, segment.rows());
        memory.set(ValueLayout.JAVA_INT, SELECTED_ROWS, segment.selectedRows());
        memory.set(ValueLayout.JAVA_INT, SEGMENTS, 1);
        MemorySegment.copy(segment.tokens(), 0, memory, TOKENS, 4L * segment.rows());
        MemorySegment.copy(segment.positions(), 0, memory, positions, 4L * segment.rows());
        MemorySegment.copy(segment.selected(), 0, memory, selected, 4L * segment.selectedRows());
        switch (segment.mask()) {
            case AttentionMask.Causal _ -> Segments.write(memory, SEGMENT, pages, segment.committed(), 0, segment.rows(),
                    Segments.Mask.CAUSAL);
            case AttentionMask.Tree tree -> {
                Segments.write(memory, SEGMENT, pages, segment.committed(), 0, segment.rows(), Segments.Mask.TREE);
                MemorySegment.copy(tree.words(), 0, memory, masks, (long) Long.BYTES * segment.rows() * maskWords());
            }
            case AttentionMask.Ranges all -> {
                Segments.writeRanges(memory, SEGMENT, pages, segment.firstSlot(), 0, segment.rows(), 0, all.count(),
                        all.visibleSlots(segment.rows()));
                MemorySegment.copy(all.bounds(), 0, memory, ranges, 8L * all.count());
            }
        }
        if (segment.samples()) {
            MemorySegment.copy(segment.request().memory(), 0, memory, REQUEST, VerificationKernels.REQUEST_BYTES);
        }
    }

    /// Queues the copy to the device of what was written.
    void upload(CudaStream stream) {
        stream.copyToDevice(device, 0, host.memory());
    }

    Rows rows(int max) {
        return new Rows(device.slice(ROWS, 4), max);
    }

    Rows selectedRows(int max) {
        return new Rows(device.slice(SELECTED_ROWS, 4), max);
    }

    /// The segment of the pass.
    ///
    /// @param maxRows most rows of it
    Segments segments(int maxRows) {
        return new Segments(device.slice(SEGMENT, REQUEST - SEGMENT), device.slice(SEGMENTS, 4),
                device.slice(rowSegments, 4L * limits.rows()), device.slice(ranges, selected - ranges), 1, maxRows);
    }

    DeviceSlice committed() {
        return segments(1).committed();
    }

    /// How tokens are sampled.
    DeviceSlice request() {
        return device.slice(REQUEST, TOKENS - REQUEST);
    }

    DeviceSlice tokens() {
        return device.slice(TOKENS, positions - TOKENS);
    }

    DeviceSlice positions() {
        return device.slice(positions, rowSegments - positions);
    }

    DeviceSlice selected() {
        return device.slice(selected, 4L * limits.treeRows());
    }

    DeviceSlice masks() {
        return device.slice(masks, device.byteSize() - masks);
    }

    @Override
    public void close() {
        owned.close();
    }
}
