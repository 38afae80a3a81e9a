package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.List;

/// A barrier object in shared memory (`mbarrier`): phases that end when enough threads have arrived and as many bytes have been copied
/// as were announced.
final class MemoryBarrier {
    /// Bytes that may be announced or copied ahead of each other.
    private static final int MAX_BYTES = (1 << 20) - 1;

    private final int expected;
    private final int[] arriving;
    private final int[] seen;
    private int pending;
    private int bytes;
    private long phase;
    /// What copies wrote that count here, and nobody has waited for.
    private final List<Copied> copied = new ArrayList<>();

    /// Bytes of the barrier's block that a copy has written.
    ///
    /// @param phase of the barrier that the copy counts for
    private record Copied(int address, int byteSize, long phase) {}

    /// @param expected arrivals of a phase
    /// @param warps of the cluster
    MemoryBarrier(int expected, int warps) {
        this.expected = expected;
        pending = expected;
        arriving = new int[warps];
        seen = new int[warps];
    }

    long phase() {
        return phase;
    }

    /// What its phase lacks.
    String awaited() {
        return "%d arrivals and %d bytes".formatted(pending, bytes);
    }

    /// False if more arrive than are expected.
    boolean arrive(Clocks clocks, int warp, int count) {
        if (count > pending) {
            return false;
        }
        clocks.publish(warp, arriving);
        pending -= count;
        endIfComplete();
        return true;
    }

    /// Announces bytes, or takes off those that were copied. False if there are too many.
    boolean count(int more) {
        bytes += more;
        endIfComplete();
        return Math.abs(bytes) <= MAX_BYTES;
    }

    /// A copy to the barrier's block, which counts here.
    boolean copied(int address, int byteSize) {
        copied.add(new Copied(address, byteSize, phase));
        return count(-byteSize);
    }

    /// Whether there are copies nobody has waited for.
    boolean hasCopies() {
        return !copied.isEmpty();
    }

    private void endIfComplete() {
        if (pending == 0 && bytes == 0) {
            phase++;
            pending = expected;
            for (int i = 0; i < seen.length; i++) {
                seen[i] = Math.max(seen[i], arriving[i]);
            }
        }
    }

    /// Whether a phase has ended; if so the warp has seen what those that arrived did, and what was copied. The first to see a copy
    /// stands for who wrote it, as others see what this one does before it waits again.
    boolean test(Ptx.Instruction instruction, BlockRun block, Warp warp, int lane, boolean ended) {
        if (!ended) {
            return false;
        }
        Clocks clocks = block.cluster.clocks;
        clocks.learn(warp.number, seen);
        int before = copied.size();
        for (Copied copy : copied) {
            if (copy.phase < phase) {
                block.shared.arrive(copy.address, copy.byteSize, warp.number, lane);
                clocks.fence(warp.number, 1 << lane); // copies need none: they write as the tensor cores read
            }
        }
        copied.removeIf(copy -> copy.phase < phase);
        if (copied.size() < before) {
            block.cluster.tick(instruction, warp);
            seen[warp.number] = clocks.time() - 1;
        }
        return true;
    }
}
