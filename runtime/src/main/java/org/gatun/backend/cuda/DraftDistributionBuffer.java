package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.backend.DraftDistributions;
import org.gatun.backend.Segment;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.TokenDistribution;

/// What was sampled in a pass, on the device: its samples and the distributions they were sampled from, each distribution as the tokens
/// that are possible. One copy brings there as much as there is, in whole pages. Also the memory in which the device keeps what is left of
/// the target's distribution.
final class DraftDistributionBuffer implements AutoCloseable {
    private final int vocabulary;
    private final int[] distributions; // [rows] where a parent's distribution begins, counted in 64 bits
    private final DeviceBuffer left;
    private final UploadBuffer samples;

    DraftDistributionBuffer(CudaContext context, int rows, int vocabulary) {
        this.vocabulary = vocabulary;
        distributions = new int[rows];
        left = context.allocate(VerificationKernels.leftBytes(vocabulary));
        try {
            samples = new UploadBuffer(context);
        } catch (Throwable e) {
            left.close();
            throw e;
        }
    }

    /// Makes room for what was sampled in a pass; the passes before must be done.
    ///
    /// @return whether the samples are in another place from now on
    /// @throws IllegalArgumentException if a distribution is not over the vocabulary
    boolean grow(DraftDistributions draftDistributions) {
        draftDistributions.requireVocabulary(vocabulary);
        long size = distributionsAt(draftDistributions);
        for (int sample = 0; sample < draftDistributions.count(); sample++) {
            if (isFirst(draftDistributions, sample)) {
                size += (long) Long.BYTES * draftDistributions.distribution(draftDistributions.parent(sample)).size();
            }
        }
        return samples.grow(size);
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
        MemorySegment memory = samples.host();
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
        samples.upload(stream);
    }

    /// Where the samples are.
    DeviceSlice slice() {
        return samples.slice();
    }

    DeviceSlice left() {
        return left.slice();
    }

    @Override
    public void close() {
        samples.close();
        left.close();
    }
}
