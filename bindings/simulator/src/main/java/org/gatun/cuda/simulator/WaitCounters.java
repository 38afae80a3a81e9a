package org.gatun.cuda.simulator;

/// What the warps of a launch waited for, counted. The same launch counts the same every time.
///
/// @param loadRoundTrips to global memory, one after the other, in the longest chain of the launch: loads, atomics with a result and
///     asynchronous copies that are ordered before the first use of any of them are one. Warps take their instructions in order, so a
///     load behind the use of another waits for it even where it does not depend on it; where warps meet at a barrier, the longest chain
///     goes on in all of them
public record WaitCounters(int loadRoundTrips) {
    /// The longer of two launches' or blocks' waits.
    WaitCounters max(WaitCounters other) {
        return new WaitCounters(Math.max(loadRoundTrips, other.loadRoundTrips));
    }
}
