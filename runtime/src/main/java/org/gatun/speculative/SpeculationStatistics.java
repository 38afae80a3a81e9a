package org.gatun.speculative;

/// What a decoding cost and what speculation gave; one record for every method.
///
/// @param emitted tokens emitted
/// @param targetPasses passes of the target, prompt passes not counted
/// @param drafted tokens proposed
/// @param accepted tokens proposed and kept
/// @param draftNanos time in the drafter
/// @param verifyNanos time in target passes and verification
public record SpeculationStatistics(
        long emitted, long targetPasses, long drafted, long accepted, long draftNanos, long verifyNanos) {

    /// Before the first step.
    public static final SpeculationStatistics NONE = new SpeculationStatistics(0, 0, 0, 0, 0, 0);

    /// Tokens emitted per target pass, the recovered or bonus token included; 0 before the first pass.
    public double meanAcceptedLength() {
        return targetPasses == 0 ? 0 : (double) emitted / targetPasses;
    }

    /// Accepted over drafted; 0 if nothing was drafted.
    public double acceptanceRate() {
        return drafted == 0 ? 0 : (double) accepted / drafted;
    }

    /// Both together.
    public SpeculationStatistics plus(SpeculationStatistics other) {
        return new SpeculationStatistics(emitted + other.emitted, targetPasses + other.targetPasses,
                drafted + other.drafted, accepted + other.accepted, draftNanos + other.draftNanos,
                verifyNanos + other.verifyNanos);
    }
}
