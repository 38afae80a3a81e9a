package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Straight-line programs of random instructions on the simulator and, instruction by instruction, by [FormOracle]: every register is
/// compared at the end.
class RandomProgramTest {
    private static final int PROGRAMS = 25;
    private static final int LENGTH = 80;
    private static final int REGISTERS = 8;
    private static final List<String> WHOLE = List.of("add.u32", "sub.s32", "mul.lo.u32", "mad.lo.s32", "mul.hi.u32", "mul.hi.s32",
            "and.b32", "or.b32", "xor.b32", "not.b32", "shl.b32", "shr.u32", "shr.s32", "min.s32", "max.u32", "abs.s32", "popc.b32",
            "clz.b32", "brev.b32", "bfe.u32", "bfe.s32", "shf.l.wrap.b32", "shf.r.clamp.b32", "prmt.b32", "sad.s32", "dp4a.s32.s32");
    private static final List<String> REAL = List.of("add.f32", "sub.f32", "mul.f32", "fma.rn.f32", "min.f32", "max.f32", "neg.f32",
            "abs.f32", "div.rn.f32", "add.rz.f32", "mul.rp.f32", "fma.rm.f32");

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void program_random_leavesTheRegistersOfTheOracle(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        try (Machine machine = new Machine()) {
            for (int program = 0; program < PROGRAMS; program++) {
                check(machine, random, "seed " + seed + ", program " + program);
            }
        }
    }

    private static void check(Machine machine, SplittableRandom random, String which) {
        // [lane][register]: whole ones, then real ones
        int[] values = new int[32 * 2 * REGISTERS];
        for (int i = 0; i < values.length; i++) {
            values[i] = i / REGISTERS % 2 == 0 ? random.nextInt() : Float.floatToRawIntBits((float) random.nextDouble(-8, 8));
        }
        StringBuilder code = new StringBuilder("mov.u32 %r60, %tid.x; mul.wide.u32 %rd1, %r60, 64; ld.param.u64 %rd0, [p0]; "
                + "add.s64 %rd0, %rd0, %rd1;\n");
        for (int i = 0; i < REGISTERS; i++) {
            code.append("ld.global.u32 %%r%d, [%%rd0+%d]; ld.global.f32 %%f%d, [%%rd0+%d];\n".formatted(i, 4 * i, i, 4 * (REGISTERS + i)));
        }
        DeviceBuffer buffer = machine.buffer(values);
        for (int step = 0; step < LENGTH; step++) {
            boolean whole = random.nextInt(3) > 0;
            String opcode = whole ? WHOLE.get(random.nextInt(WHOLE.size())) : REAL.get(random.nextInt(REAL.size()));
            int sources = Arithmetic.find(opcode).operands().length() - 1;
            int target = random.nextInt(REGISTERS);
            int[] from = random.ints(sources, 0, REGISTERS).toArray();
            code.append(opcode).append(whole ? " %r" : " %f").append(target);
            for (int source : from) {
                code.append(whole ? ", %r" : ", %f").append(source);
            }
            code.append(";\n");
            FormOracle oracle = new FormOracle(opcode);
            for (int lane = 0; lane < 32; lane++) {
                int base = lane * 2 * REGISTERS + (whole ? 0 : REGISTERS);
                long[] operands = new long[sources];
                for (int i = 0; i < sources; i++) {
                    operands[i] = values[base + from[i]] & 0xffffffffL;
                }
                FormOracle.Answer answer = oracle.answer(operands).orElseThrow();
                values[base + target] = whole ? answer.bits().intValue() : Float.floatToIntBits((float) answer.number());
            }
        }
        for (int i = 0; i < REGISTERS; i++) {
            code.append("st.global.u32 [%%rd0+%d], %%r%d; st.global.f32 [%%rd0+%d], %%f%d;\n".formatted(4 * i, i, 4 * (REGISTERS + i), i));
        }
        machine.run(machine.kernel(".u64", code.toString()), LaunchConfiguration.of(1, 32), buffer);
        int[] found = Machine.ints(buffer);
        for (int i = 0; i < values.length; i++) {
            int expected = values[i];
            int result = found[i];
            if (i / REGISTERS % 2 == 1 && Float.isNaN(Float.intBitsToFloat(expected))) {
                assertTrue(Float.isNaN(Float.intBitsToFloat(result)), which);
            } else {
                assertEquals(expected, result, which + ", lane " + i / 16 + ", register " + i % 16 + " of\n" + code);
            }
        }
    }
}
