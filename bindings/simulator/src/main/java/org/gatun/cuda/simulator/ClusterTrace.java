package org.gatun.cuda.simulator;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// What the warps of a cluster did, each in its order: the instructions by number, what memory they moved, and where they met.
///
/// A meeting is one phase of one barrier: who comes is counted here, so that whoever reads the trace knows when it is complete without
/// knowing kinds of barriers.
final class ClusterTrace {
    /// Comes to a meeting; its number follows.
    static final int ARRIVE = -1;
    /// Comes to a meeting when its copies (`cp.async`) so far are there; the number follows.
    static final int ARRIVE_AFTER_COPIES = -2;
    /// Waits until all have come to a meeting; its number follows.
    static final int WAIT = -3;
    /// Orders a bulk copy, which comes to a meeting when it is there; the number and the bytes follow.
    static final int BULK_COPY = -4;

    /// @param barrier of a block, of a cluster, or in shared memory
    private record Meeting(Object barrier, long phase) {}

    final TimedKernel kernel;
    /// The number of the cluster in its launch.
    final long index;
    final WarpTrace[] warps;
    private final Map<Meeting, Integer> meetings = new HashMap<>();
    private int[] arrivals = new int[64];

    ClusterTrace(TimedKernel kernel, long index, int warps) {
        this.kernel = kernel;
        this.index = index;
        this.warps = new WarpTrace[warps];
        Arrays.setAll(this.warps, _ -> new WarpTrace());
    }

    /// How many come to each meeting, by number.
    int[] arrivals() {
        return Arrays.copyOf(arrivals, meetings.size());
    }

    private int meeting(Object barrier, long phase) {
        int number = meetings.computeIfAbsent(new Meeting(barrier, phase), _ -> meetings.size());
        if (number == arrivals.length) {
            arrivals = Arrays.copyOf(arrivals, 2 * number);
        }
        return number;
    }

    /// What one warp did.
    final class WarpTrace {
        private int[] codes = new int[1024];
        private int size;
        /// Looks at a barrier again and again: what it does meanwhile takes no time beyond the wait.
        private boolean spinning;

        int size() {
            return size;
        }

        int code(int at) {
            return codes[at];
        }

        private void add(int code) {
            if (size == codes.length) {
                codes = Arrays.copyOf(codes, 2 * size);
            }
            codes[size++] = code;
        }

        /// Runs a basic block's operations, and notes them.
        void run(Warp warp, int index, BasicBlock code, int mask) {
            int[] numbers = kernel.block(index).numbers();
            for (int i = 0; i < numbers.length;) {
                int next = i + 1;
                while (next < numbers.length && numbers[next] < 0) {
                    next++;
                }
                TimedInstruction instruction = kernel.instruction(numbers[i]);
                if (spinning) {
                    execute(warp, code, i, next, mask);
                } else if (instruction.isNoted()) {
                    add(numbers[i]);
                    long before = warp.block.tally.moved();
                    execute(warp, code, i, next, mask);
                    add((int) Math.min(Integer.MAX_VALUE, warp.block.tally.moved() - before));
                } else {
                    add(numbers[i]);
                    execute(warp, code, i, next, mask);
                }
                i = next;
            }
        }

        private static void execute(Warp warp, BasicBlock code, int from, int to, int mask) {
            for (int i = from; i < to; i++) {
                code.operations[i].execute(warp, mask);
            }
        }

        /// Notes the instruction that ends a basic block.
        void exit(int index) {
            int number = kernel.block(index).exit();
            if (number >= 0 && !spinning) {
                add(number);
            }
        }

        void arrive(Object barrier, long phase) {
            come(ARRIVE, meeting(barrier, phase));
        }

        void arriveAfterCopies(Object barrier, long phase) {
            come(ARRIVE_AFTER_COPIES, meeting(barrier, phase));
        }

        /// Threads of a warp come together.
        private void come(int code, int number) {
            if (size >= 2 && codes[size - 2] == code && codes[size - 1] == number) {
                return;
            }
            arrivals[number]++;
            add(code);
            add(number);
        }

        void await(Object barrier, long phase) {
            spinning = false;
            int number = meeting(barrier, phase);
            if (size < 2 || codes[size - 2] != WAIT || codes[size - 1] != number) {
                add(WAIT);
                add(number);
            }
        }

        /// Found a barrier's phase not ended.
        void spin() {
            spinning = true;
        }

        void copy(Object barrier, long phase, int bytes) {
            int number = meeting(barrier, phase);
            arrivals[number]++;
            add(BULK_COPY);
            add(number);
            add(bytes);
        }
    }
}
