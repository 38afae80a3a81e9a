package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.LaunchConfiguration;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Products of four warps against plain products of small whole numbers, for which every order of summation is exact; and every way to
/// get them wrong.
///
/// Each kernel stages 32 KB of A and 32 KB of B, whose bytes the test has laid out, adds to sums that it is given, and stores them.
class WarpgroupMultiplyTest {
    private static final long SEED = 20261121;
    private static final int TILE = 32 * 1024;
    private static final int THREADS = 128;
    private static final int DEPTH = 16;

    /// @param step which 16 of 64 along k are multiplied
    private record Shape(String type, int columns, boolean registers, boolean leftTransposed, boolean rightTransposed, boolean accumulates,
            int leftSign, int rightSign, int step) {
        private String instruction() {
            return "wgmma.mma_async.sync.aligned.m64n" + columns + "k16.f32." + type + "." + type + " " + sums(columns / 2) + ", "
                    + (registers ? "{%r20, %r21, %r22, %r23}" : "%rd10") + ", %rd11, " + (accumulates ? "%p1" : "!%p1") + ", " + leftSign
                    + ", " + rightSign + (registers ? "" : ", " + (leftTransposed ? 1 : 0)) + ", " + (rightTransposed ? 1 : 0) + ";";
        }
    }

    private static String sums(int count) {
        return IntStream.range(0, count).mapToObj(i -> "%f" + i).collect(Collectors.joining(", ", "{", "}"));
    }

    private static Stream<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>();
        for (String type : List.of("bf16", "f16")) {
            for (int columns : new int[] {8, 24, 64, 136, 256}) {
                shapes.add(new Shape(type, columns, false, false, false, true, 1, 1, columns / 8 % 4));
                shapes.add(new Shape(type, columns, true, false, false, columns != 64, 1, columns == 24 ? -1 : 1, 3));
            }
            for (boolean registers : new boolean[] {false, true}) {
                shapes.add(new Shape(type, 128, registers, !registers, true, true, -1, registers ? -1 : 1, 0));
                shapes.add(new Shape(type, 128, registers, false, true, false, 1, 1, 0));
            }
            shapes.add(new Shape(type, 192, false, true, false, true, 1, 1, 0));
        }
        return shapes.stream();
    }

    @TestFactory
    Stream<DynamicTest> product_everyShape_equalsPlainProduct() {
        return shapes().map(shape -> dynamicTest(shape.instruction() + ", seed " + SEED, () -> check(shape)));
    }

    private static int bits(int value, String type) {
        return type.equals("f16") ? Float.floatToFloat16(value) & 0xffff : Float.floatToRawIntBits(value) >>> 16;
    }

    /// Puts a matrix `[lines, 16]` where the tensor cores look for it: chunks of 16 bytes, in rows of eight, the row's number flipping
    /// the chunk's.
    private static void place(short[] tile, int[][] matrix, String type, boolean transposed, int step) {
        for (int line = 0; line < matrix.length; line++) {
            for (int k = 0; k < DEPTH; k++) {
                // lines beside each other in a row of 64, eight k to a block, blocks along k, then along lines
                int block = transposed ? line / 64 * 2 + k / 8 : line / 8;
                int row = transposed ? k % 8 : line % 8;
                int column = transposed ? line % 64 : step * DEPTH + k;
                tile[block * 512 + row * 64 + (column / 8 ^ row) * 8 + column % 8] = (short) bits(matrix[line][k], type);
            }
        }
    }

    private static int[] words(short[] tile) {
        int[] words = new int[tile.length / 2];
        for (int i = 0; i < words.length; i++) {
            words[i] = tile[2 * i] & 0xffff | tile[2 * i + 1] << 16;
        }
        return words;
    }

    private static int[][] random(SplittableRandom random, int lines, int columns) {
        int[][] matrix = new int[lines][];
        for (int i = 0; i < lines; i++) {
            matrix[i] = random.ints(columns, -3, 4).toArray();
        }
        return matrix;
    }

    private static void check(Shape shape) {
        SplittableRandom random = new SplittableRandom(SEED + shape.hashCode());
        int[][] a = random(random, 64, DEPTH);
        int[][] b = random(random, shape.columns, DEPTH);
        int[][] c = random(random, 64, shape.columns);
        short[] left = new short[TILE / 2];
        short[] right = new short[TILE / 2];
        place(left, a, shape.type, shape.leftTransposed, shape.step);
        place(right, b, shape.type, shape.rightTransposed, shape.step);
        // A as registers: four words a thread
        int[] fragments = new int[4 * THREADS];
        for (int i = 0; i < fragments.length; i++) {
            int thread = i / 4;
            int row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i % 2);
            int k = thread % 4 * 2 + i % 4 / 2 * 8;
            fragments[i] = bits(a[row][k], shape.type) | bits(a[row][k + 1], shape.type) << 16;
        }
        float[] start = new float[64 * shape.columns];
        float[] expected = new float[start.length];
        for (int i = 0; i < start.length; i++) {
            int thread = i / (shape.columns / 2);
            int number = i % (shape.columns / 2);
            int row = thread / 32 * 16 + thread % 32 / 4 + number / 2 % 2 * 8;
            int column = number / 4 * 8 + thread % 4 * 2 + number % 2;
            start[i] = c[row][column];
            int sum = 0;
            for (int k = 0; k < DEPTH; k++) {
                sum += a[row][k] * b[column][k];
            }
            expected[i] = (shape.accumulates ? c[row][column] : 0) + shape.leftSign * shape.rightSign * sum;
        }

        try (Machine machine = new Machine()) {
            String load = IntStream.range(0, shape.columns / 2).mapToObj(i -> "ld.global.f32 %f" + i + ", [%rd3+" + 4 * i + "];")
                    .collect(Collectors.joining("\n"));
            String store = IntStream.range(0, shape.columns / 2).mapToObj(i -> "st.global.f32 [%rd4+" + 4 * i + "], %f" + i + ";")
                    .collect(Collectors.joining("\n"));
            CudaFunction kernel = kernel(machine, stage(2 * shape.columns, descriptor(shape.leftTransposed, 0, shape.step),
                    descriptor(shape.rightTransposed, TILE, shape.step)) + """
                    ld.param.u64 %rd5, [p4];
                    mul.wide.u32 %rd6, %r1, 16;
                    add.s64 %rd5, %rd5, %rd6;
                    ld.global.v4.u32 {%r20, %r21, %r22, %r23}, [%rd5];
                    setp.eq.u32 %p1, %r1, %r1;
                    """ + load + FENCES + shape.instruction() + COMMIT_AND_WAIT + store);
            DeviceBuffer out = machine.context.allocate(4L * start.length);
            machine.run(kernel, launch(), machine.buffer(words(left)), machine.buffer(words(right)), machine.buffer(start), out,
                    machine.buffer(fragments));

            assertArrayEquals(expected, Machine.floats(out));
        }
    }

    private static final String FENCES = "\nfence.proxy.async;\nbar.sync 0;\nwgmma.fence.sync.aligned;\n";
    private static final String COMMIT_AND_WAIT = "\nwgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n";

    /// Rows of 128 bytes swizzled, 1,024 bytes from eight rows to the next; of a transposed matrix two of these to 64 lines.
    private static long descriptor(boolean transposed, int address, int step) {
        return 1L << 62 | 1024L / 16 << 32 | (transposed ? 2048L : 16L) / 16 << 16 | (address + 32L * step) / 16;
    }

    private static LaunchConfiguration launch() {
        return LaunchConfiguration.of(1, THREADS).withDynamicSharedBytes(2 * TILE);
    }

    /// Copies both tiles to shared memory and makes their descriptors in `%rd10` and `%rd11`; `%rd3` and `%rd4` point to this thread's
    /// sums before and after.
    private static String stage(int sumBytes, long left, long right) {
        return """
                ld.param.u64 %%rd1, [p0];
                ld.param.u64 %%rd2, [p1];
                ld.param.u64 %%rd3, [p2];
                ld.param.u64 %%rd4, [p3];
                mov.u32 %%r1, %%tid.x;
                mul.wide.u32 %%rd6, %%r1, %d;
                add.s64 %%rd3, %%rd3, %%rd6;
                add.s64 %%rd4, %%rd4, %%rd6;
                mul.wide.u32 %%rd6, %%r1, 16;
                add.s64 %%rd1, %%rd1, %%rd6;
                add.s64 %%rd2, %%rd2, %%rd6;
                shl.b32 %%r2, %%r1, 4;
                mov.u32 %%r3, tiles;
                add.s32 %%r2, %%r2, %%r3;
                mov.u32 %%r3, 0;
                STAGE:
                ld.global.v4.u32 {%%r4, %%r5, %%r6, %%r7}, [%%rd1];
                st.shared.v4.u32 [%%r2], {%%r4, %%r5, %%r6, %%r7};
                ld.global.v4.u32 {%%r4, %%r5, %%r6, %%r7}, [%%rd2];
                st.shared.v4.u32 [%%r2+32768], {%%r4, %%r5, %%r6, %%r7};
                add.s64 %%rd1, %%rd1, 2048;
                add.s64 %%rd2, %%rd2, 2048;
                add.s32 %%r2, %%r2, 2048;
                add.s32 %%r3, %%r3, 1;
                setp.lt.u32 %%p2, %%r3, 16;
                @%%p2 bra STAGE;
                mov.u64 %%rd10, %d;
                mov.u64 %%rd11, %d;
                """.formatted(sumBytes, left, right);
    }

    private static CudaFunction kernel(Machine machine, String body) {
        CudaFunction kernel = machine.context.load("test", """
                .version 8.0
                .target sm_90a
                .address_size 64
                .extern .shared .align 1024 .b8 tiles[];
                .visible .entry test(.param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u64 p3, .param .u64 p4)
                .maxntid 128, 1, 1
                {
                .reg .pred %%p<8>;
                .reg .b32 %%r<64>;
                .reg .f32 %%f<160>;
                .reg .b64 %%rd<32>;
                %s
                ret;
                }
                """.formatted(body)).function("test");
        kernel.allowDynamicSharedBytes(2 * TILE);
        return kernel;
    }

    /// @param bug the line that is wrong
    /// @param right what stands there in the twin
    /// @param body with `#` in place of that line, after both tiles are staged
    record Planted(String name, KernelFault.Kind kind, String bug, String right, String body) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static final String ZERO = "mov.f32 %f0, 0f00000000; mov.f32 %f1, %f0; mov.f32 %f2, %f0; mov.f32 %f3, %f0; ";
    private static final String MULTIPLY =
            " wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd10, %rd11, 1, 1, 1, 0, 0;\n";
    private static final String STORE = " st.global.v4.f32 [%rd4], {%f0, %f1, %f2, %f3};";

    static Stream<Planted> bugs() {
        return Stream.of(
                new Planted("what threads wrote is read with no fence", KernelFault.Kind.PROXY_NOT_FENCED,
                        "mov.u32 %r9, 0;", "fence.proxy.async;",
                        ZERO + "# bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("one warp fences after the barrier", KernelFault.Kind.PROXY_NOT_FENCED,
                        "bar.sync 0; fence.proxy.async;", "fence.proxy.async; bar.sync 0;",
                        ZERO + "# wgmma.fence.sync.aligned;" + MULTIPLY + COMMIT_AND_WAIT + STORE + " bar.sync 0;"),
                new Planted("a fence before an asynchronous copy is awaited", KernelFault.Kind.PROXY_NOT_FENCED,
                        "fence.proxy.async.shared::cta; cp.async.wait_all;", "cp.async.wait_all; fence.proxy.async.shared::cta;",
                        ZERO + "bar.sync 0; add.s32 %r2, %r2, -32768; add.s64 %rd1, %rd1, -32768;"
                                + " cp.async.cg.shared.global [%r2], [%rd1], 16; fence.proxy.async; # bar.sync 0; wgmma.fence.sync.aligned;"
                                + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("what threads wrote is read with no barrier", KernelFault.Kind.SHARED_RACE,
                        "mov.u32 %r9, 0;", "bar.sync 0;",
                        ZERO + "fence.proxy.async; # wgmma.fence.sync.aligned;" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("operands are written before the product is awaited", KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        "wgmma.wait_group.sync.aligned 1;", "wgmma.wait_group.sync.aligned 0; bar.sync 0;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + "wgmma.commit_group.sync.aligned; #"
                                + " setp.eq.u32 %p3, %r1, 0; @%p3 st.shared.u32 [tiles], %r1;"
                                + " wgmma.wait_group.sync.aligned 0;" + STORE),
                new Planted("a stage is given back before the product is awaited", KernelFault.Kind.SHARED_RACE,
                        "bar.sync 0; wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 0; bar.sync 0;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + "wgmma.commit_group.sync.aligned; #"
                                + " setp.eq.u32 %p3, %r1, 63; @%p3 st.shared.u32 [tiles], %r1;" + STORE),
                new Planted("sums are read before the product is awaited", KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        "st.global.v4.f32 [%rd4], {%f0, %f1, %f2, %f3}; wgmma.wait_group.sync.aligned 0;",
                        "wgmma.wait_group.sync.aligned 0; st.global.v4.f32 [%rd4], {%f0, %f1, %f2, %f3};",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + "wgmma.commit_group.sync.aligned; #"),
                new Planted("sums of a group that may still run are read", KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        "wgmma.wait_group.sync.aligned 2;", "wgmma.wait_group.sync.aligned 1;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + "wgmma.commit_group.sync.aligned;"
                                + " wgmma.commit_group.sync.aligned; #" + STORE),
                new Planted("a product that belongs to no group", KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        "mov.u32 %r9, 0;", "wgmma.commit_group.sync.aligned;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + "# wgmma.wait_group.sync.aligned 0;"
                                + STORE),
                new Planted("operands in registers are written before the product is awaited", KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        "mov.u32 %r21, 0;", "mov.u32 %r24, %r21;",
                        ZERO + "mov.u32 %r20, 0; mov.u32 %r21, 0; mov.u32 %r22, 0; mov.u32 %r23, 0;"
                                + " fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;"
                                + MULTIPLY.replace("%rd10,", "{%r20, %r21, %r22, %r23},").replace("0, 0;", "0;") + "#" + COMMIT_AND_WAIT
                                + STORE),
                new Planted("sums are written with no fence before the product", KernelFault.Kind.PRODUCT_NOT_FENCED,
                        "wgmma.fence.sync.aligned; mov.f32 %f2, 0f3f800000;", "mov.f32 %f2, 0f3f800000; wgmma.fence.sync.aligned;",
                        ZERO + "fence.proxy.async; bar.sync 0; #" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("a first product with no fence", KernelFault.Kind.PRODUCT_NOT_FENCED,
                        "mov.u32 %r9, 0;", "wgmma.fence.sync.aligned;",
                        "fence.proxy.async; bar.sync 0; #" + MULTIPLY.replace("%rd11, 1,", "%rd11, 0,") + COMMIT_AND_WAIT + STORE),
                new Planted("the same sums in another order", KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        MULTIPLY.replace("%f0, %f1", "%f1, %f0"), MULTIPLY,
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + "#" + COMMIT_AND_WAIT + STORE),
                new Planted("a product that one warp skips", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "setp.lt.u32 %p3, %r1, 32;", "setp.lt.u32 %p3, %r1, 0;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; # @%p3 bra SKIP;" + MULTIPLY + " SKIP:"
                                + COMMIT_AND_WAIT + STORE),
                new Planted("a group that one warp never ends", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "setp.ge.u32 %p3, %r1, 96;", "setp.lt.u32 %p3, %r1, 0;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;" + MULTIPLY + COMMIT_AND_WAIT + STORE
                                + "# @%p3 bra SKIP; wgmma.commit_group.sync.aligned; SKIP:"),
                new Planted("warps that read other operands", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "shr.u32 %r9, %r1, 5;", "mov.u32 %r9, 0;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; # mul.wide.u32 %rd12, %r9, 2;"
                                + " add.s64 %rd10, %rd10, %rd12;" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("threads that read other operands", KernelFault.Kind.MISSING_WARP_MEMBER,
                        "and.b32 %r9, %r1, 1;", "mov.u32 %r9, 0;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; # mul.wide.u32 %rd12, %r9, 2;"
                                + " add.s64 %rd10, %rd10, %rd12;" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("a matrix past shared memory", KernelFault.Kind.OUT_OF_BOUNDS,
                        "add.s64 %rd11, %rd11, 2048;", "add.s64 %rd11, %rd11, 0;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; #" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("a matrix that begins within eight rows", KernelFault.Kind.LIMIT,
                        "add.s64 %rd11, %rd11, 8;", "add.s64 %rd11, %rd11, 64;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; #" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("a matrix that is not swizzled", KernelFault.Kind.LIMIT,
                        "and.b64 %rd11, %rd11, 4611686018427387903;", "mov.u64 %rd12, %rd11;",
                        ZERO + "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; #" + MULTIPLY + COMMIT_AND_WAIT + STORE),
                new Planted("more registers are given back than there are", KernelFault.Kind.LIMIT,
                        "setmaxnreg.dec.sync.aligned.u32 256;", "setmaxnreg.dec.sync.aligned.u32 40;", "#"),
                new Planted("more registers are taken than the block has", KernelFault.Kind.LIMIT,
                        "setmaxnreg.inc.sync.aligned.u32 256;", "setmaxnreg.inc.sync.aligned.u32 248;", "#"));
    }

    private static void run(Planted planted, String line) {
        try (Machine machine = new Machine()) {
            CudaFunction kernel = kernel(machine, stage(16, descriptor(false, 0, 0), descriptor(false, TILE, 0))
                    + planted.body().replace("#", line));
            machine.run(kernel, launch(), machine.buffer(new int[TILE / 4]), machine.buffer(new int[TILE / 4]),
                    machine.buffer(new int[4 * THREADS]), machine.context.allocate(16L * THREADS), machine.buffer(0));
        }
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void launch_plantedBug_isFound(Planted planted) {
        KernelFault fault = assertThrows(KernelFaultException.class, () -> run(planted, planted.bug())).fault();
        assertEquals(planted.kind(), fault.kind(), fault.toString());
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void launch_rightTwin_findsNothing(Planted planted) {
        run(planted, planted.right());
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 {%f0, %f1}, %rd10, %rd11, 1, 1, 1, 0, 0;",
        "wgmma.mma_async.sync.aligned.m64n8k32.s32.s8.s8 {%r0, %r1, %r2, %r3}, %rd10, %rd11, 1;",
        "wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd10, %rd11, %r1, 0, 1, 1, 1, 0, 0;",
        "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd10, %rd11, 1, 1, 1, 0, 0;",
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd10, %rd11, 1, 2, 1, 0, 0;",
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd10, %rd11, 1, 1, 1, 0;",
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r0, %r1, %r2, %r3}, %rd10, %rd11, 1, 1, 1, 0, 0;",
        "wgmma.wait_group.sync.aligned %r1;", "setmaxnreg.dec.sync.aligned.u32 41;", "setmaxnreg.inc.sync.aligned.u32 16;",
        "setmaxnreg.sync.aligned.u32 40;"})
    void load_formThatIsNotThere_isRefused(String instruction) {
        try (Machine machine = new Machine()) {
            String message = assertThrows(CudaException.class, () -> kernel(machine, instruction)).getMessage();
            assertTrue(message.contains(instruction.substring(0, 10)), message);
        }
    }

    @Test
    void load_deviceOfAnotherCapability_isRefused() {
        try (Machine machine = new Machine(SimulatorOptions.defaults().withComputeCapability(100))) {
            assertThrows(CudaException.class, () -> kernel(machine, "wgmma.fence.sync.aligned;"));
        }
    }

    @Test
    void counters_product_isOneMatrixInstructionAWarp() {
        try (Machine machine = new Machine()) {
            CudaFunction kernel = kernel(machine, stage(16, descriptor(false, 0, 0), descriptor(false, TILE, 0)) + ZERO + FENCES + MULTIPLY
                    + COMMIT_AND_WAIT + STORE);
            machine.run(kernel, launch(), machine.buffer(new int[TILE / 4]), machine.buffer(new int[TILE / 4]),
                    machine.buffer(new int[4 * THREADS]), machine.context.allocate(16L * THREADS), machine.buffer(0));

            assertEquals(4, machine.driver.takeReports().getFirst().counters().matrixInstructions());
        }
    }
}
