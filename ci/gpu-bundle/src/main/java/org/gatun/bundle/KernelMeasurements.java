package org.gatun.bundle;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaEvent;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.AttentionKernels;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.Int8Kernels;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.KvLayer;
import org.gatun.cuda.kernels.KvType;
import org.gatun.cuda.kernels.MatmulKernels;
import org.gatun.cuda.kernels.NormKernels;
import org.gatun.cuda.kernels.ProbeKernels;
import org.gatun.cuda.kernels.QuantizedRows;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.Segments;
import org.gatun.cuda.kernels.TileComparison;
import org.gatun.cuda.kernels.TreeKernels;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingRequest;
import tools.jackson.databind.node.ObjectNode;

/// Kernels at the shapes of Llama 3, against what the device can at best: bytes that must be moved over measured bandwidth.
final class KernelMeasurements {
    /// A product of a layer: outputs x inputs.
    private record Product(String name, int outputs, int inputs, boolean swiglu) {}

    private static final List<Product> PRODUCTS = List.of(
            new Product("8B qkv", 6144, 4096, false), new Product("8B o", 4096, 4096, false),
            new Product("8B gate+up", 14_336, 4096, true), new Product("8B down", 4096, 14_336, false),
            new Product("8B head", 128_256, 4096, false),
            new Product("70B qkv", 10_240, 8192, false), new Product("70B o", 8192, 8192, false),
            new Product("70B gate+up", 28_672, 8192, true), new Product("70B down", 8192, 28_672, false));
    private static final int[] FEW_ROWS = {1, 2, 4, 8, 16, 32, 64, 128, 256};
    private static final int[] PROMPT_ROWS = {512, 2048, 8192};
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int HEAD_DIM = 128;
    private static final int VOCABULARY = 128_256;

    private final KernelLibrary library;
    private final CudaContext context;
    private final RunRecord record;
    private final boolean real;
    private final int replays;
    private final SplittableRandom random = new SplittableRandom(1);
    private final List<DeviceBuffer> buffers = new ArrayList<>(); // of the case being measured
    private DeviceBuffer pattern;
    private double bytesPerMicro;

    /// @param real whether this is a GPU, and not the simulator with small shapes
    KernelMeasurements(KernelLibrary library, RunRecord record, boolean real) {
        this.library = library;
        context = library.context();
        this.record = record;
        this.real = real;
        replays = real ? 20 : 1; // the simulator's times say nothing
        // of these any two places of a sparse weight rise, and halves are of moderate size, never NaN
        pattern = context.allocateFrom(MemorySegment.ofArray(
                random.ints(1 << (real ? 22 : 12)).map(KernelMeasurements::nibblesOfFour).toArray()));
    }

    /// Eight times 4, 8, 9 or 12, as two bits of each place say.
    private static int nibblesOfFour(int bits) {
        int chosen = bits & 0x33333333;
        return (chosen & 0x11111111) << 2 | (chosen & 0x22222222) << 2 | (~(chosen | chosen >> 1) & 0x11111111) * 9;
    }

    /// What the device can: copying, and reading alone.
    void ceilings() {
        long bytes = real ? Math.min(2L << 30, context.memoryInfo().freeBytes() / 8) / 16 * 16 : 1 << 16;
        try (CudaStream stream = context.createStream(); CudaEvent start = context.createTimingEvent();
                CudaEvent end = context.createTimingEvent(); DeviceBuffer from = context.allocate(bytes);
                DeviceBuffer to = context.allocate(bytes)) {
            double best = Double.POSITIVE_INFINITY;
            for (int i = 0; i < 10; i++) {
                stream.record(start);
                stream.copy(to, 0, from, 0, bytes);
                stream.record(end);
                end.synchronize();
                best = Math.min(best, 1e3 * end.millisSince(start));
            }
            stream.fill(from, (byte) 1);
            stream.fill(to, (byte) 0);
            stream.synchronize();
            Timing read = Timing.of(context, replays, List.of(ProbeKernels.read(library, to.slice(), from.slice())));
            double copied = 2.0 * bytes / best;
            double readAlone = bytes / read.median();
            bytesPerMicro = Math.max(copied, readAlone);
            record.part("ceilings").put("copy_bytes_per_second", 1e6 * copied).put("read_bytes_per_second", 1e6 * readAlone);
            record.save();
            System.out.printf("bench: copy %.0f GB/s (read and written), read alone %.0f GB/s%n", copied / 1e3, readAlone / 1e3);
        }
    }

    /// Whether the tensor cores give the same bits for four warps as for one, on which it depends whether prompts take the tiles of four.
    void tiles() {
        TileComparison tiles = new TileComparison(library, (_, _) -> { });
        for (WeightType type : List.of(WeightType.BF16, WeightType.F16)) {
            if (MatmulKernels.hasGroups(library, type)) {
                record.part("four_warps_as_one").put(type.toString(), tiles.isAlike(type));
                System.out.printf("bench: products of four warps in %s %s those of one%n", type,
                        tiles.isAlike(type) ? "have the bits of" : "DIFFER from");
            }
        }
        record.save();
    }

    /// Measures one after the other until time is over.
    void all(Deadline deadline) {
        for (WeightType type : List.of(WeightType.BF16, WeightType.Q8_0, WeightType.Q4_0, WeightType.Q4_K, WeightType.Q6_K,
                WeightType.NF4, WeightType.MXFP4, WeightType.NVFP4, WeightType.INT8, WeightType.SPARSE_2_4)) {
            for (Product product : real ? PRODUCTS : List.of(new Product("tiny", 64, 64, false))) {
                boolean prompts = real && product.name.startsWith("8B") && product.outputs != VOCABULARY;
                IntStream.concat(Arrays.stream(real ? FEW_ROWS : new int[] {2}), Arrays.stream(prompts ? PROMPT_ROWS : new int[0]))
                        .forEach(rows -> tiles(type, product, rows).stream().filter(_ -> !deadline.isOver())
                                .forEach(tile -> product(type, product, rows, tile)));
            }
        }
        for (int committed : real ? new int[] {1000, 8000, 32_000} : new int[] {100}) {
            for (int rows : real ? new int[] {1, 4, 16, 64} : new int[] {2}) {
                for (KvType type : KvType.values()) {
                    if (!deadline.isOver()) {
                        attention(type, committed, rows, false);
                    }
                }
            }
            for (int rows : real ? new int[] {8, 64, 128} : new int[] {8}) {
                if (!deadline.isOver()) {
                    attention(KvType.F16, committed, rows, true);
                }
            }
        }
        for (int rows : real ? new int[] {512, 2048} : new int[0]) {
            if (!deadline.isOver()) {
                attention(KvType.F16, 0, rows, false);
            }
        }
        for (int rows : real ? new int[] {1, 16, 64} : new int[] {1}) {
            if (!deadline.isOver()) {
                norm(rows);
                sample(rows, 1);
                sample(rows, 0.9);
            }
        }
        pattern.close();
    }

    /// The tile that is taken, and those that it is to be compared with: without clusters, and above 64 rows by four warps together.
    private List<MatmulKernels.Tile> tiles(WeightType type, Product product, int rows) {
        int weightRows = (product.swiglu ? 2 : 1) * product.outputs;
        MatmulKernels.Tile tile = MatmulKernels.Tile.of(rows, weightRows, context.device());
        List<MatmulKernels.Tile> tiles = new ArrayList<>(List.of(tile));
        if (tile != tile.alone()) {
            tiles.add(tile.alone());
        }
        if ((rows > 64 || !real) && MatmulKernels.hasGroups(library, type)) {
            tiles.add(MatmulKernels.Tile.ofGroups(rows, weightRows, context.device().multiprocessors()));
        }
        return tiles;
    }

    private void product(WeightType type, Product product, int rows, MatmulKernels.Tile tile) {
        int matrices = product.swiglu ? 2 : 1;
        long weightBytes = type.byteSize((long) matrices * product.outputs, product.inputs);
        long bytes = weightBytes + 2L * rows * product.inputs + (product.swiglu ? 2L : 4L) * rows * product.outputs;
        double operations = 2.0 * matrices * rows * product.outputs * product.inputs;
        measure("matmul_" + (product.swiglu ? "swiglu_" : "") + type + ", " + tile, product.name, rows, bytes, operations, weightBytes, () -> {
            DeviceSlice weights = filled(weightBytes);
            DeviceSlice in = filled(2L * rows * product.inputs);
            DeviceSlice out = filled(4L * rows * product.outputs);
            return product.swiglu
                    ? MatmulKernels.swiglu(library, tile, type, out, in, weights, rows(rows), product.outputs, product.inputs)
                    : MatmulKernels.matmul(library, tile, type, out, in, weights, Optional.empty(), rows(rows),
                            product.outputs, product.inputs);
        });
        if (type == WeightType.INT8 && Int8Kernels.TILES.contains(tile)) {
            int8Matmul(product, rows, tile, weightBytes, operations);
        }
    }

    /// The same with activations in 8 bits too.
    private void int8Matmul(Product product, int rows, MatmulKernels.Tile tile, long weightBytes, double operations) {
        String family = product.swiglu ? "matmul_swiglu" : "matmul";
        long bytes = weightBytes + (long) rows * product.inputs + 4L * rows * product.outputs;
        measure(family + "_s8, " + tile, product.name, rows, bytes, operations, weightBytes, () -> {
            DeviceSlice weights = filled(weightBytes);
            QuantizedRows in = new QuantizedRows(filled(QuantizedRows.byteSize(rows, product.inputs, false)), rows, product.inputs, false);
            DeviceSlice out = filled(4L * rows * product.outputs);
            return product.swiglu ? Int8Kernels.swiglu(library, tile, out, in, weights, rows(rows), product.outputs)
                    : Int8Kernels.matmul(library, tile, out, in, weights, Optional.empty(), rows(rows), product.outputs);
        });
    }

    private void attention(KvType type, int committed, int rows, boolean tree) {
        int slots = committed + rows;
        int pageBytes = KvLayer.pageBytes(type, 1, KV_HEADS, HEAD_DIM);
        int pages = KvLayer.pageCount(slots);
        long bytes = (long) slots * pageBytes / KvLayer.PAGE_SLOTS + (4L + 2) * rows * HEADS * HEAD_DIM;
        double seen = (double) rows * committed + (tree ? rows * Math.sqrt(rows) : 0.5 * rows * rows);
        measure("attention_" + type + "_128", (tree ? "tree" : "chain") + " after " + committed, rows, bytes, 4.0 * seen * HEADS * HEAD_DIM,
                (long) pages * pageBytes, () -> {
                    DeviceSlice addresses = context.allocateFrom(MemorySegment.ofArray(KvLayer.addresses(
                            filled((long) pages * pageBytes).buffer(), pageBytes, IntStream.range(0, pages).toArray()))).slice();
                    buffers.add(addresses.buffer());
                    KvLayer layer = new KvLayer(addresses, slots, KV_HEADS, HEAD_DIM, type, 0);
                    int stride = Math.ceilDiv(rows, 64) * 64;
                    AttentionKernels.Split split = AttentionKernels.split(library, layer, HEADS, rows, 1, rows, tree ? stride : 0);
                    DeviceSlice arrivals = context.allocate(split.arrivalBytes()).slice();
                    buffers.add(arrivals.buffer());
                    try (CudaStream stream = context.createStream()) {
                        stream.fill(arrivals.buffer(), (byte) 0);
                        stream.synchronize();
                    }
                    return AttentionKernels.attend(library, layer, new AttentionKernels.Shape(HEADS, 0.09f, 0), ElementType.BF16,
                            filled(2L * rows * HEADS * HEAD_DIM), filled(4L * rows * HEADS * HEAD_DIM),
                            ints(IntStream.range(committed, slots).toArray()), rows(rows),
                            Segments.alone(this::copied, addresses, committed, rows, tree ? Segments.Mask.TREE : Segments.Mask.CAUSAL),
                            tree ? Optional.of(paths(rows, stride)) : Optional.empty(), filled(split.partialBytes()), arrivals);
                });
    }

    private DeviceSlice copied(MemorySegment host) {
        DeviceBuffer buffer = context.allocateFrom(host);
        buffers.add(buffer);
        return buffer.slice();
    }

    /// Of a tree whose nodes continue the one at half their number.
    private TreePaths paths(int rows, int stride) {
        int words = stride / Long.SIZE;
        long[] ancestors = new long[rows * words];
        for (int row = 0; row < rows; row++) {
            for (int node = row; ; node = (node - 1) / 2) {
                ancestors[row * words + node / Long.SIZE] |= 1L << node;
                if (node == 0) {
                    break;
                }
            }
        }
        DeviceBuffer bits = context.allocateFrom(MemorySegment.ofArray(ancestors));
        buffers.add(bits);
        TreePaths paths = new TreePaths(filled(4L * rows * stride), filled(4L * rows), stride);
        try (CudaStream stream = context.createStream()) {
            TreeKernels.paths(library, paths, bits.slice(), rows(rows)).on(stream);
            stream.synchronize();
        }
        return paths;
    }

    private void norm(int rows) {
        int width = real ? 4096 : 64;
        measure("norm_rms_add_bf16", "width " + width, rows, (4L + 4 + 4 + 2) * rows * width + 4L * width, 4.0 * rows * width,
                14L * rows * width, () -> {
                    DeviceSlice sum = filled(4L * rows * width);
                    return NormKernels.rmsAdd(library, ElementType.BF16, filled(2L * rows * width), sum, filled(4L * rows * width), sum,
                            filled(4L * width), rows(rows), NormKernels.Groups.dense(1, width), 1e-5f);
                });
    }

    private void sample(int rows, double topP) {
        int vocabulary = real ? VOCABULARY : 1000;
        measure("verification_sample_f32", "top-p " + topP, rows, 4L * rows * vocabulary, 20.0 * rows * vocabulary, 4L * rows * vocabulary,
                () -> {
                    SamplingRequest request = new SamplingRequest(Arena.ofAuto());
                    request.set(Sampling.GREEDY.withTemperature(1).withTopP(topP).withSeed(1), new int[0], 0, 0);
                    DeviceBuffer uploaded = context.allocateFrom(request.memory());
                    buffers.add(uploaded);
                    float[] logits = new float[rows * vocabulary];
                    for (int i = 0; i < logits.length; i++) {
                        logits[i] = (float) (3 * random.nextGaussian());
                    }
                    DeviceBuffer onDevice = context.allocateFrom(MemorySegment.ofArray(logits));
                    buffers.add(onDevice);
                    return VerificationKernels.sample(library, VerificationKernels.Team.of(library, vocabulary), filled(4L * rows), filled(4L * rows),
                            filled((long) VerificationKernels.TRUNCATION_BYTES * rows), new VerificationKernels.Logits(onDevice.slice(), false), uploaded.slice(),
                            filled(4L * rows), ints(new int[rows]), Optional.empty(), rows(rows), vocabulary);
                });
    }

    /// Measures and records a case.
    ///
    /// @param bytes that must be moved
    /// @param setBytes that one launch's operands take: as many sets are made as exceed the L2 cache
    private void measure(String kernel, String shape, int rows, long bytes, double operations, long setBytes,
            Supplier<KernelLaunch> launch) {
        int l2 = context.device().l2Bytes();
        int sets = !real ? 1 : Math.clamp(4L * l2 / setBytes + 1, 1, 16);
        try {
            Timing timing = Timing.of(context, replays, IntStream.range(0, sets).mapToObj(_ -> launch.get()).toList());
            double floor = bytes / bytesPerMicro;
            ObjectNode line = record.line("kernels").put("kernel", kernel).put("shape", shape).put("rows", rows)
                    .put("median_us", timing.median()).put("min_us", timing.min()).put("max_us", timing.max())
                    .put("bytes", bytes).put("operations", operations).put("floor_us", floor).put("fraction", floor / timing.median())
                    .put("tflops", operations / timing.median() / 1e6);
            record.save();
            System.out.printf("bench: %-26s %-18s %5d rows %10.1f us, %5.1f %% of bandwidth, %6.1f TFLOP/s%n", kernel, shape, rows,
                    timing.median(), 100 * line.get("fraction").asDouble(), line.get("tflops").asDouble());
        } finally {
            buffers.forEach(DeviceBuffer::close);
            buffers.clear();
        }
    }

    /// Memory full of numbers of moderate size.
    private DeviceSlice filled(long bytes) {
        DeviceBuffer buffer = context.allocate(bytes);
        buffers.add(buffer);
        try (CudaStream stream = context.createStream()) {
            for (long offset = 0; offset < bytes; offset += pattern.byteSize()) {
                stream.copy(buffer, offset, pattern, 0, Math.min(pattern.byteSize(), bytes - offset));
            }
            stream.synchronize();
        }
        return buffer.slice();
    }

    private DeviceSlice ints(int... values) {
        DeviceBuffer buffer = context.allocateFrom(MemorySegment.ofArray(values));
        buffers.add(buffer);
        return buffer.slice();
    }

    private Rows rows(int count) {
        return new Rows(ints(count), count);
    }
}
