package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Work being recorded as a graph, in one stream or in several that joined.
final class Capture {
    final SimulatedStream origin;
    /// That began it, and is refused what cannot be recorded; others may do it meanwhile.
    final Thread thread = Thread.currentThread();
    /// In the order it came, in which it will also run.
    final List<Work> nodes = new ArrayList<>();
    final Set<SimulatedStream> streams = new HashSet<>();
    /// Streams whose work nobody has waited for since.
    final Set<SimulatedStream> unjoined = new HashSet<>();
    boolean invalidated;

    Capture(SimulatedStream origin) {
        this.origin = origin;
        streams.add(origin);
    }

    void add(SimulatedStream stream, Work work) {
        nodes.add(work);
        if (stream != origin) {
            unjoined.add(stream);
        }
    }
}
