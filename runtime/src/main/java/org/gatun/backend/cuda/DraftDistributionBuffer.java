package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.backend.DraftDistributions;
import org.gatun.backend.Segment;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.TokenDistribution;

/// What was sampled in a pass, on the device: its samples and the distributions they were sampled from, each distribution as the tokens
/// that are possible. One copy brings there as much as there is, in whole pages. Also the memory in which the device keeps what is left of
/// the target's distribution.
final class DraftDistributionBuffer implements AutoCloseable {
    private static final int MIN_PAGES = 16;
    private static final int PAGE = 1 << 12;

    private final CudaContext context;
    private final int vocabulary;
    private final int[] distributions; // [rows] where a parent's distribution begins, counted in 64 bits
    private final DeviceBuffer left;
    private PinnedBuffer host;
    private DeviceBuffer device;
    private MemorySegment[] parts; // the first page of the host's, the first two and so on, each made when first copied
    private long size;

    DraftDistributionBuffer(CudaContext context, int rows, int vocabulary) {
        this.context = context;
        this.vocabulary = vocabulary;
        distributions = new int[rows];
        left = context.allocate(VerificationKernels.leftBytes(vocabulary));
        try {
            allocate(MIN_PAGES);
        } catch (Throwable e) {
            left.close();
            throw e;
        }
    }

    private void allocate(int pages) {
        long bytes = (long) pages * PAGE;
        PinnedBuffer larger = context.allocatePinned(bytes);
        try {
            device = context.allocate(bytes);
        } catch (Throwable e) {
            larger.close();
            throw e;
        }
        host = larger;
        parts = new MemorySegment[pages];
    }

    /// Makes room for what was sampled in a pass; the passes before must be done.
    ///
    /// @return whether the samples are in another place from now on
    /// @throws IllegalArgumentException if a distribution is not over the vocabulary
    boolean grow(DraftDistributions draftDistributions) {
        draftDistributions.requireVocabulary(vocabulary);
        size = distributionsAt(draftDistributions);
        for (int sample = 0; sample < draftDistributions.count(); sample++) {
            if (isFirst(draftDistributions, sample)) {
                size += (long) Long.BYTES * draftDistributions.distribution(draftDistributions.parent(sample)).size();
            }
        }
        if (size <= host.byteSize()) {
            return false;
        }
        PinnedBuffer smallerHost = host;
        DeviceBuffer smallerDevice = device;
        allocate(Math.max(Math.toIntExact(Math.ceilDiv(size, PAGE)), 2 * parts.length));
        smallerHost.close();
        smallerDevice.close();
        return true;
    }

    private static long distributionsAt(DraftDistributions draftDistributions) {
        return VerificationKernels.DISTRIBUTIONS_HEAD + draftDistributions.count() * VerificationKernels.SAMPLED_DRAFT.byteSize();
    }

    private static boolean isFirst(DraftDistributions draftDistributions, int sample) {
        return draftDistributions.next(draftDistributions.parent(sample), 0) == sample;
    }

    /// Takes what was sampled in a pass, for which there must be room; the pass before must be done.
    void write(Segment segment) {
        DraftDistributions draftDistributions = segment.draftDistributions();
        MemorySegment memory = host.memory();
        memory.set(ValueLayout.JAVA_INT, 0, draftDistributions.count());
        long end = distributionsAt(draftDistributions);
        for (int sample = 0; sample < draftDistributions.count(); sample++) {
            int parent = draftDistributions.parent(sample);
            TokenDistribution distribution = draftDistributions.distribution(parent);
            if (isFirst(draftDistributions, sample)) {
                distributions[parent] = Math.toIntExact(end / Long.BYTES);
                distribution.write(memory, end);
                end += (long) Long.BYTES * distribution.size();
            }
            int row = draftDistributions.row(sample);
            VerificationKernels.writeSampledDraft(memory,
                    VerificationKernels.DISTRIBUTIONS_HEAD + sample * VerificationKernels.SAMPLED_DRAFT.byteSize(), parent, row,
                    distribution.weight(segment.token(row)), distribution.mass(), distributions[parent], distribution.size(),
                    draftDistributions.sampling(parent) == ProposalSampling.WITHOUT_REPLACEMENT);
        }
    }

    /// Queues the copy to the device of what was written.
    void upload(CudaStream stream) {
        int last = (int) ((size - 1) / PAGE);
        if (parts[last] == null) {
            parts[last] = host.memory().asSlice(0, (last + 1L) * PAGE);
        }
        stream.copyToDevice(device, 0, parts[last]);
    }

    /// Where the samples are.
    DeviceSlice slice() {
        return device.slice();
    }

    DeviceSlice left() {
        return left.slice();
    }

    @Override
    public void close() {
        host.close();
        device.close();
        left.close();
    }
}
