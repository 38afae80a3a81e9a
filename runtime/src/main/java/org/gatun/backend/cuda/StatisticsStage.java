package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.SamplingKernels;
import org.gatun.sampling.RowStatistics;

/// Row statistics on the device: one launch behind the graph of a pass, and one copy of what it found. Owns the buffers of that.
final class StatisticsStage implements AutoCloseable {
    private static final int ALIGNMENT = 16;

    private final KernelLibrary library;
    private final int maxRows;
    private final int vocabulary;
    private final StepBlock block;
    private final DeviceSlice logits;
    private final DeviceResources owned = new DeviceResources();
    private final PinnedBuffer columns;
    private final DeviceBuffer columnsOnDevice;
    private final DeviceBuffer arrived;
    private final DeviceBuffer lists;
    private final DeviceBuffer parts;
    private final DeviceBuffer found;
    private final PinnedBuffer result;
    private final KernelLaunch[] launches = new KernelLaunch[Integer.SIZE]; // by the logarithm of the rows
    private RowStatistics launchesOf; // whose size they have
    private int rows;

    /// @param logits `[maxRows, vocabulary] f32`
    StatisticsStage(CudaContext context, KernelLibrary library, int maxRows, int vocabulary, StepBlock block, DeviceSlice logits) {
        this.library = library;
        this.maxRows = maxRows;
        this.vocabulary = vocabulary;
        this.block = block;
        this.logits = logits;
        try {
            columns = owned.add(context.allocatePinned((long) Integer.BYTES * RowStatistics.MAX_COLUMNS));
            columnsOnDevice = owned.add(context.allocate(columns.memory().byteSize()));
            arrived = owned.add(context.allocateFrom(MemorySegment.ofArray(new int[maxRows])));
            lists = owned.add(context.allocate(SamplingKernels.listBytes(maxRows, vocabulary)));
            parts = owned.add(context.allocate(SamplingKernels.partBytes(maxRows, vocabulary)));
            long bytes = offset(4, RowStatistics.MAX_LARGEST, RowStatistics.MAX_COLUMNS);
            found = owned.add(context.allocate(bytes));
            result = owned.add(context.allocatePinned(bytes));
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    /// Where a part of the result begins: sums, tokens, logits, chosen logits, and the end.
    private long offset(int part, int kept, int chosen) {
        long[] widths = {2, kept, kept, chosen};
        long offset = 0;
        for (int i = 0; i < part; i++) {
            offset = Math.ceilDiv(offset + maxRows * widths[i] * Integer.BYTES, ALIGNMENT) * (long) ALIGNMENT;
        }
        return offset;
    }

    /// Queues the statistics of the pass that was queued; those before must be read.
    ///
    /// @param count rows with logits
    void queue(RowStatistics statistics, int count, CudaStream stream) {
        int index = Integer.SIZE - Integer.numberOfLeadingZeros(count - 1);
        begin(statistics, count, stream);
        if (launches[index] == null) {
            int most = Math.min(1 << index, maxRows);
            launches[index] = launch(statistics, logits, block.selectedRows(most));
        }
        end(launches[index], stream);
    }

    /// Queues the statistics of a segment of the pass that was queued; those before must be read.
    ///
    /// @param first row of logits
    /// @param ofSegment rows with logits
    void queue(RowStatistics statistics, int first, Rows ofSegment, CudaStream stream) {
        begin(statistics, ofSegment.max(), stream);
        long offset = (long) first * vocabulary * Float.BYTES;
        end(launch(statistics, logits.slice(offset, logits.byteSize() - offset), ofSegment), stream);
    }

    private void begin(RowStatistics statistics, int count, CudaStream stream) {
        if (launchesOf != statistics) {
            Arrays.fill(launches, null);
            launchesOf = statistics;
            for (int i = 0; i < statistics.columns(); i++) {
                columns.memory().setAtIndex(ValueLayout.JAVA_INT, i, statistics.columnToken(i));
            }
            stream.copyToDevice(columnsOnDevice, 0, columns.memory());
        }
        rows = count;
    }

    private void end(KernelLaunch launch, CudaStream stream) {
        launch.on(stream);
        stream.copyToHost(result.memory(), found, 0);
    }

    private KernelLaunch launch(RowStatistics statistics, DeviceSlice of, Rows count) {
        int kept = kept(statistics);
        DeviceSlice[] at = new DeviceSlice[4];
        Arrays.setAll(at, i -> found.slice(offset(i, kept, statistics.columns()), found.byteSize() - offset(i, kept, statistics.columns())));
        return SamplingKernels.rowStatistics(library, at[1], at[2], at[0], at[3], arrived.slice(), lists.slice(), parts.slice(), of,
                columnsOnDevice.slice(), count, vocabulary, kept, statistics.columns());
    }

    private int kept(RowStatistics statistics) {
        return Math.min(statistics.largest(), vocabulary);
    }

    /// Hands over what was found, when the pass is done.
    void read(RowStatistics statistics) {
        int kept = kept(statistics);
        int chosen = statistics.columns();
        MemorySegment memory = result.memory();
        statistics.take(rows, kept, memory, offset(1, kept, chosen), offset(2, kept, chosen), offset(0, kept, chosen), offset(3, kept, chosen));
    }

    @Override
    public void close() {
        owned.close();
    }
}
