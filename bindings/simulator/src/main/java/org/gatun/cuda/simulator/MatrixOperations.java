package org.gatun.cuda.simulator;

/// Instructions of the matrix units, which the 32 threads of a warp take together.
final class MatrixOperations {
    private MatrixOperations() {}

    static void checkWhole(Operation operation, Warp warp, int mask) {
        if (mask != Warp.ALL) {
            throw operation.fault(warp, KernelFault.Kind.MISSING_WARP_MEMBER, Integer.numberOfTrailingZeros(~mask), 0,
                    "only threads %s come: all 32 must".formatted(Warp.hex(mask)));
        }
    }

    /// `ldmatrix`: matrices of 8 rows of 16 bytes, whose addresses are given by 8 threads each, spread over the warp.
    static final class LoadMatrix extends MemoryOperation {
        private final int[] targets;
        private final boolean transposed;

        LoadMatrix(Ptx.Instruction instruction, Address address, int[] targets, boolean transposed) {
            super(instruction, address, new Extent(16, 1));
            this.targets = targets;
            this.transposed = transposed;
        }

        @Override
        void execute(Warp warp, int mask) {
            checkWhole(this, warp, mask);
            super.execute(warp, rows(targets.length));
        }

        @Override
        void access(Warp warp, int mask, Ptx.Space space) {
            SharedMemory shared = warp.block.shared;
            if (space != Ptx.Space.SHARED || mask != rows(targets.length)) {
                throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, 0, warp.addresses[0], "a row that is not in shared memory");
            }
            warp.block.tally.shared(warp.addresses, mask, 16);
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                check(warp, lane, shared.read(sharedAddress(warp, lane, 16), 16, warp.number, lane));
            }
            for (int i = 0; i < targets.length; i++) {
                int[] to = (int[]) warp.registers[targets[i]];
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    if (transposed) {
                        int column = 2 * (lane >> 2);
                        int row = 8 * i + 2 * (lane & 3);
                        to[lane] = (int) (shared.get((int) warp.addresses[row] + column, 2)
                                | shared.get((int) warp.addresses[row + 1] + column, 2) << 16);
                    } else {
                        to[lane] = shared.getInt((int) warp.addresses[8 * i + (lane >> 2)] + 4 * (lane & 3));
                    }
                }
            }
        }
    }

    /// `stmatrix`: the way back.
    static final class StoreMatrix extends MemoryOperation {
        private final int[] sources;
        private final boolean transposed;

        StoreMatrix(Ptx.Instruction instruction, Address address, int[] sources, boolean transposed) {
            super(instruction, address, new Extent(16, 1));
            this.sources = sources;
            this.transposed = transposed;
        }

        @Override
        void execute(Warp warp, int mask) {
            checkWhole(this, warp, mask);
            super.execute(warp, rows(sources.length));
        }

        @Override
        void access(Warp warp, int mask, Ptx.Space space) {
            SharedMemory shared = warp.block.shared;
            if (space != Ptx.Space.SHARED || mask != rows(sources.length)) {
                throw fault(warp, KernelFault.Kind.OUT_OF_BOUNDS, 0, warp.addresses[0], "a row that is not in shared memory");
            }
            warp.block.tally.shared(warp.addresses, mask, 16);
            for (int m = mask; m != 0; m &= m - 1) {
                int lane = Integer.numberOfTrailingZeros(m);
                check(warp, lane, shared.write(sharedAddress(warp, lane, 16), 16, warp.number, lane));
            }
            for (int i = 0; i < sources.length; i++) {
                int[] from = (int[]) warp.registers[sources[i]];
                for (int lane = 0; lane < Warp.SIZE; lane++) {
                    if (transposed) {
                        int column = 2 * (lane >> 2);
                        int row = 8 * i + 2 * (lane & 3);
                        shared.set((int) warp.addresses[row] + column, 2, from[lane]);
                        shared.set((int) warp.addresses[row + 1] + column, 2, from[lane] >>> 16);
                    } else {
                        shared.setInt((int) warp.addresses[8 * i + (lane >> 2)] + 4 * (lane & 3), from[lane]);
                    }
                }
            }
        }
    }

    private static int rows(int matrices) {
        return matrices == 4 ? Warp.ALL : (1 << 8 * matrices) - 1;
    }

    /// `movmatrix`: the transpose of an 8 by 8 matrix of 16-bit elements that lies spread over the warp.
    static final class Transpose extends Operation {
        private final int target;
        private final int source;

        Transpose(Ptx.Instruction instruction, int target, int source) {
            super(instruction);
            this.target = target;
            this.source = source;
        }

        @Override
        void execute(Warp warp, int mask) {
            checkWhole(this, warp, mask);
            int[] from = (int[]) warp.registers[source];
            for (int lane = 0; lane < Warp.SIZE; lane++) {
                int row = lane >> 2;
                int column = 2 * (lane & 3);
                warp.gathered[lane] = element(from, column, row) | element(from, column + 1, row) << 16;
            }
            Registers.merge(warp.registers[target], warp.gathered, mask);
        }

        private static int element(int[] matrix, int row, int column) {
            return matrix[4 * row + column / 2] >>> 16 * (column & 1) & 0xffff;
        }
    }

    /// `mma` and `mma.sp`: a product of small matrices that lie spread over the warp, added to a third.
    static final class Multiply extends Operation {
        private final MatrixMultiply product;
        private final int[] d;
        private final int[] a;
        private final int[] b;
        private final int[] c;
        private final int metadata;
        private final int selector;

        /// @param metadata register with the places of non-zero elements, 0 for a dense product
        Multiply(Ptx.Instruction instruction, MatrixMultiply product, int[] d, int[] a, int[] b, int[] c, int metadata,
                int selector) {
            super(instruction);
            this.product = product;
            this.d = d;
            this.a = a;
            this.b = b;
            this.c = c;
            this.metadata = metadata;
            this.selector = selector;
        }

        @Override
        void execute(Warp warp, int mask) {
            checkWhole(this, warp, mask);
            product.execute(warp.block.matrixScratch, warp.of(d), warp.of(a), warp.of(b), warp.of(c),
                    (int[]) warp.registers[metadata], selector);
        }
    }
}
