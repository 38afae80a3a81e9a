package org.gatun.cuda.simulator;

/// Instructions that four warps take together, and the fence between the ways to shared memory.
final class WarpgroupOperations {
    private WarpgroupOperations() {}

    /// One that each of the four warps takes, whole.
    abstract static class ConvergentOperation extends Operation {
        ConvergentOperation(Ptx.Instruction instruction) {
            super(instruction);
        }

        final void take(Warp warp, int mask, long a, long b) {
            MatrixOperations.checkWhole(this, warp, mask);
            String wrong = warp.block.warpgroup(warp).take(warp, instruction, a, b);
            if (wrong != null) {
                throw fault(warp, KernelFault.Kind.MISSING_WARP_MEMBER, 0, 0, wrong);
            }
        }

        final void check(Warp warp, SharedMemory.Finding finding) {
            if (finding != null) {
                throw fault(warp, finding.kind(), 0, 0, finding.message());
            }
        }
    }

    /// `wgmma.fence`: what was written to registers is there for the products that follow.
    static final class Fence extends ConvergentOperation {
        Fence(Ptx.Instruction instruction) {
            super(instruction);
        }

        @Override
        void execute(Warp warp, int mask) {
            take(warp, mask, 0, 0);
            warp.products().fence();
        }
    }

    /// `wgmma.commit_group`.
    static final class Commit extends ConvergentOperation {
        Commit(Ptx.Instruction instruction) {
            super(instruction);
        }

        @Override
        void execute(Warp warp, int mask) {
            take(warp, mask, 0, 0);
            warp.products().commit();
        }
    }

    /// `wgmma.wait_group`.
    static final class Await extends ConvergentOperation {
        private final int pending;

        /// @param pending groups that may still run
        Await(Ptx.Instruction instruction, int pending) {
            super(instruction);
            this.pending = pending;
        }

        @Override
        void execute(Warp warp, int mask) {
            take(warp, mask, 0, 0);
            warp.products().await(warp.block.shared, warp.number, pending);
        }
    }

    /// `wgmma.mma_async`. The sums are there at once; that they might not be, and that operands are read until then, is what is checked.
    static final class Multiply extends ConvergentOperation {
        private static final int ROWS = 16;

        private final WarpgroupMultiply product;
        private final int[] d;
        private final int[] a;
        private final int leftDescriptor;
        private final int rightDescriptor;
        private final int accumulates;
        private final int flip;
        private final boolean negates;
        private final boolean leftTransposed;
        private final boolean rightTransposed;

        /// @param a registers of the left matrix, none if it is in shared memory
        /// @param leftDescriptor register, 0 if it is not
        /// @param accumulates predicate whether D is added
        Multiply(Ptx.Instruction instruction, WarpgroupMultiply product, int[] d, int[] a, int leftDescriptor, int rightDescriptor,
                int accumulates, boolean flipped, boolean negates, boolean leftTransposed, boolean rightTransposed) {
            super(instruction);
            this.product = product;
            this.d = d;
            this.a = a;
            this.leftDescriptor = leftDescriptor;
            this.rightDescriptor = rightDescriptor;
            this.accumulates = accumulates;
            flip = flipped ? -1 : 0;
            this.negates = negates;
            this.leftTransposed = leftTransposed;
            this.rightTransposed = rightTransposed;
        }

        int[] results() {
            return d;
        }

        int[] sources() {
            return a;
        }

        @Override
        void execute(Warp warp, int mask) {
            long left = a.length > 0 ? 0 : bits(warp, leftDescriptor);
            long right = bits(warp, rightDescriptor);
            int scale = warp.predicate(accumulates) ^ flip;
            take(warp, mask, left, right);
            if (scale != 0 && scale != -1) {
                throw fault(warp, KernelFault.Kind.MISSING_WARP_MEMBER, 0, 0, "threads of the warp do not agree whether to accumulate");
            }
            check(warp, warp.products().order(warp.kernel, d, a));
            MatrixScratch scratch = warp.block.matrixScratch;
            SharedMemory shared = warp.block.shared;
            if (a.length > 0) {
                product.left(scratch, warp.of(a));
            } else {
                int first = ROWS * (warp.index % Warpgroup.WARPS);
                product.left(scratch, shared, read(warp, left, leftTransposed, first, ROWS), first);
            }
            product.right(scratch, shared, read(warp, right, rightTransposed, 0, product.columns()));
            product.execute(scratch, warp.of(d), scale != 0, negates);
        }

        private long bits(Warp warp, int register) {
            long[] lanes = (long[]) warp.registers[register];
            for (int lane = 1; lane < Warp.SIZE; lane++) {
                if (lanes[lane] != lanes[0]) {
                    throw fault(warp, KernelFault.Kind.MISSING_WARP_MEMBER, lane, 0,
                            "threads of the warp do not agree where a matrix lies in shared memory");
                }
            }
            return lanes[0];
        }

        private MatrixDescriptor read(Warp warp, long bits, boolean transposed, int first, int lines) {
            String refusal = MatrixDescriptor.refusal(bits, transposed);
            if (refusal != null) {
                throw fault(warp, KernelFault.Kind.LIMIT, 0, 0, refusal);
            }
            MatrixDescriptor matrix = MatrixDescriptor.of(bits, transposed);
            check(warp, warp.products().read(warp.block.shared, warp.number, matrix, first, lines));
            return matrix;
        }
    }

    /// Another instruction, that reads or writes registers of a product.
    static final class Beside extends Operation.Watched {
        Beside(Operation operation, int[] reads, int[] writes) {
            super(operation, reads, writes);
        }

        @Override
        void execute(Warp warp, int mask) {
            SharedMemory.Finding finding = warp.products().touch(warp.kernel, reads, writes);
            if (finding != null) {
                throw fault(warp, finding.kind(), Integer.numberOfTrailingZeros(mask), 0, finding.message());
            }
            operation.execute(warp, mask);
        }
    }

    /// `setmaxnreg`: registers that the group's threads take or give back.
    static final class SetRegisters extends ConvergentOperation {
        private final int count;
        private final boolean more;

        SetRegisters(Ptx.Instruction instruction, int count, boolean more) {
            super(instruction);
            this.count = count;
            this.more = more;
        }

        @Override
        void execute(Warp warp, int mask) {
            take(warp, mask, 0, 0);
            String wrong = warp.kernel.maxThreads() == 0 ? "registers of a kernel whose entry says nothing of its threads (.maxntid)"
                    : warp.block.warpgroup(warp).setRegisters(warp, count, more);
            if (wrong != null) {
                throw fault(warp, KernelFault.Kind.LIMIT, 0, 0, wrong);
            }
            warp.block.changedRegisters(instruction);
        }
    }

    /// `fence.proxy.async`: what these threads wrote to shared memory is there for what reads it by another way than they do.
    static final class ProxyFence extends Operation {
        ProxyFence(Ptx.Instruction instruction) {
            super(instruction);
        }

        @Override
        void execute(Warp warp, int mask) {
            warp.block.cluster.clocks.fence(warp.number, mask);
            warp.block.cluster.tick(instruction, warp);
        }
    }
}
