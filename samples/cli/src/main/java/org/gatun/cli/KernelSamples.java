package org.gatun.cli;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.ActivationKernels;
import org.gatun.cuda.kernels.AttentionKernels;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.EmbeddingKernels;
import org.gatun.cuda.kernels.Int8Kernels;
import org.gatun.cuda.kernels.KernelLaunch;
import org.gatun.cuda.kernels.KernelLibrary;
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
import org.gatun.cuda.kernels.TreeKernels;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.VerificationKernels.VerificationSlots;
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.quantize.Codec;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingRequest;
import org.gatun.tensor.DType;

/// Launches of each kernel on random operands, as a layer of a model would make them.
final class KernelSamples implements AutoCloseable {
    private static final long SEED = 1;
    private static final int HEAD = 64;
    private static final int GROUP = 4; // query heads of a key-value head
    private static final int DISTINCT = 1 << 20; // random numbers of a buffer, which then come again
    private static final int FIRST_TWO = 0x44444444; // the first two of every four, and two f16

    private final KernelLibrary library;
    private final int rows;
    private final int width;
    private final int outputs;
    private final int context;
    private final List<DeviceBuffer> buffers = new ArrayList<>();
    private final SplittableRandom random = new SplittableRandom(SEED);

    /// @param rows of activations
    /// @param width elements of a row; an eighth of the vocabulary
    /// @param outputs of products
    /// @param context slots that are filled before the rows
    /// @throws IllegalArgumentException if a number is not positive, or the width no multiple of a head's 64 elements
    KernelSamples(KernelLibrary library, int rows, int width, int outputs, int context) {
        if (rows < 1 || width < 1 || width % HEAD != 0 || outputs < 1 || context < 0) {
            throw new IllegalArgumentException("--rows %d --width %d --outputs %d --context %d: expected positive numbers, and a width that is a multiple of %d"
                    .formatted(rows, width, outputs, context, HEAD));
        }
        this.library = library;
        this.rows = rows;
        this.width = width;
        this.outputs = outputs;
        this.context = context;
    }

    private DeviceBuffer allocate(long bytes) {
        return own(library.context().allocate(bytes));
    }

    private DeviceBuffer allocateFrom(MemorySegment data) {
        return own(library.context().allocateFrom(data));
    }

    private DeviceBuffer own(DeviceBuffer buffer) {
        buffers.add(buffer);
        return buffer;
    }

    @Override
    public void close() {
        buffers.forEach(DeviceBuffer::close);
    }

    /// A launch of a kernel; its buffers are closed with this.
    ///
    /// @throws IllegalArgumentException if there is no such kernel
    KernelLaunch launch(String kernel) {
        String[] words = library.kernel(kernel).name().split("_");
        ElementType type = type(words[words.length - 1]);
        return switch (words[0]) {
            case "norm" -> words[words.length - 1].equals("s8") ? normQuantized(words[2].equals("add")) : words[2].equals("add")
                    ? NormKernels.rmsAdd(library, type, activations(type), activations(), activations(), activations(),
                            floats(ElementType.F32, width), rowCount(), NormKernels.Groups.dense(1, width), 1e-5f)
                    : NormKernels.rms(library, type, activations(type), activations(), floats(ElementType.F32, width), rowCount(),
                            NormKernels.Groups.dense(1, width), 1e-5f);
            case "rope" -> RopeKernels.rotate(library, rotation(words[1]), activations(), activations(), ints(rows, 4096), rowCount(),
                    width / HEAD, HEAD);
            case "kv" -> cache(words);
            case "attention" -> {
                boolean few = words[1].equals("few");
                yield attention(kvType(words, few ? 2 : 1, words.length - 1), Integer.parseInt(words[words.length - 1]), few);
            }
            case "tree" -> TreeKernels.paths(library, new TreePaths(ints(rows * words(), 1), ints(rows, 1), words()),
                    ints(2 * rows * words() / HEAD, 1 << 30), rowCount());
            case "activation" -> switch (words[1]) {
                case "swiglu" -> ActivationKernels.swiglu(library, type, activations(type), activations(), activations(), rowCount(),
                        width);
                case "add" -> ActivationKernels.add(library, activations(), activations(), activations(), rowCount(), width);
                default -> ActivationKernels.round(library, type, activations(type), activations(), rowCount(), width);
            };
            case "embedding" -> EmbeddingKernels.gather(library, type, activations(), ints(1, 1), activations(type), Optional.empty(),
                    ints(rows, rows), rowCount(), rows, width);
            case "quantize" -> Int8Kernels.quantize(library, quantized(), activations(), rowCount(), Float.POSITIVE_INFINITY);
            case "matmul" -> matmul(words);
            case "probe" -> ProbeKernels.read(library, ints(4, 1), activations());
            case "sampling" -> words[1].equals("row") ? rowStatistics() : SamplingKernels.topK(library, ints(rows * SamplingKernels.MAX_K, 1),
                    floats(type, (long) rows * SamplingKernels.MAX_K), ints(rows, 1),
                    allocate(SamplingKernels.listBytes(rows, vocabulary())).slice(), logits(), rowCount(),
                    vocabulary(), SamplingKernels.MAX_K);
            case "verification" -> switch (words[1]) {
                case "sample" -> sample(team(words));
                case "rejection" -> rejectionSampling(team(words));
                case "walk" -> VerificationKernels.walk(library, result(), ints(rows, 1), floats(ElementType.F32, rows),
                        ints(rows, 1), Optional.empty(), value(context), rowCount());
                case "adjust" -> VerificationKernels.adjust(library, logits(), logits(), request(), ints(1, 1), ints(rows, 1),
                        ints(rows, 4096), Optional.empty(), rowCount(), vocabulary());
                default -> VerificationKernels.advance(library, result(), value(1), floats(ElementType.F32, 1), request(), Optional.empty(),
                        value(1), value(context), value(context));
            };
            default -> throw new IllegalArgumentException("there is no sample for kernel " + kernel);
        };
    }

    private static ElementType type(String word) {
        return switch (word) {
            case "f16" -> ElementType.F16;
            case "bf16" -> ElementType.BF16;
            default -> ElementType.F32;
        };
    }

    private KernelLaunch matmul(String[] words) {
        boolean swiglu = words[1].equals("swiglu");
        boolean clusters = words[words.length - 1].equals("cluster");
        int tileWord = words.length - (clusters ? 2 : 1);
        MatmulKernels.Tile tile = tile(words[tileWord], clusters);
        String typeName = String.join("_", Arrays.copyOfRange(words, swiglu ? 2 : 1, tileWord));
        if (typeName.equals("s8")) {
            DeviceSlice weight = ints((int) (WeightType.INT8.byteSize(swiglu ? 2L * outputs : outputs, width) / Integer.BYTES),
                    Integer.MAX_VALUE);
            return swiglu ? Int8Kernels.swiglu(library, tile, products(ElementType.F32), quantized(), weight, rowCount(), outputs)
                    : Int8Kernels.matmul(library, tile, products(ElementType.F32), quantized(), weight, Optional.empty(), rowCount(), outputs);
        }
        WeightType type = WeightType.valueOf(typeName.toUpperCase(Locale.ROOT));
        long bytes = type.byteSize(swiglu ? 2L * outputs : outputs, width);
        DeviceSlice weight = type.isSparse() ? equal((int) (bytes / Integer.BYTES), FIRST_TWO)
                : type.isTiled() ? ints((int) (bytes / Integer.BYTES), Integer.MAX_VALUE)
                : floats(type.activations(), bytes / type.activations().byteSize());
        return swiglu
                ? MatmulKernels.swiglu(library, tile, type, products(type.activations()), activations(type.activations()), weight,
                        rowCount(), outputs, width)
                : MatmulKernels.matmul(library, tile, type, products(ElementType.F32), activations(type.activations()), weight,
                        Optional.empty(), rowCount(), outputs, width);
    }

    private DeviceSlice products(ElementType type) {
        return floats(type, (long) rows * outputs);
    }

    private static MatmulKernels.Tile tile(String name, boolean clusters) {
        return switch (name) {
            case "16x32" -> clusters ? MatmulKernels.Tile.FEW_IN_CLUSTERS : MatmulKernels.Tile.FEW;
            case "16x128" -> clusters ? MatmulKernels.Tile.WIDE_IN_CLUSTERS : MatmulKernels.Tile.WIDE;
            case "64x64" -> MatmulKernels.Tile.SOME;
            case "128x128w" -> MatmulKernels.Tile.GROUPED;
            case "128x256w" -> MatmulKernels.Tile.GROUPED_WIDE;
            default -> MatmulKernels.Tile.MANY;
        };
    }

    private KernelLaunch normQuantized(boolean add) {
        DeviceSlice gain = floats(ElementType.F32, width);
        return add ? Int8Kernels.normAdd(library, quantized(), activations(), activations(), activations(), gain, rowCount(), 1e-5f,
                        Float.POSITIVE_INFINITY)
                : Int8Kernels.norm(library, quantized(), activations(), gain, rowCount(), 1e-5f, Float.POSITIVE_INFINITY);
    }

    /// Random codes; no outliers.
    private QuantizedRows quantized() {
        return new QuantizedRows(ints((int) (QuantizedRows.byteSize(rows, width, false) / Integer.BYTES), Integer.MAX_VALUE), rows, width,
                false);
    }

    private static KvType kvType(String[] words, int from, int to) {
        return KvType.valueOf(String.join("_", Arrays.copyOfRange(words, from, to)).toUpperCase(Locale.ROOT));
    }

    private KernelLaunch cache(String[] words) {
        int kvHeads = Math.max(1, width / HEAD / GROUP);
        long elements = (long) rows * kvHeads * HEAD;
        return switch (words[1]) {
            case "append" -> {
                KvLayer layer = layer(kvType(words, 2, words.length), kvHeads, HEAD);
                yield KvKernels.append(library, layer, floats(ElementType.F32, elements), floats(ElementType.F32, elements), rowCount(),
                        segment(layer));
            }
            case "move" -> KvKernels.move(library, layer(KvType.F16, kvHeads, HEAD), value(context + rows - 1), value(context), value(1),
                    1);
            default -> {
                KvLayer layer = layer(kvType(words, 4, words.length), kvHeads, HEAD);
                yield KvKernels.ropeAppend(library, layer, rotation(words[3]), activations(),
                        floats(ElementType.F32, (long) rows * width + 2 * elements), ints(rows, 4096), rowCount(), segment(layer),
                        width / HEAD);
            }
        };
    }

    private Segments segment(KvLayer layer) {
        return Segments.alone(host -> allocateFrom(host).slice(), layer.pages(), context, rows, Segments.Mask.CAUSAL);
    }

    /// A chain of rows after the context.
    private KernelLaunch attention(KvType type, int headDim, boolean few) {
        int kvHeads = Math.max(1, width / headDim / GROUP);
        int heads = kvHeads * GROUP;
        KvLayer layer = layer(type, kvHeads, headDim);
        AttentionKernels.Split split = AttentionKernels.split(library, layer, heads, rows, 1, rows, 0, few);
        return AttentionKernels.attend(library, layer, new AttentionKernels.Shape(heads, 0.1f, 0), split, ElementType.F32,
                floats(ElementType.F32, (long) rows * heads * headDim), floats(ElementType.F32, (long) rows * heads * headDim),
                ints(rows, 1), rowCount(), segment(layer), Optional.empty(), allocate(split.partialBytes()).slice(),
                ints((int) split.arrivalBytes() / Integer.BYTES, 1));
    }

    /// Full of random bytes that are numbers.
    private KvLayer layer(KvType type, int kvHeads, int headDim) {
        int slots = context + rows;
        int pageBytes = KvLayer.pageBytes(type, 1, kvHeads, headDim);
        int[] pages = IntStream.range(0, KvLayer.pageCount(slots)).toArray();
        DeviceBuffer memory = floats(type == KvType.BF16 ? ElementType.BF16 : ElementType.F16,
                (long) pageBytes / Short.BYTES * pages.length).buffer();
        return new KvLayer(allocateFrom(MemorySegment.ofArray(KvLayer.addresses(memory, pageBytes, pages))).slice(),
                slots, kvHeads, headDim, type, 0);
    }

    private Rotation rotation(String pairing) {
        return new Rotation(Rotation.Pairing.valueOf(pairing.toUpperCase(Locale.ROOT)), floats(ElementType.F32, HEAD / 2), HEAD / 2, 1);
    }

    private Rows rowCount() {
        return new Rows(value(rows), rows);
    }

    /// Bits of a row's mask words.
    private int words() {
        return Math.ceilDiv(rows, HEAD) * HEAD;
    }

    private int vocabulary() {
        return Math.multiplyExact(8, width);
    }

    private DeviceSlice logits() {
        return floats(ElementType.F32, (long) rows * vocabulary());
    }

    private DeviceSlice activations() {
        return activations(ElementType.F32);
    }

    private DeviceSlice activations(ElementType type) {
        return floats(type, (long) rows * width);
    }

    private VerificationSlots result() {
        return new VerificationSlots(ints((int) VerificationSlots.byteSize(rows) / Integer.BYTES, 1), rows);
    }

    private KernelLaunch rowStatistics() {
        return SamplingKernels.rowStatistics(library, ints(rows * SamplingKernels.MAX_K, 1),
                floats(ElementType.F32, (long) rows * SamplingKernels.MAX_K), floats(ElementType.F32, 2L * rows), floats(ElementType.F32, rows),
                ints(rows, 1), allocate(SamplingKernels.listBytes(rows, vocabulary())).slice(),
                allocate(SamplingKernels.partBytes(rows, vocabulary())).slice(), logits(), ints(1, 1), rowCount(), vocabulary(),
                SamplingKernels.MAX_K, 1);
    }

    private static VerificationKernels.Team team(String[] words) {
        return words[words.length - 1].equals("cluster") ? VerificationKernels.Team.CLUSTER : VerificationKernels.Team.BLOCK;
    }

    private KernelLaunch sample(VerificationKernels.Team team) {
        return VerificationKernels.sample(library, team, ints(rows, 1), floats(ElementType.F32, rows), truncations(), sampledLogits(),
                request(), ints(rows, 1), ints(rows, 4096), Optional.empty(), rowCount(), vocabulary());
    }

    /// At temperature 1, from nine tenths of the probability.
    private DeviceSlice request() {
        try (Arena arena = Arena.ofConfined()) {
            SamplingRequest request = new SamplingRequest(arena);
            request.set(Sampling.GREEDY.withTemperature(1).withTopP(0.9), new int[0], 0, 0);
            return allocateFrom(request.memory()).slice();
        }
    }

    private VerificationKernels.Logits sampledLogits() {
        return new VerificationKernels.Logits(logits(), false);
    }

    /// Of rows whose logits are at most 1, with nothing cut off.
    private DeviceSlice truncations() {
        int words = VerificationKernels.TRUNCATION_BYTES / Integer.BYTES;
        int[] truncations = new int[rows * words];
        for (int row = 0; row < rows; row++) {
            truncations[row * words + 2] = Float.floatToIntBits(1);
        }
        return allocateFrom(MemorySegment.ofArray(truncations)).slice();
    }

    /// The second row was sampled from a distribution in which all tokens but its own are equal, and which is far from the target's: it is
    /// rejected.
    private KernelLaunch rejectionSampling(VerificationKernels.Team team) {
        int count = vocabulary();
        long head = VerificationKernels.DISTRIBUTIONS_HEAD;
        long distributions = head + VerificationKernels.SAMPLED_DRAFT.byteSize();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment draftDistributions = arena.allocate(distributions + (long) Long.BYTES * count);
            int tokenBits = Integer.SIZE - Integer.numberOfLeadingZeros(count - 1);
            long weight = 1L << 62 - 2 * tokenBits;
            draftDistributions.set(ValueLayout.JAVA_INT, 0, Math.min(1, rows - 1));
            VerificationKernels.writeSampledDraft(draftDistributions, head, 0, 1, weight << tokenBits, weight * count,
                    (int) (distributions / Long.BYTES), count, true);
            for (int token = 0; token < count; token++) {
                draftDistributions.set(ValueLayout.JAVA_LONG, distributions + (long) Long.BYTES * token, weight << tokenBits | token);
            }
            return VerificationKernels.rejectionSampling(library, team, result(), ints(rows, 1), floats(ElementType.F32, rows),
                    truncations(), sampledLogits(), request(), ints(rows, 1), ints(rows, 4096), Optional.empty(), value(context), rowCount(),
                    allocateFrom(draftDistributions).slice(),
                    allocate(VerificationKernels.leftBytes(count)).slice(), count);
        }
    }

    private DeviceSlice floats(ElementType type, long count) {
        DeviceBuffer buffer = allocate(Math.multiplyExact(count, type.byteSize()));
        float[] values = new float[(int) Math.min(count, DISTINCT)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        try (Arena arena = Arena.ofConfined()) {
            DType dtype = DType.valueOf(type.name());
            MemorySegment bytes = arena.allocate((long) values.length * type.byteSize());
            Codec.of(dtype).encode(values, 0, bytes, 0, values.length);
            repeat(buffer, bytes);
        }
        return buffer.slice();
    }

    /// Fills a buffer with the same bytes again and again.
    private static void repeat(DeviceBuffer buffer, MemorySegment bytes) {
        for (long at = 0; at < buffer.byteSize(); at += bytes.byteSize()) {
            buffer.copyFrom(at, bytes.asSlice(0, Math.min(bytes.byteSize(), buffer.byteSize() - at)));
        }
    }

    private DeviceSlice value(int number) {
        return allocateFrom(MemorySegment.ofArray(new int[] {number})).slice();
    }

    private DeviceSlice equal(int count, int number) {
        int[] numbers = new int[count];
        Arrays.fill(numbers, number);
        return allocateFrom(MemorySegment.ofArray(numbers)).slice();
    }

    private DeviceSlice ints(int count, int bound) {
        DeviceBuffer buffer = allocate((long) count * Integer.BYTES);
        repeat(buffer, MemorySegment.ofArray(IntStream.generate(() -> random.nextInt(bound)).limit(Math.min(count, DISTINCT)).toArray()));
        return buffer.slice();
    }
}
