package org.gatun.cuda.simulator;

import org.gatun.cuda.LaunchConfiguration;

/// The blocks of a cluster while they run, all at a time; a block alone where a launch has no clusters. Kept by one worker for all the
/// clusters it runs, one after the other.
final class ClusterRun {
    /// Turns without anything but looks at barriers in vain, after which nothing can come.
    private static final int MAX_IDLE_TURNS = 1 << 14;

    final LaunchRun launch;
    final Clocks clocks;
    final ClusterBarrier barrier;
    final Tally tally;

    private final BlockRun[] blocks;
    private long index;
    private int idleTurns;

    ClusterRun(LaunchRun launch) {
        this.launch = launch;
        int warps = (launch.configuration.blockThreads() + Warp.SIZE - 1) / Warp.SIZE;
        blocks = new BlockRun[launch.cluster.blocks()];
        clocks = new Clocks(blocks.length, warps);
        barrier = new ClusterBarrier(this);
        tally = new Tally(launch.kernel.blocks().length);
        for (int rank = 0; rank < blocks.length; rank++) {
            blocks[rank] = new BlockRun(this, rank);
        }
    }

    int size() {
        return blocks.length;
    }

    BlockRun block(int rank) {
        return blocks[rank];
    }

    /// Puts its blocks at the beginning of a cluster.
    void start(long cluster) {
        LaunchConfiguration c = launch.configuration;
        ClusterShape shape = launch.cluster;
        int across = c.gridX() / shape.x();
        int down = c.gridY() / shape.y();
        int x = (int) (cluster % across);
        int y = (int) (cluster / across % down);
        int z = (int) (cluster / across / down);
        index = cluster;
        idleTurns = 0;
        clocks.clear();
        barrier.clear();
        for (BlockRun block : blocks) {
            block.start(x, y, z);
        }
    }

    /// Has its warps' doings noted from the start on; null for not any more.
    void trace(ClusterTrace trace) {
        for (BlockRun block : blocks) {
            for (Warp warp : block.warps()) {
                warp.trace = trace == null ? null : trace.warps[warp.number];
            }
        }
    }

    /// Gives each warp a turn; false once all have ended.
    boolean step() {
        boolean ran = false;
        boolean live = false;
        Warp idle = null;
        boolean working = false;
        int first = launch.first(index, blocks.length);
        for (int i = 0; i < blocks.length; i++) {
            BlockRun block = blocks[(first + i) % blocks.length];
            ran |= block.step();
            live |= block.isLive();
            working |= block.worked();
            idle = block.idle() == null ? idle : block.idle();
        }
        idleTurns = working ? 0 : idleTurns + 1;
        if (live && !ran) {
            throw deadlock();
        }
        if (live && idleTurns > MAX_IDLE_TURNS) {
            throw AsyncOperations.TestBarrier.hang(idle);
        }
        return live;
    }

    private Warp.Fault deadlock() {
        for (BlockRun block : blocks) {
            Warp waiting = block.waiting();
            if (waiting != null) {
                return new Warp.Fault(waiting, waiting.waitingAt, KernelFault.Kind.DEADLOCK,
                        "all of the %s's %d warps wait, and none can come".formatted(blocks.length == 1 ? "block" : "cluster",
                                liveWarps()));
            }
        }
        throw new AssertionError("no warp runs and none waits");
    }

    private int liveWarps() {
        int live = 0;
        for (BlockRun block : blocks) {
            live += block.liveWarps();
        }
        return live;
    }

    /// Moves the time on.
    void tick(Ptx.Instruction instruction, Warp warp) {
        if (!clocks.tick()) {
            throw new Warp.Fault(warp, instruction, KernelFault.Kind.LIMIT, Integer.numberOfTrailingZeros(warp.live), 0,
                    "too many barriers in one block for the check of shared memory");
        }
    }
}
