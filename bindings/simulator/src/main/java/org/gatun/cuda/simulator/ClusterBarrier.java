package org.gatun.cuda.simulator;

import java.util.Arrays;

/// The barrier of all threads of a cluster: `barrier.cluster.arrive`, and later `barrier.cluster.wait`.
final class ClusterBarrier {
    private final ClusterRun cluster;
    private final int[] arriving;
    /// What those had seen that came to the last phase that ended.
    private final int[] seen;
    private long phase;

    ClusterBarrier(ClusterRun cluster) {
        this.cluster = cluster;
        arriving = new int[cluster.clocks.warps()];
        seen = new int[arriving.length];
    }

    void clear() {
        Arrays.fill(arriving, 0);
        Arrays.fill(seen, 0);
        phase = 0;
    }

    /// Ends the phase if all threads that have not ended have come.
    void releaseIfComplete() {
        for (int rank = 0; rank < cluster.size(); rank++) {
            for (Warp warp : cluster.block(rank).warps()) {
                if ((warp.live & ~warp.clusterArrived) != 0 || warp.live != 0 && warp.clusterPhase != phase) {
                    return;
                }
            }
        }
        phase++;
        for (int i = 0; i < seen.length; i++) {
            seen[i] = Math.max(seen[i], arriving[i]);
        }
        for (int rank = 0; rank < cluster.size(); rank++) {
            for (Warp warp : cluster.block(rank).warps()) {
                if (warp.waitsForCluster) {
                    warp.waitsForCluster = false;
                    warp.state = Warp.State.RUNNING;
                    warp.waitingAt = null;
                    pass(warp);
                }
            }
        }
    }

    private void pass(Warp warp) {
        cluster.clocks.learn(warp.number, seen);
        warp.clusterArrived = 0;
    }

    /// `barrier.cluster.arrive`.
    static final class Arrive extends Operation {
        private final boolean aligned;
        private final boolean relaxed;

        /// @param aligned whether all threads of a warp must take it together
        /// @param relaxed whether nothing of what the threads did need be seen after the barrier
        Arrive(Ptx.Instruction instruction, boolean aligned, boolean relaxed) {
            super(instruction);
            this.aligned = aligned;
            this.relaxed = relaxed;
        }

        @Override
        void execute(Warp warp, int mask) {
            ClusterBarrier barrier = warp.block.cluster.barrier;
            if (aligned && mask != warp.live) {
                throw fault(warp, KernelFault.Kind.DIVERGENT_BARRIER, Integer.numberOfTrailingZeros(mask), 0,
                        "only threads %s of the warp's %s come to this barrier".formatted(Warp.hex(mask), Warp.hex(warp.live)));
            }
            if ((warp.clusterArrived & mask) != 0) {
                throw fault(warp, KernelFault.Kind.LIMIT, Integer.numberOfTrailingZeros(warp.clusterArrived & mask), 0,
                        "arrives at the cluster's barrier again without having waited for it");
            }
            warp.clusterArrived |= mask;
            warp.clusterPhase = barrier.phase;
            if (warp.trace != null) {
                warp.trace.arrive(barrier, barrier.phase);
            }
            barrier.cluster.tick(instruction, warp);
            if (!relaxed) {
                barrier.cluster.clocks.publish(warp.number, barrier.arriving);
            }
            barrier.releaseIfComplete();
        }
    }

    /// `barrier.cluster.wait`.
    record Wait(Ptx.Instruction instruction) implements BasicBlock.Stop {
        @Override
        public boolean stops(Warp warp) {
            ClusterBarrier barrier = warp.block.cluster.barrier;
            if ((warp.live & ~warp.clusterArrived) != 0) {
                throw new Warp.Fault(warp, instruction, KernelFault.Kind.LIMIT,
                        Integer.numberOfTrailingZeros(warp.live & ~warp.clusterArrived), 0,
                        "waits for the cluster's barrier without having arrived");
            }
            if (warp.trace != null) {
                warp.trace.await(barrier, warp.clusterPhase);
            }
            if (barrier.phase > warp.clusterPhase) {
                barrier.pass(warp);
                return false;
            }
            warp.waitsForCluster = true;
            warp.state = Warp.State.WAITING;
            return true;
        }
    }
}
