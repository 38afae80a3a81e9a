package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
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
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.VerificationKernels;

/// What changes from pass to pass, on the device: one copy of a few kilobytes brings it there. The copy of a pass that the host waits
/// for is part of its graph. Others have two blocks on the host in turns, so that a pass is queued while the one before still runs.
final class StepBlock implements AutoCloseable {
    private static final long ROWS = 0;
    private static final long SELECTED_ROWS = 4;
    private static final long SEGMENTS = 8;
    private static final long SEGMENT = 16;
    private static final long SEGMENT_BYTES = Segments.LAYOUT.byteSize();

    private final BatchLimits limits;
    private final int segments;
    private final int selectedRows;
    private final DeviceResources owned = new DeviceResources();
    private final long requests;
    private final long tokens;
    private final long positions;
    private final long rowSegments;
    private final long ranges;
    private final long selected;
    private final long selectedCounts;
    private final long masks;
    private final PinnedBuffer host;
    private final Turn[] turns = new Turn[2];
    private final DeviceBuffer device;
    private int sent;

    /// A block on the host, and when its copy to the device is done.
    private record Turn(PinnedBuffer host, CudaEvent copied) {}

    /// For passes of one segment.
    StepBlock(CudaContext context, BatchLimits limits) {
        this(context, limits, 1, limits.treeRows(), limits.treeRows());
    }

    /// For passes of many segments, of which each row may be of a tree.
    static StepBlock ofMany(CudaContext context, BatchLimits limits) {
        return new StepBlock(context, limits, limits.segments(), Math.max(limits.treeRows(), limits.logitsRows()), limits.rows());
    }

    private StepBlock(CudaContext context, BatchLimits limits, int segments, int selectedRows, int maskRows) {
        this.limits = limits;
        this.segments = segments;
        this.selectedRows = selectedRows;
        requests = SEGMENT + segments * SEGMENT_BYTES;
        tokens = requests + (long) segments * VerificationKernels.REQUEST_BYTES;
        positions = tokens + 4L * limits.rows();
        rowSegments = positions + 4L * limits.rows();
        ranges = Math.ceilDiv(rowSegments + 4L * limits.rows(), 8) * 8;
        selected = ranges + 8L * segments * AttentionMask.Ranges.MAX_RANGES;
        selectedCounts = selected + 4L * selectedRows;
        masks = Math.ceilDiv(selectedCounts + 4L * segments, 16) * 16;
        long size = masks + (long) maskRows * maskWords() * Long.BYTES;
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
        memory.set(ValueLayout.JAVA_INT, SELECTED_ROWS, segment.selectedRows());
        MemorySegment.copy(segment.selected(), 0, memory, selected, 4L * segment.selectedRows());
        write(memory, 0, segment, pages, 0);
        finish(memory, 1, segment.rows());
    }

    /// Takes a segment of a pass of many, whose rows go behind those of the ones before it; the passes before must be done.
    ///
    /// @param pages where the addresses of its pages are on the device
    /// @param firstRow of the pass
    /// @param firstSelected of the pass
    void write(int index, Segment segment, long pages, int firstRow, int firstSelected) {
        MemorySegment memory = host.memory();
        for (int row = 0; row < segment.rows(); row++) {
            memory.set(ValueLayout.JAVA_INT, rowSegments + 4L * (firstRow + row), index);
        }
        for (int i = 0; i < segment.selectedRows(); i++) {
            memory.set(ValueLayout.JAVA_INT, selected + 4L * (firstSelected + i), firstRow + segment.selected(i));
        }
        memory.set(ValueLayout.JAVA_INT, SELECTED_ROWS, firstSelected + segment.selectedRows());
        memory.set(ValueLayout.JAVA_INT, selectedCounts + 4L * index, segment.selectedRows());
        write(memory, index, segment, pages, firstRow);
    }

    /// Says how many segments were written, and rows in all of them.
    void finish(int segments, int rows) {
        finish(host.memory(), segments, rows);
    }

    private static void finish(MemorySegment memory, int segments, int rows) {
        memory.set(ValueLayout.JAVA_INT, ROWS, rows);
        memory.set(ValueLayout.JAVA_INT, SEGMENTS, segments);
    }

    private void write(MemorySegment memory, int index, Segment segment, long pages, int firstRow) {
        long at = SEGMENT + index * SEGMENT_BYTES;
        MemorySegment.copy(segment.tokens(), 0, memory, tokens + 4L * firstRow, 4L * segment.rows());
        MemorySegment.copy(segment.positions(), 0, memory, positions + 4L * firstRow, 4L * segment.rows());
        switch (segment.mask()) {
            case AttentionMask.Causal _ -> Segments.write(memory, at, pages, segment.committed(), firstRow, segment.rows(),
                    Segments.Mask.CAUSAL);
            case AttentionMask.Tree tree -> {
                Segments.write(memory, at, pages, segment.committed(), firstRow, segment.rows(), Segments.Mask.TREE);
                long rowBytes = (long) Long.BYTES * maskWords();
                MemorySegment.copy(tree.words(), 0, memory, masks + firstRow * rowBytes, segment.rows() * rowBytes);
            }
            case AttentionMask.Ranges all -> {
                int firstRange = index * AttentionMask.Ranges.MAX_RANGES;
                Segments.writeRanges(memory, at, pages, segment.firstSlot(), firstRow, segment.rows(), firstRange, all.count(),
                        all.visibleSlots(segment.rows()));
                MemorySegment.copy(all.bounds(), 0, memory, ranges + 8L * firstRange, 8L * all.count());
            }
        }
        if (segment.samples()) {
            MemorySegment.copy(segment.request().memory(), 0, memory, requests + (long) index * VerificationKernels.REQUEST_BYTES,
                    VerificationKernels.REQUEST_BYTES);
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

    /// Rows of a segment whose logits are asked for.
    Rows selectedRowsOf(int index, int max) {
        return new Rows(device.slice(selectedCounts + 4L * index, 4), max);
    }

    /// The segments of the pass.
    ///
    /// @param maxRows most rows of one
    Segments segments(int maxRows) {
        return new Segments(device.slice(SEGMENT, requests - SEGMENT), device.slice(SEGMENTS, 4),
                device.slice(rowSegments, 4L * limits.rows()), device.slice(ranges, selected - ranges), segments, maxRows);
    }

    /// What the tokens of a segment are sampled from besides logits.
    ///
    /// @param request how
    /// @param committed `[1] int`, slots before the segment
    /// @param tree empty for a chain
    record Sampled(DeviceSlice request, DeviceSlice tokens, DeviceSlice positions, DeviceSlice committed, Optional<TreePaths> tree,
            Rows rows) {}

    /// The rows of a segment, which it samples all.
    ///
    /// @param firstRow of the pass
    /// @param paths of all rows of the pass, if this is a tree
    /// @param maxRows most rows of the segment
    Sampled sampled(int index, int firstRow, Optional<TreePaths> paths, int maxRows) {
        long at = SEGMENT + index * SEGMENT_BYTES;
        long rows = 4L * (limits.rows() - firstRow);
        return new Sampled(
                device.slice(requests + (long) index * VerificationKernels.REQUEST_BYTES, VerificationKernels.REQUEST_BYTES),
                device.slice(tokens + 4L * firstRow, rows), device.slice(positions + 4L * firstRow, rows),
                device.slice(at + Segments.COMMITTED, 4), paths.map(all -> all.from(firstRow)),
                new Rows(device.slice(at + Segments.ROWS, 4), maxRows));
    }

    DeviceSlice tokens() {
        return device.slice(tokens, positions - tokens);
    }

    DeviceSlice positions() {
        return device.slice(positions, rowSegments - positions);
    }

    DeviceSlice selected() {
        return device.slice(selected, 4L * selectedRows);
    }

    DeviceSlice masks() {
        return device.slice(masks, device.byteSize() - masks);
    }

    @Override
    public void close() {
        owned.close();
    }
}
