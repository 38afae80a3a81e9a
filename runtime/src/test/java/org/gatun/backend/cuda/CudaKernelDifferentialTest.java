package org.gatun.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.backend.cuda.KernelBench.Operand;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaDrivers;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.kernels.ActivationKernels;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.EmbeddingKernels;
import org.gatun.cuda.kernels.KernelVariant;
import org.gatun.cuda.kernels.MatmulKernels;
import org.gatun.cuda.kernels.NormKernels;
import org.gatun.cuda.kernels.RopeKernels;
import org.gatun.cuda.kernels.SamplingKernels;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// One table of kernels and ragged shapes. Each row runs the shipped PTX on the simulator, whose blocks and warps take turns in
/// two different orders, and on the device if there is one, and must agree with the reference within the bound. Adding a kernel is
/// adding a row; a kernel without one fails the test.
class CudaKernelDifferentialTest {
    private static final long SEED = 20261121;
    /// Before the result is rounded to its type.
    private static final double BOUND = 1e-5;

    private interface Check {
        void run(KernelBench bench, SplittableRandom random);
    }

    /// A row of the table.
    ///
    /// @param kernels entries that it runs
    private record Case(String name, List<String> kernels, Check check) {}

    @TestFactory
    Stream<DynamicNode> kernel_raggedShapes_agreesWithReference() {
        Map<String, CudaDriverProvider.Probe> drivers = new LinkedHashMap<>();
        drivers.put("simulator", found(SimulatorOptions.defaults()));
        drivers.put("simulator, another order", found(SimulatorOptions.defaults().withOrderSeed(SEED)));
        for (CudaDriverProvider provider : CudaDrivers.providers()) {
            if (!provider.name().equals("simulator")) {
                drivers.put(provider.name(), provider.probe());
            }
        }
        return drivers.entrySet().stream().map(driver -> dynamicContainer(driver.getKey(), switch (driver.getValue()) {
            case CudaDriverProvider.Probe.Found(CudaDriver found) -> on(found);
            case CudaDriverProvider.Probe.Absent(String reason) -> Stream.of(dynamicTest(driver.getKey(), () -> abort(reason)));
        }));
    }

    private static CudaDriverProvider.Probe found(SimulatorOptions options) {
        return new CudaDriverProvider.Probe.Found(SimulatorDriver.open(options));
    }

    private static Stream<DynamicNode> on(CudaDriver driver) {
        return cases().stream().map(row -> dynamicTest(row.name + ", seed " + SEED, () -> {
            try (KernelBench bench = new KernelBench(driver)) {
                row.check.run(bench, new SplittableRandom(SEED + row.name.hashCode()));
            }
        }));
    }

    @Test
    void everyShippedKernel_hasARow() {
        assertEquals(KernelVariant.all().stream().map(KernelVariant::kernel).distinct().sorted().toList(),
                cases().stream().flatMap(row -> row.kernels.stream()).distinct().sorted().toList());
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (ElementType type : ElementType.values()) {
            for (int[] shape : new int[][] {{1, 1}, {3, 15}, {2, 33}, {5, 96}, {1, 1000}, {2, 4096}, {1, 9001}}) {
                cases.add(norm(type, shape[0], shape[1]));
                cases.add(normAdd(type, shape[0], shape[1]));
            }
            for (int count : new int[] {1, 7, 8, 255, 1024, 5003}) {
                cases.add(swiglu(type, count));
            }
            for (RopeKernels.Pairing pairing : RopeKernels.Pairing.values()) {
                for (int[] shape : new int[][] {{1, 1, 2, 1}, {3, 5, 64, 32}, {2, 7, 80, 20}, {17, 2, 256, 128}, {1, 3, 640, 320}}) {
                    cases.add(rope(type, pairing, shape[0], shape[1], shape[2], shape[3]));
                }
            }
            for (ElementType outType : ElementType.values()) {
                for (int[] shape : new int[][] {{1, 1, 1}, {7, 29, 17}, {3, 11, 96}, {2, 5, 4100}}) {
                    cases.add(gather(type, outType, shape[0], shape[1], shape[2]));
                }
            }
            for (MatmulKernels.Tile tile : MatmulKernels.Tile.values()) {
                for (int[] shape : new int[][] {{1, 1, 8}, {3, 17, 40}, {16, 128, 32}, {17, 129, 72}, {130, 70, 264}, {5, 257, 520}}) {
                    cases.add(matmul(tile, type, shape[0], shape[1], shape[2]));
                }
            }
        }
        for (int[] shape : new int[][] {{1, 1}, {3, 5}, {2, 64}, {4, 1001}, {2, 4096}, {2, 12_290}, {1, 50_000}}) {
            cases.add(argmax(shape[0], shape[1]));
            for (int k : new int[] {1, 5, 32, 33, 64}) {
                if (k <= shape[1]) {
                    cases.add(topK(shape[0], shape[1], k));
                }
            }
        }
        return cases;
    }

    private static Case norm(ElementType type, int groups, int width) {
        return new Case("rms norm " + type + " " + groups + "x" + width, List.of("norm_rms_" + type), (bench, random) -> {
            Operand in = bench.random(random, type, groups, width);
            Operand gain = bench.random(random, ElementType.F32, 1, width);
            DeviceBuffer out = bench.empty((long) groups * width * type.byteSize());
            bench.run(NormKernels.rms(bench.library, type, out, in.buffer(), gain.buffer(), groups, width, 1e-5f));

            float[] expected = KernelBench.reference(groups, plan -> plan.rmsNorm(plan.embed(table(in, width)), gain.tensor(), 1e-5f));
            assertClose(expected, bench.floats(out, type, groups * width), type);
        });
    }

    private static Case normAdd(ElementType type, int groups, int width) {
        return new Case("sum and rms norm " + type + " " + groups + "x" + width, List.of("norm_rms_add_" + type), (bench, random) -> {
            Operand in = bench.random(random, type, groups, width);
            Operand residual = bench.random(random, type, groups, width);
            Operand gain = bench.random(random, ElementType.F32, 1, width);
            DeviceBuffer out = bench.empty((long) groups * width * type.byteSize());
            bench.run(NormKernels.rmsAdd(bench.library, type, out, residual.buffer(), in.buffer(), residual.buffer(), gain.buffer(),
                    groups, width, 1e-5f));

            float[] sum = bench.floats(residual.buffer(), type, groups * width);
            assertClose(KernelBench.reference(groups, plan -> plan.add(plan.embed(table(in, width)),
                    plan.embed(table(residual, width)))), sum, type);
            // The norm is that of the sum as it was stored.
            Operand stored = bench.operand(type, sum, width);
            assertClose(KernelBench.reference(groups, plan -> plan.rmsNorm(plan.embed(table(stored, width)), gain.tensor(), 1e-5f)),
                    bench.floats(out, type, groups * width), type);
        });
    }

    private static Case swiglu(ElementType type, int count) {
        return new Case("swiglu " + type + " " + count, List.of("activation_swiglu_" + type), (bench, random) -> {
            float[] gates = bench.random(random, type, 1, count).values();
            float[] extremes = {0f, -0f, 88f, -88f, 104f, -104f, 1e-30f, -1e30f, 1e30f};
            for (int i = 0; i < Math.min(count, extremes.length); i++) {
                gates[count - 1 - i] = extremes[i];
            }
            Operand gate = bench.operand(type, gates, count);
            Operand up = bench.random(random, type, 1, count);
            DeviceBuffer out = bench.empty((long) count * type.byteSize());
            bench.run(ActivationKernels.swiglu(bench.library, type, out, gate.buffer(), up.buffer(), count));

            float[] found = bench.floats(out, type, count);
            float[] expected = KernelBench.reference(1, plan -> plan.swiGlu(plan.embed(table(gate, count)), plan.embed(table(up, count))));
            // A huge element would hide the others in the norm.
            for (int i = 0; i < count; i++) {
                assertClose(new float[] {expected[i]}, new float[] {found[i]}, type);
            }
        });
    }

    private static Case rope(ElementType type, RopeKernels.Pairing pairing, int rows, int heads, int headDim, int pairs) {
        String entry = "rope_" + pairing.name().toLowerCase(Locale.ROOT) + "_" + type;
        return new Case("%s %d rows, %d heads of %d, %d pairs".formatted(entry, rows, heads, headDim, pairs), List.of(entry),
                (bench, random) -> {
                    float[] frequencies = new float[pairs];
                    for (int i = 0; i < pairs; i++) {
                        frequencies[i] = (float) Math.pow(500_000, -(double) i / pairs);
                    }
                    int[] positions = IntStream.range(0, rows).map(row -> row % 3 == 0 ? 131_071 - row : random.nextInt(5000)).toArray();
                    RopeTable table = new RopeTable(pairing == RopeKernels.Pairing.SPLIT ? RopeTable.Pairing.SPLIT
                            : RopeTable.Pairing.INTERLEAVED, frequencies, 1.1f);
                    int width = heads * headDim;
                    Operand in = bench.random(random, type, rows, width);
                    DeviceBuffer out = bench.empty((long) rows * width * type.byteSize());
                    bench.run(RopeKernels.rotate(bench.library, type, pairing, out, in.buffer(), bench.ints(positions),
                            bench.operand(ElementType.F32, frequencies, pairs).buffer(), rows, heads, headDim, pairs, 1.1f));

                    float[] expected = KernelBench.reference(rows, row -> positions[row],
                            plan -> plan.rope(plan.embed(table(in, width)), headDim, table));
                    assertClose(expected, bench.floats(out, type, rows * width), type);

                    bench.run(RopeKernels.rotate(bench.library, type, pairing, in.buffer(), in.buffer(), bench.ints(positions),
                            bench.operand(ElementType.F32, frequencies, pairs).buffer(), rows, heads, headDim, pairs, 1.1f));
                    assertArrayEquals(bench.floats(out, type, rows * width), bench.floats(in.buffer(), type, rows * width), "in place");
                });
    }

    private static Case gather(ElementType tableType, ElementType outType, int rows, int vocabulary, int width) {
        String entry = "embedding_gather_" + tableType + "_" + outType;
        return new Case(entry + " " + rows + " of " + vocabulary + "x" + width, List.of(entry), (bench, random) -> {
            Operand table = bench.random(random, tableType, vocabulary, width);
            int[] ids = random.ints(rows, 0, vocabulary).toArray();
            DeviceBuffer out = bench.empty((long) rows * width * outType.byteSize());
            DeviceBuffer error = bench.zeros(Integer.BYTES);
            bench.run(EmbeddingKernels.gather(bench.library, tableType, outType, out, error, table.buffer(), bench.ints(ids), rows,
                    vocabulary, width));
            float[] expected = new float[rows * width];
            for (int row = 0; row < rows; row++) {
                System.arraycopy(table.values(), ids[row] * width, expected, row * width, width);
            }
            Operand rounded = bench.operand(outType, expected, width);
            assertArrayEquals(rounded.values(), bench.floats(out, outType, rows * width));
            assertEquals(0, bench.ints(error, 1)[0]);

            ids[rows - 1] = random.nextBoolean() ? -1 : vocabulary;
            bench.run(EmbeddingKernels.gather(bench.library, tableType, outType, out, error, table.buffer(), bench.ints(ids), rows,
                    vocabulary, width));
            Arrays.fill(rounded.values(), (rows - 1) * width, rows * width, 0);
            assertArrayEquals(rounded.values(), bench.floats(out, outType, rows * width), "an id that is not there");
            assertEquals(1, bench.ints(error, 1)[0]);
        });
    }

    private static Case matmul(MatmulKernels.Tile tile, ElementType outType, int rows, int outputs, int inputs) {
        String entry = "matmul_bf16_" + (tile == MatmulKernels.Tile.ROWS_16 ? 16 : 128) + "x128_" + outType;
        return new Case(entry + " " + rows + "x" + outputs + "x" + inputs, List.of(entry), (bench, random) -> {
            Operand in = bench.random(random, ElementType.BF16, rows, inputs);
            Operand weight = bench.random(random, ElementType.BF16, outputs, inputs);
            Operand bias = bench.random(random, ElementType.F32, 1, outputs);
            DeviceBuffer out = bench.empty((long) rows * outputs * outType.byteSize());
            for (boolean biased : new boolean[] {false, true}) {
                Optional<Operand> added = Optional.of(bias).filter(_ -> biased);
                bench.run(MatmulKernels.bf16(bench.library, tile, outType, out, in.buffer(), weight.buffer(),
                        added.map(Operand::buffer), rows, outputs, inputs));
                float[] expected = KernelBench.reference(rows, plan -> plan.matMul(plan.embed(table(in, inputs)),
                        table(weight, inputs), added.map(operand -> table(operand, outputs)).map(tensor -> new Tensor("bias",
                                tensor.dtype(), Shape.of(outputs), tensor.data()))));
                assertClose(expected, bench.floats(out, outType, rows * outputs), outType);
            }
            // Rows alike in every pass: the last row alone, by the other tile, has the same bits.
            MatmulKernels.Tile other = MatmulKernels.Tile.values()[1 - tile.ordinal()];
            Operand last = bench.operand(ElementType.BF16,
                    Arrays.copyOfRange(in.values(), (rows - 1) * inputs, rows * inputs), inputs);
            DeviceBuffer alone = bench.empty((long) outputs * outType.byteSize());
            bench.run(MatmulKernels.bf16(bench.library, other, outType, alone, last.buffer(), weight.buffer(),
                    Optional.of(bias.buffer()), 1, outputs, inputs));
            float[] all = bench.floats(out, outType, rows * outputs);
            assertArrayEquals(Arrays.copyOfRange(all, (rows - 1) * outputs, rows * outputs), bench.floats(alone, outType, outputs));
        });
    }

    private static Case argmax(int rows, int vocabulary) {
        return new Case("argmax " + rows + "x" + vocabulary, List.of("sampling_argmax_f32"), (bench, random) -> {
            DeviceBuffer ids = bench.empty(4L * rows);
            DeviceBuffer values = bench.empty(4L * rows);
            DeviceBuffer state = bench.zeros((long) rows * SamplingKernels.STATE_BYTES);
            // Twice: the first launch must leave the state as it was.
            for (int launch = 0; launch < 2; launch++) {
                float[] logits = logits(random, rows, vocabulary);
                bench.run(SamplingKernels.argmax(bench.library, ids, values, state,
                        bench.context.allocateFrom(MemorySegment.ofArray(logits)), rows, vocabulary));
                int[] expected = largest(logits, rows, vocabulary, 1);
                assertArrayEquals(expected, bench.ints(ids, rows));
                assertArrayEquals(valuesAt(logits, expected, vocabulary, 1), bench.floats(values, ElementType.F32, rows));
            }
        });
    }

    private static Case topK(int rows, int vocabulary, int k) {
        return new Case("top " + k + " of " + rows + "x" + vocabulary, List.of("sampling_top_k_f32"), (bench, random) -> {
            DeviceBuffer ids = bench.empty(4L * rows * k);
            DeviceBuffer values = bench.empty(4L * rows * k);
            DeviceBuffer state = bench.zeros((long) rows * SamplingKernels.STATE_BYTES);
            DeviceBuffer lists = bench.empty(SamplingKernels.listBytes(rows, vocabulary));
            for (int launch = 0; launch < 2; launch++) {
                float[] logits = logits(random, rows, vocabulary);
                bench.run(SamplingKernels.topK(bench.library, ids, values, state, lists,
                        bench.context.allocateFrom(MemorySegment.ofArray(logits)), rows, vocabulary, k));
                int[] expected = largest(logits, rows, vocabulary, k);
                assertArrayEquals(expected, bench.ints(ids, rows * k));
                assertArrayEquals(valuesAt(logits, expected, vocabulary, k), bench.floats(values, ElementType.F32, rows * k));
            }
        });
    }

    /// With ties, zeros of both signs, infinities and NaN among them.
    private static float[] logits(SplittableRandom random, int rows, int vocabulary) {
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

    /// What rounding the result to bf16 may do is not counted.
    private static void assertClose(float[] expected, float[] found, ElementType type) {
        assertEquals(expected.length, found.length);
        double difference = 0;
        double norm = 1e-30;
        for (int i = 0; i < expected.length; i++) {
            double rounding = type == ElementType.F32 ? 0 : Math.ulp(expected[i]) * 0x1p15;
            difference += Math.pow(Math.max(0, Math.abs((double) expected[i] - found[i]) - rounding), 2);
            norm += Math.pow(expected[i], 2);
        }
        double relative = Math.sqrt(difference / norm);
        assertTrue(relative <= BOUND, "relative difference " + relative + ", expected " + BOUND + " at most");
    }
}
