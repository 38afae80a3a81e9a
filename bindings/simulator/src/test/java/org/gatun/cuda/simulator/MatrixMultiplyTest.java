package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Matrix instructions against plain products of small whole numbers, for which every order of summation is exact, with fragments
/// laid out as the PTX ISA's figures have them.
class MatrixMultiplyTest {
    private static final long SEED = 20261121;

    /// An instruction, and what its operands are.
    private record Shape(int rows, int depth, boolean sparse, String result, String left, String right, boolean saturates) {
        private String opcode() {
            return "mma." + (sparse ? "sp::ordered_metadata." : "") + "sync.aligned.m" + rows + "n8k" + depth + ".row.col"
                    + (saturates ? ".satfinite" : "") + "." + result + "." + left + "." + right + "." + result;
        }

        private int leftDepth() {
            return sparse ? depth / 2 : depth;
        }
    }

    private static Stream<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>();
        for (String type : List.of("f16", "bf16")) {
            for (String result : type.equals("f16") ? List.of("f32", "f16") : List.of("f32")) {
                for (int depth : new int[] {8, 16}) {
                    shapes.add(new Shape(16, depth, false, result, type, type, false));
                    shapes.add(new Shape(16, 2 * depth, true, result, type, type, false));
                }
            }
        }
        shapes.add(new Shape(16, 4, false, "f32", "tf32", "tf32", false));
        shapes.add(new Shape(16, 8, false, "f32", "tf32", "tf32", false));
        for (String left : List.of("e4m3", "e5m2")) {
            for (String right : List.of("e4m3", "e5m2")) {
                for (String result : List.of("f32", "f16")) {
                    shapes.add(new Shape(16, 32, false, result, left, right, false));
                }
                shapes.add(new Shape(16, 64, true, "f32", left, right, false));
            }
        }
        for (String left : List.of("s8", "u8")) {
            for (String right : List.of("s8", "u8")) {
                for (boolean saturates : new boolean[] {false, true}) {
                    shapes.add(new Shape(8, 16, false, "s32", left, right, saturates));
                    shapes.add(new Shape(16, 16, false, "s32", left, right, saturates));
                    shapes.add(new Shape(16, 32, false, "s32", left, right, saturates));
                    shapes.add(new Shape(16, 32, true, "s32", left, right, saturates));
                    shapes.add(new Shape(16, 64, true, "s32", left, right, saturates));
                }
            }
        }
        return shapes.stream();
    }

    @TestFactory
    Stream<DynamicTest> mma_everyShape_equalsPlainProduct() {
        return shapes().flatMap(shape -> IntStream.range(0, selectors(shape)).mapToObj(selector ->
                dynamicTest(shape.opcode() + " selector " + selector + ", seed " + SEED, () -> check(shape, selector))));
    }

    private static int bits(String type) {
        return switch (type) {
            case "tf32", "f32", "s32" -> 32;
            case "f16", "bf16" -> 16;
            default -> 8;
        };
    }

    /// How many choices of threads there are that hold the metadata.
    private static int selectors(Shape shape) {
        return !shape.sparse ? 1 : bits(shape.left) == 16 ? shape.depth == 16 ? 4 : 2 : shape.depth == 32 ? 2 : 1;
    }

    private static void check(Shape shape, int selector) {
        SplittableRandom random = new SplittableRandom(SEED + shape.hashCode());
        int[][] a = new int[shape.rows][shape.leftDepth()];
        int[][] b = new int[shape.depth][8];
        int[][] c = new int[shape.rows][8];
        fill(a, random, shape.left);
        fill(b, random, shape.right);
        fill(c, random, shape.result);
        if (shape.saturates) {
            c[0][0] = Integer.MAX_VALUE;
            c[1][1] = Integer.MIN_VALUE;
        }
        int[][] places = places(shape, random);

        int[] leftRegisters = left(shape, a);
        int[] rightRegisters = right(shape, b);
        int[] sumRegisters = sums(shape, c);
        int[] found;
        try (Machine machine = new Machine()) {
            found = run(machine, shape, leftRegisters, rightRegisters, sumRegisters, metadata(shape, places, selector), selector);
        }

        int[][] expected = new int[shape.rows][8];
        for (int row = 0; row < shape.rows; row++) {
            for (int column = 0; column < 8; column++) {
                long sum = c[row][column];
                for (int k = 0; k < shape.leftDepth(); k++) {
                    sum += (long) a[row][k] * b[shape.sparse ? places[row][k] : k][column];
                }
                expected[row][column] = shape.saturates ? Math.clamp(sum, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) sum;
            }
        }
        assertArrayEquals(sums(shape, expected), found);
    }

    private static void fill(int[][] matrix, SplittableRandom random, String type) {
        for (int[] row : matrix) {
            for (int i = 0; i < row.length; i++) {
                row[i] = switch (type) {
                    case "u8" -> random.nextInt(256);
                    case "s8" -> random.nextInt(-128, 128);
                    default -> random.nextInt(-3, 4);
                };
            }
        }
    }

    /// Where along k each kept element of a row stands: two of every four.
    private static int[][] places(Shape shape, SplittableRandom random) {
        int[][] places = new int[shape.rows][shape.leftDepth()];
        for (int[] row : places) {
            for (int group = 0; group < row.length / 2; group++) {
                int first = random.nextInt(3);
                row[2 * group] = 4 * group + first;
                row[2 * group + 1] = 4 * group + random.nextInt(first + 1, 4);
            }
        }
        return places;
    }

    private static int encode(int value, String type) {
        return switch (type) {
            case "f16" -> Float.floatToFloat16(value) & 0xffff;
            case "bf16" -> Float.floatToRawIntBits(value) >>> 16;
            case "tf32", "f32" -> Float.floatToRawIntBits(value);
            case "e4m3" -> small(value, 3, 7);
            case "e5m2" -> small(value, 2, 15);
            case "s32" -> value;
            default -> value & 0xff;
        };
    }

    /// A whole number of magnitude 3 at most.
    private static int small(int value, int fractionBits, int bias) {
        int magnitude = Math.abs(value);
        int sign = value < 0 ? 0x80 : 0;
        return sign | switch (magnitude) {
            case 0 -> 0;
            case 1 -> bias << fractionBits;
            case 2 -> bias + 1 << fractionBits;
            default -> bias + 1 << fractionBits | 1 << fractionBits - 1;
        };
    }

    /// Register `r` of a thread holds `E` neighbours of row `g`, odd ones of row `g + 8`, from column `E t`, later ones `4 E` further.
    private static int[] left(Shape shape, int[][] a) {
        int each = 32 / bits(shape.left);
        int count = shape.rows * shape.leftDepth() / each / 32;
        int[] registers = new int[32 * count];
        for (int lane = 0; lane < 32; lane++) {
            for (int r = 0; r < count; r++) {
                int row = lane / 4 + (shape.rows == 16 ? 8 * (r % 2) : 0);
                int first = lane % 4 * each + (shape.rows == 16 ? r / 2 : r) * 4 * each;
                for (int e = 0; e < each; e++) {
                    registers[lane * count + r] |= encode(a[row][first + e], shape.left) << e * bits(shape.left);
                }
            }
        }
        return registers;
    }

    private static int[] right(Shape shape, int[][] b) {
        int each = 32 / bits(shape.right);
        int count = shape.depth * 8 / each / 32;
        int[] registers = new int[32 * count];
        for (int lane = 0; lane < 32; lane++) {
            for (int r = 0; r < count; r++) {
                for (int e = 0; e < each; e++) {
                    registers[lane * count + r] |= encode(b[lane % 4 * each + e + r * 4 * each][lane / 4], shape.right)
                            << e * bits(shape.right);
                }
            }
        }
        return registers;
    }

    private static int[] sums(Shape shape, int[][] c) {
        int each = 32 / bits(shape.result);
        int count = shape.rows * 8 / 32 / each;
        int[] registers = new int[32 * count];
        for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < count * each; i++) {
                registers[lane * count + i / each] |= encode(c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2], shape.result)
                        << i % each * bits(shape.result);
            }
        }
        return registers;
    }

    /// Four bits a group of four, the places of its two elements.
    private static int[] metadata(Shape shape, int[][] places, int selector) {
        int[] words = new int[32];
        if (!shape.sparse) {
            return words;
        }
        for (int row = 0; row < 16; row++) {
            for (int group = 0; group < shape.depth / 4; group++) {
                int nibble = places[row][2 * group] % 4 | places[row][2 * group + 1] % 4 << 2;
                int quad = 4 * (row % 8);
                if (bits(shape.left) == 16) {
                    int thread = shape.depth == 16 ? selector : 2 * selector + group / 4;
                    words[quad + thread] |= nibble << 4 * (group % 4) + (row < 8 ? 0 : 16);
                } else {
                    int thread = shape.depth == 32 ? 2 * selector + row / 8 : 2 * (group / 8) + row / 8;
                    words[quad + thread] |= nibble << 4 * (group % 8);
                }
            }
        }
        return words;
    }

    private static int[] run(Machine machine, Shape shape, int[] a, int[] b, int[] c, int[] metadata, int selector) {
        boolean floats = shape.result.equals("f32");
        int results = c.length / 32;
        StringBuilder code = new StringBuilder("mov.u32 %r60, %tid.x;\n");
        String left = load(code, "p1", a.length / 32, "r", 0);
        String right = load(code, "p2", b.length / 32, "r", 10);
        String sum = load(code, "p3", results, floats ? "f" : "r", 20);
        load(code, "p4", 1, "r", 30);
        String product = registers(results, floats ? "f" : "r", 40);
        code.append("%s {%s}, {%s}, {%s}, {%s}%s;\n".formatted(shape.opcode(), product, left, right, sum,
                shape.sparse ? ", %r30, " + selector : ""));
        code.append("ld.param.u64 %%rd0, [p0]; mul.wide.u32 %%rd1, %%r60, %d; add.s64 %%rd0, %%rd0, %%rd1;\n".formatted(4 * results));
        for (int i = 0; i < results; i++) {
            code.append("st.global.%s [%%rd0+%d], %%%s%d;\n".formatted(floats ? "f32" : "u32", 4 * i, floats ? "f" : "r", 40 + i));
        }
        DeviceBuffer out = machine.buffer(new int[c.length]);
        String ptx = Machine.ptx(".u64 .u64 .u64 .u64 .u64", code.toString()).replace(".version 7.8", ".version 8.5")
                .replace(".target sm_80", ".target sm_89");
        machine.run(machine.context.load("mma", ptx).function("test"), LaunchConfiguration.of(1, 32), out, machine.buffer(a),
                machine.buffer(b), machine.buffer(c), machine.buffer(metadata));
        return Machine.ints(out);
    }

    private static String load(StringBuilder code, String parameter, int count, String kind, int first) {
        code.append("ld.param.u64 %%rd0, [%s]; mul.wide.u32 %%rd1, %%r60, %d; add.s64 %%rd0, %%rd0, %%rd1;\n".formatted(parameter,
                4 * count));
        for (int i = 0; i < count; i++) {
            code.append("ld.global.%s %%%s%d, [%%rd0+%d];\n".formatted(kind.equals("f") ? "f32" : "u32", kind, first + i, 4 * i));
        }
        return registers(count, kind, first);
    }

    private static String registers(int count, String kind, int first) {
        return String.join(", ", IntStream.range(first, first + count).mapToObj(i -> "%" + kind + i).toList());
    }

    /// Rows of 16 bytes at scattered places, and what each thread gets of four matrices of them.
    @Test
    void ldmatrix_fourMatricesPlainAndTransposed_spreadsRowsAsDefined() {
        for (boolean transposed : new boolean[] {false, true}) {
            try (Machine machine = new Machine()) {
                DeviceBuffer out = machine.buffer(new int[128]);
                machine.run(machine.kernel(".u64", """
                        .shared .align 16 .b8 tile[1024];
                        mov.u32 %%r0, %%tid.x; mov.u32 %%r1, tile; mul.lo.u32 %%r2, %%r0, 5; and.b32 %%r2, %%r2, 31; shl.b32 %%r3, %%r2, 5;
                        add.u32 %%r1, %%r1, %%r3; mul.lo.u32 %%r4, %%r0, 8;
                        %s
                        bar.sync 0;
                        ldmatrix.sync.aligned.m8n8.x4%s.shared.b16 {%%r20, %%r21, %%r22, %%r23}, [%%r1];
                        ld.param.u64 %%rd0, [p0]; mul.wide.u32 %%rd1, %%r0, 16; add.s64 %%rd0, %%rd0, %%rd1;
                        st.global.v4.u32 [%%rd0], {%%r20, %%r21, %%r22, %%r23};
                        """.formatted(stores(), transposed ? ".trans" : "")), LaunchConfiguration.of(1, 32), out);
                int[] found = Machine.ints(out);
                for (int lane = 0; lane < 32; lane++) {
                    for (int matrix = 0; matrix < 4; matrix++) {
                        // element (row, column) of matrix m is 8 (8 m + row) + column
                        int row = lane / 4;
                        int column = lane % 4 * 2;
                        int low = transposed ? 8 * (8 * matrix + column) + row : 8 * (8 * matrix + row) + column;
                        int high = transposed ? 8 * (8 * matrix + column + 1) + row : low + 1;
                        assertEquals(low | high << 16, found[4 * lane + matrix], "lane " + lane + ", matrix " + matrix);
                    }
                }
            }
        }
    }

    /// Eight halves of a thread's row: 8 lane, 8 lane + 1, ...
    private static String stores() {
        StringBuilder code = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            code.append("add.u32 %%r6, %%r4, %d; cvt.u16.u32 %%rs0, %%r6; st.shared.u16 [%%r1+%d], %%rs0;\n".formatted(i, 2 * i));
        }
        return code.toString();
    }

    @Test
    void movmatrix_transposes() {
        try (Machine machine = new Machine()) {
            int[] in = IntStream.range(0, 32).map(lane -> lane / 4 * 8 + lane % 4 * 2 | lane / 4 * 8 + lane % 4 * 2 + 1 << 16).toArray();
            DeviceBuffer out = machine.buffer(new int[32]);
            machine.run(machine.kernel(".u64 .u64", """
                    mov.u32 %r0, %tid.x; mul.wide.u32 %rd4, %r0, 4; ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1];
                    add.s64 %rd0, %rd0, %rd4; add.s64 %rd1, %rd1, %rd4; ld.global.u32 %r1, [%rd1];
                    movmatrix.sync.aligned.m8n8.trans.b16 %r2, %r1;
                    st.global.u32 [%rd0], %r2;
                    """), LaunchConfiguration.of(1, 32), out, machine.buffer(in));
            int[] found = Machine.ints(out);
            for (int lane = 0; lane < 32; lane++) {
                assertEquals(lane % 4 * 2 * 8 + lane / 4 | (lane % 4 * 2 + 1) * 8 + lane / 4 << 16, found[lane], "lane " + lane);
            }
        }
    }
}
