package org.gatun.cuda.simulator;

/// An event: where its stream stood when it was recorded last.
final class SimulatedEvent {
    /// One recording.
    static final class Record {
        final SimulatedStream stream;
        /// Null if it was not recorded into a graph.
        final Capture capture;
        boolean done;
        long nanos;

        Record(SimulatedStream stream, Capture capture) {
            this.stream = stream;
            this.capture = capture;
        }
    }

    final boolean timing;
    /// Null before it is recorded.
    Record last;

    SimulatedEvent(boolean timing) {
        this.timing = timing;
    }
}
