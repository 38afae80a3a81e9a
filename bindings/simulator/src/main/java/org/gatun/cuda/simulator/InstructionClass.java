package org.gatun.cuda.simulator;

/// What kind of unit an instruction occupies.
public enum InstructionClass {
    /// Whole numbers, bits and predicates.
    INTEGER,
    /// Floating point, packed halves included.
    FLOAT,
    /// From one type to another.
    CONVERSION,
    /// Copies between registers, constants and addresses.
    MOVE,
    GLOBAL_MEMORY,
    SHARED_MEMORY,
    /// Local, constant and parameter memory.
    OTHER_MEMORY,
    ATOMIC,
    /// Copies from global to shared memory that run beside.
    ASYNC_COPY,
    MATRIX,
    /// Shuffles, votes and matches.
    WARP,
    BARRIER,
    CONTROL;

    static InstructionClass of(Ptx.Instruction instruction) {
        String opcode = instruction.opcode();
        int dot = opcode.indexOf('.');
        return switch (dot < 0 ? opcode : opcode.substring(0, dot)) {
            case "mma", "ldmatrix", "stmatrix", "movmatrix" -> opcode.startsWith("mma") ? MATRIX : SHARED_MEMORY;
            case "wgmma" -> instruction.is("wgmma.mma_async") ? MATRIX : BARRIER;
            case "ld", "ldu", "st", "prefetch" -> instruction.opcode().contains(".shared") ? SHARED_MEMORY
                    : instruction.has("local") || instruction.has("const") || instruction.has("param") ? OTHER_MEMORY
                    : GLOBAL_MEMORY;
            case "atom", "red" -> ATOMIC;
            case "cp" -> opcode.contains("group") || opcode.contains("wait_all") || opcode.startsWith("cp.async.mbarrier") ? BARRIER
                    : ASYNC_COPY;
            case "shfl", "vote", "match", "redux", "activemask", "elect" -> WARP;
            case "bar", "barrier", "mbarrier", "membar", "fence" -> BARRIER;
            case "bra", "brx", "ret", "exit", "trap", "nanosleep", "griddepcontrol", "setmaxnreg" -> CONTROL;
            case "mov", "cvta", "isspacep", "createpolicy", "mapa", "getctarank" -> MOVE;
            case "cvt" -> CONVERSION;
            default -> opcode.matches(".*\\.(f16|f16x2|bf16|bf16x2|f32|f64)(\\..*)?") ? FLOAT : INTEGER;
        };
    }
}
