package org.gatun.cuda.simulator;

import java.util.Arrays;

/// 32 threads in step: their registers, and where they are.
///
/// Threads that part at a branch are run one side after the other until both have come to the branch's immediate
/// post-dominator. The stack holds a side each: its next basic block, its threads, and where it waits for the others.
final class Warp {
    static final int SIZE = 32;
    static final int ALL = -1;
    /// Basic blocks after which another warp gets its turn: threads may wait for others by looking again and again.
    private static final int TURN = 20_000;

    enum State { RUNNING, WAITING, DONE }

    final Kernel kernel;
    final int index;
    /// In the cluster.
    final int number;
    final BlockRun block;
    /// By number; 0 is none.
    final Object[] registers;
    /// For registers that may be read before anything wrote them: the threads that wrote.
    final int[] written;
    /// The addresses of the access at hand.
    final long[] addresses = new long[SIZE];
    final int[] gathered = new int[SIZE];
    final AsyncCopies copies = new AsyncCopies();
    /// Null if the kernel orders none.
    private final AsyncProducts products;
    final byte[] local;
    final byte[] localWritten;

    State state;
    /// Threads that have not ended.
    int live;
    /// Threads that came to a barrier before others of the warp had run.
    private int parked;
    /// Where it waits while it does.
    BasicBlock waitingAt;
    /// Threads that have arrived at the cluster's barrier and not waited for it.
    int clusterArrived;
    /// Of the cluster's barrier, when they arrived.
    long clusterPhase;
    boolean waitsForCluster;
    /// The test of a barrier object that ended its last turn in vain; null if it did anything else.
    AsyncOperations.TestBarrier failedTest;
    int failedLane;
    /// Where the barrier lies that it tested.
    int failedAddress;

    private final int[] scratchInts = new int[SIZE];
    private final float[] scratchFloats = new float[SIZE];
    private final long[] scratchLongs = new long[SIZE];
    private final double[] scratchDoubles = new double[SIZE];
    private final int[] scratchPredicate = new int[1];

    /// What it does is noted there; null if nobody wants to know.
    ClusterTrace.WarpTrace trace;

    private int[] nextBlocks = new int[16];
    private int[] masks = new int[16];
    private int[] reconvergences = new int[16];
    private int depth;

    Warp(Kernel kernel, int index, BlockRun block, Object[] registers) {
        this.kernel = kernel;
        this.index = index;
        this.block = block;
        number = block.rank * block.warpCount() + index;
        this.registers = registers;
        written = new int[kernel.trackedRegisters() ? registers.length : 0];
        products = kernel.ordersProducts() ? new AsyncProducts(registers.length) : null;
        local = new byte[kernel.localBytes() * SIZE];
        localWritten = new byte[local.length];
    }

    /// Puts the threads at the kernel's beginning.
    void start(int threads) {
        live = threads;
        state = State.RUNNING;
        depth = 0;
        push(0, threads, BasicBlock.END);
        Arrays.fill(written, 0);
        Arrays.fill(localWritten, (byte) 0);
        copies.clear();
        if (products != null) {
            products.clear();
        }
        parked = 0;
        waitingAt = null;
        clusterArrived = 0;
        waitsForCluster = false;
    }

    AsyncProducts products() {
        return products;
    }

    /// Several registers, by number.
    Object[] of(int[] numbers) {
        Object[] all = new Object[numbers.length];
        for (int i = 0; i < numbers.length; i++) {
            all[i] = registers[numbers[i]];
        }
        return all;
    }

    int predicate(int register) {
        return ((int[]) registers[register])[0];
    }

    Object scratch(char kind) {
        return switch (kind) {
            case 'P' -> scratchPredicate;
            case 'F' -> scratchFloats;
            case 'L' -> scratchLongs;
            case 'D' -> scratchDoubles;
            default -> scratchInts;
        };
    }

    /// Runs until it waits, ends, or has had its turn.
    void run() {
        failedTest = null;
        Tally tally = block.tally;
        BasicBlock[] blocks = kernel.blocks();
        for (int turn = 0; turn < TURN; turn++) {
            int top = depth - 1;
            int at = nextBlocks[top];
            int mask = masks[top];
            BasicBlock code = blocks[at];
            tally.warps[at]++;
            tally.threads[at] += Integer.bitCount(mask);
            if (trace == null) {
                for (Operation operation : code.operations) {
                    operation.execute(this, mask);
                }
            } else {
                trace.run(this, at, code, mask);
                if (code.exit != BasicBlock.Exit.BARRIER || mask == live) {
                    trace.exit(at);
                }
            }
            switch (code.exit) {
                case BRANCH -> branch(code, mask);
                case RETURN -> {
                    int ending = code.predicate == 0 ? mask : mask & (guard(code, mask) ^ code.flip);
                    live &= ~ending;
                    if (live == 0) {
                        state = State.DONE;
                        block.end(this, code);
                        return;
                    }
                    if (ending == mask) {
                        pop();
                    } else {
                        masks[top] = mask & ~ending;
                        go(code.next);
                    }
                }
                case BARRIER -> {
                    if (mask != live) {
                        park(code, mask);
                        continue;
                    }
                    parked = 0;
                    waitingAt = code;
                    tally.barriers++;
                    go(code.next);
                    if (code.stop.stops(this)) {
                        return;
                    }
                }
                case YIELD -> {
                    go(code.next);
                    return;
                }
            }
        }
    }

    /// Some threads have come to a barrier, others are elsewhere. If those have yet to run they may end, and the barrier is the
    /// others' alone; if not, it is divergent. A barrier's basic block holds nothing else, so it may be come to twice.
    private void park(BasicBlock code, int mask) {
        block.tally.warps[nextBlocks[depth - 1]]--;
        block.tally.threads[nextBlocks[depth - 1]] -= Integer.bitCount(mask);
        parked |= mask;
        int top = depth - 1;
        for (int i = top - 1; i >= 0 && reconvergences[i] == reconvergences[top]; i--) {
            if ((masks[i] & live & ~parked) != 0 && nextBlocks[i] != reconvergences[i]) {
                swap(i, top);
                return;
            }
        }
        throw new Fault(this, code, KernelFault.Kind.DIVERGENT_BARRIER,
                "only threads %s of the warp's %s come to this barrier".formatted(hex(mask), hex(live)));
    }

    private void swap(int i, int j) {
        int next = nextBlocks[i];
        nextBlocks[i] = nextBlocks[j];
        nextBlocks[j] = next;
        int mask = masks[i];
        masks[i] = masks[j];
        masks[j] = mask;
    }

    private void branch(BasicBlock code, int mask) {
        if (code.exitInstruction == null) {
            go(code.next);
            return;
        }
        int taken = code.predicate == 0 ? mask : mask & (guard(code, mask) ^ code.flip);
        if (taken == mask) {
            go(code.target);
        } else if (taken == 0) {
            go(code.next);
        } else {
            block.tally.divergentBranches++;
            diverge(code, mask, taken);
        }
    }

    private int guard(BasicBlock code, int mask) {
        if (code.trackedPredicate != 0 && (mask & ~written[code.trackedPredicate]) != 0) {
            throw new Fault(this, code, KernelFault.Kind.UNINITIALIZED_REGISTER,
                    "branches on " + kernel.registerName(code.trackedPredicate) + ", which nothing wrote");
        }
        return predicate(code.predicate);
    }

    private void diverge(BasicBlock code, int mask, int taken) {
        int top = depth - 1;
        int reconvergence = code.reconvergence;
        if (reconvergences[top] == reconvergence) {
            depth--; // those below wait there already
        } else {
            nextBlocks[top] = reconvergence;
        }
        if (code.next != reconvergence) {
            push(code.next, mask & ~taken, reconvergence);
        }
        if (code.target != reconvergence) {
            push(code.target, taken, reconvergence);
        }
        settle();
    }

    private void push(int next, int mask, int reconvergence) {
        if (depth == masks.length) {
            nextBlocks = Arrays.copyOf(nextBlocks, 2 * depth);
            masks = Arrays.copyOf(masks, 2 * depth);
            reconvergences = Arrays.copyOf(reconvergences, 2 * depth);
        }
        nextBlocks[depth] = next;
        masks[depth] = mask;
        reconvergences[depth] = reconvergence;
        depth++;
    }

    private void go(int next) {
        nextBlocks[depth - 1] = next;
        settle();
    }

    private void pop() {
        depth--;
        settle();
    }

    /// Leaves sides that have come to where they wait, or whose threads have ended.
    private void settle() {
        while (depth > 1) {
            int top = depth - 1;
            masks[top] &= live;
            if (masks[top] != 0 && nextBlocks[top] != reconvergences[top]) {
                return;
            }
            depth--;
        }
        masks[0] &= live;
    }

    static String hex(int mask) {
        return "0x%08x".formatted(mask);
    }

    /// A fault on its way out of a kernel.
    static final class Fault extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final transient KernelFault fault;

        Fault(Warp warp, Operation operation, KernelFault.Kind kind, int lane, long address, String message) {
            this(warp, operation.instruction, kind, lane, address, message);
        }

        Fault(Warp warp, BasicBlock code, KernelFault.Kind kind, String message) {
            this(warp, code.exitInstruction, kind, Integer.numberOfTrailingZeros(warp.live), 0, message);
        }

        Fault(Warp warp, Ptx.Instruction instruction, KernelFault.Kind kind, int lane, long address, String message) {
            super(message, null, false, false);
            fault = new KernelFault(kind, warp.kernel.name(), instruction.line(), instruction.source(), instruction.text(),
                    warp.block.coordinates(), warp.block.threadCoordinates(warp.index, lane), address, message);
        }

        KernelFault fault() {
            return fault;
        }
    }
}
