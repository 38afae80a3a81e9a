package org.gatun.cuda.simulator;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;

/// Four warps that multiply together: each takes the same instructions of the group with the same operands, in its own time.
final class Warpgroup {
    static final int WARPS = 4;

    /// An instruction that all take.
    private record Step(Ptx.Instruction instruction, long a, long b) {}

    /// From the first that some have not taken.
    private final ArrayDeque<Step> steps = new ArrayDeque<>();
    private final int[] taken = new int[WARPS];
    /// Of a thread, as `setmaxnreg` left them.
    private final int[] registers = new int[WARPS];
    private final int firstRegisters;

    Warpgroup(int firstRegisters) {
        this.firstRegisters = firstRegisters;
        clear();
    }

    void clear() {
        steps.clear();
        Arrays.fill(taken, 0);
        Arrays.fill(registers, firstRegisters);
    }

    /// A warp takes an instruction; what is wrong with that, null if nothing is.
    String take(Warp warp, Ptx.Instruction instruction, long a, long b) {
        if (warp.index / WARPS * WARPS + WARPS > warp.block.warpCount()) {
            return "the block has %d warps: four that follow a multiple of four must take it together".formatted(warp.block.warpCount());
        }
        Step step = new Step(instruction, a, b);
        int number = warp.index % WARPS;
        if (taken[number] == steps.size()) {
            steps.add(step);
        } else {
            Step expected = step(taken[number]);
            if (expected.instruction != instruction || expected.a != a || expected.b != b) {
                return "another warp of the four took %s: expected the same instruction and operands"
                        .formatted(expected.instruction == instruction ? "other operands" : "that of PTX line " + expected.instruction.line());
            }
        }
        taken[number]++;
        if (Arrays.stream(taken).allMatch(each -> each > 0)) {
            steps.removeFirst();
            for (int i = 0; i < WARPS; i++) {
                taken[i]--;
            }
        }
        return null;
    }

    private Step step(int number) {
        Iterator<Step> each = steps.iterator();
        for (int i = 0; i < number; i++) {
            each.next();
        }
        return each.next();
    }

    /// Instructions that some warps took and others never did: the first one's, null for none.
    Ptx.Instruction missed() {
        return steps.isEmpty() ? null : steps.getFirst().instruction;
    }

    /// `setmaxnreg`; what is wrong with it, null if nothing is.
    String setRegisters(Warp warp, int count, boolean more) {
        int number = warp.index % WARPS;
        if (more ? count < registers[number] : count > registers[number]) {
            return "%d registers, the warp has %d: expected %s".formatted(count, registers[number], more ? "no fewer" : "no more");
        }
        registers[number] = count;
        return null;
    }

    int registers() {
        return Arrays.stream(registers).sum() * Warp.SIZE;
    }
}
