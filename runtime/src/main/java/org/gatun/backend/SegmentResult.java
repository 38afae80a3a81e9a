package org.gatun.backend;

import java.lang.foreign.MemorySegment;

/// What a pass gave one of its segments: the tokens sampled and the rows accepted, and the logits of the rows that were asked for. Reused
/// from pass to pass.
public final class SegmentResult {
    private final VerificationResult verification;
    private Executable executable;
    private int firstLogits;

    /// @param limits of the segment
    public SegmentResult(BatchLimits limits) {
        verification = new VerificationResult(limits.treeRows());
    }

    /// Looks at a segment of the last pass, which is done. Hot.
    ///
    /// @param executable that ran it
    /// @param batch as it was run
    /// @param index of the segment, which was added with [#verification]
    /// @return this
    /// @throws IllegalArgumentException if it was added with another
    public SegmentResult of(Executable executable, Batch batch, int index) {
        if (batch.result(index) != verification) {
            throw new IllegalArgumentException("segment " + index + " was verified into another result: expected this one's");
        }
        this.executable = executable;
        firstLogits = batch.firstLogits(index);
        return this;
    }

    /// What was sampled and accepted, if the segment samples; a batch is given it with the segment.
    public VerificationResult verification() {
        return verification;
    }

    /// Logits of all selected rows of the batch, `[rows, vocabulary] f32`, those of this segment from row [#firstLogits] on; overwritten by
    /// the executable's next pass.
    public MemorySegment logits() {
        return executable.logits();
    }

    /// Number of the segment's first selected row among those of the batch.
    public int firstLogits() {
        return firstLogits;
    }
}
