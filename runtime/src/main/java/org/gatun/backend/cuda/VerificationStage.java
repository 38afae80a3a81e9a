package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
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
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.cuda.kernels.VerificationKernels.VerificationSlots;

/// What happens to the logits of a pass whose tokens are sampled: bias, penalties and masks, sampling, and the walk through the tree. Owns
/// the buffers of that, of which some are made when first needed.
final class VerificationStage implements AutoCloseable {
    private final CudaContext context;
    private final KernelLibrary library;
    private final VerificationKernels.Team team;
    private final int maxRows;
    private final int vocabulary;
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
    VerificationStage(CudaContext context, KernelLibrary library, BatchLimits limits, int vocabulary) {
        this.context = context;
        this.library = library;
        team = VerificationKernels.Team.of(library, vocabulary);
        this.vocabulary = vocabulary;
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
    /// @param hasLists whether the request has lists
    void sample(List<KernelLaunch> launches, DeviceSlice logits, StepBlock.Sampled of, boolean hasLists) {
        if (hasLists) {
            launches.add(VerificationKernels.adjust(library, adjusted.slice(), logits, of.request(), lists.slice(), of.tokens(),
                    of.positions(), of.tree(), of.rows(), vocabulary));
        }
        launches.add(VerificationKernels.sample(library, team, ids.slice(), margins.slice(), truncations.slice(),
                sampled(logits, hasLists), of.request(), of.tokens(), of.positions(), of.tree(), of.rows(), vocabulary));
    }

    private VerificationKernels.Logits sampled(DeviceSlice logits, boolean hasLists) {
        return new VerificationKernels.Logits(hasLists ? adjusted.slice() : logits, hasLists);
    }

    /// The walk by the tokens sampled.
    ///
    /// @param found where it leaves what it found
    KernelLaunch walk(VerificationSlots found, StepBlock.Sampled of) {
        return VerificationKernels.walk(library, found, ids.slice(), margins.slice(), of.tokens(), of.tree(), of.committed(), of.rows());
    }

    /// The walk where rows were sampled.
    KernelLaunch rejectionSampling(VerificationSlots found, DeviceSlice logits, StepBlock.Sampled of, boolean hasLists) {
        return VerificationKernels.rejectionSampling(library, team, found, ids.slice(), margins.slice(), truncations.slice(),
                sampled(logits, hasLists), of.request(), of.tokens(), of.positions(), of.tree(), of.committed(), of.rows(),
                draftDistributions.slice(), draftDistributions.left(), vocabulary);
    }

    /// Makes of a pass of one row the next one.
    KernelLaunch advance(StepBlock.Sampled of, boolean hasLists) {
        return VerificationKernels.advance(library, slots, ids.slice(), margins.slice(), of.request(),
                hasLists ? Optional.of(lists.slice()) : Optional.empty(), of.tokens(), of.positions(), of.committed());
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
        read(verification, rows, slots, result.memory(), 0);
    }

    /// What a walk found, from a copy of its slots.
    ///
    /// @param rows of the segment
    /// @param at where in `memory` the copy is
    static void read(VerificationResult verification, int rows, VerificationSlots slots, MemorySegment memory, long at) {
        int accepted = Objects.checkIndex(memory.get(ValueLayout.JAVA_INT, at), rows);
        verification.clear();
        for (int i = 0; i <= accepted; i++) {
            verification.setToken(memory.get(ValueLayout.JAVA_INT, at + slots.token(i)),
                    memory.get(ValueLayout.JAVA_FLOAT, at + slots.margin(i)));
            if (i < accepted) {
                verification.accept(memory.get(ValueLayout.JAVA_INT, at + slots.row(i)));
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
