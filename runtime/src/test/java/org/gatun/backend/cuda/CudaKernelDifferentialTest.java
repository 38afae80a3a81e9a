package org.gatun.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.backend.cuda.KernelBench.Operand;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.TestDriver;
import org.gatun.cuda.kernels.ActivationKernels;
import org.gatun.cuda.kernels.AttentionKernels;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.EmbeddingKernels;
import org.gatun.cuda.kernels.Int8Kernels;
import org.gatun.cuda.kernels.KernelVariant;
import org.gatun.cuda.kernels.KvKernels;
import org.gatun.cuda.kernels.KvLayer;
import org.gatun.cuda.kernels.KvType;
import org.gatun.cuda.kernels.MatmulKernels;
import org.gatun.cuda.kernels.NormKernels;
import org.gatun.cuda.kernels.ProbeKernels;
import org.gatun.cuda.kernels.QuantizedRows;
import org.gatun.cuda.kernels.RopeKernels;
import org.gatun.cuda.kernels.Rotation;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.SamplingKernels;
import org.gatun.cuda.kernels.Segments;
import org.gatun.cuda.kernels.TileComparison;
import org.gatun.cuda.kernels.VerificationKernels.Team;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.quantize.Codec;
import org.gatun.quantize.RowCodes;
import org.gatun.sampling.RowStatistics;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// One table of kernels and ragged shapes. Rows run the shipped PTX on the simulator, whose blocks and warps take turns in
/// two different orders, and on the device if there is one, and must agree with the reference within the bound. Adding a kernel is
/// adding a row; a kernel without one fails the test.
@Tag("gpu")
class CudaKernelDifferentialTest {
    private static final long SEED = 20261121;
    /// Before the result is rounded to its type.
    private static final double BOUND = 1e-5;

    private interface Check {
        void run(KernelBench bench, SplittableRandom random);
    }

    /// Names of types and tiles, which kernels have in their names too.
    private static final Pattern VARIANTS = Pattern.compile("(?<![A-Za-z0-9])(" + Stream.<Object[]>of(ElementType.values(),
            WeightType.values(), KvType.values(), MatmulKernels.Tile.values(), Rotation.Pairing.values(),
            new Object[] {ActivationQuantization.INT8,
            ActivationQuantization.INT8_OUTLIERS}).flatMap(Stream::of).map(Object::toString).distinct()
            .sorted(Comparator.comparingInt(String::length).reversed()).map(Pattern::quote).collect(Collectors.joining("|"))
            + ")(?![A-Za-z0-9])");

    /// A row of the table.
    ///
    /// @param kernels entries that it runs
    /// @param aspects what else it is an example of
    private record Case(String name, List<String> kernels, List<String> aspects, Check check) {
        /// An example of its kernels and of the shape that its name says.
        private Case(String name, List<String> kernels, Check check) {
            this(name, kernels, List.of(VARIANTS.matcher(name).replaceAll("")), check);
        }

        private List<String> strata() {
            return Stream.concat(kernels.stream(), aspects.stream()).toList();
        }
    }

    /// On the simulator a sample of rows with every kernel and every aspect, another one for each order; all of them in the long run
    /// and on a device.
    @TestFactory
    Stream<DynamicNode> kernel_raggedShapes_agreesWithReference() {
        List<DynamicNode> drivers = new ArrayList<>();
        if (TestDriver.isSimulator()) {
            drivers.add(rows("simulator", SimulatorDriver.open(SimulatorOptions.defaults()), sample(0)));
            if (TestDriver.asked().isEmpty()) {
                drivers.add(rows("simulator, another order",
                        SimulatorDriver.open(SimulatorOptions.defaults().withOrderSeed(TestScale.seed())), otherOrder()));
            }
        }
        for (CudaDriverProvider provider : CudaDrivers.providers()) {
            if (!provider.name().equals("simulator") && TestDriver.asked().map(provider.name()::equals).orElse(true)) {
                drivers.add(switch (provider.probe()) {
                    case CudaDriverProvider.Probe.Found(CudaDriver found) -> rows(provider.name(), found, cases());
                    case CudaDriverProvider.Probe.Absent(String reason) -> dynamicTest(provider.name(), () -> abort(reason));
                });
            }
        }
        return drivers.stream();
    }

    /// Where the simulator is asked for by name, as by the bundle, shapes are left to the build's own run.
    private static List<Case> sample(int order) {
        return TestScale.sample(cases(), TestDriver.asked().isPresent() ? Case::kernels : Case::strata, order);
    }

    /// Half a sample.
    private static List<Case> otherOrder() {
        List<Case> rows = sample(1);
        return IntStream.range(0, rows.size()).filter(i -> TestScale.takesOneIn(2, i)).mapToObj(rows::get).toList();
    }

    /// Rows of kernels that the device has.
    private static DynamicNode rows(String name, CudaDriver driver, List<Case> rows) {
        KernelDevice device = new KernelDevice(driver);
        Stream<DynamicNode> tests = rows.stream().filter(row -> row.kernels.stream().allMatch(device::has))
                .map(row -> dynamicTest(row.name + ", seed " + SEED,
                        () -> device.run(bench -> row.check.run(bench, new SplittableRandom(SEED + row.name.hashCode())))));
        return dynamicContainer(name, Stream.concat(tests, Stream.of(dynamicTest("all is given back", device::close))));
    }

    @Test
    void sample_anySeed_hasEveryKernelAndAspect() {
        Set<String> all = cases().stream().flatMap(row -> row.strata().stream()).collect(Collectors.toSet());
        assertEquals(all, TestScale.sample(cases(), Case::strata, 0).stream().flatMap(row -> row.strata().stream())
                .collect(Collectors.toSet()));
        assertTrue(TestScale.isLong() || sample(0).size() < 0.6 * cases().size(), "no sample: " + sample(0).size());
    }

    @Test
    void everyShippedKernel_hasARow() {
        assertEquals(KernelVariant.all().stream().map(KernelVariant::kernel).distinct().sorted().toList(),
                cases().stream().flatMap(row -> row.kernels.stream()).distinct().sorted().toList());
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (ElementType type : ElementType.values()) {
            for (int[] shape : new int[][] {{1, 1, 1}, {3, 1, 15}, {2, 3, 33}, {5, 2, 96}, {1, 1, 1000}, {2, 1, 4096}, {1, 1, 9001}}) {
                cases.add(norm(type, shape[0], shape[1], shape[2]));
                cases.add(normAdd(type, shape[0], shape[1], shape[2]));
            }
            for (int[] shape : new int[][] {{1, 1}, {1, 7}, {3, 8}, {5, 51}, {1, 1024}, {2, 5003}}) {
                cases.add(elementwise("activation_swiglu_", type, shape[0], shape[1]));
                cases.add(type == ElementType.F32 ? elementwise("activation_add_", type, shape[0], shape[1])
                        : round(type, shape[0], shape[1]));
            }
            for (int[] shape : new int[][] {{1, 1, 1}, {7, 29, 17}, {3, 11, 96}, {2, 5, 4100}}) {
                cases.add(gather(type, shape[0], shape[1], shape[2]));
            }
            for (MatmulKernels.Tile tile : tiles(WeightType.valueOf(type.name()))) {
                for (int[] shape : new int[][] {{1, 1, 8}, {3, 17, 40}, {16, 128, 32}, {17, 129, 72}, {130, 70, 264}, {5, 257, 520}}) {
                    cases.add(matmul(tile, type, shape[0], shape[1], shape[2]));
                    if (type != ElementType.F32) {
                        cases.add(matmulSwiglu(tile, type, shape[0], Math.ceilDiv(shape[1], 8) * 8, shape[2]));
                    }
                }
            }
        }
        for (WeightType type : WeightType.values()) {
            for (MatmulKernels.Tile tile : tiles(type)) {
                for (int[] shape : new int[][] {{1, 8, 1}, {17, 136, 3}, {130, 72, 7}, {5, 264, 17}}) {
                    if (type.isTiled()) {
                        int inputs = shape[2] * (type == WeightType.INT8 ? 8 : stored(type).blockElements());
                        boolean swiglu = shape[0] % 2 == 0 || shape[2] == 3;
                        cases.add(matmulQuantized(tile, type, swiglu, shape[0], shape[1], Math.min(inputs, 1024)));
                    }
                }
            }
        }
        for (ActivationQuantization activations : List.of(ActivationQuantization.INT8, ActivationQuantization.INT8_OUTLIERS)) {
            for (int[] shape : new int[][] {{1, 8}, {3, 40}, {9, 264}, {2, 2056}}) {
                cases.add(quantize(activations, shape[0], shape[1]));
                cases.add(normQuantized(activations, shape[0], shape[1]));
            }
            for (MatmulKernels.Tile tile : Int8Kernels.TILES) {
                for (int[] shape : new int[][] {{1, 8, 8}, {17, 136, 24}, {130, 72, 56}, {5, 264, 136}, {20, 40, 1024}}) {
                    cases.add(int8Matmul(tile, activations, false, shape[0], shape[1], shape[2]));
                    cases.add(int8Matmul(tile, activations, true, shape[0], shape[1], shape[2]));
                }
            }
        }
        for (Rotation.Pairing pairing : Rotation.Pairing.values()) {
            for (int[] shape : new int[][] {{1, 1, 2, 1}, {3, 5, 64, 32}, {2, 7, 80, 20}, {17, 2, 256, 128}, {1, 3, 640, 320}}) {
                cases.add(rope(pairing, shape[0], shape[1], shape[2], shape[3]));
            }
        }
        for (KvType type : KvType.values()) {
            for (int headDim : new int[] {8, 16, 24, 48, 64, 80, 96, 128, 192}) {
                cases.add(attention(type, headDim, 4, 2, 70, 5, true, 0));
                cases.add(attention(type, headDim, 4, 1, 70, 5, true, 0)); // 20 query rows a key-value head
            }
            // beyond what shared memory holds
            cases.add(attention(type, 250, 1, 1, 40, 130, true, 0));
        }
        cases.add(attention(KvType.F16, 256, 3, 1, 300, 129, true, 200));
        // chunks grow from 8,192 keys on
        cases.add(attention(KvType.F16, 16, 4, 1, 8_400, 1, false, 0));
        if (TestScale.isLong() || !TestDriver.isSimulator()) {
            cases.add(attention(KvType.Q8_0, 32, 6, 1, 20_000, 5, true, 0));
            cases.add(attention(KvType.BF16, 16, 2, 1, 32_760, 1, false, 0));
        }
        cases.add(attention(KvType.F16, 16, 4, 2, 3, 300, false, 0));
        for (int[] shape : new int[][] {{1, 1, 0, 1, 0}, {8, 1, 300, 7, 0}, {2, 2, 63, 64, 0}, {6, 2, 64, 33, 40}, {4, 4, 700, 2, 300},
            {16, 1, 10, 17, 0}}) {
            for (boolean tree : new boolean[] {false, true}) {
                for (KvType type : List.of(KvType.F16, KvType.Q8_0)) {
                    cases.add(attention(type, 32, shape[0], shape[1], shape[2], shape[3], tree, shape[4]));
                }
            }
        }
        for (KvType type : KvType.values()) {
            for (Rotation.Pairing pairing : Rotation.Pairing.values()) {
                cases.add(ropeAppend(type, pairing, 3, 6, 2, 20, 8));
                cases.add(ropeAppend(type, pairing, 9, 3, 3, 64, 32));
                cases.add(ropeAppend(type, pairing, 2, 2, 1, 250, 90));
            }
            cases.add(move(type));
        }
        for (int[] shape : new int[][] {{1, 1}, {3, 5}, {2, 64}, {4, 1001}, {2, 4096}, {2, 12_290}, {1, 50_000}}) {
            for (int k : new int[] {1, 5, 32, 33, 64}) {
                if (k <= shape[1]) {
                    cases.add(topK(shape[0], shape[1], k));
                }
            }
        }
        for (int[] shape : new int[][] {{1, 4096, 2, 0}, {3, 1001, 20, 5}, {2, 1, 2, 1}, {70, 37, 64, 3}, {2, 20_003, 64, 64}, {3, 8200, 2, 1},
            {1, 12_289, 5, 2}}) {
            cases.add(rowStatistics(shape[0], shape[1], shape[2], shape[3]));
        }
        for (VerificationCase.Shape shape : VerificationCase.SHAPES) {
            for (Team team : Team.values()) {
                String ending = team == Team.CLUSTER ? "_cluster" : "";
                cases.add(new Case("sample and walk by a %s, %s".formatted(team, shape), List.of("verification_adjust_f32",
                        "verification_sample_f32" + ending,
                        shape.how().isPresent() ? "verification_rejection_sampling_f32" + ending : "verification_walk"),
                        List.of("%d rows of %d, tree %s, masks %s, %s".formatted(shape.rows(), shape.vocabulary(), shape.tree(),
                                shape.masked(), shape.how()),
                                shape.sampling().toString()),
                        (bench, random) -> VerificationCase.check(bench, team, random, shape)));
            }
        }
        for (int packs : new int[] {1, 1000, 70_001}) {
            cases.add(probe(packs));
        }
        cases.add(new Case("advance", List.of("verification_advance"), VerificationCase::checkAdvance));
        if (!TestDriver.isSimulator()) {
            addLarge(cases);
        }
        return cases;
    }

    /// Shapes of models as they are used, for which the simulator would take long.
    private static void addLarge(List<Case> cases) {
        for (ElementType type : ElementType.values()) {
            for (MatmulKernels.Tile tile : MatmulKernels.Tile.values()) {
                cases.add(matmul(tile, type, 16, 4096, 4096));
                cases.add(matmul(tile, type, 333, 1023, 4096));
                if (type != ElementType.F32) {
                    cases.add(matmulSwiglu(tile, type, 64, 14_336, 1024));
                }
            }
            cases.add(normAdd(type, 513, 1, 8192));
            cases.add(gather(type, 77, 32_000, 4096));
        }
        for (int headDim : new int[] {64, 128, 256}) {
            for (KvType type : KvType.values()) {
                cases.add(attention(type, headDim, 32, 8, 5000, 1, false, 0));
                cases.add(attention(type, headDim, 32, 8, 3001, 64, true, 0));
                cases.add(attention(type, headDim, 8, 2, 1000, 300, false, 512));
            }
        }
        cases.add(topK(64, 128_256, 64));
    }

    private static Case norm(ElementType type, int rows, int groups, int width) {
        return new Case("rms norm " + type + " " + rows + "x" + groups + "x" + width, List.of("norm_rms_" + type), (bench, random) -> {
            Operand in = bench.random(random, ElementType.F32, rows, groups * width);
            Operand gain = bench.random(random, ElementType.F32, 1, width);
            DeviceSlice out = bench.empty((long) rows * groups * width * type.byteSize());
            bench.run(NormKernels.rms(bench.library, type, out, in.slice(), gain.slice(), bench.rows(rows),
                    NormKernels.Groups.dense(groups, width), 1e-5f));

            float[] expected = KernelBench.reference(rows,
                    plan -> plan.rmsNorm(plan.embed(table(in, groups * width)), gain.tensor(), 1e-5f));
            assertClose(expected, bench.floats(out, type, rows * groups * width), type);
        });
    }

    private static Case normAdd(ElementType type, int rows, int groups, int width) {
        return new Case("sum and rms norm " + type + " " + rows + "x" + groups + "x" + width, List.of("norm_rms_add_" + type),
                (bench, random) -> {
                    int all = groups * width;
                    Operand in = bench.random(random, ElementType.F32, rows, all);
                    Operand residual = bench.random(random, ElementType.F32, rows, all);
                    Operand gain = bench.random(random, ElementType.F32, 1, width);
                    DeviceSlice out = bench.empty((long) rows * all * type.byteSize());
                    bench.run(NormKernels.rmsAdd(bench.library, type, out, residual.slice(), in.slice(), residual.slice(), gain.slice(),
                            bench.rows(rows), NormKernels.Groups.dense(groups, width), 1e-5f));

                    assertClose(KernelBench.reference(rows, plan -> plan.add(plan.embed(table(in, all)),
                            plan.embed(table(residual, all)))), bench.floats(residual.slice(), ElementType.F32, rows * all), ElementType.F32);
                    assertClose(KernelBench.reference(rows, plan -> plan.rmsNorm(plan.add(plan.embed(table(in, all)),
                            plan.embed(table(residual, all))), gain.tensor(), 1e-5f)), bench.floats(out, type, rows * all), type);
                });
    }

    private static Case elementwise(String entry, ElementType type, int rows, int width) {
        return new Case(entry + type + " " + rows + "x" + width, List.of(entry + type), (bench, random) -> {
            boolean swiglu = entry.contains("swiglu");
            float[] gates = bench.random(random, ElementType.F32, rows, width).values();
            float[] extremes = {0f, -0f, 88f, -88f, 104f, -104f, 1e-30f, -1e4f, 1e4f};
            for (int i = 0; i < Math.min(gates.length, extremes.length); i++) {
                gates[gates.length - 1 - i] = extremes[i];
            }
            Operand a = bench.operand(ElementType.F32, gates, width);
            Operand b = bench.random(random, ElementType.F32, rows, width);
            DeviceSlice out = bench.empty((long) rows * width * type.byteSize());
            bench.run(swiglu ? ActivationKernels.swiglu(bench.library, type, out, a.slice(), b.slice(), bench.rows(rows), width)
                    : ActivationKernels.add(bench.library, out, a.slice(), b.slice(), bench.rows(rows), width));

            float[] found = bench.floats(out, type, rows * width);
            float[] expected = KernelBench.reference(rows, plan -> swiglu
                    ? plan.swiGlu(plan.embed(table(a, width)), plan.embed(table(b, width)))
                    : plan.add(plan.embed(table(a, width)), plan.embed(table(b, width))));
            // A huge element would hide the others in the norm.
            for (int i = 0; i < found.length; i++) {
                assertClose(new float[] {expected[i]}, new float[] {found[i]}, type);
            }
        });
    }

    private static Case round(ElementType type, int rows, int width) {
        String entry = "activation_round_" + type;
        return new Case(entry + " " + rows + "x" + width, List.of(entry), (bench, random) -> {
            Operand in = bench.random(random, ElementType.F32, rows, width);
            DeviceSlice out = bench.empty((long) rows * width * type.byteSize());
            bench.run(ActivationKernels.round(bench.library, type, out, in.slice(), bench.rows(rows), width));
            assertArrayEquals(bench.operand(type, in.values(), width).values(), bench.floats(out, type, rows * width));
        });
    }

    private static Case rope(Rotation.Pairing pairing, int rows, int heads, int headDim, int pairs) {
        String entry = "rope_" + pairing;
        return new Case("%s %d rows, %d heads of %d, %d pairs".formatted(entry, rows, heads, headDim, pairs), List.of(entry),
                (bench, random) -> {
                    float[] frequencies = frequencies(pairs);
                    int[] positions = IntStream.range(0, rows).map(row -> row % 3 == 0 ? 131_071 - row : random.nextInt(5000)).toArray();
                    int width = heads * headDim;
                    Operand in = bench.random(random, ElementType.F32, rows, width);
                    Rotation rotation = new Rotation(pairing, bench.operand(ElementType.F32, frequencies, pairs).slice(), pairs, 1.1f);
                    DeviceSlice out = bench.empty((long) rows * width * Float.BYTES);
                    bench.run(RopeKernels.rotate(bench.library, rotation, out, in.slice(), bench.ints(positions), bench.rows(rows), heads,
                            headDim));

                    float[] expected = KernelBench.reference(rows, row -> positions[row],
                            plan -> plan.rope(plan.embed(table(in, width)), headDim, ropeTable(pairing, pairs)));
                    assertClose(expected, bench.floats(out, ElementType.F32, rows * width), ElementType.F32);

                    bench.run(RopeKernels.rotate(bench.library, rotation, in.slice(), in.slice(), bench.ints(positions),
                            bench.rows(rows), heads, headDim));
                    assertArrayEquals(bench.floats(out, ElementType.F32, rows * width),
                            bench.floats(in.slice(), ElementType.F32, rows * width), "in place");
                });
    }

    private static float[] frequencies(int pairs) {
        float[] frequencies = new float[pairs];
        for (int i = 0; i < pairs; i++) {
            frequencies[i] = (float) Math.pow(500_000, -(double) i / pairs);
        }
        return frequencies;
    }

    private static RopeTable ropeTable(Rotation.Pairing pairing, int pairs) {
        return new RopeTable(pairing == Rotation.Pairing.SPLIT ? RopeTable.Pairing.SPLIT : RopeTable.Pairing.INTERLEAVED,
                frequencies(pairs), 1.1f);
    }

    private static Case gather(ElementType type, int rows, int vocabulary, int width) {
        String entry = "embedding_gather_" + type;
        return new Case(entry + " " + rows + " of " + vocabulary + "x" + width, List.of(entry), (bench, random) -> {
            Operand table = bench.random(random, type, vocabulary, width);
            int[] ids = random.ints(rows, 0, vocabulary).toArray();
            DeviceSlice out = bench.empty((long) rows * width * Float.BYTES);
            DeviceSlice error = bench.zeros(Integer.BYTES);
            bench.run(EmbeddingKernels.gather(bench.library, type, out, error, table.slice(), Optional.empty(), bench.ints(ids),
                    bench.rows(rows), vocabulary, width));
            float[] expected = new float[rows * width];
            for (int row = 0; row < rows; row++) {
                System.arraycopy(table.values(), ids[row] * width, expected, row * width, width);
            }
            assertArrayEquals(expected, bench.floats(out, ElementType.F32, rows * width));
            assertEquals(0, bench.ints(error, 1)[0]);

            Operand given = bench.random(random, ElementType.F32, rows, width);
            ids[0] = -1;
            bench.run(EmbeddingKernels.gather(bench.library, type, out, error, table.slice(), Optional.of(given.slice()), bench.ints(ids),
                    bench.rows(rows), vocabulary, width));
            System.arraycopy(given.values(), 0, expected, 0, width);
            assertArrayEquals(expected, bench.floats(out, ElementType.F32, rows * width), "a row that is given");
            assertEquals(0, bench.ints(error, 1)[0]);

            Arrays.fill(expected, 0, width, 0);
            ids[rows - 1] = random.nextBoolean() ? -1 : vocabulary;
            bench.run(EmbeddingKernels.gather(bench.library, type, out, error, table.slice(), Optional.empty(), bench.ints(ids),
                    bench.rows(rows), vocabulary, width));
            Arrays.fill(expected, (rows - 1) * width, rows * width, 0);
            assertArrayEquals(expected, bench.floats(out, ElementType.F32, rows * width), "an id that is not there");
            assertEquals(1, bench.ints(error, 1)[0]);
        });
    }

    private static Case matmul(MatmulKernels.Tile tile, ElementType type, int rows, int outputs, int inputs) {
        return new Case("matmul " + type + " " + tile + " " + rows + "x" + outputs + "x" + inputs, List.of(tile.kernel("matmul",
                weights(type))), (bench, random) -> {
            Operand in = bench.random(random, type, rows, inputs);
            Operand weight = bench.random(random, type, outputs, inputs);
            Operand bias = bench.random(random, ElementType.F32, 1, outputs);
            DeviceSlice out = bench.empty((long) rows * outputs * Float.BYTES);
            for (boolean biased : new boolean[] {false, true}) {
                Optional<Operand> added = Optional.of(bias).filter(_ -> biased);
                bench.run(MatmulKernels.matmul(bench.library, tile, weights(type), out, in.slice(), weight.slice(),
                        added.map(Operand::slice), bench.rows(rows), outputs, inputs));
                float[] expected = KernelBench.reference(rows, plan -> plan.matMul(plan.embed(table(in, inputs)),
                        table(weight, inputs), added.map(Operand::tensor)));
                assertClose(expected, bench.floats(out, ElementType.F32, rows * outputs), ElementType.F32);
            }
            // Rows alike in every pass: the last row alone, by another tile, has the same bits.
            MatmulKernels.Tile other = another(bench, tile);
            Operand alone = bench.operand(type, Arrays.copyOfRange(in.values(), (rows - 1) * inputs, rows * inputs), inputs);
            DeviceSlice row = bench.empty((long) outputs * Float.BYTES);
            bench.run(MatmulKernels.matmul(bench.library, other, weights(type), row, alone.slice(), weight.slice(),
                    Optional.of(bias.slice()), bench.rows(1), outputs, inputs));
            float[] all = bench.floats(out, ElementType.F32, rows * outputs);
            if (areAlike(bench, tile, other, type)) {
                assertArrayEquals(Arrays.copyOfRange(all, (rows - 1) * outputs, rows * outputs),
                        bench.floats(row, ElementType.F32, outputs));
            }
        });
    }

    private static Case matmulSwiglu(MatmulKernels.Tile tile, ElementType type, int rows, int outputs, int inputs) {
        return new Case("matmul and swiglu " + type + " " + tile + " " + rows + "x" + outputs + "x" + inputs,
                List.of(tile.kernel("matmul_swiglu", weights(type))), (bench, random) -> {
                    Operand in = bench.random(random, type, rows, inputs);
                    Operand gate = bench.random(random, type, outputs, inputs);
                    Operand up = bench.random(random, type, outputs, inputs);
                    float[] both = new float[2 * outputs * inputs];
                    int group = MatmulKernels.SWIGLU_ROWS * inputs;
                    for (int i = 0; i < outputs / MatmulKernels.SWIGLU_ROWS; i++) {
                        System.arraycopy(gate.values(), i * group, both, 2 * i * group, group);
                        System.arraycopy(up.values(), i * group, both, (2 * i + 1) * group, group);
                    }
                    DeviceSlice out = bench.empty((long) rows * outputs * type.byteSize());
                    bench.run(MatmulKernels.swiglu(bench.library, tile, weights(type), out, in.slice(),
                            bench.operand(type, both, inputs).slice(), bench.rows(rows), outputs, inputs));

                    float[] expected = KernelBench.reference(rows, plan -> {
                        Value x = plan.embed(table(in, inputs));
                        return plan.swiGlu(plan.matMul(x, table(gate, inputs)), plan.matMul(x, table(up, inputs)));
                    });
                    assertClose(expected, bench.floats(out, type, rows * outputs), type);
                });
    }

    /// Whether two tiles are to give the same bits: not if a device multiplies otherwise for four warps, and then it is not used in
    /// their stead.
    private static boolean areAlike(KernelBench bench, MatmulKernels.Tile tile, MatmulKernels.Tile other, ElementType type) {
        boolean sameWay = Stream.of(tile, other).map(each -> each.kernel("matmul", weights(type)).endsWith("w")).distinct().count() == 1;
        return sameWay || new TileComparison(bench.library, (_, _) -> { }).isAlike(weights(type));
    }

    private static WeightType weights(ElementType type) {
        return WeightType.valueOf(type.name());
    }

    /// The tiles of which there are kernels for a type.
    private static Collection<MatmulKernels.Tile> tiles(WeightType type) {
        Map<String, MatmulKernels.Tile> tiles = new LinkedHashMap<>();
        for (MatmulKernels.Tile tile : MatmulKernels.Tile.values()) {
            tiles.putIfAbsent(tile.kernel("matmul", type), tile);
        }
        return tiles.values();
    }

    /// The next one that the device runs.
    private static MatmulKernels.Tile another(KernelBench bench, MatmulKernels.Tile tile) {
        List<MatmulKernels.Tile> tiles = Stream.of(MatmulKernels.Tile.values())
                .filter(each -> each.runsOn(bench.context.device())).toList();
        return tiles.get((tiles.indexOf(tile) + 1) % tiles.size());
    }

    /// Weights in weight tiles against the reference with the decoded weights; the last row alone, by another tile, has the same bits.
    private static Case matmulQuantized(MatmulKernels.Tile tile, WeightType type, boolean swiglu, int rows, int outputs, int inputs) {
        String family = swiglu ? "matmul_swiglu" : "matmul";
        return new Case(family + " " + type + " " + tile + " " + rows + "x" + outputs + "x" + inputs,
                List.of(tile.kernel(family, type)), (bench, random) -> {
                    int weightRows = swiglu ? 2 * outputs : outputs;
                    Operand in = bench.random(random, type.activations(), rows, inputs);
                    Tensor stored = quantized(stored(type), random, weightRows, inputs);
                    MemorySegment tiles = MemorySegment.ofArray(new byte[(int) type.byteSize(weightRows, inputs)]);
                    for (int row = 0; row < weightRows; row += WeightType.TILE_OUTPUTS) {
                        WeightTilePacker.write(stored, type, row, tiles,
                                row / WeightType.TILE_OUTPUTS * WeightTilePacker.groupBytes(type, inputs));
                    }
                    DeviceSlice weight = bench.allocateFrom(tiles);
                    ElementType outType = swiglu ? type.activations() : ElementType.F32;
                    DeviceSlice out = bench.empty((long) rows * outputs * outType.byteSize());
                    run(bench, tile, type, swiglu, out, in, weight, rows, outputs, inputs);
                    float[] found = bench.floats(out, outType, rows * outputs);

                    Operand all = bench.operand(ElementType.F32, decoded(stored), inputs);
                    int group = WeightType.TILE_OUTPUTS * inputs;
                    float[] expected = KernelBench.reference(rows, plan -> {
                        Value x = plan.embed(table(in, inputs));
                        return !swiglu ? plan.matMul(x, table(all, inputs))
                                : plan.swiGlu(plan.matMul(x, table(bench.operand(ElementType.F32, everyOther(all.values(), 0, group),
                                        inputs), inputs)), plan.matMul(x, table(bench.operand(ElementType.F32,
                                        everyOther(all.values(), 1, group), inputs), inputs)));
                    });
                    assertClose(expected, found, outType);

                    Operand alone = bench.operand(type.activations(),
                            Arrays.copyOfRange(in.values(), (rows - 1) * inputs, rows * inputs), inputs);
                    DeviceSlice row = bench.empty((long) outputs * outType.byteSize());
                    run(bench, another(bench, tile), type, swiglu, row, alone, weight, 1, outputs, inputs);
                    assertArrayEquals(Arrays.copyOfRange(found, (rows - 1) * outputs, rows * outputs),
                            bench.floats(row, outType, outputs), "a row alone");
                });
    }

    /// Rows of all kinds, by turns: usual ones, some with outliers, some of nothing else, zeros, huge, tiny, not finite.
    private static Operand rows(KernelBench bench, SplittableRandom random, int rows, int width) {
        float[] values = new float[rows * width];
        for (int i = 0; i < values.length; i++) {
            double x = random.nextDouble(-2, 2);
            values[i] = (float) switch (i / width % 8) {
                case 0, 4 -> x;
                case 1 -> random.nextInt(9) == 0 ? 40 * x : x;
                case 2 -> 6 * Math.signum(x) + x;
                case 3 -> 0;
                case 5 -> 1e30 * x;
                case 6 -> 1e-40 * x;
                default -> i % width == width / 2 ? x < 0 ? Double.NaN : Double.POSITIVE_INFINITY : x;
            };
        }
        return bench.operand(ElementType.F32, values, width);
    }

    private static QuantizedRows quantized(KernelBench bench, Operand in, ActivationQuantization activations, int rows, int width) {
        boolean apart = Float.isFinite(activations.threshold());
        QuantizedRows quantized = new QuantizedRows(bench.empty(QuantizedRows.byteSize(rows, width, apart)), rows, width, apart);
        bench.run(Int8Kernels.quantize(bench.library, quantized, in.slice(), bench.rows(rows), activations.threshold()));
        return quantized;
    }

    private static Case quantize(ActivationQuantization activations, int rows, int width) {
        return new Case("quantize " + activations + " " + rows + "x" + width, List.of("quantize_rows_s8"), (bench, random) -> {
            Operand in = rows(bench, random, rows, width);
            assertQuantized(bench, in, activations, quantized(bench, in, activations, rows, width), rows, width);
        });
    }

    private static void assertQuantized(KernelBench bench, Operand in, ActivationQuantization activations, QuantizedRows quantized,
            int rows, int width) {
        int stride = Math.ceilDiv(width, WeightType.TILE_INPUTS) * WeightType.TILE_INPUTS;
        float[] scales = bench.floats(quantized.scales(), ElementType.F32, rows);
        byte[] found = new byte[rows * stride];
        quantized.codes().buffer().copyTo(quantized.codes().byteOffset(), MemorySegment.ofArray(found));
        for (int row = 0; row < rows; row++) {
            RowCodes expected = RowCodes.of(in.values(), row * width, width, activations.threshold());
            assertEquals(expected.scale(), scales[row], "scale of row " + row);
            byte[] codes = new byte[stride];
            for (int i = 0; i < stride; i++) { // of 16 inputs 2 t, 2 t + 8, 2 t + 1, 2 t + 9
                codes[i / 16 * 16 + i % 16 / 4 * 2 + i % 2 * 8 + i % 4 / 2] = found[row * stride + i];
            }
            assertArrayEquals(Arrays.copyOf(expected.codes(), stride), codes, "row " + row);
            int number = row;
            quantized.outliers().ifPresent(list -> assertOutliers(bench, in, expected.outliers(), list, number, width));
        }
    }

    /// The same bits as by the kernels that it is made of.
    private static Case normQuantized(ActivationQuantization activations, int rows, int width) {
        return new Case("norm " + activations + " " + rows + "x" + width, List.of("norm_rms_s8", "norm_rms_add_s8"), (bench, random) -> {
            Operand in = rows(bench, random, rows, width);
            Operand residual = bench.random(random, ElementType.F32, rows, width);
            Operand gain = bench.random(random, ElementType.F32, 1, width);
            boolean apart = Float.isFinite(activations.threshold());
            long bytes = QuantizedRows.byteSize(rows, width, apart);
            DeviceSlice sum = bench.empty(4L * rows * width);
            DeviceSlice normed = bench.empty(4L * rows * width);
            for (boolean add : new boolean[] {false, true}) {
                NormKernels.Groups whole = NormKernels.Groups.dense(1, width);
                bench.run(add ? NormKernels.rmsAdd(bench.library, ElementType.F32, normed, sum, in.slice(), residual.slice(),
                                gain.slice(), bench.rows(rows), whole, 1e-5f)
                        : NormKernels.rms(bench.library, ElementType.F32, normed, in.slice(), gain.slice(), bench.rows(rows), whole,
                                1e-5f));
                Operand expected = bench.operand(ElementType.F32, bench.floats(normed, ElementType.F32, rows * width), width);
                QuantizedRows quantized = new QuantizedRows(bench.empty(bytes), rows, width, apart);
                DeviceSlice again = bench.empty(4L * rows * width);
                bench.run(add ? Int8Kernels.normAdd(bench.library, quantized, again, in.slice(), residual.slice(), gain.slice(),
                                bench.rows(rows), 1e-5f, activations.threshold())
                        : Int8Kernels.norm(bench.library, quantized, in.slice(), gain.slice(), bench.rows(rows), 1e-5f,
                                activations.threshold()));
                assertQuantized(bench, expected, activations, quantized, rows, width);
                if (add) {
                    assertArrayEquals(bench.floats(sum, ElementType.F32, rows * width),
                            bench.floats(again, ElementType.F32, rows * width));
                }
            }
        });
    }

    private static void assertOutliers(KernelBench bench, Operand in, int[] expected, QuantizedRows.Outliers list, int row, int width) {
        assertEquals(expected.length, bench.ints(list.counts(), row + 1)[row], "outliers of row " + row);
        int[] places = Arrays.copyOfRange(bench.ints(list.places(), (row + 1) * width), row * width, row * width + expected.length);
        float[] values = bench.floats(list.values(), ElementType.F32, (row + 1) * width);
        for (int i = 0; i < places.length; i++) {
            assertEquals(in.values()[row * width + places[i]], values[row * width + i], "outlier at " + places[i]);
        }
        Arrays.sort(places);
        assertArrayEquals(expected, places);
    }

    /// Each row against the reference, as some are huge; the last row alone, by another tile, has the same bits.
    private static Case int8Matmul(MatmulKernels.Tile tile, ActivationQuantization activations, boolean swiglu, int rows, int outputs,
            int inputs) {
        String family = swiglu ? "matmul_swiglu" : "matmul";
        return new Case(family + " " + activations + " " + tile + " " + rows + "x" + outputs + "x" + inputs,
                List.of(Int8Kernels.kernel(family, tile), "quantize_rows_s8"), (bench, random) -> {
                    Operand in = rows(bench, random, rows, inputs);
                    Tensor gate = quantized(DType.INT8, random, outputs, inputs);
                    Tensor up = quantized(DType.INT8, random, outputs, inputs);
                    Operand bias = bench.random(random, ElementType.F32, 1, outputs);
                    int group = (int) WeightTilePacker.groupBytes(WeightType.INT8, inputs);
                    MemorySegment tiles = MemorySegment.ofArray(new byte[(swiglu ? 2 : 1) * outputs / WeightType.TILE_OUTPUTS * group]);
                    for (int i = 0; i < outputs / WeightType.TILE_OUTPUTS; i++) {
                        WeightTilePacker.write(gate, WeightType.INT8, i * WeightType.TILE_OUTPUTS, tiles, (swiglu ? 2L * i : i) * group);
                        if (swiglu) {
                            WeightTilePacker.write(up, WeightType.INT8, i * WeightType.TILE_OUTPUTS, tiles, (2L * i + 1) * group);
                        }
                    }
                    DeviceSlice weight = bench.allocateFrom(tiles);
                    DeviceSlice out = bench.empty((long) rows * outputs * Float.BYTES);
                    runCodes(bench, tile, swiglu, out, quantized(bench, in, activations, rows, inputs), weight, bias, rows, outputs);
                    float[] found = bench.floats(out, ElementType.F32, rows * outputs);

                    float[] expected = KernelBench.reference(rows, plan -> {
                        Value x = plan.embed(table(in, inputs));
                        return swiglu ? plan.swiGlu(plan.matMul(x, gate, Optional.empty(), activations),
                                plan.matMul(x, up, Optional.empty(), activations))
                                : plan.matMul(x, gate, Optional.of(bias.tensor()), activations);
                    });
                    for (int row = 0; row < rows; row++) {
                        float[] of = Arrays.copyOfRange(expected, row * outputs, (row + 1) * outputs);
                        float[] is = Arrays.copyOfRange(found, row * outputs, (row + 1) * outputs);
                        if (row % 8 == 7) {
                            assertTrue(allNaN(of) && allNaN(is), "row " + row + " is not finite");
                        } else if (!swiglu || row % 8 != 5) { // which SwiGLU makes infinite
                            assertClose(of, is, ElementType.F32);
                        }
                    }

                    Operand alone = bench.operand(ElementType.F32,
                            Arrays.copyOfRange(in.values(), (rows - 1) * inputs, rows * inputs), inputs);
                    DeviceSlice row = bench.empty((long) outputs * Float.BYTES);
                    MatmulKernels.Tile other = Int8Kernels.TILES.get((Int8Kernels.TILES.indexOf(tile) + 1) % Int8Kernels.TILES.size());
                    runCodes(bench, other, swiglu, row, quantized(bench, alone, activations, 1, inputs), weight, bias, 1, outputs);
                    assertArrayEquals(Arrays.copyOfRange(found, (rows - 1) * outputs, rows * outputs),
                            bench.floats(row, ElementType.F32, outputs), "a row alone");
                });
    }

    private static boolean allNaN(float[] row) {
        return IntStream.range(0, row.length).allMatch(i -> Float.isNaN(row[i]));
    }

    private static void runCodes(KernelBench bench, MatmulKernels.Tile tile, boolean swiglu, DeviceSlice out, QuantizedRows in,
            DeviceSlice weight, Operand bias, int rows, int outputs) {
        bench.run(swiglu ? Int8Kernels.swiglu(bench.library, tile, out, in, weight, bench.rows(rows), outputs)
                : Int8Kernels.matmul(bench.library, tile, out, in, weight, Optional.of(bias.slice()), bench.rows(rows), outputs));
    }

    /// The type in a file that is kept as a type.
    private static DType stored(WeightType type) {
        return DType.valueOf(type.isSparse() && type != WeightType.SPARSE_2_4_INT8 ? type.name() + "_F16" : type.name());
    }

    /// What weights stand for on the device: what their codec says, with entries of a codebook rounded to bf16.
    private static float[] decoded(Tensor stored) {
        float[] weights = new float[Math.toIntExact(stored.shape().elements())];
        decode(stored.dtype(), stored.data(), stored.shape(), weights);
        if (stored.dtype() == DType.NF4 || stored.dtype() == DType.FP4) {
            MemorySegment entries = MemorySegment.ofArray(stored.data().toArray(ValueLayout.JAVA_BYTE));
            for (long block = 0; block < entries.byteSize(); block += stored.dtype().blockBytes()) {
                entries.set(ValueLayout.JAVA_FLOAT_UNALIGNED, block, 1);
            }
            decode(stored.dtype(), entries, stored.shape(), weights);
            MemorySegment rounded = MemorySegment.ofArray(new byte[Short.BYTES * weights.length]);
            Codec.of(DType.BF16).encode(weights, 0, rounded, 0, weights.length);
            Codec.of(DType.BF16).decode(rounded, 0, weights, 0, weights.length);
            int block = stored.dtype().blockElements();
            for (int i = 0; i < weights.length; i++) {
                weights[i] *= stored.data().get(ValueLayout.JAVA_FLOAT_UNALIGNED, (long) i / block * stored.dtype().blockBytes());
            }
        }
        return weights;
    }

    private static void decode(DType type, MemorySegment data, Shape shape, float[] target) {
        int columns = Math.toIntExact(shape.columns());
        for (int row = 0; row < shape.rows(); row++) {
            Codec.of(type).decode(data, row * type.rowBytes(columns), target, row * columns, columns);
        }
    }

    /// Every other group of elements, from group `first` on.
    private static float[] everyOther(float[] elements, int first, int group) {
        float[] chosen = new float[elements.length / 2];
        for (int i = 0; i < chosen.length; i += group) {
            System.arraycopy(elements, 2 * i + first * group, chosen, i, group);
        }
        return chosen;
    }

    private static void run(KernelBench bench, MatmulKernels.Tile tile, WeightType type, boolean swiglu, DeviceSlice out, Operand in,
            DeviceSlice weight, int rows, int outputs, int inputs) {
        bench.run(swiglu ? MatmulKernels.swiglu(bench.library, tile, type, out, in.slice(), weight, bench.rows(rows), outputs, inputs)
                : MatmulKernels.matmul(bench.library, tile, type, out, in.slice(), weight, Optional.empty(), bench.rows(rows), outputs,
                        inputs));
    }

    /// Every code and scales of all sizes, subnormal ones and zero among them.
    private static Tensor quantized(DType dtype, SplittableRandom random, int rows, int columns) {
        byte[] bytes = new byte[(int) dtype.byteSize(Shape.of(rows, columns))];
        random.nextBytes(bytes);
        MemorySegment data = MemorySegment.ofArray(bytes);
        if (dtype instanceof DType.Sparse) {
            float[] elements = new float[rows * columns];
            for (int i = 0; i < elements.length; i++) {
                elements[i] = (float) random.nextDouble(-2, 2);
            }
            for (int row = 0; row < rows; row++) {
                Codec.of(dtype).encode(elements, row * columns, data, row * dtype.rowBytes(columns), columns);
            }
        } else if (dtype == DType.MXFP4) {
            for (int block = 0; block < bytes.length; block += dtype.blockBytes()) {
                bytes[block] = (byte) (random.nextInt(8) == 0 ? 0 : random.nextInt(100, 130));
            }
        } else if (dtype == DType.NVFP4) {
            for (int row = 0; row < rows; row++) {
                int start = (int) (row * dtype.rowBytes(columns));
                data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, start, Math.abs(scale(random)));
                for (int block = start + Float.BYTES; block < start + dtype.rowBytes(columns); block += dtype.blockBytes()) {
                    bytes[block] = (byte) random.nextInt(0x7f);
                }
            }
        } else if (dtype == DType.INT8) {
            for (int row = 0; row < rows; row++) {
                data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, row * dtype.rowBytes(columns), scale(random));
            }
        } else {
            for (int block = 0; block < bytes.length; block += dtype.blockBytes()) {
                for (int at : dtype == DType.Q6_K ? new int[] {208} : dtype == DType.Q4_K ? new int[] {0, 2} : new int[] {0}) {
                    if (dtype == DType.NF4 || dtype == DType.FP4) {
                        data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, block + at, scale(random));
                    } else {
                        data.set(ValueLayout.JAVA_SHORT_UNALIGNED, block + at, Float.floatToFloat16(scale(random)));
                    }
                }
            }
        }
        return new Tensor("weight", dtype, Shape.of(rows, columns), data);
    }

    private static float scale(SplittableRandom random) {
        return random.nextInt(8) == 0 ? 0 : (float) (random.nextDouble(-1, 1) * Math.pow(2, -random.nextInt(24)));
    }

    /// Rows of a pass as a tree in which row `r` continues row `(r - 1) / 2`, or as a chain.
    private static Case attention(KvType type, int headDim, int heads, int kvHeads, int committed, int rows, boolean tree, int window) {
        int storedDim = KvLayer.storedDim(headDim);
        boolean few = rows * (heads / kvHeads) <= 16;
        List<String> entries = new ArrayList<>(List.of("kv_append_" + type,
                (few ? "attention_few_" : "attention_") + type + "_" + storedDim));
        if (tree) {
            entries.add("tree_paths");
        }
        return new Case("attention %s, %d heads of %d over %d, %d rows after %d, tree %s, window %d".formatted(type, heads, headDim,
                kvHeads, rows, committed, tree, window), entries, (bench, random) -> {
                    int slots = committed + rows;
                    int kvWidth = kvHeads * headDim;
                    float[] k = bench.random(random, ElementType.F32, slots, kvWidth).values();
                    float[] v = bench.random(random, ElementType.F32, slots, kvWidth).values();
                    Operand q = bench.random(random, ElementType.F32, rows, heads * headDim);
                    KvLayer layer = layer(bench, type, slots, kvHeads, headDim);
                    append(bench, layer, k, v, 0, committed);
                    append(bench, layer, k, v, committed, rows);

                    boolean[][] attendsTo = new boolean[rows][rows];
                    int[] positions = new int[rows];
                    int words = Math.ceilDiv(rows, 64);
                    long[] ancestors = new long[rows * words];
                    for (int row = 0; row < rows; row++) {
                        int parent = tree ? (row - 1) / 2 : row - 1;
                        if (row > 0) {
                            System.arraycopy(attendsTo[parent], 0, attendsTo[row], 0, rows);
                        }
                        attendsTo[row][row] = true;
                        positions[row] = row == 0 ? committed : positions[parent] + 1;
                        for (int other = 0; other < rows; other++) {
                            ancestors[row * words + other / 64] |= attendsTo[row][other] ? 1L << other : 0;
                        }
                    }
                    Rows all = bench.rows(rows);
                    Optional<TreePaths> paths = Optional.empty();
                    if (tree) {
                        paths = Optional.of(bench.paths(ancestors, rows));
                    }
                    float scale = 1 / (float) Math.sqrt(headDim);
                    AttentionKernels.Shape shape = new AttentionKernels.Shape(heads, scale, window);
                    Segments segments = Segments.alone(bench::allocateFrom, layer.pages(), committed, rows,
                            tree ? Segments.Mask.TREE : Segments.Mask.CAUSAL);
                    AttentionKernels.Split split = AttentionKernels.split(bench.library, layer, heads, rows, 1, rows,
                            tree ? 64 * words : 0);
                    float[] found = attend(bench, layer, shape, split, q, bench.ints(positions), all, segments, paths);
                    assertArrayEquals(found, attend(bench, layer, shape, otherSplit(bench, layer, heads, rows, tree ? 64 * words : 0), q,
                            bench.ints(positions), all, segments, paths), "split in another way");

                    float[] expected = new float[rows * heads * headDim];
                    float[] keys = stored(type, k, headDim);
                    float[] values = stored(type, v, headDim);
                    for (int row = 0; row < rows; row++) {
                        for (int head = 0; head < heads; head++) {
                            attend(expected, q.values(), keys, values, row, head, heads, kvHeads, headDim, committed, attendsTo[row],
                                    positions, scale, window);
                        }
                    }
                    // Queries and probabilities are rounded to f16, or to bf16; elements in bytes to f16. The largest of more scores
                    // are larger, and with them what rounding queries changes.
                    assertClose(expected, found, ElementType.F32, switch (type) {
                        case F16 -> 1e-3;
                        case Q8_0 -> slots > 8192 ? 3e-3 : 2e-3;
                        case BF16 -> 6e-3;
                    });
                });
    }

    private static float[] attend(KernelBench bench, KvLayer layer, AttentionKernels.Shape shape, AttentionKernels.Split split, Operand q,
            DeviceSlice positions, Rows rows, Segments segments, Optional<TreePaths> paths) {
        int elements = rows.max() * shape.heads() * layer.headDim();
        DeviceSlice out = bench.empty(4L * elements);
        bench.run(AttentionKernels.attend(bench.library, layer, shape, split, ElementType.F32, out, q.slice(), positions, rows, segments,
                paths, bench.empty(split.partialBytes()), bench.zeros(split.arrivalBytes())));
        return bench.floats(out, ElementType.F32, elements);
    }

    /// By the other kernel where both can, with the least scratch, on three blocks.
    private static AttentionKernels.Split otherSplit(KernelBench bench, KvLayer layer, int heads, int rows, int treeRows) {
        AttentionKernels.Split split = AttentionKernels.split(bench.library, layer, heads, rows, 1, rows, treeRows, false);
        int vectors = 2 * rows * heads;
        return new AttentionKernels.Split(split.few(), split.warps(), split.stage(), split.pool(), split.copyBytes(), split.spanInShared(),
                split.sharedBytes(), 3, vectors, split.partialBytes() / split.vectors() * vectors, split.arrivalBytes());
    }

    /// Keys or values as the cache keeps them.
    private static float[] stored(KvType type, float[] elements, int headDim) {
        DType dtype = DType.valueOf(type.name());
        int padded = Math.ceilDiv(headDim, dtype.blockElements()) * dtype.blockElements();
        MemorySegment bytes = MemorySegment.ofArray(new byte[(int) dtype.rowBytes(padded)]);
        float[] rounded = new float[elements.length];
        float[] head = new float[padded];
        for (int at = 0; at < elements.length; at += headDim) {
            System.arraycopy(elements, at, head, 0, headDim);
            Codec.of(dtype).encode(head, 0, bytes, 0, padded);
            Codec.of(dtype).decode(bytes, 0, head, 0, padded);
            System.arraycopy(head, 0, rounded, at, headDim);
        }
        return rounded;
    }

    private static void attend(float[] out, float[] q, float[] k, float[] v, int row, int head, int heads, int kvHeads, int headDim,
            int committed, boolean[] attendsTo, int[] positions, float scale, int window) {
        int query = (row * heads + head) * headDim;
        int slots = committed + attendsTo.length;
        double[] weights = new double[slots];
        double sum = 0;
        for (int slot = 0; slot < slots; slot++) {
            int position = slot < committed ? slot : positions[slot - committed];
            if ((slot < committed || attendsTo[slot - committed]) && (window == 0 || position > positions[row] - window)) {
                double score = 0;
                for (int i = 0; i < headDim; i++) {
                    score += (double) q[query + i] * k[(slot * kvHeads + head / (heads / kvHeads)) * headDim + i];
                }
                weights[slot] = Math.exp(score * scale);
                sum += weights[slot];
            }
        }
        for (int i = 0; i < headDim; i++) {
            double value = 0;
            for (int slot = 0; slot < slots; slot++) {
                value += weights[slot] / sum * v[(slot * kvHeads + head / (heads / kvHeads)) * headDim + i];
            }
            out[query + i] = (float) value;
        }
    }

    /// The second of two layers, whose pages are in no order.
    private static KvLayer layer(KernelBench bench, KvType type, int slots, int kvHeads, int headDim) {
        int pages = KvLayer.pageCount(slots);
        int pageBytes = KvLayer.pageBytes(type, 2, kvHeads, headDim);
        int[] order = IntStream.range(0, pages).map(page -> page % 2 == 0 ? page / 2 : pages - 1 - page / 2).toArray();
        return layer(bench, bench.zeros((long) pages * pageBytes).buffer(), type, slots, kvHeads, headDim, pageBytes, order);
    }

    private static KvLayer layer(KernelBench bench, DeviceBuffer memory, KvType type, int slots, int kvHeads, int headDim, int pageBytes,
            int... order) {
        return new KvLayer(bench.allocateFrom(MemorySegment.ofArray(KvLayer.addresses(memory, pageBytes, order))), slots,
                kvHeads, headDim, type, 1);
    }

    private static void append(KernelBench bench, KvLayer layer, float[] k, float[] v, int from, int rows) {
        if (rows > 0) {
            int width = layer.kvHeads() * layer.headDim();
            bench.run(KvKernels.append(bench.library, layer, f32(bench, k, from * width, rows * width), f32(bench, v, from * width,
                    rows * width), bench.rows(rows), Segments.alone(bench::allocateFrom, layer.pages(), from, rows, Segments.Mask.CAUSAL)));
        }
    }

    private static DeviceSlice f32(KernelBench bench, float[] elements, int from, int count) {
        return bench.operand(ElementType.F32, Arrays.copyOfRange(elements, from, from + count), count).slice();
    }

    private static Case ropeAppend(KvType type, Rotation.Pairing pairing, int rows, int heads, int kvHeads, int headDim, int pairs) {
        String entry = "kv_rope_append_" + pairing + "_" + type;
        return new Case(entry + " %d rows, %d heads of %d over %d".formatted(rows, heads, headDim, kvHeads), List.of(entry),
                (bench, random) -> {
                    int committed = 62;
                    int allHeads = heads + 2 * kvHeads;
                    Operand qkv = bench.random(random, ElementType.F32, rows, allHeads * headDim);
                    int[] positions = IntStream.range(0, rows).map(row -> 1000 * row + 7).toArray();
                    Rotation rotation = new Rotation(pairing, bench.operand(ElementType.F32, frequencies(pairs), pairs).slice(), pairs,
                            1.1f);
                    int slots = committed + rows;
                    int pageBytes = KvLayer.pageBytes(type, 2, kvHeads, headDim);
                    DeviceBuffer memory = bench.zeros(2L * pageBytes).buffer();
                    DeviceSlice q = bench.empty(4L * rows * heads * headDim);
                    KvLayer layer = layer(bench, memory, type, slots, kvHeads, headDim, pageBytes, 1, 0);
                    bench.run(KvKernels.ropeAppend(bench.library, layer, rotation, q, qkv.slice(), bench.ints(positions), bench.rows(rows),
                            Segments.alone(bench::allocateFrom, layer.pages(), committed, rows, Segments.Mask.CAUSAL), heads));

                    // The same in steps: all heads rotated, then keys and values appended.
                    DeviceSlice rotated = bench.empty(4L * rows * allHeads * headDim);
                    bench.run(RopeKernels.rotate(bench.library, rotation, rotated, qkv.slice(), bench.ints(positions), bench.rows(rows),
                            allHeads, headDim));
                    float[] turned = bench.floats(rotated, ElementType.F32, rows * allHeads * headDim);
                    DeviceBuffer other = bench.zeros(2L * pageBytes).buffer();
                    KvLayer second = layer(bench, other, type, slots, kvHeads, headDim, pageBytes, 1, 0);
                    bench.run(KvKernels.append(bench.library, second,
                            columns(bench, turned, rows, allHeads * headDim, heads * headDim, kvHeads * headDim),
                            columns(bench, qkv.values(), rows, allHeads * headDim, (heads + kvHeads) * headDim, kvHeads * headDim),
                            bench.rows(rows),
                            Segments.alone(bench::allocateFrom, second.pages(), committed, rows, Segments.Mask.CAUSAL)));
                    assertArrayEquals(bench.floats(columns(bench, turned, rows, allHeads * headDim, 0, heads * headDim), ElementType.F32,
                            rows * heads * headDim), bench.floats(q, ElementType.F32, rows * heads * headDim));
                    assertArrayEquals(bytes(other), bytes(memory));
                });
    }

    private static byte[] bytes(DeviceBuffer buffer) {
        byte[] bytes = new byte[(int) buffer.byteSize()];
        buffer.copyTo(MemorySegment.ofArray(bytes));
        return bytes;
    }

    private static DeviceSlice columns(KernelBench bench, float[] values, int rows, int stride, int from, int width) {
        float[] part = new float[rows * width];
        for (int row = 0; row < rows; row++) {
            System.arraycopy(values, row * stride + from, part, row * width, width);
        }
        return bench.operand(ElementType.F32, part, width).slice();
    }

    private static Case move(KvType type) {
        return new Case("moves of slots " + type, List.of("kv_move"), (bench, random) -> {
            int slots = 130;
            int layers = 3;
            int kvHeads = 2;
            int headDim = 72;
            int pageBytes = KvLayer.pageBytes(type, layers, kvHeads, headDim);
            byte[] expected = new byte[3 * pageBytes];
            random.nextBytes(expected);
            DeviceBuffer memory = bench.allocateFrom(MemorySegment.ofArray(expected)).buffer();
            int[] pages = {2, 0, 1};
            int[] from = {65, 66, 129};
            int[] to = {63, 64, 65};
            bench.run(KvKernels.move(bench.library, layer(bench, memory, type, slots, kvHeads, headDim, pageBytes, pages),
                    bench.ints(from), bench.ints(to), bench.ints(3), layers));

            int lineBytes = type == KvType.Q8_0 ? 80 : 160;
            int scaleBytes = type == KvType.Q8_0 ? 6 : 0;
            int tileBytes = 64 * (lineBytes + scaleBytes);
            for (int i = 0; i < from.length; i++) {
                for (int tile = 0; tile < pageBytes; tile += tileBytes) {
                    int source = pages[from[i] / 64] * pageBytes + tile;
                    int target = pages[to[i] / 64] * pageBytes + tile;
                    System.arraycopy(expected, source + from[i] % 64 * lineBytes, expected, target + to[i] % 64 * lineBytes, lineBytes);
                    System.arraycopy(expected, source + 64 * lineBytes + from[i] % 64 * scaleBytes, expected,
                            target + 64 * lineBytes + to[i] % 64 * scaleBytes, scaleBytes);
                }
            }
            assertArrayEquals(expected, bytes(memory));
        });
    }

    private static Case probe(int packs) {
        return new Case("read " + packs, List.of("probe_read"), (bench, random) -> {
            int[] words = random.ints(4L * packs).toArray();
            DeviceSlice out = bench.zeros(16);
            bench.run(ProbeKernels.read(bench.library, out, bench.ints(words)));

            int[] expected = new int[4];
            for (int i = 0; i < words.length; i++) {
                expected[i % 4] ^= words[i];
            }
            assertArrayEquals(expected, bench.ints(out, 4));
        });
    }

    private static Case topK(int rows, int vocabulary, int k) {
        return new Case("top " + k + " of " + rows + "x" + vocabulary, List.of("sampling_top_k_f32"), (bench, random) -> {
            DeviceSlice ids = bench.empty(4L * rows * k);
            DeviceSlice values = bench.empty(4L * rows * k);
            DeviceSlice arrived = bench.zeros(4L * rows);
            DeviceSlice lists = bench.empty(SamplingKernels.listBytes(rows, vocabulary));
            for (int launch = 0; launch < 2; launch++) {
                float[] logits = logits(random, rows, vocabulary);
                bench.run(SamplingKernels.topK(bench.library, ids, values, arrived, lists,
                        bench.allocateFrom(MemorySegment.ofArray(logits)), bench.rows(rows), vocabulary, k));
                int[] expected = largest(logits, rows, vocabulary, k);
                assertArrayEquals(expected, bench.ints(ids, rows * k));
                assertArrayEquals(valuesAt(logits, expected, vocabulary, k), bench.floats(values, ElementType.F32, rows * k));
            }
        });
    }

    private static Case rowStatistics(int rows, int vocabulary, int largest, int columns) {
        String name = "statistics of " + rows + "x" + vocabulary + ", largest " + largest + ", " + columns + " columns";
        return new Case(name, List.of("sampling_row_statistics_f32"), (bench, random) -> {
            int k = Math.min(largest, vocabulary);
            int[] tokens = random.ints(columns, 0, vocabulary).toArray();
            float[] logits = logits(random, rows, vocabulary);
            RowStatistics expected = new RowStatistics(rows, largest, tokens);
            expected.compute(MemorySegment.ofArray(logits), 0, rows, vocabulary);
            DeviceSlice ids = bench.empty(4L * rows * k);
            DeviceSlice values = bench.empty(4L * rows * k);
            DeviceSlice sums = bench.empty(8L * rows);
            DeviceSlice chosen = bench.empty(4L * (1 + rows * columns));
            DeviceSlice arrived = bench.zeros(4L * rows);
            bench.run(SamplingKernels.rowStatistics(bench.library, ids, values, sums, chosen, arrived,
                    bench.empty(SamplingKernels.listBytes(rows, vocabulary)), bench.empty(SamplingKernels.partBytes(rows, vocabulary)),
                    bench.allocateFrom(MemorySegment.ofArray(logits)), bench.ints(columns == 0 ? new int[1] : tokens), bench.rows(rows),
                    vocabulary, k, columns));

            RowStatistics found = new RowStatistics(rows, largest, tokens);
            int[] all = IntStream.of(0, 1, 2, 3).mapToObj(i -> bench.ints(List.of(ids, values, sums, chosen).get(i),
                    i < 2 ? rows * k : i == 2 ? 2 * rows : 1 + rows * columns)).flatMapToInt(Arrays::stream).toArray();
            found.take(rows, k, MemorySegment.ofArray(all), 0, 4L * rows * k, 8L * rows * k, 8L * rows * k + 8L * rows);
            assertArrayEquals(new int[rows], bench.ints(arrived, rows), "left for the next launch");
            for (int row = 0; row < rows; row++) {
                for (int rank = 0; rank < k; rank++) {
                    assertEquals(expected.token(row, rank), found.token(row, rank));
                    assertEquals(expected.logit(row, rank), found.logit(row, rank));
                }
                for (int i = 0; i < columns; i++) {
                    assertEquals(expected.column(row, i), found.column(row, i));
                }
                assertEquals(expected.logSumExp(row), found.logSumExp(row), 2e-6 * Math.max(1, Math.abs(expected.logSumExp(row))));
                assertEquals(expected.entropy(row), found.entropy(row), 2e-6 * Math.max(1, Math.log(vocabulary)));
            }
        });
    }

    /// With ties, zeros of both signs, infinities and NaN among them.
    static float[] logits(SplittableRandom random, int rows, int vocabulary) {
        float[] special = {Float.NaN, Float.NEGATIVE_INFINITY, 0f, -0f, Float.MIN_VALUE, -Float.MIN_VALUE};
        float[] logits = new float[rows * vocabulary];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = random.nextInt(8) == 0 ? special[random.nextInt(special.length)]
                    : random.nextInt(-400, vocabulary < 1000 ? 10 : 401) / 16f;
        }
        return logits;
    }

    private static float ordered(float logit) {
        return Float.isNaN(logit) ? Float.NEGATIVE_INFINITY : logit + 0f;
    }

    private static int[] largest(float[] logits, int rows, int vocabulary, int k) {
        return IntStream.range(0, rows).flatMap(row -> IntStream.range(0, vocabulary).boxed()
                .sorted((a, b) -> {
                    int byValue = Float.compare(ordered(logits[row * vocabulary + b]), ordered(logits[row * vocabulary + a]));
                    return byValue != 0 ? byValue : a - b;
                })
                .limit(k).mapToInt(Integer::intValue)).toArray();
    }

    private static float[] valuesAt(float[] logits, int[] ids, int vocabulary, int k) {
        float[] values = new float[ids.length];
        for (int i = 0; i < ids.length; i++) {
            values[i] = ordered(logits[i / k * vocabulary + ids[i]]);
        }
        return values;
    }

    private static Tensor table(Operand operand, int columns) {
        Tensor tensor = operand.tensor();
        return new Tensor(tensor.name(), tensor.dtype(), Shape.of(operand.values().length / columns, columns), tensor.data());
    }

    /// What rounding the result to its type may do is not counted.
    private static void assertClose(float[] expected, float[] found, ElementType type) {
        assertClose(expected, found, type, BOUND);
    }

    private static void assertClose(float[] expected, float[] found, ElementType type, double bound) {
        assertEquals(expected.length, found.length);
        double difference = 0;
        double norm = 1e-30;
        for (int i = 0; i < expected.length; i++) {
            double rounding = switch (type) {
                case F32 -> 0;
                case F16 -> Math.max(Math.ulp(expected[i]) * 0x1p12, 0x1p-25);
                case BF16 -> Math.ulp(expected[i]) * 0x1p15;
            };
            difference += Math.pow(Math.max(0, Math.abs((double) expected[i] - found[i]) - rounding), 2);
            norm += Math.pow(expected[i], 2);
        }
        double relative = Math.sqrt(difference / norm);
        assertTrue(relative <= bound, "relative difference " + relative + ", expected " + bound + " at most");
    }
}
