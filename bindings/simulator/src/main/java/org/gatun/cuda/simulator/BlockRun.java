package org.gatun.cuda.simulator;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Map.Entry;
import java.util.function.IntUnaryOperator;
import org.gatun.cuda.LaunchConfiguration;

/// A block of threads while it runs. Kept by one worker for all the blocks it runs, one after the other.
final class BlockRun {
    private static final int REGISTERS = 65_536;
    private static final int MOST_REGISTERS = 248;

    final LaunchRun launch;
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
    private long index;
    private int live;

    BlockRun(LaunchRun launch) {
        this.launch = launch;
        kernel = launch.kernel;
        LaunchConfiguration configuration = launch.configuration;
        int threads = configuration.blockThreads();
        warps = new Warp[(threads + Warp.SIZE - 1) / Warp.SIZE];
        shared = new SharedMemory(kernel.dynamicSharedOffset() + configuration.dynamicSharedBytes(), warps.length,
                kernel.granuleShift());
        tally = new Tally(kernel.blocks().length);
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(kernel, i, this, registers(i));
        }
        warpgroups = new Warpgroup[Math.ceilDiv(warps.length, Warpgroup.WARPS)];
        for (int i = 0; i < warpgroups.length; i++) {
            warpgroups[i] = new Warpgroup(firstRegisters());
        }
        for (int i = 0; i < barriers.length; i++) {
            barriers[i] = new Barrier(this, warps.length);
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

    /// Puts it at the beginning of a block.
    void start(long block) {
        LaunchConfiguration c = launch.configuration;
        index = block;
        Arrays.fill(x, (int) (block % c.gridX()));
        Arrays.fill(y, (int) (block / c.gridX() % c.gridY()));
        Arrays.fill(z, (int) (block / c.gridX() / c.gridY()));
        Arrays.fill(multiprocessor, (int) (block % launch.multiprocessors));
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

    int liveWarps() {
        return live;
    }

    /// Moves shared memory's time on.
    void tick(Ptx.Instruction instruction, Warp warp) {
        if (!shared.tick()) {
            throw new Warp.Fault(warp, instruction, KernelFault.Kind.LIMIT, Integer.numberOfTrailingZeros(warp.live), 0,
                    "too many barriers in one block for the check of shared memory");
        }
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
        return Math.min(MOST_REGISTERS, REGISTERS / (warps.length * Warp.SIZE) / 8 * 8);
    }

    /// At the end of a block: its warpgroups took their instructions together, and registers that were there.
    private void checkWarpgroups(Warp last) {
        if (live > 0) {
            return;
        }
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

    /// Gives each warp a turn; false once all have ended.
    boolean step() {
        boolean ran = false;
        int first = launch.firstWarp(index, warps.length);
        for (int i = 0; i < warps.length; i++) {
            Warp warp = warps[(first + i) % warps.length];
            if (warp.state == Warp.State.RUNNING) {
                ran = true;
                warp.run();
                if (warp.state == Warp.State.DONE) {
                    live--;
                    checkWarpgroups(warp);
                    for (Barrier barrier : barriers) {
                        barrier.releaseIfComplete();
                    }
                }
            }
        }
        if (!ran && live > 0) {
            for (Warp warp : warps) {
                if (warp.state == Warp.State.WAITING) {
                    throw new Warp.Fault(warp, warp.waitingAt, KernelFault.Kind.DEADLOCK,
                            "all of the block's " + live + " warps wait, and none can come");
                }
            }
        }
        return live > 0;
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
