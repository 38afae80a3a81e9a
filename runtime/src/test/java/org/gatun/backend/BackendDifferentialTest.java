package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.cuda.TestDriver;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// One table of ops and ragged shapes. Each row runs on the reference, on the kernels of every instruction set of this processor,
/// with one thread and with three, and on the CUDA kernels, simulated in two orders, and must agree within the bound. Adding an op is
/// adding a row.
///
/// An op's inputs are rows of embedding tables, so that a pass of random tokens feeds it random values.
@Tag("gpu")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BackendDifferentialTest {
    private static final Set<DType> RANDOM_BYTES = Set.of(DType.Q4_K, DType.Q5_K, DType.Q6_K);
    private static final long SEED = 20261120;
    private static final int VOCABULARY = 29;
    private static final BatchLimits LIMITS = new BatchLimits(320, 64);
    private static final int SLOTS = 403;
    /// f32 kernels against the reference.
    private static final double EXACT = 1e-5;
    /// Weights rounded to bf16.
    private static final double ROUNDED = 4e-3;
    /// Activations rounded to 8 bits.
    private static final double QUANTIZED = 1e-2;
    /// The same, and codebooks rounded to 8 bits: 0.3 % of uniformly distributed weights, up to 0.5 % of results half as large as usual.
    private static final double CODEBOOKS = 1.5e-2;
    /// What CUDA kernels read through tensor cores is rounded to 16 bits, on both sides.
    private static final double HALVES = 6e-3;

    private final Arena arena = Arena.ofShared();
    private final ReferenceBackend reference = new ReferenceBackend();
    /// Kernels, each run in two ways that must not matter.
    private final List<Twins> backends = new ArrayList<>();
    private Case planned;
    private Plan plan;

    private record Twins(Backend first, Backend second) {
        private boolean isCuda() {
            return first instanceof CudaBackend;
        }

        private boolean stores(DType kvType) {
            return !isCuda() || kvType != DType.F32;
        }
    }

    @BeforeAll
    void open() {
        for (String instructionSet : TestDriver.asked().isPresent() ? List.<String>of() : CpuBackend.instructionSets()) {
            backends.add(new Twins(CpuBackend.open(new CpuOptions(1, Optional.of(instructionSet))),
                    CpuBackend.open(new CpuOptions(3, Optional.of(instructionSet)))));
        }
        backends.add(new Twins(CudaBackend.open(TestDriver.open(), 0), CudaBackend.open(TestDriver.isSimulator()
                ? SimulatorDriver.open(SimulatorOptions.defaults().withOrderSeed(SEED)) : TestDriver.open(), 0)));
    }

    @AfterAll
    void close() {
        for (Twins twins : backends) {
            twins.first.close();
            twins.second.close();
        }
        arena.close();
    }

    /// Of what size the elements of rows are, beside the 6 from which on they may be outliers.
    private enum Magnitudes {
        NO_OUTLIERS, SOME_OUTLIERS, ONLY_OUTLIERS, ZEROS, HUGE, TINY;

        private double next(SplittableRandom random) {
            double x = random.nextDouble(-1, 1);
            return switch (this) {
                case NO_OUTLIERS -> 5 * x;
                case SOME_OUTLIERS -> random.nextInt(20) == 0 ? 80 * x : x;
                case ONLY_OUTLIERS -> 6 * Math.signum(x) + 30 * x;
                case ZEROS -> 0;
                case HUGE -> 1e36 * x;
                case TINY -> 1e-37 * x; // some rows are above 2^-120, others are taken for zeros
            };
        }
    }

    /// A row of the table.
    ///
    /// @param graph records the op on values of tables it makes; its result is compared
    private record Case(String name, double bound, BiFunction<Tables, PlanBuilder, Value> graph) {
        private double bound(Twins twins) {
            boolean halves = name.startsWith("attention") || name.matches("(matmul|embed) .*") && !name.contains("F32");
            return twins.isCuda() && halves ? HALVES : bound;
        }

        /// CUDA kernels take heads of an even number of elements, and activations in 8 bits with whole weight tiles.
        private boolean runsOn(Twins twins) {
            return !twins.isCuda() || !name.matches(".*headDim=[17],.*|int8 matmul .* (17x37|1x1)");
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1,
                DType.Q4_K, DType.Q5_K, DType.Q6_K, DType.NF4, DType.FP4, DType.MXFP4, DType.NVFP4, DType.INT8, DType.SPARSE_2_4_F16,
                DType.SPARSE_2_4_INT8, DType.SPARSE_2_4_NF4, DType.SPARSE_1_4_F16, DType.SPARSE_2_8_F16, DType.SPARSE_4_8_F16,
                DType.SPARSE_1_16_F16, DType.SPARSE_2_16_F16)) {
            int block = dtype.blockElements();
            double bound = switch (dtype instanceof DType.Sparse sparse ? sparse.valueType() : dtype) {
                case DType.Block.NF4, DType.Block.FP4 -> CODEBOOKS;
                case DType.Plain _ -> EXACT;
                case DType.Block _, DType.Sparse _ -> QUANTIZED;
            };
            for (int[] shape : new int[][] {{1, 1}, {16, 3}, {17, 5}, {31, 2}, {100, 9}, {513, 1}}) {
                int outputs = shape[0];
                int inputs = block > 1 ? shape[1] * block : shape[1] * 37;
                cases.add(new Case("matmul " + dtype + " " + outputs + "x" + inputs, bound, (tables, plan) ->
                        plan.matMul(plan.embed(tables.random(inputs)), tables.weight(dtype, outputs, inputs))));
            }
            int width = block > 1 ? 2 * block : 77;
            cases.add(new Case("embed " + dtype, dtype == DType.NVFP4 ? ROUNDED : EXACT,
                    (tables, plan) -> plan.embed(tables.weight(dtype, VOCABULARY, width))));
        }
        cases.add(new Case("matmul with bias", EXACT, (tables, plan) -> plan.matMul(plan.embed(tables.random(40)),
                tables.weight(DType.F32, 21, 40), Optional.of(tables.vector(21)))));
        cases.add(new Case("matmul of one input by two types", QUANTIZED, (tables, plan) -> {
            Value in = plan.embed(tables.random(64));
            return plan.add(plan.add(plan.matMul(in, tables.weight(DType.Q8_0, 48, 64)),
                    plan.matMul(in, tables.weight(DType.F16, 48, 64))), plan.matMul(in, tables.weight(DType.Q8_0, 48, 64)));
        }));
        cases.add(new Case("matmul of huge and tiny activations", QUANTIZED, (tables, plan) ->
                plan.matMul(plan.embed(tables.extreme(128)), tables.weight(DType.Q8_0, 33, 128))));
        cases.add(new Case("matmul of extreme codes", QUANTIZED, (tables, plan) ->
                plan.matMul(plan.embed(tables.random(70)), tables.extremeBytes(19, 70))));
        cases.add(new Case("matmul of the least powers of two", QUANTIZED, (tables, plan) ->
                plan.matMul(plan.embed(tables.huge(128)), tables.minPowers(19, 128))));
        for (ActivationQuantization activations : List.of(ActivationQuantization.INT8, ActivationQuantization.INT8_OUTLIERS)) {
            for (Magnitudes magnitudes : Magnitudes.values()) {
                for (int[] shape : new int[][] {{8, 8}, {24, 200}, {104, 72}, {17, 37}, {1, 1}}) {
                    cases.add(new Case("int8 matmul " + activations + " " + magnitudes + " " + shape[0] + "x" + shape[1], EXACT,
                            (tables, plan) -> plan.matMul(plan.embed(tables.of(magnitudes, shape[1])),
                                    tables.weight(DType.INT8, shape[0], shape[1]), Optional.empty(), activations)));
                }
            }
            cases.add(new Case("int8 matmul " + activations + " of extreme bytes, with bias", EXACT, (tables, plan) ->
                    plan.matMul(plan.embed(tables.extreme(176)), tables.extremeBytes(16, 176), Optional.of(tables.vector(16)),
                            activations)));
            cases.add(new Case("int8 matmul " + activations + " and swiglu", EXACT, (tables, plan) -> {
                Value in = plan.rmsNorm(plan.embed(tables.random(136)), tables.vector(136), 1e-5f);
                return plan.matMul(plan.swiGlu(plan.matMul(in, tables.weight(DType.INT8, 72, 136), Optional.empty(), activations),
                        plan.matMul(in, tables.weight(DType.INT8, 72, 136), Optional.empty(), activations)),
                        tables.weight(DType.INT8, 40, 72), Optional.empty(), ActivationQuantization.INT8_OUTLIERS);
            }));
        }
        cases.add(new Case("product of one input in every form", QUANTIZED, (tables, plan) -> {
            Value in = plan.embed(tables.of(Magnitudes.SOME_OUTLIERS, 64));
            Tensor weight = tables.weight(DType.INT8, 48, 64);
            return plan.add(plan.matMul(in, weight), plan.add(plan.matMul(in, weight, Optional.empty(), ActivationQuantization.INT8),
                    plan.matMul(in, weight, Optional.empty(), ActivationQuantization.INT8_OUTLIERS)));
        }));
        for (int width : new int[] {1, 15, 16, 17, 96, 1000}) {
            cases.add(new Case("rms norm " + width, EXACT,
                    (tables, plan) -> plan.rmsNorm(plan.embed(tables.random(width)), tables.vector(width), 1e-5f)));
            cases.add(new Case("swiglu " + width, EXACT,
                    (tables, plan) -> plan.swiGlu(plan.embed(tables.extreme(width)), plan.embed(tables.random(width)))));
            cases.add(new Case("add " + width, EXACT,
                    (tables, plan) -> plan.add(plan.embed(tables.random(width)), plan.embed(tables.random(width)))));
        }
        cases.add(new Case("rms norm of heads", EXACT,
                (tables, plan) -> plan.rmsNorm(plan.embed(tables.random(5 * 24)), tables.vector(24), 1e-6f)));
        for (RopeTable.Pairing pairing : RopeTable.Pairing.values()) {
            for (int[] shape : new int[][] {{1, 2, 1}, {3, 64, 32}, {5, 80, 20}, {2, 256, 128}}) {
                cases.add(new Case("rope " + pairing + " " + shape[0] + " heads of " + shape[1] + ", " + shape[2] + " pairs", EXACT,
                        (tables, plan) -> plan.rope(plan.embed(tables.random(shape[0] * shape[1])), shape[1],
                                ropeTable(pairing, shape[2]))));
            }
        }
        for (int[] shape : new int[][] {{1, 1, 1, 0}, {2, 1, 7, 0}, {6, 2, 64, 0}, {5, 5, 16, 9}, {9, 1, 40, 0}, {14, 2, 128, 50},
            {4, 4, 256, 0}}) {
            AttentionShape attention = new AttentionShape(shape[0], shape[1], shape[2], 0.3f, shape[3]);
            cases.add(new Case("attention " + attention, 2e-5, (tables, plan) -> plan.attention(0,
                    plan.embed(tables.random(attention.queryWidth())), plan.embed(tables.random(attention.kvWidth())),
                    plan.embed(tables.random(attention.kvWidth())), attention)));
        }
        return cases.stream();
    }

    private static RopeTable ropeTable(RopeTable.Pairing pairing, int pairs) {
        float[] frequencies = new float[pairs];
        for (int i = 0; i < pairs; i++) {
            frequencies[i] = (float) Math.pow(10_000, -(double) i / pairs);
        }
        return new RopeTable(pairing, frequencies, 1.1f);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void op_raggedShapes_agreesWithReference(Case row) {
        for (DType kvType : KvLayout.TYPES) {
            for (int[] rows : new int[][] {{14, 0}, {1, 0}, {3, 0}, {7, 1}}) {
                float[] expected = run(reference, row, kvType, rows[0], rows[1] == 1);
                for (Twins twins : backends) {
                    if (!twins.stores(kvType) || !row.runsOn(twins)) {
                        continue;
                    }
                    float[] found = run(twins.first, row, kvType, rows[0], rows[1] == 1);
                    double difference = relativeDifference(expected, found);
                    assertTrue(difference <= row.bound(twins), "seed " + SEED + ", " + row + ", " + rows[0] + " rows, KV " + kvType
                            + ", " + twins.first.description() + ": relative difference " + difference + ", bound "
                            + row.bound(twins));
                }
                if (!row.name.startsWith("attention")) {
                    break; // fewer rows give the same bits, as the other test shows
                }
            }
        }
    }

    /// Sizes of passes that a backend is to give the same bits in. The simulator gets, unless everything is run, a short and a long pass
    /// of each op and type, in other shapes than each other.
    private static int[] passes(Case row, Twins twins) {
        if (!twins.isCuda()) {
            return new int[] {2, 5, 6, 7, 13, 64, 300};
        }
        if (TestScale.isLong() || !TestDriver.isSimulator()) {
            return new int[] {2, 7, 13, 64, 300};
        }
        List<String> alike = cases().map(Case::name).filter(name -> withoutShape(name).equals(withoutShape(row.name))).toList();
        long turn = Math.floorMod(alike.indexOf(row.name) + TestScale.seed(), (long) alike.size());
        int few = new int[] {2, 7, 13}[(int) Math.floorMod(row.name.hashCode() + TestScale.seed(), 3L)];
        int many = Math.floorMod(row.name.hashCode() + TestScale.seed(), 2L) == 0 ? 64 : 300;
        return alike.size() == 1 ? new int[] {few, many} : turn == 0 ? new int[] {few} : turn == 1 ? new int[] {many} : new int[0];
    }

    private static String withoutShape(String name) {
        return name.substring(0, name.lastIndexOf(' ') + 1);
    }

    /// The same rows in one causal pass, in a tree of which they are a path, and one by one: bit for bit.
    @ParameterizedTest
    @MethodSource("cases")
    void op_otherPassesAndThreads_givesTheSameBits(Case row) {
        for (Twins twins : backends) {
            if (!row.runsOn(twins)) {
                continue;
            }
            for (int rows : passes(row, twins)) {
                float[] together = run(twins.first, row, DType.F16, rows, false);
                assertArrayEquals(together, run(twins.second, row, DType.F16, rows, false), "twins, " + rows + " rows");
                if (rows <= 13) {
                    assertArrayEquals(together, runOneByOne(twins.first, row, rows), row + " one by one, " + rows + " rows");
                    assertArrayEquals(together, runAsPathOfTree(twins.first, row, rows), row + " in a tree, " + rows + " rows");
                }
            }
        }
    }

    /// Which rows of a pass a row attends to, itself among them.
    private enum Sight {
        /// All of them, later ones too, as in a block that is denoised.
        ALL,
        /// Any, at random.
        RANDOM,
        /// Those of its path in a tree that branches everywhere.
        TREE
    }

    @ParameterizedTest
    @CsvSource({"ALL, 5", "ALL, 64", "ALL, 200", "RANDOM, 33", "RANDOM, 256", "TREE, 100", "TREE, 256"})
    void attention_everySight_agreesWithReference(Sight sight, int rows) {
        BatchLimits limits = new BatchLimits(256, 256);
        long[] words = new long[4 * rows];
        int[] depths = new int[rows];
        SplittableRandom random = new SplittableRandom(SEED);
        for (int row = 0; row < rows; row++) {
            int parent = random.nextInt(Math.max(1, row));
            for (int other = 0; other < rows; other++) {
                boolean attendsTo = other == row || switch (sight) {
                    case ALL -> true;
                    case RANDOM -> random.nextBoolean();
                    case TREE -> row > 0 && (words[4 * parent + other / 64] >>> other & 1) != 0;
                };
                words[4 * row + other / 64] |= attendsTo ? 1L << other : 0;
            }
            depths[row] = sight != Sight.TREE ? row : row == 0 ? 0 : depths[parent] + 1;
        }
        List<Case> attentions = cases().filter(one -> one.name.startsWith("attention")).toList();
        for (Case row : attentions) {
            // each shape with some sights, each sight with some shapes
            boolean simulated = TestScale.takesOneIn(3, attentions.indexOf(row) + rows);
            Filling filling = (executable, segment, kv) -> {
                context(executable, segment, kv, row);
                segment.beginTree(committed(row));
                for (int i = 0; i < rows; i++) {
                    segment.addRow(token(i), committed(row) + depths[i], words, 4 * i, 4);
                    segment.select(i);
                }
                executable.run(Batch.of(segment, kv));
            };
            float[] expected = withExecutable(reference, row, DType.F16, limits, filling);
            for (Twins twins : backends) {
                if (row.runsOn(twins) && (simulated || !twins.isCuda() || !TestDriver.isSimulator())) {
                    double difference = relativeDifference(expected, withExecutable(twins.first, row, DType.F16, limits, filling));
                    assertTrue(difference <= row.bound(twins), "seed " + SEED + ", " + row + ", " + twins.first.description()
                            + ": relative difference " + difference + ", bound " + row.bound(twins));
                }
            }
        }
    }

    /// Tables and weights of a case, the same at every call.
    private final class Tables {
        private final SplittableRandom random = new SplittableRandom(SEED);
        private int count;

        Tensor random(int width) {
            return table(width, IntStream.range(0, VOCABULARY * width).mapToDouble(_ -> random.nextDouble(-1, 1)).toArray());
        }

        /// Zeros, large and small magnitudes.
        Tensor extreme(int width) {
            return table(width, IntStream.range(0, VOCABULARY * width).mapToDouble(i -> switch (i % 7) {
                case 0 -> 0;
                case 1 -> 90;
                case 2 -> -90;
                case 3 -> 1e-6;
                default -> random.nextDouble(-4, 4);
            }).toArray());
        }

        /// Near the largest number, for weights near the least.
        Tensor huge(int width) {
            return table(width, random.doubles(VOCABULARY * width, -1e37, 1e37).toArray());
        }

        Tensor of(Magnitudes magnitudes, int width) {
            return table(width, IntStream.range(0, VOCABULARY * width).mapToDouble(_ -> magnitudes.next(random)).toArray());
        }

        private Tensor table(int width, double[] elements) {
            MemorySegment data = arena.allocate(4L * elements.length, 64);
            for (int i = 0; i < elements.length; i++) {
                data.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) elements[i]);
            }
            return new Tensor("table" + count++, DType.F32, Shape.of(VOCABULARY, width), data);
        }

        Tensor vector(int length) {
            float[] elements = new float[length];
            for (int i = 0; i < length; i++) {
                elements[i] = (float) random.nextDouble(0.5, 1.5);
            }
            return new Tensor("vector" + count++, DType.F32, Shape.of(length), arena.allocateFrom(ValueLayout.JAVA_FLOAT, elements));
        }

        /// Random bytes where encoding does not use all of them, with scales that are numbers of moderate size.
        Tensor weight(DType dtype, int rows, int columns) {
            MemorySegment data = arena.allocate(dtype.byteSize(Shape.of(rows, columns)), 64);
            if (!RANDOM_BYTES.contains(dtype)) {
                float[] elements = new float[rows * columns];
                for (int i = 0; i < elements.length; i++) {
                    elements[i] = (float) random.nextDouble(-1, 1);
                }
                for (int row = 0; row < rows; row++) {
                    Codec.of(dtype).encode(elements, row * columns, data, row * dtype.rowBytes(columns), columns);
                }
            } else {
                for (long block = 0; block < data.byteSize(); block += dtype.blockBytes()) {
                    for (int i = 0; i < dtype.blockBytes(); i++) {
                        data.set(ValueLayout.JAVA_BYTE, block + i, (byte) random.nextInt(256));
                    }
                    for (int offset : dtype == DType.Q6_K ? new int[] {208} : new int[] {0, 2}) {
                        data.set(ValueLayout.JAVA_SHORT_UNALIGNED, block + offset,
                                Float.floatToFloat16((float) random.nextDouble(0.001, 0.01)));
                    }
                }
            }
            return new Tensor("weight" + count++, dtype, Shape.of(rows, columns), data);
        }

        /// INT8 of the least and greatest bytes: no encoder writes -128, a file may hold it.
        Tensor extremeBytes(int rows, int columns) {
            Tensor weight = weight(DType.INT8, rows, columns);
            long rowBytes = DType.INT8.rowBytes(columns);
            for (int row = 0; row < rows; row++) {
                for (int i = 0; i < columns; i++) {
                    weight.data().set(ValueLayout.JAVA_BYTE, row * rowBytes + DType.INT8.headerBytes() + i,
                            (byte) (random.nextInt(3) == 0 ? 127 : -128));
                }
            }
            return weight;
        }

        /// MXFP4 with the two scales below the least normal number.
        Tensor minPowers(int rows, int columns) {
            Tensor weight = weight(DType.MXFP4, rows, columns);
            for (long block = 0; block < weight.data().byteSize() / DType.MXFP4.blockBytes(); block++) {
                weight.data().set(ValueLayout.JAVA_BYTE, block * DType.MXFP4.blockBytes(), (byte) (block % 2));
            }
            return weight;
        }
    }

    /// Activations and weights that are whole numbers with a scale of 1: results are the sums of int8 products themselves, in every
    /// backend.
    @Test
    void product_wholeNumbers_isTheSameWholeNumberEverywhere() {
        Case row = new Case("whole numbers", 0, (tables, plan) -> {
            int width = 1032;
            SplittableRandom random = new SplittableRandom(SEED);
            Tensor in = tables.table(width, IntStream.range(0, VOCABULARY * width)
                    .mapToDouble(i -> i % width == 7 ? -127 : random.nextInt(-127, 128)).toArray());
            Tensor weight = tables.extremeBytes(24, width);
            for (int output = 0; output < 24; output++) {
                weight.data().set(ValueLayout.JAVA_FLOAT_UNALIGNED, output * DType.INT8.rowBytes(width), 1);
            }
            return plan.matMul(plan.embed(in), weight, Optional.empty(), ActivationQuantization.INT8);
        });
        for (int rows : new int[] {1, 5, 14, 64, 300}) {
            float[] expected = run(reference, row, DType.F16, rows, false);
            assertTrue(IntStream.range(0, expected.length).allMatch(i -> expected[i] == Math.rint(expected[i])), "whole numbers");
            for (Twins twins : backends) {
                assertArrayEquals(expected, run(twins.first, row, DType.F16, rows, false), twins.first.description());
            }
        }
    }

    /// A row with anything that is not finite gives NaN only, the others what they would.
    @ParameterizedTest
    @EnumSource(names = {"INT8", "INT8_OUTLIERS"})
    void product_rowThatIsNotFinite_isAllNaN(ActivationQuantization activations) {
        Case row = new Case("not finite", 0, (tables, plan) -> {
            Tensor in = tables.of(Magnitudes.SOME_OUTLIERS, 72);
            for (int token = 0; token < VOCABULARY; token += 3) {
                in.data().setAtIndex(ValueLayout.JAVA_FLOAT, token * 72L + token, token % 2 == 0 ? Float.NaN : Float.NEGATIVE_INFINITY);
            }
            return plan.matMul(plan.embed(in), tables.weight(DType.INT8, 16, 72), Optional.empty(), activations);
        });
        float[] expected = run(reference, row, DType.F16, 14, false);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(token(i / 16) % 3 == 0, Float.isNaN(expected[i]), "row of token " + token(i / 16));
        }
        for (Twins twins : backends) {
            assertArrayEquals(expected, run(twins.first, row, DType.F16, 14, false), 1e-3f, twins.first.description());
        }
    }

    /// Made once for all runs of a case: encoding its weights takes longer than most of them.
    private Plan plan(Case row) {
        if (row != planned) {
            PlanBuilder builder = new PlanBuilder();
            plan = builder.build(builder.selectRows(row.graph.apply(new Tables(), builder)));
            planned = row;
        }
        return plan;
    }

    private interface Filling {
        void fill(Executable executable, Segment segment, PageTable kv);
    }

    private float[] run(Backend backend, Case row, DType kvType, int rows, boolean tree) {
        return withExecutable(backend, row, kvType, (executable, segment, kv) -> {
            context(executable, segment, kv, row);
            if (tree) {
                segment.beginTree(committed(row));
                long[] ancestors = new long[rows];
                int[] depths = new int[rows];
                for (int i = 0; i < rows; i++) {
                    int parent = (i - 1) / 2;
                    ancestors[i] = (i == 0 ? 0 : ancestors[parent]) | 1L << i;
                    depths[i] = i == 0 ? 0 : depths[parent] + 1;
                    segment.addRow(token(i), committed(row) + depths[i], ancestors, i, 1);
                }
            } else {
                segment.beginCausal(committed(row));
                for (int i = 0; i < rows; i++) {
                    segment.addRow(token(i));
                }
            }
            for (int i = Math.max(0, rows - 64); i < rows; i++) {
                segment.select(i);
            }
            executable.run(Batch.of(segment, kv));
        });
    }

    private float[] runAsPathOfTree(Backend backend, Case row, int rows) {
        return withExecutable(backend, row, DType.F16, (executable, segment, kv) -> {
            context(executable, segment, kv, row);
            segment.beginTree(committed(row));
            long path = 0;
            for (int i = 0; i < rows; i++) {
                // between the rows of the path stand strangers that nobody attends to
                segment.addRow(token(i + 100), committed(row) + i, new long[] {1L << 2 * i}, 0, 1);
                path |= 1L << 2 * i + 1;
                segment.addRow(token(i), committed(row) + i, new long[] {path}, 0, 1);
            }
            for (int i = 0; i < rows; i++) {
                segment.select(2 * i + 1);
            }
            executable.run(Batch.of(segment, kv));
        });
    }

    private float[] runOneByOne(Backend backend, Case row, int rows) {
        List<float[]> results = new ArrayList<>();
        withExecutable(backend, row, DType.F16, (executable, segment, kv) -> {
            context(executable, segment, kv, row);
            for (int i = 0; i < rows; i++) {
                segment.beginCausal(committed(row) + i).addRow(token(i));
                segment.select(0);
                executable.run(Batch.of(segment, kv));
                results.add(logits(executable, segment, plan(row)));
            }
        });
        int width = results.getFirst().length;
        float[] all = new float[rows * width];
        for (int i = 0; i < rows; i++) {
            System.arraycopy(results.get(i), 0, all, i * width, width);
        }
        return all;
    }

    /// Attention has something to look back on; other ops need no context.
    private static int committed(Case row) {
        return row.name.startsWith("attention") ? 87 : 0;
    }

    private static void context(Executable executable, Segment segment, PageTable kv, Case row) {
        if (committed(row) > 0) {
            segment.beginCausal(0);
            for (int i = 0; i < committed(row); i++) {
                segment.addRow(token(i + 31));
            }
            executable.run(Batch.of(segment, kv));
        }
    }

    private static int token(int i) {
        return (i * 7 + i / 5) % VOCABULARY;
    }

    private float[] withExecutable(Backend backend, Case row, DType kvType, Filling filling) {
        return withExecutable(backend, row, kvType, LIMITS, filling);
    }

    private float[] withExecutable(Backend backend, Case row, DType kvType, BatchLimits limits, Filling filling) {
        Plan plan = plan(row);
        try (Arena own = Arena.ofConfined();
                Executable executable = backend.compile(plan, limits);
                PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, kvHeads(plan), headDim(plan), kvType), SLOTS)) {
            Segment segment = new Segment(own, limits);
            filling.fill(executable, segment, kv);
            return logits(executable, segment, plan);
        }
    }

    private static float[] logits(Executable executable, Segment segment, Plan plan) {
        return executable.logits().asSlice(0, 4L * segment.selectedRows() * plan.output(Plan.LOGITS).width()).toArray(ValueLayout.JAVA_FLOAT);
    }

    private static int kvHeads(Plan plan) {
        return attention(plan).map(AttentionShape::kvHeads).orElse(1);
    }

    private static int headDim(Plan plan) {
        return attention(plan).map(AttentionShape::headDim).orElse(2);
    }

    private static Optional<AttentionShape> attention(Plan plan) {
        return plan.ops().stream().filter(Op.Attention.class::isInstance)
                .map(op -> ((Op.Attention) op).shape()).findFirst();
    }

    private static double relativeDifference(float[] expected, float[] found) {
        assertEquals(expected.length, found.length);
        double difference = 0;
        double norm = 1e-30;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow((double) expected[i] - found[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        return Math.sqrt(difference / norm);
    }

    static Stream<Backend> everyBackend() {
        Stream<Backend> reference = Stream.of(new ReferenceBackend(),
                CudaBackend.open(TestDriver.open(), 0));
        return CpuBackend.unavailableReason().isPresent() ? reference
                : Stream.concat(reference, Stream.of(CpuBackend.open(CpuOptions.threads(2))));
    }

    @ParameterizedTest
    @MethodSource("everyBackend")
    void run_badPassesAndClosedOwners_areRefused(Backend backend) {
        PlanBuilder builder = new PlanBuilder();
        Plan plan = builder.build(builder.selectRows(builder.embed(new Tables().random(8))));
        try (Arena own = Arena.ofConfined(); backend) {
            Executable executable = backend.compile(plan, LIMITS);
            PageTable kv = PageTable.openAlone(backend, KvLayout.uniform(1, 1, 2, DType.F16), 4);
            Segment segment = new Segment(own, LIMITS);
            for (int token : new int[] {-1, VOCABULARY, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                segment.beginCausal(0).addRow(token);
                assertThrows(IllegalArgumentException.class, () -> executable.run(Batch.of(segment, kv)));
            }
            segment.beginCausal(4).addRow(0);
            assertThrows(IllegalArgumentException.class, () -> executable.run(Batch.of(segment, kv)), "beyond the slots");
            kv.reserve(0, 1);
            assertThrows(IndexOutOfBoundsException.class, () -> kv.move(0, 4));
            assertThrows(IndexOutOfBoundsException.class, () -> kv.move(64, 0));
            assertThrows(IllegalArgumentException.class, () -> executable.output("none"));

            segment.beginCausal(0).addRow(0);
            kv.close();
            kv.close();
            assertThrows(IllegalStateException.class, () -> kv.move(0, 1));
            executable.close();
            executable.close();
            assertThrows(IllegalStateException.class, () -> executable.run(Batch.of(segment, kv)));
            backend.close();
        }
    }
}
