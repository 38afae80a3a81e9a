package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.simulator.InstructionClass;
import org.gatun.cuda.simulator.LaunchCounters;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.junit.jupiter.api.Test;

/// What the kernels move, counted by the simulator: the bytes that their design says, by whole sectors, without bank conflicts.
class KernelTrafficTest {
    private static LaunchCounters count(Function<KernelLibrary, KernelLaunch> launch) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        try (CudaContext context = CudaContext.open(driver, 0);
                CudaStream stream = context.createStream();
                KernelLibrary library = new KernelLibrary(context)) {
            launch.apply(library).on(stream);
            stream.synchronize();
            return driver.takeReports().getLast().counters();
        }
    }

    private static DeviceSlice zeros(KernelLibrary library, long bytes) {
        DeviceBuffer buffer = library.context().allocate(bytes);
        try (CudaStream stream = library.context().createStream()) {
            stream.fill(buffer, (byte) 0);
            stream.synchronize();
        }
        return buffer.slice();
    }

    private static Rows rows(KernelLibrary library, int count) {
        return new Rows(library.context().allocateFrom(MemorySegment.ofArray(new int[] {count})).slice(), count);
    }

    @Test
    void rmsNorm_readsRowsTwiceAndWritesThemOnce() {
        LaunchCounters counters = count(library -> NormKernels.rms(library, ElementType.BF16, zeros(library, 8 * 4096 * 2),
                zeros(library, 8 * 4096 * 4), zeros(library, 4096 * 4), rows(library, 8), NormKernels.Groups.dense(1, 4096), 1e-5f));

        assertClose(8 * 4096 * (2 * 4 + 4), counters.global().loadedBytes());
        assertEquals(8 * 4096 * 2, counters.global().storedBytes());
        assertTrue(counters.global().coalescing() > 0.97, "coalescing " + counters.global().coalescing());
        assertEquals(0, counters.shared().bankConflicts());
    }

    @Test
    void swiglu_readsAndWritesEachElementOnce() {
        LaunchCounters counters = count(library -> ActivationKernels.swiglu(library, ElementType.BF16, zeros(library, 10_000 * 2),
                zeros(library, 10_000 * 4), zeros(library, 10_000 * 4), rows(library, 1), 10_000));

        assertClose(2 * 10_000 * 4, counters.global().loadedBytes());
        assertEquals(10_000 * 2, counters.global().storedBytes());
        assertTrue(counters.global().coalescing() > 0.97, "coalescing " + counters.global().coalescing());
    }

    @Test
    void topK_readsEachLogitOnce() {
        int vocabulary = 128_256;
        long lists = SamplingKernels.listBytes(1, vocabulary);
        LaunchCounters counters = count(library -> SamplingKernels.topK(library, zeros(library, 256), zeros(library, 256),
                zeros(library, Integer.BYTES), zeros(library, lists), zeros(library, 4L * vocabulary), rows(library, 1),
                vocabulary, 64));

        assertTrue(counters.global().loadedBytes() <= 1.01 * (4L * vocabulary + lists), "loaded " + counters.global());
        assertTrue(counters.global().coalescing() > 0.97, "coalescing " + counters.global().coalescing());
    }

    @Test
    void matmul_everyTile_readsWeightsOnceAStripOfRowsWithoutBankConflicts() {
        for (MatmulKernels.Tile tile : MatmulKernels.Tile.values()) {
            int rows = switch (tile) {
                case FEW, WIDE -> 16;
                case SOME -> 64;
                case MANY -> 128;
            };
            int tileOutputs = tile == MatmulKernels.Tile.FEW ? 32 : Math.max(rows, tile == MatmulKernels.Tile.WIDE ? 128 : 0);
            int outputs = 256;
            int inputs = 512;
            LaunchCounters counters = count(library -> MatmulKernels.matmul(library, tile, WeightType.BF16,
                    zeros(library, 4L * rows * outputs), zeros(library, 2L * rows * inputs), zeros(library, 2L * outputs * inputs),
                    Optional.empty(), rows(library, rows), outputs, inputs));

            assertClose(2L * inputs * (outputs + rows * outputs / tileOutputs), counters.global().loadedBytes());
            assertEquals(4L * rows * outputs, counters.global().storedBytes(), tile.toString());
            assertEquals(0, counters.shared().bankConflicts(), tile.toString());
            assertEquals((long) rows / 16 * outputs / 8 * inputs / 16, counters.matrixInstructions(), tile.toString());
        }
    }

    @Test
    void matmul_weightsInUnits_readsThemOnceBesideARowATile() {
        int outputs = 256;
        int inputs = 1024;
        for (WeightType type : WeightType.values()) {
            if (type.hasUnits()) {
                long weightBytes = type.byteSize(outputs, inputs);
                LaunchCounters counters = count(library -> MatmulKernels.matmul(library, MatmulKernels.Tile.FEW, type,
                        zeros(library, 4L * outputs), zeros(library, 2L * inputs), zeros(library, weightBytes), Optional.empty(),
                        rows(library, 1), outputs, inputs));

                assertClose(weightBytes + outputs / 32 * 2L * inputs, counters.global().loadedBytes());
                assertTrue(counters.global().coalescing() > 0.95, type + ": coalescing " + counters.global().coalescing());
                assertEquals(0, counters.shared().bankConflicts(), type.toString());
            }
        }
    }

    /// One row: an H200 can issue 4.4 instructions for each weight of 4 bits that its memory delivers, 6.4 for 6 bits, 8.8 for 8. Q4_K and
    /// Q6_K take more than that.
    @Test
    void matmul_wideTileOfOneRow_readsLittleElseThanWeightsAndIssuesFewInstructions() {
        int outputs = 256;
        int inputs = 2048;
        for (WeightType type : WeightType.values()) {
            if (type == WeightType.F32) {
                continue;
            }
            long weightBytes = type.byteSize(outputs, inputs);
            LaunchCounters counters = count(library -> MatmulKernels.matmul(library, MatmulKernels.Tile.WIDE, type,
                    zeros(library, 4L * outputs), zeros(library, 2L * inputs), zeros(library, weightBytes), Optional.empty(),
                    rows(library, 1), outputs, inputs));

            double read = counters.global().loadedBytes() / (double) (weightBytes + 2L * inputs);
            assertTrue(read <= 1.03, type + ": read " + read);
            assertTrue(counters.global().coalescing() > 0.97, type + ": coalescing " + counters.global().coalescing());
            assertEquals(0, counters.shared().bankConflicts(), type.toString());
            double instructions = counters.threadInstructions() / ((double) outputs * inputs);
            assertTrue(instructions <= most(type), type + ": " + instructions + " instructions a weight");
        }
    }

    private static double most(WeightType type) {
        return switch (type) {
            case F32, F16, BF16 -> 4.4;
            case Q4_0, NF4, FP4 -> 4.4;
            case Q4_K -> 6.4;
            case Q8_0, Q6_K, INT8, SPARSE_2_4 -> 8.8;
        };
    }

    /// Activations that are codes too: nothing is converted, so that two instructions a weight are enough.
    @Test
    void matmul_codesOfOneRow_readsLittleElseThanWeightsAndIssuesFewInstructions() {
        int outputs = 256;
        int inputs = 2048;
        long weightBytes = WeightType.INT8.byteSize(outputs, inputs);
        for (MatmulKernels.Tile tile : MatmulKernels.Tile.values()) {
            LaunchCounters counters = count(library -> Int8Kernels.matmul(library, tile, zeros(library, 4L * outputs),
                    new CodedRows(zeros(library, CodedRows.byteSize(1, inputs, false)), 1, inputs, false), zeros(library, weightBytes),
                    Optional.empty(), rows(library, 1), outputs));

            assertEquals(0, counters.shared().bankConflicts(), tile.toString());
            if (tile == MatmulKernels.Tile.WIDE) {
                double read = counters.global().loadedBytes() / (double) (weightBytes + inputs);
                assertTrue(read <= 1.03, "read " + read);
                assertTrue(counters.global().coalescing() > 0.97, "coalescing " + counters.global().coalescing());
                double instructions = counters.threadInstructions() / ((double) outputs * inputs);
                assertTrue(instructions <= 2, instructions + " instructions a weight");
                assertEquals(outputs / 16 * (inputs / 32), counters.matrixInstructions());
            }
        }
    }

    @Test
    void matmul_sparseWeight_multipliesHalf() {
        int outputs = 64;
        int inputs = 256;
        LaunchCounters counters = count(library -> MatmulKernels.matmul(library, MatmulKernels.Tile.FEW, WeightType.SPARSE_2_4,
                zeros(library, 4L * outputs), zeros(library, 2L * inputs),
                zeros(library, WeightType.SPARSE_2_4.byteSize(outputs, inputs)), Optional.empty(), rows(library, 1), outputs, inputs));

        assertEquals(outputs / 16 * (inputs / 32), counters.matrixInstructions());
    }

    @Test
    void attention_treeOf64Rows_readsTheCacheAboutAsOftenAsOneRow() {
        for (int headDim : new int[] {16, 32, 48, 64, 80, 96, 128, 256}) {
            LaunchCounters one = attention(KvType.F16, headDim, 1, false);
            LaunchCounters tree = attention(KvType.F16, headDim, 64, true);
            long keysOfOne = one.byClass().get(InstructionClass.ASYNC_COPY);
            long keysOfTree = tree.byClass().get(InstructionClass.ASYNC_COPY);

            // heads of 256 leave room for half as many lines a block
            assertTrue(keysOfTree <= (headDim > 128 ? 2.1 : 1.1) * keysOfOne, "heads of " + headDim + ": " + keysOfTree + " copies, one row " + keysOfOne);
            assertEquals(0, one.shared().bankConflicts(), "heads of " + headDim);
            // the keys of a path lie anywhere in the pool
            assertTrue(tree.shared().bankConflicts() <= 0.1 * tree.shared().requests(), "heads of " + headDim + ": " + tree.shared());
            assertTrue(one.global().coalescing() > 0.9, "coalescing " + one.global().coalescing());
        }
    }

    @Test
    void attention_bytes_readsAboutHalfOfWhatHalvesAre() {
        for (int headDim : new int[] {64, 128, 256}) {
            LaunchCounters halves = attention(KvType.F16, headDim, 1, false);
            for (KvType type : List.of(KvType.BF16, KvType.Q8_0)) {
                LaunchCounters one = attention(type, headDim, 1, false);
                double ratio = (double) one.global().loadedBytes() / halves.global().loadedBytes();

                // a byte and a sixteenth of one of scales
                assertEquals(type == KvType.Q8_0 ? 0.53 : 1, ratio, 0.02, type + ", heads of " + headDim);
                assertEquals(0, one.shared().bankConflicts(), type + ", heads of " + headDim);
                assertTrue(one.global().coalescing() > 0.88, type + ", heads of " + headDim + ": coalescing "
                        + one.global().coalescing());
            }
        }
    }

    /// Four query heads to a key-value head, after 1,000 tokens.
    private static LaunchCounters attention(KvType type, int headDim, int rows, boolean tree) {
        int committed = 1000;
        int slots = committed + 64;
        int kvHeads = 2;
        int heads = 4 * kvHeads;
        return count(library -> {
            int pageBytes = KvLayer.pageBytes(type, 1, kvHeads, headDim);
            int[] pages = IntStream.range(0, KvLayer.pageCount(slots)).toArray();
            KvLayer layer = new KvLayer(library.context().allocateFrom(MemorySegment.ofArray(KvLayer.addresses(
                    zeros(library, (long) pages.length * pageBytes).buffer(), pageBytes, pages))).slice(), slots, kvHeads, headDim, type,
                    0);
            AttentionKernels.Cut cut = AttentionKernels.cut(library, layer, heads, rows, tree ? 64 : 0);
            // every row continues the first
            int[] paths = new int[rows * 64];
            int[] lengths = new int[rows];
            for (int row = 0; row < rows; row++) {
                paths[row * 64 + 1] = row;
                lengths[row] = row == 0 ? 1 : 2;
            }
            return AttentionKernels.attend(library, layer, new AttentionKernels.Shape(heads, 0.1f, 0), ElementType.F32,
                    zeros(library, 4L * rows * heads * headDim), zeros(library, 4L * rows * heads * headDim),
                    ints(library, new int[rows]), rows(library, rows), ints(library, committed), tree
                            ? Optional.of(new TreePaths(ints(library, paths), ints(library, lengths), 64)) : Optional.empty(),
                    zeros(library, cut.partialBytes()), zeros(library, cut.arrivalBytes()));
        });
    }

    private static DeviceSlice ints(KernelLibrary library, int... values) {
        return library.context().allocateFrom(MemorySegment.ofArray(values)).slice();
    }

    /// Each warp also reads the number of rows.
    private static void assertClose(long expected, long found) {
        assertTrue(expected <= found && found <= 1.02 * expected, "found " + found + ", expected " + expected + " or 2 % more");
    }
}
