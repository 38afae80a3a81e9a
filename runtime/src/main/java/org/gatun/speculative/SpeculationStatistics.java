package org.gatun.speculative;

import java.util.ArrayList;
import java.util.List;

/// What a decoding cost and what speculation gave; one record for every method.
///
/// @param emitted tokens emitted
/// @param targetPasses passes of the target, prompt passes not counted
/// @param drafted tokens proposed
/// @param depths what became of proposals at depth 1, 2 and so on of the tree, as deep as any was tested
/// @param draftNanos time in the drafter
/// @param verifyNanos time in target passes and verification, from launch to result
/// @param draftAheadNanos the part of it in which the drafter worked as well: what hides under the pass where that runs beside the host
public record SpeculationStatistics(
        long emitted, long targetPasses, long drafted, List<Depth> depths, long draftNanos, long verifyNanos,
        long draftAheadNanos) {

    /// Before the first step.
    public static final SpeculationStatistics NONE = new SpeculationStatistics(0, 0, 0, List.of(), 0, 0, 0);

    /// How proposals fared at one depth.
    ///
    /// @param tested passes in which everything above was accepted and something was proposed here
    /// @param accepted those in which it was accepted
    public record Depth(long tested, long accepted) {

        /// Accepted over tested; 0 if nothing was tested.
        public double rate() {
            return tested == 0 ? 0 : (double) accepted / tested;
        }
    }

    public SpeculationStatistics {
        depths = List.copyOf(depths);
    }

    /// Tokens proposed and kept.
    public long accepted() {
        return depths.stream().mapToLong(Depth::accepted).sum();
    }

    /// Tokens emitted per target pass, the recovered or bonus token included; 0 before the first pass.
    public double meanAcceptedLength() {
        return targetPasses == 0 ? 0 : (double) emitted / targetPasses;
    }

    /// Accepted over drafted; 0 if nothing was drafted.
    public double acceptanceRate() {
        return drafted == 0 ? 0 : (double) accepted() / drafted;
    }

    /// Rows of a target pass, the root included, on average; 0 before the first pass.
    public double meanRows() {
        return targetPasses == 0 ? 0 : 1 + (double) drafted / targetPasses;
    }

    /// Both together.
    public SpeculationStatistics plus(SpeculationStatistics other) {
        List<Depth> sums = new ArrayList<>();
        for (int depth = 0; depth < Math.max(depths.size(), other.depths.size()); depth++) {
            Depth mine = depth < depths.size() ? depths.get(depth) : new Depth(0, 0);
            Depth theirs = depth < other.depths.size() ? other.depths.get(depth) : new Depth(0, 0);
            sums.add(new Depth(mine.tested + theirs.tested, mine.accepted + theirs.accepted));
        }
        return new SpeculationStatistics(emitted + other.emitted, targetPasses + other.targetPasses, drafted + other.drafted, sums,
                draftNanos + other.draftNanos, verifyNanos + other.verifyNanos, draftAheadNanos + other.draftAheadNanos);
    }
}
