package org.gatun.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.KvLayout;
import org.gatun.backend.Segment;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaGraph;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.VerificationKernels.VerificationSlots;

/// What passes of several segments have besides what those of one have: a step block with room for all of them, graphs from tokens to
/// logits, and behind these for each segment the launches that sample and walk.
final class ManySegments implements AutoCloseable {
    private final BatchLimits limits;
    private final PassLaunches launches;
    private final AttachedPages pages;
    private final AttentionScratch scratch;
    private final VerificationStage verification;
    private final DeviceResources owned = new DeviceResources();
    private final StepBlock block;
    private final TreePaths paths;
    private final DeviceBuffer found;
    private final PinnedBuffer foundOnHost;
    private final CapturedGraphs graphs = new CapturedGraphs(4 * Integer.SIZE * Integer.SIZE);
    private int rows;
    private int maxSegmentRows;
    private boolean hasTrees;
    private boolean hasLogits;

    ManySegments(CudaContext context, BatchLimits limits, PassLaunches launches, AttachedPages pages, AttentionScratch scratch,
            VerificationStage verification) {
        this.limits = limits;
        this.launches = launches;
        this.pages = pages;
        this.scratch = scratch;
        this.verification = verification;
        try {
            block = owned.add(StepBlock.ofMany(context, limits));
            paths = new TreePaths(owned.add(context.allocate((long) limits.rows() * limits.treeRows() * Integer.BYTES)).slice(),
                    owned.add(context.allocate((long) limits.rows() * Integer.BYTES)).slice(), limits.treeRows());
            long foundBytes = limits.segments() * VerificationSlots.byteSize(limits.treeRows());
            found = owned.add(context.allocate(foundBytes));
            foundOnHost = owned.add(context.allocatePinned(foundBytes));
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    /// Whether one pass has room for all rows, those of an extended tree that are run again too, and all keys are stored alike.
    static boolean fit(Batch batch, BatchLimits limits) {
        int all = 0;
        KvLayout layout = batch.pages(0).pool().layout();
        for (int i = 0; i < batch.size(); i++) {
            all += batch.segment(i).rows();
            if (!layout.equals(batch.pages(i).pool().layout())) {
                return false;
            }
        }
        return all <= limits.rows();
    }

    /// Slots of the largest page table of a batch.
    static int slots(Batch batch) {
        int slots = 0;
        for (int i = 0; i < batch.size(); i++) {
            slots = Math.max(slots, batch.pages(i).slots());
        }
        return slots;
    }

    /// Takes a batch whose pages are reserved; the passes before must be done. Gives the number of its rows.
    int write(Batch batch) {
        rows = 0;
        maxSegmentRows = 1;
        hasTrees = false;
        int selected = 0;
        for (int i = 0; i < batch.size(); i++) {
            Segment segment = batch.segment(i);
            block.write(i, segment, ((CudaKvMemory.Addresses) batch.pages(i).list()).address(), rows, selected);
            rows += segment.rows();
            selected += segment.selectedRows();
            maxSegmentRows = Math.max(maxSegmentRows, segment.rows());
            hasTrees |= Bucket.isTree(segment);
        }
        hasLogits = selected > 0;
        block.finish(batch.size(), rows);
        return rows;
    }

    /// The graph of the batch that was written.
    ///
    /// @param forgetGraphs is run if what they know is moved
    CudaGraph graph(CudaStream stream, Runnable forgetGraphs) {
        int index = 4 * (Integer.SIZE * Bucket.logarithm(rows) + Bucket.logarithm(maxSegmentRows)) + (hasTrees ? 2 : 0) + (hasLogits ? 1 : 0);
        return graphs.get(index) != null ? graphs.get(index) : graphs.keep(index, capture(stream, forgetGraphs));
    }

    private CudaGraph capture(CudaStream stream, Runnable forgetGraphs) {
        int maxRows = Math.min(1 << Bucket.logarithm(rows), limits.rows());
        int segmentRows = Math.min(1 << Bucket.logarithm(maxSegmentRows), limits.rows());
        scratch.grow(maxRows, limits.segments(), segmentRows, hasTrees, pages, stream, forgetGraphs);
        List<KernelLaunch> queue = new ArrayList<>();
        launches.forward(queue, new PassLaunches.Place(block, hasTrees ? Optional.of(paths) : Optional.empty(), segmentRows), maxRows,
                Math.min(maxRows, Math.max(limits.treeRows(), limits.logitsRows())), hasLogits);
        return stream.capture(() -> {
            block.upload(stream);
            queue.forEach(launch -> launch.on(stream));
        });
    }

    /// Samples and walks segment by segment behind their pass, and waits for what is found.
    ///
    /// @param writeMore writes what a segment brings besides the step block
    void verify(Batch batch, CudaStream stream, Consumer<Segment> writeMore) {
        int row = 0;
        for (int i = 0; i < batch.size(); i++) {
            Segment segment = batch.segment(i);
            if (segment.samples()) {
                if (VerificationStage.hasMore(segment)) {
                    stream.synchronize(); // the segment before may still read its own
                    writeMore.accept(segment);
                    verification.upload(segment, stream);
                }
                queueVerification(batch, i, row, stream);
            }
            row += segment.rows();
        }
        stream.copyToHost(foundOnHost.memory(), found, 0);
        stream.synchronize();
        for (int i = 0; i < batch.size(); i++) {
            if (batch.segment(i).samples()) {
                VerificationStage.read(batch.result(i), batch.segment(i).rows(), slots(i), foundOnHost.memory(),
                        i * VerificationSlots.byteSize(limits.treeRows()));
            }
        }
    }

    private void queueVerification(Batch batch, int index, int row, CudaStream stream) {
        Segment segment = batch.segment(index);
        DeviceSlice logits = launches.logits();
        long rowBytes = logits.byteSize() / Math.max(limits.treeRows(), limits.logitsRows());
        List<KernelLaunch> queue = new ArrayList<>();
        launches.verification(queue, slots(index), logits.slice(batch.firstLogits(index) * rowBytes, segment.rows() * rowBytes),
                block.sampled(index, row, Bucket.isTree(segment) ? Optional.of(paths) : Optional.empty(), segment.rows()),
                segment.draftDistributions() != null, Bucket.hasLists(segment), pages.firstLayer(batch.pages(index)));
        queue.forEach(launch -> launch.on(stream));
    }

    private VerificationSlots slots(int index) {
        long bytes = VerificationSlots.byteSize(limits.treeRows());
        return new VerificationSlots(found.slice().slice(index * bytes, bytes), limits.treeRows());
    }

    /// Gives the statistics that segments ask for.
    ///
    /// @param stage made when first asked for
    void describe(Batch batch, CudaStream stream, Supplier<StatisticsStage> stage) {
        for (int i = 0; i < batch.size(); i++) {
            Segment segment = batch.segment(i);
            if (segment.statistics() != null && segment.selectedRows() > 0) {
                StatisticsStage statistics = stage.get();
                statistics.queue(segment.statistics(), batch.firstLogits(i), block.selectedRowsOf(i, segment.selectedRows()), stream);
                stream.synchronize();
                statistics.read(segment.statistics());
            }
        }
    }

    /// Closes all graphs; no pass may run.
    void forgetGraphs() {
        graphs.forget();
    }

    @Override
    public void close() {
        forgetGraphs();
        owned.close();
    }
}
