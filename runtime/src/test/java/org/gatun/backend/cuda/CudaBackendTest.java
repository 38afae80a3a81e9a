package org.gatun.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.HostVerifier;
import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.backend.VerificationResult;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.cuda.simulator.LaunchReport;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.quantize.Codec;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.SpeculativeDecoder;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What the CUDA backend promises beyond right results: fusion, launches, memory.
class CudaBackendTest {
    private static final long SEED = 20261121;
    private static final BatchLimits LIMITS = new BatchLimits(64, 64);
    private static final int ATTENTION_BYTES = 32 << 20; // of scratch at most
    private static final int HIDDEN = 64;
    private static final AttentionShape ATTENTION = new AttentionShape(4, 2, 16, 0.25f, 0);

    @TempDir
    private Path directory;

    /// Blocks of a transformer, as a model records them.
    private static Plan blocks(Arena arena, DType dtype, int layers, boolean headNorms) {
        return blocks(arena, dtype, ActivationQuantization.NONE, layers, headNorms);
    }

    private static Plan blocks(Arena arena, DType dtype, ActivationQuantization activations, int layers, boolean headNorms) {
        SplittableRandom random = new SplittableRandom(SEED);
        PlanBuilder plan = new PlanBuilder();
        BiFunction<Value, Tensor, Value> product = (in, weight) -> plan.matMul(in, weight, Optional.empty(), activations);
        Value hidden = plan.embed(tensor(arena, random, dtype, 40, HIDDEN));
        RopeTable rope = new RopeTable(RopeTable.Pairing.SPLIT, new float[] {1, 0.5f, 0.25f, 0.1f, 0.05f, 0.02f, 0.01f, 0.001f}, 1);
        for (int layer = 0; layer < layers; layer++) {
            Value normed = plan.rmsNorm(hidden, vector(arena, random, HIDDEN), 1e-5f);
            Value queries = product.apply(normed, tensor(arena, random, dtype, ATTENTION.queryWidth(), HIDDEN));
            Value keys = product.apply(normed, tensor(arena, random, dtype, ATTENTION.kvWidth(), HIDDEN));
            Value values = product.apply(normed, tensor(arena, random, dtype, ATTENTION.kvWidth(), HIDDEN));
            if (headNorms) {
                queries = plan.rmsNorm(queries, vector(arena, random, ATTENTION.headDim()), 1e-5f);
                keys = plan.rmsNorm(keys, vector(arena, random, ATTENTION.headDim()), 1e-5f);
            }
            Value attended = plan.attention(layer, plan.rope(queries, 16, rope), plan.rope(keys, 16, rope), values, ATTENTION);
            hidden = plan.add(hidden, product.apply(attended, tensor(arena, random, dtype, HIDDEN, ATTENTION.queryWidth())));
            Value again = plan.rmsNorm(hidden, vector(arena, random, HIDDEN), 1e-5f);
            Value gate = product.apply(again, tensor(arena, random, dtype, 96, HIDDEN));
            Value up = product.apply(again, tensor(arena, random, dtype, 96, HIDDEN));
            hidden = plan.add(hidden, product.apply(plan.swiGlu(gate, up), tensor(arena, random, dtype, HIDDEN, 96)));
            plan.output("layer " + layer, hidden);
        }
        return plan.build(plan.matMul(plan.rmsNorm(plan.selectRows(hidden), vector(arena, random, HIDDEN), 1e-5f),
                tensor(arena, random, dtype, 40, HIDDEN)));
    }

    private static Tensor tensor(Arena arena, SplittableRandom random, DType dtype, int rows, int columns) {
        float[] elements = new float[rows * columns];
        for (int i = 0; i < elements.length; i++) {
            elements[i] = (float) random.nextDouble(-0.3, 0.3);
        }
        var data = arena.allocate(dtype.byteSize(Shape.of(rows, columns)), 64);
        for (int row = 0; row < rows; row++) {
            Codec.of(dtype).encode(elements, row * columns, data, row * dtype.rowBytes(columns), columns);
        }
        return new Tensor("weight", dtype, Shape.of(rows, columns), data);
    }

    private static Tensor vector(Arena arena, SplittableRandom random, int length) {
        float[] elements = new float[length];
        for (int i = 0; i < length; i++) {
            elements[i] = (float) random.nextDouble(0.5, 1.5);
        }
        return new Tensor("gain", DType.F32, Shape.of(length), arena.allocateFrom(ValueLayout.JAVA_FLOAT, elements));
    }

    private static float[] run(Executable executable, PageTable kv, Arena arena, int rows) {
        Segment segment = new Segment(arena, LIMITS);
        segment.beginCausal(0);
        for (int row = 0; row < rows; row++) {
            segment.addRow((row * 7 + 3) % 40);
            segment.select(row);
        }
        executable.run(Batch.of(segment, kv));
        return executable.logits().asSlice(0, 4L * rows * 40).toArray(ValueLayout.JAVA_FLOAT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"F32", "F16", "BF16", "Q8_0", "INT8"})
    void fusion_everyWeightType_changesRoundingOnly(DType dtype) {
        for (boolean headNorms : new boolean[] {false, true}) {
            try (Arena arena = Arena.ofShared(); CudaBackend backend = CudaBackend.open(
                    SimulatorDriver.open(SimulatorOptions.defaults()), 0)) {
                Plan plan = blocks(arena, dtype, 2, headNorms);
                try (Executable fused = backend.compile(plan, LIMITS);
                        Executable unfused = backend.compileUnfused(plan, LIMITS);
                        PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(2, 2, 16, DType.F16), 100)) {
                    float[] expected = run(unfused, kv, arena, 7);
                    float[] found = run(fused, kv, arena, 7);
                    double difference = 0;
                    double norm = 0;
                    for (int i = 0; i < expected.length; i++) {
                        difference += Math.pow(expected[i] - found[i], 2);
                        norm += Math.pow(expected[i], 2);
                    }
                    assertTrue(Math.sqrt(difference / norm) < 1e-3, dtype + ": " + Math.sqrt(difference / norm));
                    // taps are f32, whatever is fused around them
                    assertEquals(unfused.output("layer 0").byteSize(), fused.output("layer 0").byteSize());
                }
            }
        }
    }

    /// More rows than a tree has go by products of four warps on compute capability 9.0, others never.
    @ParameterizedTest
    @ValueSource(strings = {"F16", "BF16", "Q8_0", "INT8"})
    void run_promptInOnePassOrTwo_hasTheSameBits(DType dtype) {
        BatchLimits limits = new BatchLimits(128, 64);
        float[] expected = null;
        for (int capability : new int[] {80, 90}) {
            for (int portion : new int[] {64, 100}) {
                SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults().withComputeCapability(capability));
                try (Arena arena = Arena.ofShared(); CudaBackend backend = CudaBackend.open(driver, 0);
                        Executable executable = backend.compile(blocks(arena, dtype, 1, false), limits);
                        PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 2, 16, DType.F16), 128)) {
                    for (int first = 0; first < 100; first += portion) {
                        Segment segment = new Segment(arena, limits).beginCausal(first);
                        for (int row = first; row < Math.min(100, first + portion); row++) {
                            segment.addRow((row * 7 + 3) % 40);
                        }
                        segment.select(segment.rows() - 1);
                        executable.run(Batch.of(segment, kv));
                    }
                    float[] found = executable.logits().asSlice(0, 4 * 40).toArray(ValueLayout.JAVA_FLOAT);
                    boolean grouped = driver.takeReports().stream().anyMatch(report -> report.kernel().endsWith("_128x128w")
                            && report.configuration().gridX() == 1 && report.kernel().startsWith("matmul_swiglu"));

                    assertEquals(capability == 90 && portion == 100, grouped);
                    assertArrayEquals(expected == null ? found : expected, found, "portions of " + portion + ", capability " + capability);
                    expected = found;
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"INT8", "INT8_OUTLIERS"})
    void fusion_activationsInEightBits_givesTheSameBits(ActivationQuantization activations) {
        try (Arena arena = Arena.ofShared();
                CudaBackend backend = CudaBackend.open(SimulatorDriver.open(SimulatorOptions.defaults()), 0)) {
            Plan plan = blocks(arena, DType.INT8, activations, 2, true);
            try (Executable fused = backend.compile(plan, LIMITS);
                    Executable unfused = backend.compileUnfused(plan, LIMITS);
                    PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(2, 2, 16, DType.F16), 100)) {
                assertArrayEquals(run(unfused, kv, arena, 7), run(fused, kv, arena, 7));
            }
        }
    }

    @Test
    void comparison_otherBits_saysWhatThatCosts() {
        assertTrue(CudaBackend.comparison("H200", WeightType.BF16, true).endsWith("with the bits of one: prompts take these products"));
        String other = CudaBackend.comparison("H200", WeightType.BF16, false);
        assertTrue(other.startsWith("H200 multiplies weights of bf16 for four warps with other bits than for one: prompts take the slower"),
                other);
    }

    @Test
    void compile_activationsInEightBitsOfRaggedWeights_isRefusedInOneLine() {
        try (Arena arena = Arena.ofShared();
                CudaBackend backend = CudaBackend.open(SimulatorDriver.open(SimulatorOptions.defaults()), 0)) {
            SplittableRandom random = new SplittableRandom(SEED);
            PlanBuilder plan = new PlanBuilder();
            Value in = plan.embed(tensor(arena, random, DType.F32, 4, 20));
            Plan ragged = plan.build(plan.selectRows(
                    plan.matMul(in, tensor(arena, random, DType.INT8, 12, 20), Optional.empty(), ActivationQuantization.INT8)));

            String message = assertThrows(IllegalArgumentException.class, () -> backend.compile(ragged, LIMITS)).getMessage();
            assertTrue(message.contains("[12, 20]") && message.contains("multiple of 8") && !message.contains("\n"), message);
        }
    }

    private static List<String> launchesOfPass(int layers, DType dtype) {
        return launchesOfPass(layers, dtype, ActivationQuantization.NONE);
    }

    private static List<String> launchesOfPass(int layers, DType dtype, ActivationQuantization activations) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        try (Arena arena = Arena.ofShared(); CudaBackend backend = CudaBackend.open(driver, 0)) {
            try (Executable executable = backend.compile(blocks(arena, dtype, activations, layers, false), LIMITS);
                    PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(layers, 2, 16, DType.F16), 100)) {
                run(executable, kv, arena, 1);
                driver.takeReports();
                run(executable, kv, arena, 1);
                return driver.takeReports().stream().map(LaunchReport::kernel).toList();
            }
        }
    }

    @Test
    void block_halfWeights_takesEightLaunches() {
        List<String> one = launchesOfPass(1, DType.BF16);
        List<String> three = launchesOfPass(3, DType.BF16);

        assertEquals(8, (three.size() - one.size()) / 2, three.toString());
    }

    /// Weights are read once for all of them.
    @Test
    void run_batchOfManySegments_launchesWhatOneSegmentDoes() {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        BatchLimits limits = new BatchLimits(64, 64, 64, 4);
        try (Arena arena = Arena.ofShared(); CudaBackend backend = CudaBackend.open(driver, 0);
                Executable executable = backend.compile(blocks(arena, DType.BF16, 2, false), limits);
                KvPool pool = backend.openKvPool(KvLayout.uniform(2, 2, 16, DType.F16), 4)) {
            List<List<String>> launched = new ArrayList<>();
            for (int segments : new int[] {1, 3, 3}) {
                Batch batch = new Batch();
                List<PageTable> tables = new ArrayList<>();
                for (int i = 0; i < segments; i++) {
                    Segment segment = new Segment(arena, limits).beginCausal(0);
                    segment.addRow(1 + i);
                    segment.select(0);
                    tables.add(pool.openTable(64));
                    batch.add(segment, tables.getLast(), new VerificationResult(64));
                }
                driver.takeReports();
                executable.run(batch);
                executable.logits();
                launched.add(driver.takeReports().stream().map(LaunchReport::kernel).filter(kernel -> !kernel.startsWith("kv_move")).toList());
                tables.forEach(PageTable::close);
            }
            assertEquals(launched.get(0), launched.get(1));
            assertEquals(launched.get(1), launched.get(2));
        }
    }

    @Test
    void run_logitsOfMoreRowsThanATreeHas_isRefusedByName() {
        try (Arena arena = Arena.ofShared(); CudaBackend backend = CudaBackend.open(SimulatorDriver.open(SimulatorOptions.defaults()), 0);
                Executable executable = backend.compile(blocks(arena, DType.BF16, 1, false), new BatchLimits(128, 64, 128, 2));
                PageTable pages = PageTable.openAlone(backend, KvLayout.uniform(1, 2, 16, DType.F16), 128)) {
            Segment segment = new Segment(arena, new BatchLimits(128, 128)).beginCausal(0);
            for (int row = 0; row < 65; row++) {
                segment.addRow(1);
                segment.select(row);
            }
            Batch batch = new Batch().add(segment, pages, new VerificationResult(64));

            String message = assertThrows(IllegalArgumentException.class, () -> executable.run(batch)).getMessage();

            assertTrue(message.startsWith("logits of 65 rows of segment 0: expected at most 64"), message);
        }
    }

    /// Besides, the inputs of the output and down projections are rounded by a launch of their own; norms round theirs.
    @Test
    void block_activationsInEightBits_takesTenLaunches() {
        List<String> one = launchesOfPass(1, DType.INT8, ActivationQuantization.INT8);
        List<String> three = launchesOfPass(3, DType.INT8, ActivationQuantization.INT8);

        assertEquals(10, (three.size() - one.size()) / 2, three.toString());
    }

    @ParameterizedTest
    @CsvSource({"100, choose a smaller model", "160, with layers in Q8_0 they would take"})
    void compile_modelBeyondMemory_isRefusedWithSizesBeforeAnythingIsUploaded(int kilobytes, String advice) {
        int bytes = (kilobytes << 10) + ATTENTION_BYTES;
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults().withMemoryBytes(bytes));
        try (Arena arena = Arena.ofConfined(); CudaBackend backend = CudaBackend.open(driver, 0)) {
            int handles = driver.liveHandles();
            String message = assertThrows(IllegalArgumentException.class,
                    () -> backend.compile(blocks(arena, DType.BF16, 2, false), LIMITS)).getMessage();

            assertTrue(message.contains("weights") && message.contains("found %,d free".formatted(bytes)), message);
            assertTrue(message.contains("attention at most %,d".formatted(ATTENTION_BYTES)), message);
            assertTrue(message.contains(advice), message);
            assertEquals(handles, driver.liveHandles());
        }
    }

    @Test
    void compile_weightsOfSeveralStages_areAsStoredAndTold() {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        List<Double> told = new ArrayList<>();
        try (Arena arena = Arena.ofConfined(); CudaBackend backend = CudaBackend.open(driver, 0)) {
            int columns = 4096;
            Tensor table = new Tensor("table", DType.F32, Shape.of(1600, columns), arena.allocate(1600L * columns * 4, 64));
            for (int row = 0; row < 1600; row++) {
                table.data().setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * columns + row, row);
            }
            PlanBuilder plan = new PlanBuilder();
            try (Executable executable = backend.compile(plan.build(plan.selectRows(plan.embed(table))), LIMITS, told::add);
                    PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 2, 16, DType.F16), 100)) {
                Segment segment = new Segment(arena, LIMITS).beginCausal(0);
                for (int row : new int[] {511, 512, 1023, 1024, 1599}) {
                    segment.addRow(row);
                    segment.select(segment.rows() - 1);
                }
                executable.run(Batch.of(segment, kv));
                for (int i = 0; i < segment.rows(); i++) {
                    assertEquals(segment.token(i), executable.logits().getAtIndex(ValueLayout.JAVA_FLOAT,
                            (long) i * columns + segment.token(i)));
                }
            }
        }
        assertEquals(1, told.getLast());
        assertEquals(told.stream().sorted().distinct().toList(), told);
        assertTrue(told.size() > 2, told::toString);
    }

    @Test
    void close_executableAndStore_freesAllOfThem() {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        try (Arena arena = Arena.ofConfined(); CudaBackend backend = CudaBackend.open(driver, 0)) {
            Plan plan = blocks(arena, DType.F16, 1, false);
            int before = -1;
            for (int i = 0; i < 3; i++) {
                try (Executable executable = backend.compile(plan, LIMITS);
                        PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 2, 16, DType.F16), 100)) {
                    run(executable, kv, arena, 5);
                }
                assertTrue(before < 0 || before == driver.liveHandles(), "modules stay loaded, nothing else");
                before = driver.liveHandles();
            }
        }
    }

    @Test
    void run_storesByTurns_capturesAGraphOnce() {
        SimulatorDriver simulator = SimulatorDriver.open(SimulatorOptions.defaults());
        List<String> captures = new ArrayList<>();
        CudaDriver driver = heard(simulator, (call, _) -> {
            if (call.equals("streamBeginCapture")) {
                captures.add(call);
            }
        });
        try (Arena arena = Arena.ofConfined(); CudaBackend backend = CudaBackend.open(driver, 0)) {
            Plan plan = blocks(arena, DType.BF16, 1, false);
            KvLayout layout = KvLayout.uniform(1, 2, 16, DType.F16);
            try (Executable executable = backend.compile(plan, LIMITS);
                    PageTable first = PageTable.openAlone(backend, layout, 100);
                    PageTable second = PageTable.openAlone(backend, layout, 100);
                    PageTable bytes = PageTable.openAlone(backend, KvLayout.uniform(1, 2, 16, DType.Q8_0), 100)) {
                float[] five = run(executable, first, arena, 5);
                float[] eight = run(executable, second, arena, 8);
                assertEquals(1, captures.size());
                // each page table has its own rows still
                assertArrayEquals(Arrays.copyOfRange(eight, 5 * 40, 6 * 40), continued(executable, second, arena));
                assertArrayEquals(Arrays.copyOfRange(eight, 5 * 40, 6 * 40), continued(executable, first, arena));
                assertArrayEquals(five, Arrays.copyOf(eight, five.length));
                assertEquals(2, captures.size());
                run(executable, bytes, arena, 5);
                assertEquals(3, captures.size(), "another layout");
            }
        }
    }

    /// A driver whose calls are told, with their arguments, before they are made.
    private static CudaDriver heard(CudaDriver driver, BiConsumer<String, Object[]> listener) {
        return (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class},
                (_, method, arguments) -> {
                    listener.accept(method.getName(), arguments);
                    try {
                        return method.invoke(driver, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    /// A draft model that always agrees: from the second step on all its passes are queued, in a stream of their own, after the
    /// target's and before that is waited for.
    @Test
    void step_draftModelThatAgrees_draftsWhileTheTargetRuns() throws IOException {
        List<String> calls = new ArrayList<>();
        CudaDriver driver = heard(SimulatorDriver.open(SimulatorOptions.defaults()), (call, arguments) -> {
            switch (call) {
                case "graphLaunch" -> calls.add("launch in " + arguments[1]);
                case "streamSynchronize" -> calls.add("wait for " + arguments[0]);
                default -> { }
            }
        });
        Path file = RandomModel.tiny(SEED).withLayers(1).write(directory.resolve("tiny.gguf"));
        try (CudaBackend backend = CudaBackend.open(driver, 0);
                Model model = Model.load(file, backend, ModelOptions.STANDARD);
                Session session = model.openSession();
                Drafter drafter = SpeculationMethod.parse("draft:first=2:max=3:margin=0").open(model, Optional.of(model))) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY.withTemperature(1), new int[] {3, 5});
            session.step(decoder, 100);
            for (int step = 0; step < 3; step++) {
                calls.clear();
                assertEquals(4, session.step(decoder, 100), "all of 3 drafts, and the token after them");
                String target = calls.getFirst().substring("launch in ".length());
                String draft = calls.get(1).substring("launch in ".length());
                assertNotEquals(target, draft);
                assertEquals(List.of("launch in " + target, "launch in " + draft, "launch in " + draft, "launch in " + draft,
                        "launch in " + draft, "wait for " + draft, "wait for " + target), calls);
            }
        }
    }

    /// Between a proposal and what becomes of it the driver hears of the distributions, of one graph and of one wait: no logits are copied.
    /// What the graph says is what the host finds from the logits.
    @ParameterizedTest
    @ValueSource(strings = {"specinfer", "rsd-c", "rsd-s"})
    void step_sampledProposals_isOneLaunchAndCopiesNoLogits(String method) throws IOException {
        List<String> calls = new ArrayList<>();
        CudaDriver driver = heard(SimulatorDriver.open(SimulatorOptions.defaults()), (call, _) -> calls.add(call));
        Sampling sampling = Sampling.GREEDY.withTemperature(1).withTopP(0.9).withRepetitionPenalty(1.2).withSeed(SEED);
        try (CudaBackend backend = CudaBackend.open(driver, 0);
                Model model = tiny(backend, SEED);
                Model draft = tiny(backend, SEED + 1);
                Session session = model.openSession();
                Drafter inner = SpeculationMethod.parse(method).open(model, Optional.of(draft))) {
            List<List<String>> steps = new ArrayList<>();
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, new Drafter() {
                @Override
                public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
                    inner.begin(target, prompt, sampling);
                }

                @Override
                public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
                    inner.draft(text, tree, maxNodes);
                    calls.clear();
                }

                @Override
                public void observe(TokenSequence text, Step step) {
                    steps.add(List.copyOf(calls));
                    requireResultOfTheHost(session, text, step);
                    inner.observe(text, step);
                }

                @Override
                public void close() {
                    // the test closes what is inside
                }
            }, sampling, new int[] {3, 5});
            while (steps.size() < 12) {
                session.step(decoder, 100);
            }
            long launchesOnly = steps.stream().filter(List.of("copyToDeviceAsync", "graphLaunch", "streamSynchronize")::equals).count();
            assertTrue(launchesOnly >= steps.size() - 2, "all but those that capture: " + steps);
        }
    }

    private Model tiny(CudaBackend backend, long seed) throws IOException {
        return Model.load(RandomModel.tiny(seed).withLayers(1).write(directory.resolve(seed + ".gguf")), backend, ModelOptions.STANDARD);
    }

    private static void requireResultOfTheHost(Session session, TokenSequence text, Step step) {
        VerificationResult expected = new VerificationResult(session.maxTreeRows());
        new HostVerifier(session.vocabularySize()).verify(new Batch().add(session.segment(),
                        VerificationCase.recording(new ArrayList<>()), expected), session.logits());
        assertEquals(expected.accepted(), step.accepted());
        for (int i = 0; i <= step.accepted(); i++) {
            assertEquals(expected.token(i), text.token(text.length() - 1 - step.accepted() + i));
        }
    }

    /// the graphs must find the distributions where they are from then on.
    @Test
    void verify_distributionsThatOutgrowTheirMemory_areFoundInTheNewOne() throws IOException {
        int vocabulary = 1500;
        Sampling sampling = Sampling.GREEDY.withTemperature(2).withSeed(SEED);
        Path file = new RandomModel("llama", DType.F16, vocabulary, 32, 1, 1, 1, 32, 128, SEED, 3).write(directory.resolve("m.gguf"));
        try (CudaBackend backend = CudaBackend.open(SimulatorDriver.open(SimulatorOptions.defaults()), 0);
                Model model = Model.load(file, backend, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            SplittableRandom random = new SplittableRandom(SEED);
            for (int tokens : new int[] {1, vocabulary, 2}) {
                TokenTree tree = new TokenTree(session.maxTreeRows()).begin(1);
                for (int node = 0; node < 7; node++) {
                    TokenDistribution distribution = new TokenDistribution(vocabulary);
                    for (int token = 0; token < tokens; token++) {
                        distribution.add(token, random.nextDouble());
                    }
                    tree.setDistribution(node, ProposalSampling.INDEPENDENT, distribution);
                    tree.addSampled(node, distribution.mostProbable());
                }
                session.rewind(0);
                tree.writeTo(session.segment(), 0);
                VerificationResult found = session.verify(sampling);
                VerificationResult expected = new VerificationResult(session.maxTreeRows());
                new HostVerifier(vocabulary).verify(new Batch().add(session.segment(),
                        VerificationCase.recording(new ArrayList<>()), expected), session.logits());

                assertEquals(expected.accepted(), found.accepted());
                assertEquals(expected.token(expected.accepted()), found.token(found.accepted()), "distributions of " + tokens + " tokens");
            }
        }
    }

    @Test
    void verify_distributionOverAnotherVocabulary_isRefusedAndTheSessionStaysUsable() throws IOException {
        try (CudaBackend backend = CudaBackend.open(SimulatorDriver.open(SimulatorOptions.defaults()), 0);
                Model model = tiny(backend, SEED);
                Session session = model.openSession()) {
            TokenTree tree = new TokenTree(session.maxTreeRows()).begin(1);
            TokenDistribution distribution = new TokenDistribution(33);
            distribution.add(32, 1);
            tree.setDistribution(0, ProposalSampling.INDEPENDENT, distribution);
            tree.addSampled(0, 32);
            tree.writeTo(session.segment(), 0);
            assertThrows(IllegalArgumentException.class, () -> session.verify(Sampling.GREEDY));

            tree.begin(1).setDistribution(0, ProposalSampling.INDEPENDENT,
                    TokenDistribution.of(0, 0.5, Double.NaN, Double.POSITIVE_INFINITY));
            tree.addSampled(0, 3);
            tree.writeTo(session.segment(), 0);
            assertEquals("distribution over 4 tokens below row 0: expected one over 32",
                    assertThrows(IllegalArgumentException.class, () -> session.verify(Sampling.GREEDY)).getMessage());

            assertTrue(session.decode(3, Sampling.GREEDY).token(0) < 32);
        }
    }

    /// The sixth row alone, after five that are in the store.
    private static float[] continued(Executable executable, PageTable kv, Arena arena) {
        Segment segment = new Segment(arena, LIMITS).beginCausal(5);
        segment.addRow((5 * 7 + 3) % 40);
        segment.select(0);
        executable.run(Batch.of(segment, kv));
        return executable.logits().asSlice(0, 4L * 40).toArray(ValueLayout.JAVA_FLOAT);
    }

    @Test
    void openKvPool_wholeFloats_isRefused() {
        try (CudaBackend backend = CudaBackend.open(SimulatorDriver.open(SimulatorOptions.defaults()), 0)) {
            KvLayout layout = KvLayout.uniform(1, 2, 16, DType.F32);
            assertEquals("KV cache of F32: on CUDA expected F16, BF16 or Q8_0",
                    assertThrows(IllegalArgumentException.class, () -> backend.openKvPool(layout, 2)).getMessage());
        }
    }

    @Test
    void session_backendWithoutRoomForTheCache_staysUsable() throws IOException {
        Path file = RandomModel.tiny(SEED).write(directory.resolve("tiny.gguf"));
        try (CudaBackend backend = CudaBackend.open(SimulatorDriver.open(SimulatorOptions.defaults().withMemoryBytes((4 << 20) + ATTENTION_BYTES)), 0)) {
            try (Model large = Model.load(file, backend, new ModelOptions(1_000_000, DType.F16))) {
                assertThrows(RuntimeException.class, large::openSession);
            }
            try (Model small = Model.load(file, backend, ModelOptions.STANDARD); Session session = small.openSession()) {
                session.decode(3, Sampling.GREEDY);
                assertTrue(Float.isFinite(session.logits().get(ValueLayout.JAVA_FLOAT, 0)));
            }
        }
    }
}
