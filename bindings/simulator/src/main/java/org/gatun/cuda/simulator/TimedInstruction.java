package org.gatun.cuda.simulator;

import java.util.List;
import java.util.stream.IntStream;
import org.gatun.cuda.simulator.Ptx.Operand;

/// What of an instruction matters for time: what it waits for, what waits for it, and which unit it occupies.
///
/// @param role what it does to time
/// @param reads numbers of the kernel's registers that must be there, the guard's included
/// @param writes numbers of the kernel's registers that are there when it is done
/// @param accessBytes of a thread, for memory; else 0
/// @param pending groups that may still run after a wait, else 0
record TimedInstruction(Ptx.Instruction instruction, Role role, int[] reads, int[] writes, int accessBytes, int pending) {
    enum Role {
        /// Arithmetic and all that takes a fixed time.
        COMPUTE,
        /// No instruction on a device: a copy between registers, or an operand from a constant bank.
        MOVE,
        LOAD, STORE, ATOMIC, SHARED,
        /// `cp.async`: beside the warp.
        COPY, COPY_COMMIT, COPY_WAIT,
        /// `wgmma`: beside the warp.
        PRODUCT, PRODUCT_COMMIT, PRODUCT_WAIT,
        /// On a barrier.
        SYNC
    }

    private static final int[] NONE = {};

    static TimedInstruction of(Ptx.Instruction instruction, Operation operation) {
        Role role = role(instruction);
        boolean result = hasResult(instruction);
        List<Operand> operands = instruction.operands();
        IntStream.Builder reads = IntStream.builder();
        IntStream.Builder writes = IntStream.builder();
        for (int i = 0; i < operands.size(); i++) {
            IntStream.Builder into = i == 0 && result ? writes : reads;
            operands.get(i).forEachRegister(register -> into.add(number(register)));
        }
        if (instruction.guard() != null) {
            reads.add(number(instruction.guard()));
        }
        if (role == Role.PRODUCT) { // its results are those of the group, which is waited for as one
            return new TimedInstruction(instruction, role, reads.build().toArray(), NONE, 0, 0);
        }
        int bytes = operation instanceof MemoryOperation memory ? memory.extent.byteSize() : 0;
        return new TimedInstruction(instruction, role, reads.build().toArray(), writes.build().toArray(), bytes, pending(instruction));
    }

    private static Role role(Ptx.Instruction instruction) {
        String opcode = instruction.opcode();
        return switch (InstructionClass.of(instruction)) {
            case MOVE -> Role.MOVE;
            case OTHER_MEMORY -> instruction.has("local") ? Role.LOAD : Role.MOVE;
            case GLOBAL_MEMORY -> instruction.is("ld") || instruction.is("ldu") ? Role.LOAD : Role.STORE;
            case SHARED_MEMORY -> Role.SHARED;
            case ATOMIC -> Role.ATOMIC;
            case ASYNC_COPY -> opcode.startsWith("cp.async.bulk") ? Role.SYNC : Role.COPY;
            case MATRIX -> instruction.is("wgmma") ? Role.PRODUCT : Role.COMPUTE;
            case BARRIER -> {
                if (instruction.is("cp.async.commit_group")) {
                    yield Role.COPY_COMMIT;
                }
                if (instruction.is("cp.async.wait_group") || instruction.is("cp.async.wait_all")) {
                    yield Role.COPY_WAIT;
                }
                if (instruction.is("wgmma.commit_group")) {
                    yield Role.PRODUCT_COMMIT;
                }
                yield instruction.is("wgmma.wait_group") ? Role.PRODUCT_WAIT : Role.SYNC;
            }
            case INTEGER, FLOAT, CONVERSION, WARP, CONTROL -> Role.COMPUTE;
        };
    }

    private static int pending(Ptx.Instruction instruction) {
        return instruction.opcode().contains("wait_group") && instruction.operands().getFirst() instanceof Operand.Whole(long value)
                ? (int) value : 0;
    }

    private static boolean hasResult(Ptx.Instruction instruction) {
        if (instruction.operands().isEmpty() || instruction.operands().getFirst() instanceof Operand.Memory) {
            return false;
        }
        return !instruction.is("st") && !instruction.is("red") && !instruction.is("bra") && !instruction.is("bar")
                && !instruction.is("barrier") || instruction.opcode().contains(".red.");
    }

    /// A register's number, as [InstructionDecoder] has it.
    private static int number(Ptx.Register register) {
        return register.id() + 1;
    }

    /// The threads for which its guard holds.
    int guard(Warp warp) {
        return warp.predicate(number(instruction.guard())) ^ (instruction.guardNegated() ? -1 : 0);
    }

    /// Whether it is a load that may find what it reads in L1.
    boolean isCached() {
        return role == Role.LOAD && !instruction.has("cg") && !instruction.has("cv") && !instruction.has("volatile")
                && !instruction.has("relaxed") && !instruction.has("acquire");
    }

    /// Whether an atomic operation on shared memory is made of others, since there is no unit for it.
    boolean isCompareAndSwapLoop() {
        String opcode = instruction.opcode();
        boolean unit = opcode.matches(".*\\.[bus]32") || opcode.contains(".exch.") || opcode.contains(".cas.");
        return role == Role.ATOMIC && !unit;
    }

    /// Whether it only reads shared memory.
    boolean isSharedLoad() {
        return role == Role.SHARED && !instruction.is("st") && !instruction.is("stmatrix");
    }

    /// Turns of an access to shared memory where no threads meet in a bank.
    int turns() {
        String opcode = instruction.opcode();
        if (opcode.startsWith("ldmatrix") || opcode.startsWith("stmatrix")) {
            return opcode.contains(".x4") ? 4 : opcode.contains(".x2") ? 2 : 1;
        }
        return Math.max(1, accessBytes / Integer.BYTES);
    }

    /// Whether it may leave what it writes as it was.
    boolean isGuarded() {
        return instruction.guard() != null;
    }

    /// Whether what it moves is noted each time it runs.
    boolean isNoted() {
        return switch (role) {
            case LOAD, STORE, ATOMIC, SHARED, COPY -> true;
            case COMPUTE, MOVE, COPY_COMMIT, COPY_WAIT, PRODUCT, PRODUCT_COMMIT, PRODUCT_WAIT, SYNC -> false;
        };
    }
}
