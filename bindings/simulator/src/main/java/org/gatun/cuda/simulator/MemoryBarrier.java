package org.gatun.cuda.simulator;

/// A barrier object in shared memory (`mbarrier`): phases that end when enough threads have arrived.
final class MemoryBarrier {
    private final int expected;
    private final int[] arriving;
    private final int[] seen;
    private int pending;
    private long phase;

    MemoryBarrier(int expected, int warps) {
        this.expected = expected;
        pending = expected;
        arriving = new int[warps];
        seen = new int[warps];
    }

    long phase() {
        return phase;
    }

    /// False if more arrive than are expected.
    boolean arrive(SharedMemory shared, int warp, int count) {
        if (count > pending) {
            return false;
        }
        shared.publish(warp, arriving);
        pending -= count;
        if (pending == 0) {
            phase++;
            pending = expected;
            for (int i = 0; i < seen.length; i++) {
                seen[i] = Math.max(seen[i], arriving[i]);
            }
        }
        return true;
    }

    /// Whether a phase has ended; if so the warp has seen what those that arrived did.
    boolean test(SharedMemory shared, int warp, boolean ended) {
        if (ended) {
            shared.learn(warp, seen);
        }
        return ended;
    }
}
