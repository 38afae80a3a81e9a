package org.gatun.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvLayout;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.Value;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What the kernels rely on and do not check: which weights, which KV cache. And that nothing is left behind.
class CpuBackendTest {
    private static final long SEED = 5;
    private static final BatchLimits LIMITS = new BatchLimits(64, 64);
    private static final AttentionShape ATTENTION = new AttentionShape(4, 2, 8, 0.3f, 0);

    @BeforeEach
    void requireKernels() {
        assumeTrue(CpuBackend.unavailableReason().isEmpty(), () -> CpuBackend.unavailableReason().orElseThrow());
    }

    private static Tensor onHeap(String name, int rows, int columns, float value) {
        MemorySegment data = MemorySegment.ofArray(new float[rows * columns]);
        for (int i = 0; i < rows * columns; i++) {
            data.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
        }
        return new Tensor(name, DType.F32, Shape.of(rows, columns), data);
    }

    private static Plan attention(int layers) {
        PlanBuilder plan = new PlanBuilder();
        Value hidden = plan.embed(onHeap("embedding", 3, ATTENTION.queryWidth(), 1));
        Value keys = plan.embed(onHeap("keys", 3, ATTENTION.kvWidth(), 1));
        for (int layer = 0; layer < layers; layer++) {
            hidden = plan.attention(layer, hidden, keys, keys, ATTENTION);
        }
        return plan.build(plan.selectRows(hidden));
    }

    private static float run(CpuBackend backend, Plan plan) {
        try (Arena arena = Arena.ofConfined(); Executable executable = backend.compile(plan, LIMITS);
                PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 1, 1, DType.F16), 4)) {
            Segment segment = new Segment(arena, LIMITS).beginCausal(0);
            segment.addRow(0);
            segment.select(0);
            executable.run(Batch.of(segment, kv));
            return executable.logits().getAtIndex(ValueLayout.JAVA_FLOAT, 0);
        }
    }

    @Test
    void open_instructionSetOfTheProperty_isTakenWhereNoneIsAskedFor() {
        System.setProperty(CpuOptions.INSTRUCTION_SET, "portable");
        try (CpuBackend backend = CpuBackend.open(CpuOptions.threads(1));
                CpuBackend asked = CpuBackend.open(new CpuOptions(1, Optional.of(CpuBackend.instructionSets().getFirst())))) {
            assertTrue(backend.description().startsWith("portable"), backend.description());
            assertTrue(asked.description().startsWith(CpuBackend.instructionSets().getFirst()), asked.description());
            System.setProperty(CpuOptions.INSTRUCTION_SET, "abacus");
            assertTrue(assertThrows(IllegalArgumentException.class, () -> CpuBackend.open(CpuOptions.threads(1))).getMessage()
                    .contains("'abacus': expected one that this processor has, "));
        } finally {
            System.clearProperty(CpuOptions.INSTRUCTION_SET);
        }
    }

    /// What a process says of the kernels whose first user is interrupted.
    static final class InterruptedStart {
        public static void main(String[] arguments) {
            Thread.currentThread().interrupt();
            System.out.print(CpuBackend.unavailableReason() + " " + Thread.interrupted());
        }
    }

    @Test
    void unavailableReason_firstAskedByAnInterruptedThread_isAsEver() throws Exception {
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"),
                InterruptedStart.class.getName()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        assertEquals("Optional.empty true", new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertEquals(0, process.waitFor());
    }

    @Test
    void compile_severalWeightsOnHeap_keepsThemApart() {
        try (CpuBackend backend = CpuBackend.open(CpuOptions.threads(1))) {
            PlanBuilder plan = new PlanBuilder();
            Value hidden = plan.embed(onHeap("embedding", 3, 8, 1));
            hidden = plan.matMul(hidden, onHeap("first", 8, 8, 2));
            hidden = plan.matMul(hidden, onHeap("second", 8, 8, 3));
            assertEquals(8 * 2 * 8 * 3, run(backend, plan.build(plan.selectRows(hidden))));
        }
    }

    /// Types of weights that the kernels have.
    static List<DType> types() {
        return DType.all().stream().filter(dtype -> NativeLayout.unsupportedReason(dtype).isEmpty()).toList();
    }

    private static Tensor randomBytes(Arena arena, DType dtype, int rows, int columns) {
        byte[] bytes = new byte[Math.toIntExact(dtype.byteSize(Shape.of(rows, columns)))];
        new Random(SEED + DType.all().indexOf(dtype)).nextBytes(bytes);
        for (int i = 0; i < bytes.length && dtype == DType.NVFP4; i++) {
            bytes[i] &= 0x3F; // becomes BF16, which must be finite
        }
        return new Tensor("table", dtype, Shape.of(rows, columns), arena.allocate(bytes.length, 64)
                .copyFrom(MemorySegment.ofArray(bytes)));
    }

    /// The bits of the rows that a plan looks up for all tokens, the last first.
    private static int[] rows(CpuBackend backend, Plan plan, int tokens) {
        try (Arena arena = Arena.ofConfined(); Executable executable = backend.compile(plan, LIMITS);
                PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 1, 1, DType.F16), 64)) {
            Segment segment = new Segment(arena, LIMITS).beginCausal(0);
            for (int token = tokens - 1; token >= 0; token--) {
                segment.addRow(token);
            }
            segment.select(0);
            executable.run(Batch.of(segment, kv));
            int width = plan.output("rows").width();
            return executable.output("rows").asSlice(0, 4L * tokens * width).toArray(ValueLayout.JAVA_INT);
        }
    }

    /// Any bytes, so that scales are subnormal, infinite and no numbers, too; the last tile of 16 rows is cut short.
    @ParameterizedTest
    @MethodSource("types")
    void embed_tableThatIsAlsoAMatrix_givesTheBitsOfOneThatIsNot(DType dtype) {
        int width = dtype.isQuantized() ? 768 : 300;
        try (Arena arena = Arena.ofConfined()) {
            Tensor table = randomBytes(arena, dtype, 37, width);
            PlanBuilder alone = new PlanBuilder();
            Value looked = alone.embed(table);
            alone.output("rows", looked);
            PlanBuilder both = new PlanBuilder();
            Value alsoLooked = both.embed(table);
            both.output("rows", alsoLooked);
            Plan shared = both.build(both.matMul(both.selectRows(alsoLooked), table));
            for (String instructionSet : CpuBackend.instructionSets()) {
                try (CpuBackend backend = CpuBackend.open(new CpuOptions(2, Optional.of(instructionSet)))) {
                    assertArrayEquals(rows(backend, alone.build(alone.selectRows(looked)), 37), rows(backend, shared, 37),
                            dtype + ", " + instructionSet + ", seed " + SEED);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("types")
    void compile_tableThatIsAlsoAMatrix_isKeptAsMatrixOnlyWhereRowsCanBeDecoded(DType dtype) {
        NativeLibrary library = NativeLibrary.loaded().library();
        try (Arena arena = Arena.ofConfined()) {
            Tensor table = randomBytes(arena, dtype, 16, 256);
            PlanBuilder plan = new PlanBuilder();
            MemorySegment pool = library.poolOpen(1, arena.allocateFrom("portable"));
            Weights weights = new Weights(library, pool);
            CpuProgram program = new CpuProgram(library, plan.build(plan.matMul(plan.selectRows(plan.embed(table)), table)), LIMITS,
                    weights, arena);
            program.compile(_ -> {});
            List<Weights.Form> forms = program.used().stream().map(Weights.Key::form).distinct().sorted().toList();
            assertEquals(switch (dtype) {
                case DType.Plain _ -> List.of(Weights.Form.MATRIX);
                case DType.Block.NVFP4, DType.Block.Q8_0, DType.Block.Q4_0, DType.Block.Q4_1, DType.Block.Q5_0,
                        DType.Block.Q5_1, DType.Block.MXFP4 -> List.of(Weights.Form.MATRIX);
                case DType.Block.Q4_K, DType.Block.Q5_K, DType.Block.Q6_K -> List.of(Weights.Form.MATRIX, Weights.Form.SCALES);
                case DType.Block _, DType.Sparse _ -> List.of(Weights.Form.FILE, Weights.Form.MATRIX);
            }, forms);
            program.used().forEach(weights::release);
            library.poolClose(pool);
        }
    }

    @Test
    void compile_firstRowsOfAnotherWeight_areAWeightOfTheirOwn() {
        try (CpuBackend backend = CpuBackend.open(CpuOptions.threads(1)); Arena arena = Arena.ofConfined()) {
            Tensor heap = onHeap("whole", 8192, 64, 2);
            Tensor whole = new Tensor("whole", DType.F32, heap.shape(), arena.allocate(heap.data().byteSize(), 64)
                    .copyFrom(heap.data()));
            Tensor part = new Tensor("part", DType.F32, Shape.of(64, 64), whole.data().asSlice(0, 64 * 64 * 4));
            PlanBuilder plan = new PlanBuilder();
            Value hidden = plan.matMul(plan.embed(onHeap("embedding", 3, 64, 1)), part);
            Value wide = plan.matMul(hidden, whole);
            wide = plan.add(wide, plan.matMul(hidden, whole));
            plan.output("wide", wide);
            try (Executable executable = backend.compile(plan.build(plan.selectRows(hidden)), LIMITS);
                    PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 1, 1, DType.F16), 4)) {
                Segment segment = new Segment(arena, LIMITS).beginCausal(0);
                segment.addRow(0);
                executable.run(Batch.of(segment, kv));
                assertEquals(2 * 64 * 128 * 2, executable.output("wide").getAtIndex(ValueLayout.JAVA_FLOAT, 8191));
            }
        }
    }

    @Test
    void run_pagesOfAnotherLayoutOrBackend_areRefused() {
        try (CpuBackend backend = CpuBackend.open(CpuOptions.threads(2));
                CpuBackend other = CpuBackend.open(CpuOptions.threads(1)); Arena arena = Arena.ofConfined();
                ReferenceBackend reference = new ReferenceBackend(); Executable executable = backend.compile(attention(2), LIMITS)) {
            Segment segment = new Segment(arena, LIMITS).beginCausal(0);
            segment.addRow(0);
            KvLayout fits = KvLayout.uniform(2, 2, 8, DType.F16);
            try (PageTable kv = PageTable.openAlone(backend, fits, 16)) {
                executable.run(Batch.of(segment, kv));
            }
            for (KvLayout layout : List.of(KvLayout.uniform(1, 2, 8, DType.F16), KvLayout.uniform(2, 1, 8, DType.F16),
                    KvLayout.uniform(2, 2, 7, DType.F16))) {
                try (PageTable kv = PageTable.openAlone(backend, layout, 16)) {
                    assertThrows(IllegalArgumentException.class, () -> executable.run(Batch.of(segment, kv)), layout.toString());
                }
            }
            try (PageTable ofOther = PageTable.openAlone(other, fits, 16);
                    PageTable ofReference = PageTable.openAlone(reference, fits, 16)) {
                assertThrows(IllegalArgumentException.class, () -> executable.run(Batch.of(segment, ofOther)));
                assertThrows(IllegalArgumentException.class, () -> executable.run(Batch.of(segment, ofReference)));
            }
        }
    }

    @Test
    void addRow_treeRowThatAttendsToNothing_isRefused() {
        try (Arena arena = Arena.ofConfined()) {
            Segment segment = new Segment(arena, LIMITS).beginTree(0);
            assertThrows(IllegalArgumentException.class, () -> segment.addRow(0, 0, new long[] {0}, 0, 1));
            assertThrows(IllegalArgumentException.class, () -> segment.addRow(0, 0, new long[] {}, 0, 0));
            assertThrows(IllegalArgumentException.class, () -> segment.addRow(0, -1, new long[] {1}, 0, 1));
            segment.addRow(0, 0, new long[] {1}, 0, 1);
        }
    }

    @Test
    void record_rowsThatDoNotMatch_areRefused() {
        PlanBuilder plan = new PlanBuilder();
        Value all = plan.embed(onHeap("embedding", 3, 8, 1));
        Value wide = plan.embed(onHeap("wide", 3, 16, 1));
        Value selected = plan.selectRows(all);
        assertThrows(IllegalArgumentException.class, () -> plan.swiGlu(all, wide));
        assertThrows(IllegalArgumentException.class, () -> plan.add(all, selected));
        assertThrows(IllegalArgumentException.class, () -> plan.selectRows(selected));
    }

    @Test
    void openAndClose_aThousandTimes_leavesNoMemoryBehind() throws IOException {
        Path status = Path.of("/proc/self/status");
        assumeTrue(Files.exists(status), "no /proc: resident memory is not measured");
        long before = 0;
        for (int i = 0; i < 1000; i++) {
            try (CpuBackend backend = CpuBackend.open(CpuOptions.threads(2));
                    Executable _ = backend.compile(attention(1), new BatchLimits(512, 64));
                    PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(4, 2, 8, DType.F32), 4096)) {
                kv.reserve(0, 4096);
                kv.move(0, 4095);
            }
            if (i == 200) {
                before = nativeKibibytes(status);
            }
        }
        long grown = nativeKibibytes(status) - before;
        assertTrue(grown < 64 << 10, "800 backends left " + grown + " KiB behind");
    }

    /// Address space, less what the collector may take: a leak of a mapping or of a thread's stack shows even if untouched.
    private static long nativeKibibytes(Path status) throws IOException {
        return Files.readAllLines(status).stream().filter(line -> line.startsWith("VmSize:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
    }
}
