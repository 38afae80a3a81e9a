package org.gatun.backend.cuda;

import org.gatun.backend.AttentionMask;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Segment;

/// Which graph serves a pass.
///
/// @param rows most rows
/// @param tree whether rows attend by paths
/// @param result what is asked for
/// @param lists whether tokens are sampled by a request with lists
record Bucket(int rows, boolean tree, Result result, boolean lists) {
    /// What a pass is asked for besides keys and values.
    enum Result {
        NOTHING, LOGITS, VERIFICATION,
        /// Of rows of which some were sampled.
        VERIFICATION_OF_SAMPLES,
        /// Of a row whose data are on the device already, and then those of the next.
        CHAIN
    }

    static final int KINDS = 4 * Result.values().length;

    static Bucket of(Segment segment, BatchLimits limits) {
        int rows = 1 << logarithm(segment.rows());
        boolean tree = isTree(segment);
        return new Bucket(Math.min(rows, tree ? limits.treeRows() : limits.rows()), tree, result(segment), hasLists(segment));
    }

    static boolean isTree(Segment segment) {
        return switch (segment.mask()) {
            case AttentionMask.Causal _, AttentionMask.Ranges _ -> false;
            case AttentionMask.Tree _ -> true;
        };
    }

    static boolean hasLists(Segment segment) {
        return segment.samples() && segment.request().hasLists();
    }

    static Result result(Segment segment) {
        if (segment.samples()) {
            return segment.draftDistributions() == null ? Result.VERIFICATION : Result.VERIFICATION_OF_SAMPLES;
        }
        return segment.selectedRows() > 0 ? Result.LOGITS : Result.NOTHING;
    }

    /// Number of the graph.
    int index() {
        return index(rows, tree, result, lists);
    }

    static int index(int rows, boolean tree, Result result, boolean lists) {
        return (4 * logarithm(rows) + (tree ? 2 : 0) + (lists ? 1 : 0)) * (KINDS / 4) + result.ordinal();
    }

    /// Of base 2, rounded up.
    static int logarithm(int rows) {
        return Integer.SIZE - Integer.numberOfLeadingZeros(rows - 1);
    }
}
