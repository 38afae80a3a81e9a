package org.gatun.cuda.simulator;

import java.util.ArrayDeque;
import java.util.Arrays;

/// The longest chain of round trips to global memory in what a cluster did.
///
/// Time is counted in round trips: a load takes one, all else takes none. Each warp takes its instructions in order, and waits where one
/// reads a register that a load has yet to write.
final class LoadChain {
    private final ClusterTrace trace;
    private final Warp[] warps;
    /// By meeting: the time of the last to come, and how many have yet to.
    private final int[] times;
    private final int[] missing;

    private LoadChain(ClusterTrace trace) {
        this.trace = trace;
        missing = trace.arrivals();
        times = new int[missing.length];
        warps = new Warp[trace.warps.length];
        Arrays.setAll(warps, i -> new Warp(trace.warps[i]));
    }

    /// Its length.
    static int length(ClusterTrace trace) {
        return new LoadChain(trace).run();
    }

    private int run() {
        for (boolean moved = true; moved;) {
            moved = false;
            for (Warp warp : warps) {
                moved |= warp.run();
            }
        }
        int longest = 0;
        for (Warp warp : warps) {
            longest = Math.max(longest, warp.time);
        }
        return longest;
    }

    private final class Warp {
        private final ClusterTrace.WarpTrace trace;
        private final int[] ready;
        private final ArrayDeque<Integer> groups = new ArrayDeque<>();
        private int copies;
        private int time;
        private int at;

        Warp(ClusterTrace.WarpTrace trace) {
            this.trace = trace;
            ready = new int[LoadChain.this.trace.kernel.kernel.registerKinds().length];
        }

        /// Goes on until it waits for others; false if it does already.
        boolean run() {
            int before = at;
            while (at < trace.size()) {
                int code = trace.code(at);
                if (code >= 0) {
                    take(LoadChain.this.trace.kernel.instruction(code));
                    continue;
                }
                int meeting = trace.code(at + 1);
                if (code == ClusterTrace.WAIT && missing[meeting] > 0) {
                    return at > before;
                }
                meet(code, meeting);
                at += code == ClusterTrace.BULK_COPY ? 4 : 2;
            }
            return at > before;
        }

        private void meet(int code, int meeting) {
            if (code == ClusterTrace.WAIT) {
                time = Math.max(time, times[meeting]);
                return;
            }
            missing[meeting]--;
            int comes = switch (code) {
                case ClusterTrace.BULK_COPY -> time + 1;
                case ClusterTrace.ARRIVE_AFTER_COPIES -> {
                    int last = Math.max(time, copies);
                    for (int group : groups) {
                        last = Math.max(last, group);
                    }
                    yield last;
                }
                default -> time;
            };
            times[meeting] = Math.max(times[meeting], comes);
        }

        private void take(TimedInstruction instruction) {
            boolean moves = instruction.isNoted() && Moved.sectors(trace.code(at + 1)) > 0;
            at += instruction.isNoted() ? 2 : 1;
            int source = 0;
            for (int register : instruction.reads()) {
                source = Math.max(source, ready[register]);
            }
            if (instruction.role() != TimedInstruction.Role.MOVE) {
                time = Math.max(time, source);
                source = time;
            }
            int done = switch (instruction.role()) {
                case LOAD, ATOMIC -> source + (moves ? 1 : 0);
                case COMPUTE, MOVE, STORE, SHARED, PRODUCT, PRODUCT_COMMIT, PRODUCT_WAIT, SYNC -> source;
                case COPY -> {
                    copies = moves ? Math.max(copies, source + 1) : copies;
                    yield source;
                }
                case COPY_COMMIT -> {
                    groups.addLast(copies);
                    copies = 0;
                    yield source;
                }
                case COPY_WAIT -> {
                    while (groups.size() > instruction.pending()) {
                        time = Math.max(time, groups.removeFirst());
                    }
                    yield time;
                }
            };
            for (int register : instruction.writes()) {
                ready[register] = instruction.isGuarded() ? Math.max(ready[register], done) : done;
            }
        }
    }
}
