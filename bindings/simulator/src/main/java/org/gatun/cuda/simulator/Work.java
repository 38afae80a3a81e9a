package org.gatun.cuda.simulator;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.gatun.cuda.LaunchConfiguration;

/// Something queued in a stream, or recorded in a graph.
sealed interface Work {
    /// @param parameters the arguments, copied when it was queued
    record Launch(Kernel kernel, LaunchConfiguration configuration, byte[] parameters) implements Work {}

    record CopyToDevice(long target, MemorySegment source) implements Work {}

    record CopyToHost(MemorySegment target, long source) implements Work {}

    record CopyOnDevice(long target, long source, long bytes) implements Work {}

    /// @param width of the value in bytes, 1 or 4
    record Fill(long target, int value, int width, long count) implements Work {}

    record FreeMemory(long address) implements Work {}

    record RecordEvent(SimulatedEvent event, SimulatedEvent.Record entry) implements Work {}

    /// @param entry that must be done before
    record AwaitEvent(SimulatedEvent.Record entry) implements Work {}

    record Graph(List<Work> nodes) implements Work {}

    /// Whether a graph may take the parameters of the other instead of its own.
    static boolean sameShape(Work one, Work other) {
        return one instanceof Launch(Kernel a, _, _) && other instanceof Launch(Kernel b, _, _) ? a == b
                : one.getClass() == other.getClass() && !(one instanceof Launch);
    }
}
