package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// A kernel's instructions as time sees them: one for each that the text has, numbered through.
///
/// An instruction may be several operations, which follow each other; the first stands for it.
final class TimedKernel {
    /// The instructions of a basic block.
    ///
    /// @param numbers by operation: the instruction that begins there, negative where one goes on
    /// @param exit the one that ends the block, negative for none
    /// @param orders by instruction of the block: of the run of instructions that begins there, up to the next that meets others, the
    ///     order in which a device takes them; null where none begins
    record Block(int[] numbers, int exit, int[][] orders) {}

    final Kernel kernel;
    private final Block[] blocks;
    private final TimedInstruction[] instructions;
    private final boolean atomics;

    TimedKernel(Kernel kernel) {
        this.kernel = kernel;
        List<TimedInstruction> all = new ArrayList<>();
        blocks = new Block[kernel.blocks().length];
        for (int b = 0; b < blocks.length; b++) {
            BasicBlock code = kernel.blocks()[b];
            int[] numbers = new int[code.operations.length];
            int first = all.size();
            for (int i = 0; i < numbers.length; i++) {
                Ptx.Instruction instruction = code.operations[i].instruction;
                if (i > 0 && code.operations[i - 1].instruction == instruction) {
                    numbers[i] = -1;
                    continue;
                }
                numbers[i] = all.size();
                all.add(TimedInstruction.of(instruction, memoryOperation(code.operations, i)));
            }
            boolean exits = code.exitInstruction != null && code.exit != BasicBlock.Exit.YIELD;
            blocks[b] = new Block(numbers, exits ? all.size() : -1, orders(all.subList(first, all.size())));
            if (exits) {
                all.add(TimedInstruction.of(code.exitInstruction, null));
            }
        }
        instructions = all.toArray(TimedInstruction[]::new);
        atomics = all.stream().anyMatch(each -> each.role() == TimedInstruction.Role.ATOMIC
                && !each.instruction().opcode().contains(".shared"));
    }

    private static int[][] orders(List<TimedInstruction> instructions) {
        int[][] orders = new int[instructions.size()][];
        for (int i = 0; i < orders.length;) {
            int end = i;
            while (end < orders.length && instructions.get(end).role() != TimedInstruction.Role.SYNC) {
                end++;
            }
            if (end > i) {
                orders[i] = Schedule.order(instructions.subList(i, end).toArray(TimedInstruction[]::new));
            }
            i = end + 1;
        }
        return orders;
    }

    /// Of the operations of an instruction the one that accesses memory, or else the first.
    private static Operation memoryOperation(Operation[] operations, int first) {
        Operation found = unwrapped(operations[first]);
        for (int i = first + 1; i < operations.length && operations[i].instruction == operations[first].instruction; i++) {
            found = unwrapped(operations[i]) instanceof MemoryOperation memory ? memory : found;
        }
        return found;
    }

    private static Operation unwrapped(Operation operation) {
        return switch (operation) {
            case Operation.Guarded guarded -> unwrapped(guarded.inner());
            case Operation.Watched watched -> unwrapped(watched.operation);
            default -> operation;
        };
    }

    Block block(int index) {
        return blocks[index];
    }

    TimedInstruction instruction(int number) {
        return instructions[number];
    }

    /// By number of the instruction.
    InstructionCost[] costs(DeviceModel device) {
        return Arrays.stream(instructions).map(each -> InstructionCost.of(each, device)).toArray(InstructionCost[]::new);
    }

    /// Whether blocks may hear of each other in global memory: then what one does depends on others.
    boolean hasGlobalAtomics() {
        return atomics;
    }
}
