package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// One of a block's sixteen barriers.
final class Barrier {
    private final BlockRun block;
    private final List<Warp> waiting = new ArrayList<>();
    private final int[] clock;
    private int arrived;
    /// Warps that are awaited; 0 for all of the block.
    private int expected;
    private int votes;
    private boolean all;
    private boolean any;
    /// How often all had come.
    private long phase;

    Barrier(BlockRun block) {
        this.block = block;
        clock = new int[block.cluster.clocks.warps()];
        clear();
    }

    void clear() {
        waiting.clear();
        arrived = 0;
        expected = 0;
        votes = 0;
        all = true;
        any = false;
        Arrays.fill(clock, 0);
    }

    /// A `bar` or `barrier` instruction.
    static final class Arrival implements BasicBlock.Stop {
        enum Kind { SYNC, ARRIVE, POPC, AND, OR }

        private final Ptx.Instruction instruction;
        private final Kind kind;
        private final int barrier;
        private final int threads;
        private final int result;
        private final int vote;
        private final int flip;

        /// @param barrier number of the register with the barrier's number
        /// @param threads number of the register with the count, 0 for all
        /// @param result of a reduction
        /// @param vote the predicate that is reduced
        Arrival(Ptx.Instruction instruction, Kind kind, int barrier, int threads, int result, int vote, boolean negated) {
            this.instruction = instruction;
            this.kind = kind;
            this.barrier = barrier;
            this.threads = threads;
            this.result = result;
            this.vote = vote;
            flip = negated ? -1 : 0;
        }

        @Override
        public boolean stops(Warp warp) {
            int lane = Integer.numberOfTrailingZeros(warp.live);
            int number = ((int[]) warp.registers[barrier])[lane];
            if (number < 0 || number > 15) {
                throw new Warp.Fault(warp, instruction, KernelFault.Kind.LIMIT, lane, 0, "barrier " + number + ": expected 0 to 15");
            }
            int count = threads == 0 ? 0 : ((int[]) warp.registers[threads])[lane];
            if (count < 0 || count % Warp.SIZE != 0) {
                throw new Warp.Fault(warp, instruction, KernelFault.Kind.LIMIT, lane, 0,
                        "a barrier of " + count + " threads: expected a multiple of 32");
            }
            return warp.block.barrier(number).arrive(this, warp, count / Warp.SIZE);
        }
    }

    private boolean arrive(Arrival arrival, Warp warp, int warps) {
        if (warps == 0) {
            for (Warp other : waiting) {
                if (other.waitingAt != warp.waitingAt) {
                    throw new Warp.Fault(warp, arrival.instruction, KernelFault.Kind.DIVERGENT_BARRIER,
                            Integer.numberOfTrailingZeros(warp.live), 0, "warp %d waits at another barrier, at PTX line %d"
                                    .formatted(other.index, other.waitingAt.exitInstruction.line()));
                }
            }
        }
        expected = warps;
        arrived++;
        block.cluster.tick(arrival.instruction, warp);
        block.cluster.clocks.publish(warp.number, clock);
        if (arrival.vote != 0) {
            int threads = warp.live & (warp.predicate(arrival.vote) ^ arrival.flip);
            votes += Integer.bitCount(threads);
            all &= threads == warp.live;
            any |= threads != 0;
        }
        boolean waits = arrival.kind != Arrival.Kind.ARRIVE;
        if (warp.trace != null) {
            warp.trace.arrive(this, phase);
            if (waits) {
                warp.trace.await(this, phase);
            }
        }
        if (waits) {
            waiting.add(warp);
            warp.state = Warp.State.WAITING;
        }
        releaseIfComplete();
        return warp.state == Warp.State.WAITING;
    }

    /// Lets the waiting warps go on if all have come, or those that have not have ended.
    void releaseIfComplete() {
        if (arrived == 0 || arrived < (expected == 0 ? block.liveWarps() : expected)) {
            return;
        }
        phase++;
        for (Warp warp : waiting) {
            block.cluster.clocks.publish(warp.number, clock);
        }
        for (Warp warp : waiting) {
            block.cluster.clocks.learn(warp.number, clock);
            warp.state = Warp.State.RUNNING;
            Arrival arrival = (Arrival) warp.waitingAt.stop;
            switch (arrival.kind) {
                case POPC -> setAll(warp, arrival.result, votes);
                case AND -> ((int[]) warp.registers[arrival.result])[0] = all ? -1 : 0;
                case OR -> ((int[]) warp.registers[arrival.result])[0] = any ? -1 : 0;
                case SYNC, ARRIVE -> {}
            }
            warp.waitingAt = null;
        }
        clear();
    }

    private static void setAll(Warp warp, int register, int value) {
        Arrays.fill((int[]) warp.registers[register], value);
    }
}
