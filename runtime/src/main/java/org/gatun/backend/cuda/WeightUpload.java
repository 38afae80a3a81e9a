package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleConsumer;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaEvent;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.PinnedBuffer;

/// Copies to the device through two pinned buffers: while one is copied, the other is filled from the mapped file.
///
/// Closed by whoever made it, which waits for the last copies.
final class WeightUpload implements AutoCloseable {
    private static final int STAGES = 2;
    /// Of a buffer, unless all that is to come is less.
    private static final long STAGE_BYTES = 8L << 20;

    /// Writes rows into memory of the host, in the type of the device.
    @FunctionalInterface
    interface RowWriter {
        /// @param target `[rows]`, to be filled
        void write(int firstRow, int rows, MemorySegment target);
    }

    private record Stage(PinnedBuffer buffer, CudaEvent copied) {}

    private final CudaContext context;
    private final DoubleConsumer progress;
    private final long totalBytes;
    private final List<Stage> stages = new ArrayList<>(); // the one used longest ago first
    private CudaStream stream;
    private long uploadedBytes;

    /// @param totalBytes of everything that is to come
    /// @param progress is told the part that is copied, from 0 to 1
    WeightUpload(CudaContext context, long totalBytes, DoubleConsumer progress) {
        this.context = context;
        this.totalBytes = totalBytes;
        this.progress = progress;
    }

    /// Queues rows.
    void rows(DeviceBuffer target, long offset, int rows, long rowBytes, RowWriter writer) {
        int max = Math.clamp(STAGE_BYTES / rowBytes, 1, rows);
        for (int row = 0; row < rows; row += max) {
            int count = Math.min(max, rows - row);
            Stage stage = stage(count * rowBytes);
            MemorySegment memory = stage.buffer.memory().asSlice(0, count * rowBytes);
            writer.write(row, count, memory);
            stream.copyToDevice(target, offset + row * rowBytes, memory);
            stream.record(stage.copied);
            uploadedBytes += memory.byteSize();
            progress.accept((double) uploadedBytes / totalBytes);
        }
    }

    /// A buffer whose last copy is done.
    private Stage stage(long bytes) {
        if (stream == null) {
            stream = context.createStream();
        }
        if (stages.size() < STAGES) {
            long usual = Math.min(STAGE_BYTES, totalBytes);
            CudaEvent copied = context.createEvent();
            try {
                stages.add(new Stage(context.allocatePinned(Math.max(bytes, usual)), copied));
            } catch (Throwable e) {
                copied.close();
                throw e;
            }
            return stages.getLast();
        }
        Stage stage = stages.removeFirst();
        stage.copied.synchronize();
        if (stage.buffer.byteSize() < bytes) {
            stage.buffer.close();
            stage = new Stage(context.allocatePinned(bytes), stage.copied);
        }
        stages.add(stage);
        return stage;
    }

    @Override
    public void close() {
        if (stream == null) {
            return;
        }
        try {
            stream.synchronize();
        } finally {
            stages.forEach(stage -> {
                stage.buffer.close();
                stage.copied.close();
            });
            stream.close();
        }
    }
}
