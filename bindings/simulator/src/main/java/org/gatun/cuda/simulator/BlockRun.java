package org.gatun.cuda.simulator;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map.Entry;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import org.gatun.cuda.LaunchConfiguration;

/// A block of threads while it runs, in its cluster.
final class BlockRun {
    private static final int REGISTERS = 65_536;
    private static final int MAX_REGISTERS = 248;

    final LaunchRun launch;
    final ClusterRun cluster;
    /// Its number in the cluster.
    final int rank;
    final SharedMemory shared;
    final Tally tally;
    final MatrixScratch matrixScratch = new MatrixScratch();
    /// Barriers in shared memory, by address.
    final Map<Integer, MemoryBarrier> memoryBarriers = new HashMap<>();

    private final Kernel kernel;
    private final Warp[] warps;
    private final Warpgroup[] warpgroups;
    /// The last instruction that changed how many registers threads have, null for none.
    private Ptx.Instruction changedRegisters;
    private final Barrier[] barriers = new Barrier[16];
    private final int[] x = new int[Warp.SIZE];
    private final int[] y = new int[Warp.SIZE];
    private final int[] z = new int[Warp.SIZE];
    private final int[] multiprocessor = new int[Warp.SIZE];
    private final int[][] clusterIndex = new int[3][Warp.SIZE];
    /// What its warps that have ended had seen.
    private final int[] ended;
    private long index;
    private int live;
    private boolean worked;
    private Warp idle;

    BlockRun(ClusterRun cluster, int rank) {
        this.cluster = cluster;
        this.rank = rank;
        launch = cluster.launch;
        kernel = launch.kernel;
        LaunchConfiguration configuration = launch.configuration;
        int threads = configuration.blockThreads();
        warps = new Warp[(threads + Warp.SIZE - 1) / Warp.SIZE];
        shared = new SharedMemory(kernel.dynamicSharedOffset() + configuration.dynamicSharedBytes(), cluster.clocks,
                kernel.granuleShift());
        tally = cluster.tally;
        ended = new int[cluster.clocks.warps()];
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(kernel, i, this, registers(i));
        }
        warpgroups = new Warpgroup[Math.ceilDiv(warps.length, Warpgroup.WARPS)];
        for (int i = 0; i < warpgroups.length; i++) {
            warpgroups[i] = new Warpgroup(firstRegisters());
        }
        for (int i = 0; i < barriers.length; i++) {
            barriers[i] = new Barrier(this);
        }
    }

    private Object[] registers(int warp) {
        char[] kinds = kernel.registerKinds();
        Object[] registers = new Object[kinds.length];
        for (int i = 1; i < kinds.length; i++) {
            if (kinds[i] != ' ') {
                registers[i] = Registers.allocate(kinds[i]);
            }
        }
        kernel.constants().forEach((register, value) -> registers[register] = value);
        for (Entry<Integer, String> special : kernel.specials().entrySet()) {
            registers[special.getKey()] = special(special.getValue(), warp);
        }
        return registers;
    }

    /// The lanes of a special register.
    private Object special(String name, int warp) {
        LaunchConfiguration c = launch.configuration;
        int threads = c.blockThreads();
        return switch (name) {
            case "%ctaid.x" -> x;
            case "%ctaid.y" -> y;
            case "%ctaid.z" -> z;
            case "%tid.x" -> lanes(lane -> (warp * Warp.SIZE + lane) % c.blockX());
            case "%tid.y" -> lanes(lane -> (warp * Warp.SIZE + lane) / c.blockX() % c.blockY());
            case "%tid.z" -> lanes(lane -> (warp * Warp.SIZE + lane) / (c.blockX() * c.blockY()));
            case "%ntid.x" -> lanes(_ -> c.blockX());
            case "%ntid.y" -> lanes(_ -> c.blockY());
            case "%ntid.z" -> lanes(_ -> c.blockZ());
            case "%nctaid.x" -> lanes(_ -> c.gridX());
            case "%nctaid.y" -> lanes(_ -> c.gridY());
            case "%nctaid.z" -> lanes(_ -> c.gridZ());
            case "%cluster_ctarank" -> lanes(_ -> rank);
            case "%cluster_nctarank" -> lanes(_ -> launch.cluster.blocks());
            case "%cluster_ctaid.x" -> lanes(_ -> rankX());
            case "%cluster_ctaid.y" -> lanes(_ -> rankY());
            case "%cluster_ctaid.z" -> lanes(_ -> rankZ());
            case "%cluster_nctaid.x" -> lanes(_ -> launch.cluster.x());
            case "%cluster_nctaid.y" -> lanes(_ -> launch.cluster.y());
            case "%cluster_nctaid.z" -> lanes(_ -> launch.cluster.z());
            case "%clusterid.x" -> clusterIndex[0];
            case "%clusterid.y" -> clusterIndex[1];
            case "%clusterid.z" -> clusterIndex[2];
            case "%nclusterid.x" -> lanes(_ -> c.gridX() / launch.cluster.x());
            case "%nclusterid.y" -> lanes(_ -> c.gridY() / launch.cluster.y());
            case "%nclusterid.z" -> lanes(_ -> c.gridZ() / launch.cluster.z());
            case "%laneid" -> lanes(lane -> lane);
            case "%warpid" -> lanes(_ -> warp);
            case "%nwarpid" -> lanes(_ -> (threads + Warp.SIZE - 1) / Warp.SIZE);
            case "%nsmid" -> lanes(_ -> launch.multiprocessors);
            case "%smid" -> multiprocessor;
            case "%lanemask_eq" -> lanes(lane -> 1 << lane);
            case "%lanemask_le" -> lanes(lane -> (1 << lane) - 1 | 1 << lane);
            case "%lanemask_lt" -> lanes(lane -> (1 << lane) - 1);
            case "%lanemask_ge" -> lanes(lane -> -1 << lane);
            case "%lanemask_gt" -> lanes(lane -> lane == 31 ? 0 : -1 << lane + 1);
            case "%dynamic_smem_size" -> lanes(_ -> c.dynamicSharedBytes());
            case "%total_smem_size" -> lanes(_ -> shared.byteSize());
            default -> throw new AssertionError(name);
        };
    }

    private static int[] lanes(IntUnaryOperator value) {
        int[] lanes = new int[Warp.SIZE];
        Arrays.setAll(lanes, value);
        return lanes;
    }

    private int rankX() {
        return rank % launch.cluster.x();
    }

    private int rankY() {
        return rank / launch.cluster.x() % launch.cluster.y();
    }

    private int rankZ() {
        return rank / launch.cluster.x() / launch.cluster.y();
    }

    /// Puts it at the beginning of a block, by the cluster's index in the grid of clusters.
    void start(int clusterX, int clusterY, int clusterZ) {
        LaunchConfiguration c = launch.configuration;
        Arrays.fill(clusterIndex[0], clusterX);
        Arrays.fill(clusterIndex[1], clusterY);
        Arrays.fill(clusterIndex[2], clusterZ);
        Arrays.fill(x, clusterX * launch.cluster.x() + rankX());
        Arrays.fill(y, clusterY * launch.cluster.y() + rankY());
        Arrays.fill(z, clusterZ * launch.cluster.z() + rankZ());
        index = ((long) z[0] * c.gridY() + y[0]) * c.gridX() + x[0];
        Arrays.fill(multiprocessor, (int) (index % launch.multiprocessors));
        Arrays.fill(ended, 0);
        shared.clear();
        memoryBarriers.clear();
        changedRegisters = null;
        for (Warpgroup group : warpgroups) {
            group.clear();
        }
        for (Barrier barrier : barriers) {
            barrier.clear();
        }
        int threads = c.blockThreads();
        for (Warp warp : warps) {
            int here = Math.min(Warp.SIZE, threads - warp.index * Warp.SIZE);
            warp.start(here == Warp.SIZE ? Warp.ALL : (1 << here) - 1);
        }
        live = warps.length;
    }

    int warpCount() {
        return warps.length;
    }

    Warp[] warps() {
        return warps;
    }

    boolean isLive() {
        return live > 0;
    }

    int liveWarps() {
        return live;
    }

    Barrier barrier(int number) {
        return barriers[number];
    }

    Warpgroup warpgroup(Warp warp) {
        return warpgroups[warp.index / Warpgroup.WARPS];
    }

    void changedRegisters(Ptx.Instruction instruction) {
        changedRegisters = instruction;
    }

    /// Registers of a thread when the block begins: all that a multiprocessor has, in eights.
    private int firstRegisters() {
        return Math.min(MAX_REGISTERS, REGISTERS / (warps.length * Warp.SIZE) / 8 * 8);
    }

    /// At the end of a block: its warpgroups took their instructions together, and registers that were there.
    private void checkWarpgroups(Warp last) {
        int registers = 0;
        for (Warpgroup group : warpgroups) {
            if (group.missed() != null) {
                throw new Warp.Fault(last, group.missed(), KernelFault.Kind.MISSING_WARP_MEMBER, 0, 0,
                        "some warps of four ended without this: all four must come");
            }
            registers += group.registers();
        }
        if (changedRegisters != null && registers > warpgroups.length * Warpgroup.WARPS * Warp.SIZE * firstRegisters()) {
            throw new Warp.Fault(last, changedRegisters, KernelFault.Kind.LIMIT, 0, 0,
                    "the block's warps come to %d registers, the block has %d: it would wait for ever".formatted(registers,
                            warpgroups.length * Warpgroup.WARPS * Warp.SIZE * firstRegisters()));
        }
    }

    /// Gives each warp a turn; false if none could run.
    boolean step() {
        boolean ran = false;
        worked = false;
        idle = null;
        int first = launch.first(index, warps.length);
        for (int i = 0; i < warps.length; i++) {
            Warp warp = warps[(first + i) % warps.length];
            if (warp.state == Warp.State.RUNNING) {
                ran = true;
                warp.run();
                if (warp.failedTest == null) {
                    worked = true;
                } else {
                    idle = warp;
                }
            }
        }
        return ran;
    }

    /// Whether, in the last step, a warp did anything but look at a barrier in vain.
    boolean worked() {
        return worked;
    }

    /// A warp that looked at a barrier in vain in the last step, null if none did.
    Warp idle() {
        return idle;
    }

    /// A warp that waits, null if none does.
    Warp waiting() {
        for (Warp warp : warps) {
            if (warp.state == Warp.State.WAITING) {
                return warp;
            }
        }
        return null;
    }

    /// A warp's last threads have ended. With the last warp the block's memory goes, which others must not want any more.
    void end(Warp warp, BasicBlock code) {
        live--;
        cluster.clocks.publish(warp.number, ended);
        for (Barrier barrier : barriers) {
            barrier.releaseIfComplete();
        }
        cluster.barrier.releaseIfComplete();
        if (live > 0) {
            return;
        }
        checkWarpgroups(warp);
        int visitor = shared.visitorAfter(ended);
        if (visitor >= 0) {
            throw new Warp.Fault(warp, code, KernelFault.Kind.BLOCK_ENDED,
                    "the block ends, and has not waited for %s, which reaches its shared memory"
                            .formatted(cluster.clocks.warpName(visitor)));
        }
        memoryBarriers.forEach((address, barrier) -> {
            if (barrier.hasCopies()) {
                throw new Warp.Fault(warp, code, KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                        "the block ends, and has not waited for the copies that the barrier at %d counts".formatted(address));
            }
        });
    }

    String coordinates() {
        return "(%d, %d, %d)".formatted(x[0], y[0], z[0]);
    }

    String threadCoordinates(int warp, int lane) {
        LaunchConfiguration c = launch.configuration;
        int thread = warp * Warp.SIZE + Math.min(lane, Warp.SIZE - 1);
        return "(%d, %d, %d)".formatted(thread % c.blockX(), thread / c.blockX() % c.blockY(), thread / (c.blockX() * c.blockY()));
    }
}
