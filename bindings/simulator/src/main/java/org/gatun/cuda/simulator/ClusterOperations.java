package org.gatun.cuda.simulator;

/// Addresses in the shared memory of a cluster.
final class ClusterOperations {
    private ClusterOperations() {}

    private static final long OFFSET = (1L << MemoryOperation.RANK_SHIFT) - 1;
    private static final long WINDOW = -1L << MemoryOperation.WINDOW_SHIFT;

    /// `mapa`: the same place in another block.
    static final class MapAddress extends Operation {
        private final int target;
        private final int source;
        private final int rank;

        MapAddress(Ptx.Instruction instruction, int target, int source, int rank) {
            super(instruction);
            this.target = target;
            this.source = source;
            this.rank = rank;
        }

        @Override
        void execute(Warp warp, int mask) {
            int blocks = warp.block.cluster.size();
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                int block = ((int[]) warp.registers[rank])[lane];
                if (block < 0 || block >= blocks) {
                    throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, lane, 0, "block %d of a cluster of %d".formatted(block, blocks));
                }
                long address = Registers.bits(warp.registers[source], lane);
                Registers.setBits(warp.registers[target], lane,
                        address & (WINDOW | OFFSET) | (block + 1L) << MemoryOperation.RANK_SHIFT);
            }
        }
    }

    /// `getctarank`: the block in which an address lies.
    static final class GetRank extends Operation {
        private final int target;
        private final int source;

        GetRank(Ptx.Instruction instruction, int target, int source) {
            super(instruction);
            this.target = target;
            this.source = source;
        }

        @Override
        void execute(Warp warp, int mask) {
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                long block = MemoryOperation.rankBits(Registers.bits(warp.registers[source], lane));
                Registers.setBits(warp.registers[target], lane, block == 0 ? warp.block.rank : block - 1);
            }
        }
    }
}
