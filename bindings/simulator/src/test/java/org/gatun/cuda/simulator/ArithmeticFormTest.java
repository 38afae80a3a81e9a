package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/// Every arithmetic instruction of the simulator, as a kernel of PTX, against [FormOracle]: edges of the types crossed, and random
/// operands. An instruction without an oracle fails.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ArithmeticFormTest {
    private static final long SEED = 20261121;
    private static final int TUPLES = 512;

    private final Machine machine = new Machine();

    @AfterAll
    void close() {
        machine.close();
    }

    @TestFactory
    Stream<DynamicTest> form_edgesAndRandomOperands_givesWhatTheIsaSays() {
        return Arithmetic.forms().stream().flatMap(form -> form.opcode().equals("lop3.b32")
                ? IntStream.range(0, 256).mapToObj(table -> dynamicTest(form.opcode() + " " + table, () -> check(form, table)))
                : Stream.of(dynamicTest(form.opcode(), () -> check(form, -1))));
    }

    /// @param table the last operand as a constant, or -1
    private void check(Form form, int table) {
        String kinds = table >= 0 ? form.operands().substring(0, 4) : form.operands();
        int sources = kinds.length() - 1;
        SplittableRandom random = new SplittableRandom(SEED + form.opcode().hashCode());
        long[] operands = operands(kinds, random, TUPLES);
        DeviceBuffer in = machine.context.allocateFrom(MemorySegment.ofArray(operands));
        DeviceBuffer out = machine.context.allocateFrom(MemorySegment.ofArray(new long[TUPLES]));
        CudaFunction kernel = machine.kernel(".u64 .u64", body(form, kinds, table));
        machine.run(kernel, LaunchConfiguration.of(TUPLES / 64, 64), out, in);
        long[] results = new long[TUPLES];
        out.copyTo(MemorySegment.ofArray(results));
        kernel.module().close();
        in.close();
        out.close();

        FormOracle oracle = new FormOracle(form.opcode());
        for (int i = 0; i < TUPLES; i++) {
            long[] tuple = new long[table >= 0 ? sources + 1 : sources];
            System.arraycopy(operands, i * sources, tuple, 0, sources);
            if (table >= 0) {
                tuple[sources] = table;
            }
            if (oracle.isPaired()) {
                compare(form, oracle, half(tuple, 0), results[i] & 0xffff);
                compare(form, oracle, half(tuple, 16), results[i] >>> 16 & 0xffff);
            } else if (oracle.type().endsWith("x2") || form.opcode().matches("cvt\\..*x2\\.\\w+")) {
                comparePair(form, oracle, tuple, results[i]);
            } else {
                compare(form, oracle, tuple, results[i]);
            }
        }
    }

    private static long[] half(long[] tuple, int shift) {
        long[] half = new long[tuple.length];
        for (int i = 0; i < half.length; i++) {
            half[i] = tuple[i] >>> shift & 0xffff;
        }
        return half;
    }

    /// Conversions to or from two numbers in a register; of two sources the first gives the upper one.
    private static void comparePair(Form form, FormOracle oracle, long[] tuple, long result) {
        String[] words = form.opcode().split("\\.");
        BinaryFormat to = BinaryFormat.of(words[words.length - 2]);
        BinaryFormat from = BinaryFormat.of(words[words.length - 1]);
        for (int i = 0; i < 2; i++) {
            long source = tuple.length == 2 ? tuple[1 - i] : tuple[0] >>> from.bits() * i & (1L << from.bits()) - 1;
            FormOracle.Answer expected = oracle.narrowed(from.decode(source), to);
            double found = to.decode(result >>> to.bits() * i & (1L << to.bits()) - 1);
            assertTrue(fits(expected, found, to), () -> form.opcode() + " of " + from.decode(source) + ": found " + found
                    + ", expected " + expected.number());
        }
    }

    private static void compare(Form form, FormOracle oracle, long[] operands, long result) {
        FormOracle.Answer answer = oracle.answer(operands).orElseGet(() -> fail(form.opcode() + " has no oracle"));
        if (answer == FormOracle.Answer.OPEN) {
            return;
        }
        String where = form.opcode() + " of " + hex(operands) + ": found 0x" + Long.toHexString(result);
        if (answer.bits() != null) {
            long mask = switch (form.operands().charAt(0)) {
                case 'P' -> 0xffffffffL;
                case 'H' -> 0xffffL;
                case 'I', 'F' -> 0xffffffffL;
                default -> -1L;
            };
            assertTrue((answer.bits() & mask) == (result & mask), where + ", expected 0x" + Long.toHexString(answer.bits() & mask));
            return;
        }
        String[] words = form.opcode().split("\\.");
        BinaryFormat format = BinaryFormat.of(words[0].equals("cvt") ? words[words.length - 2] : oracle.type());
        double found = format.decode(result);
        assertTrue(fits(answer, found, format), where + " (" + found + "), expected " + answer.number());
    }

    private static boolean fits(FormOracle.Answer answer, double found, BinaryFormat format) {
        double expected = answer.number();
        boolean mayDiffer = answer.relative() + answer.absolute() > 0;
        return Double.compare(found, expected) == 0 || mayDiffer && (found == expected
                || Math.abs(found - expected) <= answer.relative() * Math.abs(expected) + answer.absolute()
                || Math.abs(expected) > format.largest() && Double.isInfinite(found) && found > 0 == expected > 0
                || Math.abs(expected) < format.smallestNormal() && Math.abs(found - expected) <= format.decode(1));
    }

    private static String hex(long[] values) {
        StringBuilder text = new StringBuilder();
        for (long value : values) {
            text.append(text.isEmpty() ? "0x" : ", 0x").append(Long.toHexString(value));
        }
        return text.toString();
    }

    /// Loads operands, 8 bytes each, executes, stores 8 bytes.
    private static String body(Form form, String kinds, int table) {
        int sources = kinds.length() - 1;
        StringBuilder code = new StringBuilder("""
                mov.u32 %r60, %ctaid.x; mov.u32 %r61, %ntid.x; mov.u32 %r62, %tid.x; mad.lo.s32 %r60, %r60, %r61, %r62;
                ld.param.u64 %rd0, [p0]; mul.wide.u32 %rd1, %r60, 8; add.s64 %rd0, %rd0, %rd1;
                ld.param.u64 %rd2, [p1]; mul.wide.u32 %rd3, %r60, SIZE; add.s64 %rd2, %rd2, %rd3;
                """.replace("SIZE", Integer.toString(8 * sources)));
        List<String> names = new ArrayList<>();
        for (int i = 0; i < sources; i++) {
            String at = "[%rd2+" + 8 * i + "]; ";
            int n = i + 1;
            names.add(switch (kinds.charAt(i + 1)) {
                case 'P' -> {
                    code.append("ld.global.u32 %r5").append(n).append(", ").append(at).append("setp.ne.u32 %p").append(n)
                            .append(", %r5").append(n).append(", 0;\n");
                    yield "%p" + n;
                }
                case 'H' -> load(code, "u16", "%rs" + n, at);
                case 'I' -> load(code, "u32", "%r" + n, at);
                case 'F' -> load(code, "f32", "%f" + n, at);
                case 'L' -> load(code, "u64", "%rd1" + n, at);
                default -> load(code, "f64", "%fd" + n, at);
            });
        }
        if (table >= 0) {
            names.add(Integer.toString(table));
        }
        String sourceList = String.join(", ", names);
        switch (kinds.charAt(0)) {
            case 'P' -> code.append("%s %%p0, %s;\nselp.u32 %%r0, -1, 0, %%p0;\nst.global.u32 [%%rd0], %%r0;\n".formatted(form.opcode(),
                    sourceList));
            case 'H' -> code.append("%s %%rs0, %s;\nst.global.u16 [%%rd0], %%rs0;\n".formatted(form.opcode(), sourceList));
            case 'I' -> code.append("%s %%r0, %s;\nst.global.u32 [%%rd0], %%r0;\n".formatted(form.opcode(), sourceList));
            case 'F' -> code.append("%s %%f0, %s;\nst.global.f32 [%%rd0], %%f0;\n".formatted(form.opcode(), sourceList));
            case 'L' -> code.append("%s %%rd10, %s;\nst.global.u64 [%%rd0], %%rd10;\n".formatted(form.opcode(), sourceList));
            default -> code.append("%s %%fd0, %s;\nst.global.f64 [%%rd0], %%fd0;\n".formatted(form.opcode(), sourceList));
        }
        return code.toString();
    }

    private static String load(StringBuilder code, String type, String register, String at) {
        code.append("ld.global.").append(type).append(' ').append(register).append(", ").append(at).append('\n');
        return register;
    }

    private static long[] operands(String kinds, SplittableRandom random, int tuples) {
        int sources = kinds.length() - 1;
        long[] all = new long[tuples * sources];
        for (int i = 0; i < all.length; i++) {
            all[i] = operand(kinds.charAt(i % sources + 1), random, i / sources < tuples / 2);
        }
        return all;
    }

    private static final int[] EDGES_32 = {0, 1, -1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 255, 256, 0x7fff, 0x8000, 0xffff,
        Integer.MAX_VALUE, Integer.MIN_VALUE, 0x80ff7f01};
    private static final float[] FLOATS = {0f, -0f, 1f, -1f, 0.5f, -1.5f, 2.5f, 3.5f, 1e-3f, 0x1p-126f, 0x1p-127f, -0x1p-149f,
        Float.MAX_VALUE, -Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 255.5f, -128.5f, 65504f,
        65520f, 448f, 464f, 57344f, 0x1p-14f, 0x1.8p-15f, 0x1p-25f, 0x1.8p-25f, 2147483648f, -2147483904f, 0x1p63f, 0x1p64f, 1.00390625f,
        1.01171875f};
    private static final int[] HALVES = {0, 0x8000, 0x3c00, 0xbc00, 0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00,
        0x3f80, 0xbf80, 0x7f80, 0xff80, 0x7fc0, 0x007f, 0x0080, 0x7f7f, 0x3800, 0x4100};

    private static long operand(char kind, SplittableRandom random, boolean edge) {
        return switch (kind) {
            case 'P' -> random.nextInt(2);
            case 'H' -> edge ? HALVES[random.nextInt(HALVES.length)] : random.nextInt(0x10000);
            case 'I' -> (edge ? random.nextInt(3) == 0
                    ? (long) HALVES[random.nextInt(HALVES.length)] << 16 | HALVES[random.nextInt(HALVES.length)]
                    : EDGES_32[random.nextInt(EDGES_32.length)] : random.nextInt()) & 0xffffffffL;
            case 'F' -> (edge ? Float.floatToRawIntBits(FLOATS[random.nextInt(FLOATS.length)])
                    : random.nextBoolean() ? random.nextInt() : Float.floatToRawIntBits((float) random.nextDouble(-300, 300))) & 0xffffffffL;
            case 'L' -> edge ? random.nextBoolean() ? EDGES_32[random.nextInt(EDGES_32.length)]
                    : 1L << random.nextInt(64) : random.nextLong();
            default -> edge ? Double.doubleToRawLongBits(FLOATS[random.nextInt(FLOATS.length)])
                    : random.nextBoolean() ? random.nextLong() : Double.doubleToRawLongBits(random.nextDouble(-1e5, 1e5));
        };
    }
}
