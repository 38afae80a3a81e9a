package org.gatun.cuda.simulator;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What an instruction costs on a device: the unit that it occupies and for how long, and when its result is there.
///
/// PTX stands for what an assembler makes of it: copies between registers are nothing, all else is one instruction.
///
/// @param cycles that a warp's instruction occupies the unit of one scheduler, or of the multiprocessor for [Unit#SHARED]
/// @param latency cycles until an instruction can use the result; of memory without what the access itself adds
/// @param multiplyAdds of matrices, else 0
record InstructionCost(Unit unit, double cycles, double latency, long multiplyAdds) {
    /// Units of a scheduler, but [#SHARED], which is the multiprocessor's.
    enum Unit { NONE, ALU, FMA, SPECIAL, CONVERT, DOUBLE, TENSOR, SHARED }

    private static final Pattern SHAPE = Pattern.compile("\\.m(\\d+)n(\\d+)k(\\d+)");
    private static final int SCHEDULERS = 4;
    private static final int INTEGER_LANES = 64;
    private static final int FLOAT_LANES = 128;
    private static final int SPECIAL_LANES = 16;

    static InstructionCost of(TimedInstruction timed, DeviceModel device) {
        Ptx.Instruction instruction = timed.instruction();
        double alu = device.figure("alu_latency");
        return switch (InstructionClass.of(instruction)) {
            case MATRIX -> matrix(instruction, device);
            case FLOAT -> floating(instruction, device);
            case INTEGER -> instruction.is("mul") || instruction.is("mad") || instruction.opcode().startsWith("dp")
                    ? lanes(Unit.FMA, INTEGER_LANES, alu)
                    : instruction.is("popc") || instruction.is("clz") || instruction.is("bfind") || instruction.is("brev")
                            ? lanes(Unit.SPECIAL, SPECIAL_LANES, device.figure("special_latency"))
                    : instruction.is("div") || instruction.is("rem") ? new InstructionCost(Unit.ALU, 40, 80, 0)
                    : lanes(Unit.ALU, INTEGER_LANES, alu);
            case CONVERSION -> instruction.opcode().matches("cvt\\.[usb](8|16|32|64)\\.[usb](8|16|32|64)")
                    ? lanes(Unit.ALU, INTEGER_LANES, alu)
                    : lanes(Unit.CONVERT, device.figure("convert_lanes"), 2 * alu);
            case SHARED_MEMORY, WARP -> new InstructionCost(Unit.SHARED, 1, device.figure("shared_latency"), 0);
            case ATOMIC -> new InstructionCost(Unit.SHARED, 1, device.figure("shared_latency"), 0);
            case GLOBAL_MEMORY, ASYNC_COPY -> new InstructionCost(Unit.SHARED, 1, device.figure("l1_latency"), 0);
            case MOVE, OTHER_MEMORY -> new InstructionCost(Unit.NONE, 0, 0, 0);
            case BARRIER, CONTROL -> new InstructionCost(Unit.NONE, 0, alu, 0);
        };
    }

    private static InstructionCost lanes(Unit unit, double lanes, double latency) {
        return new InstructionCost(unit, Warp.SIZE * SCHEDULERS / lanes, latency, 0);
    }

    private static InstructionCost floating(Ptx.Instruction instruction, DeviceModel device) {
        double alu = device.figure("alu_latency");
        if (instruction.opcode().contains("f64")) {
            return lanes(Unit.DOUBLE, device.figure("double_lanes"), 4 * alu);
        }
        if (instruction.opcode().contains(".approx") || instruction.is("rcp") || instruction.is("rsqrt") || instruction.is("ex2")) {
            return lanes(Unit.SPECIAL, SPECIAL_LANES, device.figure("special_latency"));
        }
        if (instruction.is("div") || instruction.is("sqrt")) { // a subroutine of some twenty
            return new InstructionCost(Unit.FMA, 20, 20 * alu, 0);
        }
        if (instruction.is("setp") || instruction.is("selp") || instruction.is("min") || instruction.is("max") || instruction.is("abs")
                || instruction.is("neg")) {
            return lanes(Unit.ALU, INTEGER_LANES, alu);
        }
        return lanes(Unit.FMA, instruction.opcode().contains("bf16x2") ? device.figure("bf16_lanes") : FLOAT_LANES, alu);
    }

    private static InstructionCost matrix(Ptx.Instruction instruction, DeviceModel device) {
        Matcher shape = SHAPE.matcher(instruction.opcode());
        long products = shape.find() ? Long.parseLong(shape.group(1)) * Long.parseLong(shape.group(2)) * Long.parseLong(shape.group(3))
                : 16 * 8 * 16;
        boolean bytes = instruction.opcode().contains(".s8") || instruction.opcode().contains(".u8");
        boolean group = instruction.is("wgmma");
        double rate = group ? device.figure("wgmma_f16") * (bytes ? 2 : 1) : device.figure(bytes ? "mma_s8" : "mma_f16");
        double share = group ? products / 4.0 : products; // of a warp
        double sparse = instruction.opcode().contains(".sp") ? 2 : 1;
        return new InstructionCost(Unit.TENSOR, share * SCHEDULERS / (rate * sparse), device.figure("matrix_latency"), (long) share);
    }
}
