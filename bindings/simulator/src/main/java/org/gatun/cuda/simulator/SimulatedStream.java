package org.gatun.cuda.simulator;

import java.util.ArrayDeque;
import java.util.Deque;

/// A queue of work. It is done as late as the rules allow, so that what was not waited for is seen to be missing.
final class SimulatedStream {
    final Deque<Work> queue = new ArrayDeque<>();
    /// Null if it is not being captured.
    Capture capture;
}
