package org.gatun.backend;

import java.lang.foreign.Arena;
import org.gatun.sampling.RowStatistics;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingRequest;
import org.gatun.sampling.TokenMasks;

/// What a [Segment] asks to be made of its logits: tokens sampled after its rows, rows tested by the distribution they were sampled from,
/// statistics. Forgotten with each begin; its methods allocate nothing.
final class SegmentSampling {
    private final SamplingRequest request;
    private boolean samples;
    private TokenMasks tokenMasks;
    private DraftDistributions draftDistributions;
    private RowStatistics statistics;

    SegmentSampling(Arena arena) {
        request = new SamplingRequest(arena);
    }

    void forget() {
        samples = false;
        tokenMasks = null;
        draftDistributions = null;
        statistics = null;
    }

    /// Of a segment of which no row is selected yet.
    void sample(Segment segment, Sampling sampling, int[] text, int promptLength) {
        if (segment.mask() instanceof AttentionMask.Ranges) {
            throw new IllegalStateException("sampling after rows that attend to ranges: expected a causal or a tree segment");
        }
        int maxRows = segment.limits().treeRows();
        if (segment.first() > 0 || segment.rows() == 0 || segment.rows() > maxRows || segment.selectedRows() > 0) {
            throw new IllegalStateException("sampling after each of " + segment.rows() + " rows, " + segment.selectedRows()
                    + " selected: expected 1 to " + maxRows + ", none selected");
        }
        for (int row = 0; row < segment.rows(); row++) {
            if (segment.token(row) < 0) {
                throw new IllegalArgumentException("token " + segment.token(row) + " in row " + row
                        + ", after which one is sampled: expected one of the vocabulary");
            }
        }
        samples = true;
        request.set(sampling, text, segment.committed(), promptLength);
        request.restrict(tokenMasks);
    }

    void setTokenMasks(TokenMasks masks) {
        if (samples) {
            throw new IllegalStateException("token masks after the segment samples: expected them before Segment.sample()");
        }
        tokenMasks = masks;
    }

    void setStatistics(RowStatistics statistics) {
        this.statistics = statistics;
    }

    RowStatistics statistics() {
        return statistics;
    }

    void setDraftDistributions(Segment segment, DraftDistributions draftDistributions) {
        for (int sample = 0; sample < draftDistributions.count(); sample++) {
            int row = draftDistributions.row(sample);
            if (row >= segment.rows() || !segment.attendsTo(row, draftDistributions.parent(sample))) {
                throw new IllegalArgumentException("row " + row + " sampled below row " + draftDistributions.parent(sample)
                        + " in a segment of " + segment.rows() + " rows: expected rows that attend to those they were sampled below");
            }
        }
        this.draftDistributions = draftDistributions.count() == 0 ? null : draftDistributions;
    }

    DraftDistributions draftDistributions() {
        return draftDistributions;
    }

    boolean samples() {
        return samples;
    }

    SamplingRequest request() {
        if (!samples) {
            throw new IllegalStateException("a segment that samples no tokens: expected Segment.sample() before it is verified");
        }
        return request;
    }

    void requireFor(int rows, int vocabulary) {
        request().requireFor(rows, vocabulary);
        if (draftDistributions != null) {
            draftDistributions.requireVocabulary(vocabulary);
        }
    }
}
