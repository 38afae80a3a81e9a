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
                case FEW, WIDE, FEW_IN_CLUSTERS, WIDE_IN_CLUSTERS -> 16;
                case SOME -> 64;
                case MANY, GROUPED, GROUPED_WIDE -> 128;
            };
            int readers = switch (tile) { // of the same rows, for 1024 outputs
                case FEW -> 32;
                case WIDE, MANY, GROUPED -> 8;
                case FEW_IN_CLUSTERS, GROUPED_WIDE -> 4;
                case WIDE_IN_CLUSTERS -> 1;
                case SOME -> 16;
            };
            int outputs = 1024;
            int inputs = 512;
            LaunchCounters counters = count(library -> MatmulKernels.matmul(library, tile, WeightType.BF16,
                    zeros(library, 4L * rows * outputs), zeros(library, 2L * rows * inputs), zeros(library, 2L * outputs * inputs),
                    Optional.empty(), rows(library, rows), outputs, inputs));

            assertClose(2L * inputs * (outputs + rows * readers), counters.global().loadedBytes());
            assertEquals(4L * rows * outputs, counters.global().storedBytes(), tile.toString());
            assertEquals(0, counters.shared().bankConflicts(), tile.toString());
            int together = switch (tile) { // products of eight outputs to an instruction
                case GROUPED -> 16;
                case GROUPED_WIDE -> 32;
                default -> 1;
            };
            assertEquals((long) rows / 16 * outputs / 8 * inputs / 16 / together, counters.matrixInstructions(), tile.toString());
        }
    }

    @Test
    void matmul_fourWarpsAndWeightTiles_readsBothOnceWithoutBankConflicts() {
        int rows = 128;
        int outputs = 128;
        int inputs = 512;
        for (WeightType type : List.of(WeightType.INT8, WeightType.Q8_0, WeightType.Q4_0, WeightType.NF4, WeightType.FP4)) {
            long weightBytes = type.byteSize(outputs, inputs);
            LaunchCounters counters = count(library -> MatmulKernels.matmul(library, MatmulKernels.Tile.GROUPED, type,
                    zeros(library, 4L * rows * outputs), zeros(library, 2L * rows * inputs), zeros(library, weightBytes), Optional.empty(),
                    rows(library, rows), outputs, inputs));

            assertClose(weightBytes + 2L * rows * inputs, counters.global().loadedBytes());
            assertEquals(4L * rows * outputs, counters.global().storedBytes(), type.toString());
            assertEquals(0, counters.shared().bankConflicts(), type.toString());
            assertEquals((long) outputs / 16 * inputs / 16, counters.matrixInstructions(), type.toString());
        }
    }

    /// An H200 multiplies 128 x 256 x 64 in 1,024 cycles, in which four warps can be issued 4,096 instructions.
    @Test
    void matmul_fourWarps_issuesFewInstructionsBesideProducts() {
        int rows = 128;
        int outputs = 256;
        long[] issued = new long[2];
        for (int i = 0; i < 2; i++) {
            int inputs = 1024 << i;
            issued[i] = count(library -> MatmulKernels.matmul(library, MatmulKernels.Tile.GROUPED_WIDE, WeightType.BF16,
                    zeros(library, 4L * rows * outputs), zeros(library, 2L * rows * inputs), zeros(library, 2L * outputs * inputs),
                    Optional.empty(), rows(library, rows), outputs, inputs)).warpInstructions();
        }
        long stage = (issued[1] - issued[0]) / (1024 / 64);

        assertTrue(stage <= 2048, stage + " instructions a stage");
    }

    @Test
    void matmul_weightTiles_readsThemOnceBesideARowATile() {
        int outputs = 256;
        int inputs = 1024;
        for (WeightType type : WeightType.values()) {
            if (type.isTiled()) {
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

    /// One row: an H200 can issue 4.4 instructions for each weight of 4 bits that its memory delivers, 6.4 for 6 bits, 8.8 for 8. Q4_K,
    /// 2:8 and types of fewer bits take more than that.
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

            double read = counters.global().loadedBytes() / (double) (weightBytes + outputs / 128 * 2L * inputs);
            assertTrue(read <= 1.01, type + ": read " + read);
            assertTrue(counters.global().coalescing() > 0.97, type + ": coalescing " + counters.global().coalescing());
            assertEquals(0, counters.shared().bankConflicts(), type.toString());
            double instructions = counters.threadInstructions() / ((double) outputs * inputs);
            assertTrue(instructions <= max(type), type + ": " + instructions + " instructions a weight");
        }
    }

    /// 2048 outputs, which are eight clusters of the smaller tiles and two of the larger.
    @Test
    void matmul_tilesInClusters_readRowsOnceACluster() {
        int outputs = 2048;
        int inputs = 512;
        for (WeightType type : WeightType.values()) {
            if (!MatmulKernels.Tile.FEW_IN_CLUSTERS.kernel("matmul", type).endsWith("_cluster")) {
                continue;
            }
            long weightBytes = type.byteSize(outputs, inputs);
            for (MatmulKernels.Tile tile : List.of(MatmulKernels.Tile.FEW_IN_CLUSTERS, MatmulKernels.Tile.WIDE_IN_CLUSTERS)) {
                for (int rows : new int[] {1, 8, 16}) {
                    LaunchCounters counters = count(library -> MatmulKernels.matmul(library, tile, type,
                            zeros(library, 4L * rows * outputs), zeros(library, 2L * rows * inputs), zeros(library, weightBytes),
                            Optional.empty(), rows(library, rows), outputs, inputs));

                    boolean wide = tile == MatmulKernels.Tile.WIDE_IN_CLUSTERS;
                    String what = type + ", " + tile + ", " + rows + " rows: ";
                    double read = counters.global().loadedBytes() / (double) (weightBytes + 2L * rows * inputs);
                    assertClose(weightBytes + (wide ? 2 : 8) * 2L * rows * inputs, counters.global().loadedBytes());
                    assertTrue(read <= (wide || rows == 1 ? 1.03 : rows == 8 ? 1.11 : 1.21), what + "read " + read);
                    assertTrue(wide || type.isTiled() || read <= (rows <= 8 ? 1.03 : 1.055), what + "read " + read);
                    assertTrue(counters.global().coalescing() > 0.95, what + "coalescing " + counters.global().coalescing());
                    assertEquals(0, counters.shared().bankConflicts(), what);
                }
            }
        }
    }

    private static double max(WeightType type) {
        return switch (type) {
            case F32, F16, BF16 -> 4.4;
            case Q4_0, NF4, FP4, MXFP4, NVFP4, SPARSE_1_4 -> 4.4;
            case SPARSE_2_4_INT8 -> 4.9;
            case SPARSE_2_8 -> 5.2;
            case Q4_K -> 5.2;
            case Q6_K -> 6.4;
            case Q8_0, INT8, SPARSE_2_4 -> 8.8;
            case SPARSE_4_8 -> 9.3;
            case SPARSE_1_16 -> 3.2;
            case SPARSE_2_16 -> 4.5;
        };
    }

    /// Activations that are codes too: nothing is converted, so that two instructions a weight are enough.
    @Test
    void matmul_codesOfOneRow_readsLittleElseThanWeightsAndIssuesFewInstructions() {
        int outputs = 256;
        int inputs = 2048;
        long weightBytes = WeightType.INT8.byteSize(outputs, inputs);
        for (MatmulKernels.Tile tile : Int8Kernels.TILES) {
            LaunchCounters counters = count(library -> Int8Kernels.matmul(library, tile, zeros(library, 4L * outputs),
                    new QuantizedRows(zeros(library, QuantizedRows.byteSize(1, inputs, false)), 1, inputs, false),
                    zeros(library, weightBytes), Optional.empty(), rows(library, 1), outputs));

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
            long keysOfOne = one.byClass().get(InstructionClass.ASYNC_COPY) - mergeCopies(headDim, 1, 1001);
            long keysOfTree = tree.byClass().get(InstructionClass.ASYNC_COPY) - mergeCopies(headDim, 64, 1064);

            // heads of 256 leave room for half as many lines a block
            assertTrue(keysOfTree <= (headDim > 128 ? 2.1 : 1.1) * keysOfOne, "heads of " + headDim + ": " + keysOfTree + " copies, one row " + keysOfOne);
            assertEquals(0, one.shared().bankConflicts(), "heads of " + headDim);
            // the keys of a path lie anywhere in the pool
            assertTrue(tree.shared().bankConflicts() <= 0.1 * tree.shared().requests(), "heads of " + headDim + ": " + tree.shared());
            assertTrue(one.global().coalescing() > 0.9, "coalescing " + one.global().coalescing());
        }
    }

    /// Copies of 16 bytes of what eight heads of some rows have of each run: of up to 16 query rows a chunk, of more a span of two.
    private static long mergeCopies(int headDim, int rows, int keys) {
        int chunks = AttentionKernels.chunks(keys);
        return 8L * rows * (rows * 4 <= 16 ? chunks : Math.ceilDiv(chunks, 2)) * headDim / 4;
    }

    @Test
    void attention_anyCapacity_takesBoundedScratchAndAsManyBlocks() {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        try (CudaContext context = CudaContext.open(driver, 0); KernelLibrary library = new KernelLibrary(context)) {
            DeviceSlice pages = zeros(library, 2048 * Long.BYTES);
            for (int rows : new int[] {1, 16, 64, 256}) {
                for (int treeRows : new int[] {0, 256}) {
                    List<AttentionKernels.Split> splits = IntStream.of(1_000, 131_072).mapToObj(slots -> AttentionKernels.split(library,
                            new KvLayer(pages, slots, 8, 128, KvType.F16, 0), 32, rows, 1, rows, treeRows)).toList();

                    assertTrue(splits.getLast().partialBytes() <= 32 << 20, rows + " rows: " + splits.getLast());
                    assertEquals(splits.getFirst().blocks(), splits.getLast().blocks(), rows + " rows");
                }
            }
        }
    }

    @Test
    void attention_bytes_readsAboutHalfOfWhatHalvesAre() {
        for (int headDim : new int[] {64, 128, 256}) {
            LaunchCounters halves = attention(KvType.F16, headDim, 1, false);
            double stored = 2.0 * 2 * 1001 * headDim * 2; // keys and values of two heads
            assertTrue(halves.global().loadedBytes() <= 1.13 * stored, "heads of " + headDim + ": " + halves.global());
            for (KvType type : List.of(KvType.BF16, KvType.Q8_0)) {
                LaunchCounters one = attention(type, headDim, 1, false);
                double spared = (halves.global().loadedBytes() - one.global().loadedBytes()) / stored;

                // A byte and a sixteenth of one of scales; queries and what is merged are the same.
                assertEquals(type == KvType.Q8_0 ? 1 - 0.53125 : 0, spared, 0.005, type + ", heads of " + headDim);
                assertEquals(0, one.shared().bankConflicts(), type + ", heads of " + headDim);
                assertTrue(one.global().coalescing() > 0.88, type + ", heads of " + headDim + ": coalescing "
                        + one.global().coalescing());
            }
        }
    }

    @Test
    void attention_rowsOfVerification_readTheCacheOnceAndLittleElse() {
        for (int rows : new int[] {1, 8, 16}) {
            LaunchCounters counters = attention(KvType.F16, 128, rows, false);
            double stored = 2.0 * 2 * (1000 + rows) * 128 * 2 + 4.0 * rows * 8 * 128;
            double read = counters.global().loadedBytes() / stored;

            assertTrue(read <= (rows == 1 ? 1.10 : rows == 8 ? 1.30 : 1.46), rows + " rows: " + read);
            assertEquals(0, counters.shared().bankConflicts(), rows + " rows");
        }
    }

    /// Round trips to memory one after the other, of a row of one head on an H200's number of multiprocessors.
    private static int attentionRoundTrips(int keys) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults().withMultiprocessors(132).withCountsWaits(true));
        try (CudaContext context = CudaContext.open(driver, 0);
                CudaStream stream = context.createStream();
                KernelLibrary library = new KernelLibrary(context)) {
            attention(library, KvType.F16, 16, 1, 1, keys - 1, 1, false).on(stream);
            stream.synchronize();
            return driver.takeReports().getLast().waits().orElseThrow().loadRoundTrips();
        }
    }

    @Test
    void attention_longContext_mergesTheRunsOf32ChunksInARoundTrip() {
        int oneTrip = attentionRoundTrips(4096);
        assertEquals(32, AttentionKernels.chunks(4096));

        assertEquals(oneTrip, attentionRoundTrips(1000));
        assertEquals(oneTrip + 1, attentionRoundTrips(4200));
        // 128 chunks of up to 512 keys: four trips to merge them, the others to find the work and to read the keys of one
        assertEquals(4 * 32, AttentionKernels.chunks(32_768));
        int all = attentionRoundTrips(32_768);
        assertTrue(all <= 14, all + " round trips");
    }

    /// Four query heads to each of two key-value heads, after 1,000 tokens.
    private static LaunchCounters attention(KvType type, int headDim, int rows, boolean tree) {
        return count(library -> attention(library, type, headDim, 2, 4, 1000, rows, tree));
    }

    private static KernelLaunch attention(KernelLibrary library, KvType type, int headDim, int kvHeads, int group, int committed, int rows,
            boolean tree) {
        int slots = committed + 64;
        int heads = group * kvHeads;
        int pageBytes = KvLayer.pageBytes(type, 1, kvHeads, headDim);
        int[] pages = IntStream.range(0, KvLayer.pageCount(slots)).toArray();
        KvLayer layer = new KvLayer(library.context().allocateFrom(MemorySegment.ofArray(KvLayer.addresses(
                zeros(library, (long) pages.length * pageBytes).buffer(), pageBytes, pages))).slice(), slots, kvHeads, headDim, type, 0);
        AttentionKernels.Split split = AttentionKernels.split(library, layer, heads, rows, 1, rows, tree ? 64 : 0);
        // every row continues the first
        int[] paths = new int[rows * 64];
        int[] lengths = new int[rows];
        for (int row = 0; row < rows; row++) {
            paths[row * 64 + 1] = row;
            lengths[row] = row == 0 ? 1 : 2;
        }
        return AttentionKernels.attend(library, layer, new AttentionKernels.Shape(heads, 0.1f, 0), ElementType.F32,
                zeros(library, 4L * rows * heads * headDim), zeros(library, 4L * rows * heads * headDim),
                ints(library, new int[rows]), rows(library, rows),
                Segments.alone(host -> library.context().allocateFrom(host).slice(), layer.pages(), committed, rows,
                        tree ? Segments.Mask.TREE : Segments.Mask.CAUSAL), tree
                        ? Optional.of(new TreePaths(ints(library, paths), ints(library, lengths), 64)) : Optional.empty(),
                zeros(library, split.partialBytes()), zeros(library, split.arrivalBytes()));
    }

    private static DeviceSlice ints(KernelLibrary library, int... values) {
        return library.context().allocateFrom(MemorySegment.ofArray(values)).slice();
    }

    /// Each warp also reads the number of rows.
    private static void assertClose(long expected, long found) {
        assertTrue(expected <= found && found <= 1.02 * expected, "found " + found + ", expected " + expected + " or 2 % more");
    }
}
