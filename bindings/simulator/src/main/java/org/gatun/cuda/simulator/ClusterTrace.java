package org.gatun.cuda.simulator;

import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntToDoubleFunction;

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
    /// Orders a bulk copy, which comes to a meeting when it is there; the number, the bytes and the buffer's number follow.
    static final int BULK_COPY = -4;

    /// @param barrier of a block, of a cluster, or in shared memory
    private record Meeting(Object barrier, long phase) {}

    final TimedKernel kernel;
    /// The number of the cluster in its launch.
    final long index;
    final WarpTrace[] warps;
    /// Null if only who waits for whom is wanted.
    final ClusterFootprint footprint;
    private final Map<Meeting, Integer> meetings = new HashMap<>();
    private int[] arrivals = new int[64];
    private final BitSet inMemory = new BitSet();

    ClusterTrace(TimedKernel kernel, long index, int warps, ClusterFootprint footprint) {
        this.kernel = kernel;
        this.index = index;
        this.footprint = footprint;
        this.warps = new WarpTrace[warps];
        Arrays.setAll(this.warps, _ -> new WarpTrace());
    }

    /// How many come to each meeting, by number.
    int[] arrivals() {
        return Arrays.copyOf(arrivals, meetings.size());
    }

    /// Whether a meeting is at a barrier in shared memory.
    boolean isInMemory(int meeting) {
        return inMemory.get(meeting);
    }

    private int meeting(Object barrier, long phase) {
        int number = meetings.computeIfAbsent(new Meeting(barrier, phase), _ -> meetings.size());
        if (number == arrivals.length) {
            arrivals = Arrays.copyOf(arrivals, 2 * number);
        }
        inMemory.set(number, barrier instanceof MemoryBarrier);
        return number;
    }

    /// What one warp did.
    final class WarpTrace {
        private int[] codes = new int[1024];
        private int size;
        /// Instructions, and what they moved, of the run at hand.
        private long[] run = new long[64];
        /// Looks at a barrier again and again: what it does meanwhile takes no time beyond the wait.
        private boolean spinning;

        /// The meetings at barriers in shared memory that it waited for, in order.
        private int[] memoryWaits = new int[64];
        private int memoryWaitCount;
        private boolean copies;

        int size() {
            return size;
        }

        /// The sum of something over its instructions.
        double instructions(IntToDoubleFunction value) {
            double sum = 0;
            for (int i = 0; i < size;) {
                int code = codes[i];
                if (code < 0) {
                    i += code == BULK_COPY ? 4 : 2;
                } else {
                    sum += value.applyAsDouble(code);
                    i += kernel.instruction(code).isNoted() ? 2 : 1;
                }
            }
            return sum;
        }

        int memoryWaits() {
            return memoryWaitCount;
        }

        int memoryWait(int index) {
            return memoryWaits[index];
        }

        /// Whether it ordered copies.
        boolean copies() {
            return copies;
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

        /// Runs a basic block's operations, and notes them in the order in which a device takes them.
        void run(Warp warp, int index, BasicBlock code, int mask) {
            TimedKernel.Block block = kernel.block(index);
            int[] numbers = block.numbers();
            int instruction = 0;
            int[] order = null;
            int first = 0;
            for (int i = 0; i < numbers.length; instruction++) {
                int next = i + 1;
                while (next < numbers.length && numbers[next] < 0) {
                    next++;
                }
                if (spinning) {
                    execute(warp, code, i, next, mask);
                    i = next;
                    continue;
                }
                if (block.orders()[instruction] != null) {
                    order = block.orders()[instruction];
                    first = instruction;
                    run = run.length < order.length ? new long[order.length] : run;
                }
                if (order == null) { // meets others, who may look at what is noted so far
                    add(numbers[i]);
                    execute(warp, code, i, next, mask);
                } else {
                    int moved = access(warp, kernel.instruction(numbers[i]), code, i, next, mask);
                    run[instruction - first] = (long) numbers[i] << 32 | moved & 0xffffffffL;
                    if (instruction - first == order.length - 1) {
                        note(order);
                        order = null;
                    }
                }
                i = next;
            }
        }

        private void note(int[] order) {
            for (int each : order) {
                int number = (int) (run[each] >> 32);
                add(number);
                if (kernel.instruction(number).isNoted()) {
                    add((int) run[each]);
                }
            }
        }

        private int access(Warp warp, TimedInstruction instruction, BasicBlock code, int from, int to, int mask) {
            if (!instruction.isNoted()) {
                execute(warp, code, from, to, mask);
                return 0;
            }
            int taken = instruction.isGuarded() ? mask & instruction.guard(warp) : mask;
            Tally tally = warp.block.tally;
            long sectors = tally.moved();
            long requests = tally.sharedRequests;
            long conflicts = tally.bankConflicts;
            execute(warp, code, from, to, mask);
            sectors = tally.moved() - sectors;
            long turns = (tally.sharedRequests - requests) * instruction.turns() + tally.bankConflicts - conflicts;
            if (instruction.role() == TimedInstruction.Role.ATOMIC && taken != 0) {
                turns = together(warp.addresses, taken);
            }
            copies |= instruction.role() == TimedInstruction.Role.COPY;
            int moved = Moved.of(sectors, turns);
            return sectors == 0 || footprint == null ? moved : footprint.note(warp, instruction, taken, moved);
        }

        /// The most threads that have the same address.
        private static int together(long[] addresses, int mask) {
            int most = 0;
            for (int m = mask; m != 0; m &= m - 1) {
                long address = addresses[Integer.numberOfTrailingZeros(m)];
                int same = 0;
                for (int rest = m; rest != 0; rest &= rest - 1) {
                    same += addresses[Integer.numberOfTrailingZeros(rest)] == address ? 1 : 0;
                }
                most = Math.max(most, same);
            }
            return most;
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
                if (barrier instanceof MemoryBarrier) {
                    if (memoryWaitCount == memoryWaits.length) {
                        memoryWaits = Arrays.copyOf(memoryWaits, 2 * memoryWaitCount);
                    }
                    memoryWaits[memoryWaitCount++] = number;
                }
            }
        }

        /// Found a barrier's phase not ended.
        void spin() {
            spinning = true;
        }

        void copy(Object barrier, long phase, long address, int bytes) {
            int number = meeting(barrier, phase);
            arrivals[number]++;
            copies = true;
            add(BULK_COPY);
            add(number);
            add(bytes);
            add(footprint == null ? 0 : footprint.noteBulk(address, bytes));
        }
    }
}
