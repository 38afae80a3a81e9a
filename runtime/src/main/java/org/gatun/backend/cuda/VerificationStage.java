package org.gatun.backend.cuda;

import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.SampledTokens;
import org.gatun.backend.Segment;
import org.gatun.backend.VerificationResult;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.cuda.kernels.VerificationKernels.VerificationSlots;

/// What happens to the logits of a pass whose tokens are sampled: bias, penalties and masks, sampling, and the walk through the tree. Owns
/// the buffers of that, of which some are made when first needed.
final class VerificationStage implements AutoCloseable {
    private final CudaContext context;
    private final KernelLibrary library;
    private final int maxRows;
    private final int vocabulary;
    private final StepBlock block;
    private final DeviceResources owned = new DeviceResources();
    private final DeviceBuffer ids;
    private final DeviceBuffer margins;
    private final DeviceBuffer truncations;
    private final VerificationSlots slots;
    private final PinnedBuffer result;
    private DraftDistributionBuffer draftDistributions; // made when rows were first sampled
    private UploadBuffer lists;                         // made when a request first had any
    private DeviceBuffer adjusted;                      // likewise

    /// @param vocabulary width of a row of logits
    /// @param block of the passes
    VerificationStage(CudaContext context, KernelLibrary library, BatchLimits limits, int vocabulary, StepBlock block) {
        this.context = context;
        this.library = library;
        this.vocabulary = vocabulary;
        this.block = block;
        maxRows = limits.treeRows();
        try {
            ids = owned.add(context.allocate((long) maxRows * Integer.BYTES));
            margins = owned.add(context.allocate((long) maxRows * Float.BYTES));
            truncations = owned.add(context.allocate((long) maxRows * VerificationKernels.TRUNCATION_BYTES));
            slots = new VerificationSlots(owned.add(context.allocate(VerificationSlots.byteSize(maxRows))).slice(), maxRows);
            result = owned.add(context.allocatePinned(slots.hostBytes()));
            result.memory().fill((byte) 0);
        } catch (Throwable e) {
            owned.close();
            throw e;
        }
    }

    /// Whether a segment brings more than the step block holds.
    static boolean hasMore(Segment segment) {
        return segment.samples() && (segment.request().hasLists() || segment.draftDistributions() != null);
    }

    /// Writes what a segment brings besides the step block, before that is written; the passes before must be done.
    ///
    /// @return whether launches made before know too small a buffer
    /// @throws IllegalArgumentException if a distribution is not over the vocabulary
    boolean write(Segment segment) {
        boolean moved = false;
        if (segment.request().hasLists()) {
            if (adjusted == null) {
                adjusted = owned.add(context.allocate((long) maxRows * vocabulary * Float.BYTES));
                lists = owned.add(new UploadBuffer(context));
            }
            moved = lists.grow(Integer.BYTES * segment.request().listInts(segment.rows(), maxRows));
            segment.request().writeLists(lists.host(), 0, segment.rows());
        }
        if (segment.draftDistributions() != null) {
            if (draftDistributions == null) {
                draftDistributions = owned.add(new DraftDistributionBuffer(context, maxRows, vocabulary));
            }
            moved |= draftDistributions.grow(segment.draftDistributions());
            draftDistributions.write(segment);
        }
        return moved;
    }

    /// Queues the copies of what was written.
    void upload(Segment segment, CudaStream stream) {
        if (segment.request().hasLists()) {
            lists.upload(stream);
        }
        if (segment.draftDistributions() != null) {
            draftDistributions.upload(stream);
        }
    }

    /// Samples a token after each row.
    ///
    /// @param logits `[rows, vocabulary] f32`
    /// @param tree empty for a chain
    /// @param hasLists whether the request has lists
    void sample(List<KernelLaunch> launches, DeviceSlice logits, Optional<TreePaths> tree, Rows rows, boolean hasLists) {
        if (hasLists) {
            launches.add(VerificationKernels.adjust(library, adjusted.slice(), logits, block.request(), lists.slice(), block.tokens(),
                    block.positions(), tree, rows, vocabulary));
        }
        launches.add(VerificationKernels.sample(library, ids.slice(), margins.slice(), truncations.slice(),
                sampled(logits, hasLists), block.request(), block.tokens(), block.positions(), tree, rows, vocabulary));
    }

    private VerificationKernels.Logits sampled(DeviceSlice logits, boolean hasLists) {
        return new VerificationKernels.Logits(hasLists ? adjusted.slice() : logits, hasLists);
    }

    /// The walk by the tokens sampled.
    KernelLaunch walk(Optional<TreePaths> tree, Rows rows) {
        return VerificationKernels.walk(library, slots, ids.slice(), margins.slice(), block.tokens(), tree, block.committed(), rows);
    }

    /// The walk where rows were sampled.
    KernelLaunch rejectionSampling(DeviceSlice logits, Optional<TreePaths> tree, Rows rows, boolean hasLists) {
        return VerificationKernels.rejectionSampling(library, slots, ids.slice(), margins.slice(), truncations.slice(),
                sampled(logits, hasLists), block.request(), block.tokens(), block.positions(), tree, block.committed(), rows,
                draftDistributions.slice(), draftDistributions.left(), vocabulary);
    }

    /// Makes of a pass of one row the next one.
    KernelLaunch advance(boolean hasLists) {
        return VerificationKernels.advance(library, slots, ids.slice(), margins.slice(), block.request(),
                hasLists ? Optional.of(lists.slice()) : Optional.empty(), block.tokens(), block.positions(), block.committed());
    }

    /// Where walks leave what they found.
    VerificationSlots slots() {
        return slots;
    }

    /// Begins a chain: nothing is sampled yet.
    void clear(CudaStream stream) {
        stream.fillWords(slots.slice().buffer(), 0, 1, 0);
    }

    /// Queues the copy to the host of what was found.
    void download(CudaStream stream) {
        stream.copyToHost(result.memory(), slots.slice().buffer(), 0);
    }

    /// What a walk found, when it is done.
    ///
    /// @param rows of the segment
    void read(VerificationResult verification, int rows) {
        int accepted = Objects.checkIndex(result.memory().get(ValueLayout.JAVA_INT, 0), rows);
        verification.clear();
        for (int i = 0; i <= accepted; i++) {
            verification.setToken(token(i), margin(i));
            if (i < accepted) {
                verification.accept(result.memory().get(ValueLayout.JAVA_INT, slots.row(i)));
            }
        }
    }

    /// The tokens of a chain, up to the first that is not ahead by a margin.
    void read(SampledTokens sampled, int count, float margin) {
        sampled.clear();
        do {
            sampled.add(token(sampled.count()), margin(sampled.count()));
        } while (sampled.count() < count && sampled.margin(sampled.count() - 1) >= margin);
    }

    private int token(int index) {
        return result.memory().get(ValueLayout.JAVA_INT, slots.token(index));
    }

    private float margin(int index) {
        return result.memory().get(ValueLayout.JAVA_FLOAT, slots.margin(index));
    }

    @Override
    public void close() {
        owned.close();
    }
}
