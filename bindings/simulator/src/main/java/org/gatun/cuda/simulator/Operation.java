package org.gatun.cuda.simulator;

/// An instruction made ready to run: operands are numbers of registers.
///
/// Shared by all warps on all threads, so it keeps nothing of a run.
abstract class Operation {
    final Ptx.Instruction instruction;

    Operation(Ptx.Instruction instruction) {
        this.instruction = instruction;
    }

    /// Runs it for the threads in `mask`, which are some.
    abstract void execute(Warp warp, int mask);

    /// A fault of this instruction in one thread.
    final Warp.Fault fault(Warp warp, KernelFault.Kind kind, int lane, long address, String message) {
        return new Warp.Fault(warp, this, kind, lane, address, message);
    }

    /// An instruction that only some threads of a warp take.
    static final class Guarded extends Operation {
        private final Operation operation;
        private final int predicate;
        private final int flip;

        Guarded(Operation operation, int predicate, boolean negated) {
            super(operation.instruction);
            this.operation = operation;
            this.predicate = predicate;
            flip = negated ? -1 : 0;
        }

        Operation inner() {
            return operation;
        }

        /// Another operation under the same guard.
        Guarded around(Operation other) {
            return new Guarded(other, predicate, flip != 0);
        }

        @Override
        void execute(Warp warp, int mask) {
            int taken = mask & (warp.predicate(predicate) ^ flip);
            if (taken != 0) {
                operation.execute(warp, taken);
            }
        }
    }

    /// An instruction some of whose registers are looked at beside it.
    abstract static class Watched extends Operation {
        final Operation operation;
        /// Numbers of registers.
        final int[] reads;
        final int[] writes;

        Watched(Operation operation, int[] reads, int[] writes) {
            super(operation.instruction);
            this.operation = operation;
            this.reads = reads;
            this.writes = writes;
        }
    }

    /// An instruction with registers that may not have been written: threads that read one nothing wrote are found, and what is
    /// written is noted.
    static final class Tracked extends Watched {
        Tracked(Operation operation, int[] reads, int[] writes) {
            super(operation, reads, writes);
        }

        @Override
        void execute(Warp warp, int mask) {
            for (int register : reads) {
                int missing = mask & ~warp.written[register];
                if (missing != 0) {
                    throw fault(warp, KernelFault.Kind.UNINITIALIZED_REGISTER, Integer.numberOfTrailingZeros(missing), 0,
                            "reads register " + warp.kernel.registerName(register) + ", which nothing wrote");
                }
            }
            operation.execute(warp, mask);
            for (int register : writes) {
                warp.written[register] |= mask;
            }
        }
    }

    /// Arithmetic of a [Form].
    static final class Arithmetic extends Operation {
        private final Lanes lanes;
        private final char kind;
        private final int destination;
        private final int a;
        private final int b;
        private final int c;
        private final int e;

        /// @param sources numbers of registers, 0 for none
        Arithmetic(Ptx.Instruction instruction, Form form, int destination, int[] sources) {
            super(instruction);
            lanes = form.lanes();
            kind = form.operands().charAt(0);
            this.destination = destination;
            a = sources[0];
            b = sources.length > 1 ? sources[1] : 0;
            c = sources.length > 2 ? sources[2] : 0;
            e = sources.length > 3 ? sources[3] : 0;
        }

        @Override
        void execute(Warp warp, int mask) {
            Object[] r = warp.registers;
            if (mask == Warp.ALL) {
                lanes.apply(r[destination], r[a], r[b], r[c], r[e]);
            } else {
                Object result = warp.scratch(kind);
                lanes.apply(result, r[a], r[b], r[c], r[e]);
                Registers.merge(r[destination], result, mask);
            }
        }
    }
}
