package org.gatun.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.gatun.backend.AttentionMask;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.DraftDistributions;
import org.gatun.backend.HostVerifier;
import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;
import org.gatun.backend.VerificationResult;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.ElementType;
import org.gatun.cuda.kernels.Rows;
import org.gatun.cuda.kernels.TreePaths;
import org.gatun.cuda.kernels.VerificationKernels.Team;
import org.gatun.cuda.kernels.VerificationKernels.VerificationSlots;
import org.gatun.cuda.kernels.VerificationKernels;
import org.gatun.sampling.LogitBias;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.RejectionSampling;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingContext;
import org.gatun.sampling.SamplingRequest;
import org.gatun.sampling.TokenDistribution;
import org.gatun.sampling.TokenMasks;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;

/// A tree whose children often carry the token that is sampled after their parent, or were sampled themselves, sampled and walked on the
/// device and by the host: both must agree to the bit.
final class VerificationCase {
    private static final int TREES = TestScale.rounds(2, 5);
    private static final Sampling HOT = Sampling.GREEDY.withTemperature(7).withSeed(-77);

    static final List<Shape> SHAPES = shapes();

    /// Of a case.
    ///
    /// @param masked whether some rows have token masks
    /// @param how rows were sampled, if some were
    record Shape(int rows, int vocabulary, boolean tree, Sampling sampling, boolean masked, Optional<ProposalSampling> how) {
        Shape(int rows, int vocabulary, boolean tree, Sampling sampling, Optional<ProposalSampling> how) {
            this(rows, vocabulary, tree, sampling, false, how);
        }
    }

    private final KernelBench bench;
    private final Team team;
    private final SplittableRandom random;
    private final Shape shape;
    private final float[] logits;
    private final Sampling sampling;
    private final int[] before;
    private final int promptLength;
    private final TokenMasks masks;
    private final SamplingContext context = new SamplingContext();
    private final int[] tokens;
    private final int[] parents;
    private final int[] sampled;
    private final DraftDistributions draftDistributions;

    private VerificationCase(KernelBench bench, Team team, SplittableRandom random, Shape shape) {
        this.bench = bench;
        this.team = team;
        this.random = random;
        this.shape = shape;
        logits = CudaKernelDifferentialTest.logits(random, shape.rows, shape.vocabulary);
        sampling = shape.sampling.withLogitBias(shape.sampling.logitBias().below(shape.vocabulary));
        before = random.ints(random.nextInt(100), 0, shape.vocabulary).toArray();
        promptLength = random.nextInt(before.length + 3);
        masks = masks(random, shape);
        tokens = new int[shape.rows];
        parents = new int[shape.rows];
        sampled = new int[shape.rows];
        draftDistributions = new DraftDistributions(shape.rows);
    }

    /// Masks that allow much, little or one token, for most rows.
    private static TokenMasks masks(SplittableRandom random, Shape shape) {
        TokenMasks masks = new TokenMasks(shape.rows, shape.vocabulary);
        for (int row = 0; row < shape.rows && shape.masked; row++) {
            if (random.nextInt(4) > 0) {
                masks.restrict(row);
                masks.allow(row, random.nextInt(shape.vocabulary));
                int share = List.of(1, 2, 10, Integer.MAX_VALUE).get(random.nextInt(4));
                for (int token = 0; token < shape.vocabulary; token++) {
                    if (random.nextInt(share) == 0) {
                        masks.allow(row, token);
                    }
                }
            }
        }
        return masks;
    }

    /// On every third token at first, later ones being further apart.
    private static LogitBias bias() {
        return LogitBias.of(IntStream.range(0, 60).boxed().collect(Collectors.toMap(i -> 3 * i + i * i, i -> (i * 7 % 11 - 5) / 3.0)));
    }

    private static List<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>();
        for (Sampling sampling : List.of(Sampling.GREEDY, Sampling.GREEDY.withRepetitionPenalty(1.7), HOT, HOT.withTemperature(0.01),
                HOT.withTopP(0.5), HOT.withTopP(0.999), HOT.withTopK(1), HOT.withTopK(40), HOT.withTopK(2000).withTopP(0.9),
                HOT.withMinP(0.2), HOT.withTemperature(1000).withTopK(100), HOT.withTemperature(1000).withTopP(0.3),
                HOT.withTopK(300).withTopP(0.7).withMinP(0.01).withRepetitionPenalty(1.3))) {
            shapes.add(new Shape(9, 1001, true, sampling, Optional.empty()));
            shapes.add(new Shape(3, 4096, false, sampling, Optional.empty()));
            for (ProposalSampling how : ProposalSampling.values()) {
                shapes.add(new Shape(24, 301, true, sampling, Optional.of(how)));
            }
        }
        Sampling penalized = HOT.withFrequencyPenalty(0.7).withPresencePenalty(-0.3);
        for (Sampling sampling : List.of(Sampling.GREEDY.withPresencePenalty(1.5), penalized.withStream(9), HOT.withLogitBias(bias()),
                penalized.withLogitBias(bias()).withRepetitionPenalty(1.3).withTopK(300).withTopP(0.9).withMinP(0.001))) {
            for (boolean masked : new boolean[] {false, true}) {
                shapes.add(new Shape(9, 1001, true, sampling, masked, Optional.empty()));
                shapes.add(new Shape(3, 4100, false, sampling, masked, Optional.empty()));
                for (ProposalSampling how : ProposalSampling.values()) {
                    shapes.add(new Shape(24, 301, true, sampling, masked, Optional.of(how)));
                }
            }
        }
        shapes.add(new Shape(70, 32, true, HOT, true, Optional.empty()));
        shapes.add(new Shape(2, 1, false, HOT, true, Optional.empty()));
        shapes.add(new Shape(64, 29, true, HOT.withTopP(0.9), Optional.empty()));
        shapes.add(new Shape(130, 3, true, HOT, Optional.empty()));
        shapes.add(new Shape(2, 1, false, HOT.withTopK(1).withTopP(0.5), Optional.empty()));
        shapes.add(new Shape(1, 20_003, false, HOT.withTopP(0.8), Optional.empty()));
        for (ProposalSampling how : ProposalSampling.values()) {
            shapes.add(new Shape(6, 1000, false, HOT, Optional.of(how)));
            shapes.add(new Shape(200, 7, true, HOT, Optional.of(how)));
            shapes.add(new Shape(2, 1, false, HOT, Optional.of(how)));
            shapes.add(new Shape(7, 5003, true, HOT.withTopP(0.95), Optional.of(how)));
        }
        return List.copyOf(shapes);
    }

    /// Several trees of a shape where walks go different ways.
    static void check(KernelBench bench, Team team, SplittableRandom random, Shape shape) {
        for (int tree = 0; tree < (shape.how.isPresent() ? TREES : 1); tree++) {
            new VerificationCase(bench, team, random, shape).check();
        }
    }

    private void check() {
        BatchLimits limits = new BatchLimits(256, 256);
        try (Arena arena = Arena.ofConfined()) {
            Segment segment = segment(arena, limits);
            List<Integer> moves = new ArrayList<>();
            VerificationResult expected = new VerificationResult(limits.treeRows());
            new HostVerifier(shape.vocabulary).verify(new Batch().add(segment, recording(moves), expected),
                    MemorySegment.ofArray(logits));

            Rows rows = bench.rows(shape.rows);
            DeviceSlice ids = bench.empty(4L * shape.rows);
            DeviceSlice margins = bench.empty(4L * shape.rows);
            DeviceSlice onDevice = bench.allocateFrom(MemorySegment.ofArray(logits));
            Optional<TreePaths> paths = segment.mask() instanceof AttentionMask.Tree mask ? Optional.of(bench.paths(
                    mask.words().asSlice(0, 8L * shape.rows * mask.stride()).toArray(ValueLayout.JAVA_LONG), shape.rows))
                    : Optional.empty();
            DeviceSlice deviceTokens = bench.ints(tokens);
            DeviceSlice truncations = bench.empty((long) VerificationKernels.TRUNCATION_BYTES * shape.rows);
            Optional<DeviceSlice> lists = lists(arena, segment);
            DeviceSlice request = bench.allocateFrom(segment.request().memory());
            DeviceSlice positions = bench.ints(IntStream.range(0, shape.rows).map(segment::position).toArray());
            VerificationKernels.Logits sampledLogits = new VerificationKernels.Logits(
                    lists.isPresent() ? bench.empty(4L * logits.length) : onDevice, lists.isPresent());
            lists.ifPresent(found -> bench.run(VerificationKernels.adjust(bench.library, sampledLogits.slice(), onDevice, request, found,
                    deviceTokens, positions, paths, rows, shape.vocabulary)));
            bench.run(VerificationKernels.sample(bench.library, team, ids, margins, truncations, sampledLogits, request, deviceTokens, positions,
                    paths, rows, shape.vocabulary));
            VerificationSlots slots = new VerificationSlots(bench.empty(VerificationSlots.byteSize(shape.rows)), shape.rows);
            DeviceSlice committed = bench.ints(before.length);
            if (segment.draftDistributions() == null) {
                bench.run(VerificationKernels.walk(bench.library, slots, ids, margins, deviceTokens, paths, committed, rows));
            } else {
                try (DraftDistributionBuffer block = new DraftDistributionBuffer(bench.context, shape.rows, shape.vocabulary)) {
                    block.grow(draftDistributions);
                    block.write(segment);
                    bench.run(block::upload);
                    bench.run(VerificationKernels.rejectionSampling(bench.library, team, slots, ids, margins, truncations, sampledLogits, request,
                            deviceTokens, positions, paths, committed, rows, block.slice(), block.left(), shape.vocabulary));
                    int last = expected.accepted() == 0 ? 0 : expected.row(expected.accepted() - 1);
                    if (draftDistributions.next(last, 0) >= 0) {
                        assertArrayEquals(leftBelow(last, segment.position(last) - before.length),
                                bench.longs(block.left(), shape.vocabulary));
                    }
                }
            }

            assertArrayEquals(sampled, bench.ints(ids, shape.rows));
            assertArrayEquals(logits, bench.floats(onDevice, ElementType.F32, logits.length), "logits are as they were");
            int[] result = bench.ints(slots.slice(), (int) (VerificationSlots.byteSize(shape.rows) / 4));
            assertEquals(expected.accepted(), result[0]);
            for (int i = 0; i <= expected.accepted(); i++) {
                assertEquals(expected.token(i), result[(int) slots.token(i) / 4]);
                assertEquals(expected.margin(i), Float.intBitsToFloat(result[(int) slots.margin(i) / 4]));
                if (i < expected.accepted()) {
                    assertEquals(expected.row(i), result[(int) slots.row(i) / 4]);
                }
            }
            int[] from = bench.ints(slots.from(), moves.size() / 2);
            int[] to = bench.ints(slots.to(), moves.size() / 2);
            assertEquals(moves.size() / 2, result[1]);
            assertEquals(moves, IntStream.range(0, from.length).boxed().flatMap(i -> List.of(from[i], to[i]).stream()).toList());
        }
    }

    /// Advances a pass of one row as often as the window is long, and some: the device's pass must stay the host's, counts and all.
    static void checkAdvance(KernelBench bench, SplittableRandom random) {
        checkAdvance(bench, random, HOT, 30);
        checkAdvance(bench, random, HOT.withFrequencyPenalty(1), 12);
        checkAdvance(bench, random, HOT.withPresencePenalty(1), 33);
    }

    private static void checkAdvance(KernelBench bench, SplittableRandom random, Sampling sampling, int promptLength) {
        int count = Sampling.REPETITION_WINDOW + 20;
        try (Arena arena = Arena.ofConfined()) {
            Segment segment = new Segment(arena, new BatchLimits(64, 64)).beginCausal(30);
            segment.addRow(7);
            segment.sample(sampling, random.ints(30, 0, 99).toArray(), promptLength);
            SamplingRequest request = segment.request();
            MemorySegment lists = arena.allocate(Integer.BYTES * (1 + request.listInts(1, count)), Long.BYTES);
            request.writeLists(lists, 1, 1);
            Optional<DeviceSlice> listsOnDevice = request.hasLists() ? Optional.of(bench.allocateFrom(lists)) : Optional.empty();
            DeviceSlice onDevice = bench.allocateFrom(request.memory());
            DeviceSlice tokens = bench.ints(7);
            DeviceSlice positions = bench.ints(30);
            DeviceSlice committed = bench.ints(30);
            VerificationSlots slots = new VerificationSlots(bench.zeros(VerificationSlots.byteSize(count)), count);
            for (int i = 0; i < count; i++) {
                int token = random.nextInt(99);
                float margin = random.nextInt(99);
                bench.run(VerificationKernels.advance(bench.library, slots, bench.ints(token), bench.ints(Float.floatToIntBits(margin)),
                        onDevice, listsOnDevice, tokens, positions, committed));
                segment.advance(token);

                int[] found = bench.ints(onDevice, VerificationKernels.REQUEST_BYTES / 4);
                request.writeLists(lists, 1, 1);
                assertArrayEquals(request.memory().toArray(ValueLayout.JAVA_INT), found);
                int listed = (int) request.listInts(1, 0);
                if (listsOnDevice.isPresent()) {
                    assertArrayEquals(Arrays.copyOf(lists.toArray(ValueLayout.JAVA_INT), 1 + listed),
                            bench.ints(listsOnDevice.get(), 1 + listed));
                }
                assertEquals(segment.token(0), bench.ints(tokens, 1)[0]);
                assertEquals(segment.position(0), bench.ints(positions, 1)[0]);
                assertEquals(segment.committed(), bench.ints(committed, 1)[0]);
                int[] result = bench.ints(slots.slice(), (int) (VerificationSlots.byteSize(count) / 4));
                assertEquals(i + 1, result[0]);
                assertEquals(token, result[(int) slots.token(i) / 4]);
                assertEquals(margin, Float.intBitsToFloat(result[(int) slots.margin(i) / 4]));
            }
        }
    }

    private Optional<DeviceSlice> lists(Arena arena, Segment segment) {
        if (!segment.request().hasLists()) {
            return Optional.empty();
        }
        int unused = random.nextInt(9);
        MemorySegment lists = arena.allocate(Integer.BYTES * Math.max(1, unused + segment.request().listInts(shape.rows, 0)),
                Long.BYTES);
        segment.request().writeLists(lists, unused, shape.rows);
        return Optional.of(bench.allocateFrom(lists));
    }

    /// Also samples after every row, by definition.
    private Segment segment(Arena arena, BatchLimits limits) {
        Segment segment = new Segment(arena, limits);
        Sampler sampler = new Sampler(sampling, shape.vocabulary);
        long[] ancestors = new long[shape.rows * 4];
        int[] depths = new int[shape.rows];
        if (shape.tree) {
            segment.beginTree(before.length);
        } else {
            segment.beginCausal(before.length);
        }
        for (int row = 0; row < shape.rows; row++) {
            int parent = row == 0 ? -1 : shape.tree ? random.nextInt(Math.max(0, row - 4), row) : row - 1;
            parents[row] = parent;
            boolean proposed = parent >= 0 && draftDistributions.distribution(parent) != null && random.nextInt(4) > 0;
            tokens[row] = proposed ? sampleBelow(parent, row)
                    : parent >= 0 && random.nextInt(4) > 0 ? sampled[parent] : random.nextInt(shape.vocabulary);
            if (parent >= 0) {
                System.arraycopy(ancestors, 4 * parent, ancestors, 4 * row, 4);
                depths[row] = depths[parent] + 1;
            }
            ancestors[4 * row + row / 64] |= 1L << row;
            if (shape.tree) {
                segment.addRow(tokens[row], before.length + depths[row], ancestors, 4 * row, 4);
            } else {
                segment.addRow(tokens[row]);
            }
            int[] text = text(row, depths[row]);
            enter(row, text);
            sampled[row] = sampler.sample(MemorySegment.ofArray(logits), row, text.length, context);
            if (shape.how.isPresent() && random.nextInt(5) > 0) {
                draftDistributions.setDistribution(row, shape.how.get(), distribution(row));
            }
        }
        segment.setTokenMasks(masks);
        segment.sample(sampling, before, promptLength);
        segment.requireSampling(shape.vocabulary);
        segment.setDraftDistributions(draftDistributions);
        return segment;
    }

    /// The target's own, one near it, one that knows nothing of it, or one token: what is sampled from it always comes, mostly, at times.
    private TokenDistribution distribution(int row) {
        TokenDistribution distribution = new TokenDistribution(shape.vocabulary);
        int kind = random.nextInt(4);
        if (kind < 2) {
            Sampling draft = kind == 0 ? sampling : Sampling.GREEDY.withTemperature(5).withTopP(0.9);
            new Sampler(draft, shape.vocabulary).distribution(MemorySegment.ofArray(logits), row, context, distribution);
        } else if (kind == 2) {
            for (int token = 0; token < shape.vocabulary; token++) {
                distribution.add(token, random.nextInt(3) == 0 ? 0 : Math.pow(random.nextDouble(), 20));
            }
        }
        if (distribution.size() == 0) {
            distribution.add(random.nextBoolean() ? sampled[row] : random.nextInt(shape.vocabulary), 0.3);
        }
        return distribution;
    }

    /// Notes a row as sampled. One whose token a sibling was sampled with counts for that sibling, if it can be sampled twice.
    private int sampleBelow(int parent, int row) {
        TokenDistribution distribution = draftDistributions.distribution(parent);
        int token = random.nextBoolean() ? distribution.mostProbable() : distribution.token(random.nextInt(distribution.size()));
        for (int i = draftDistributions.next(parent, 0); i >= 0; i = draftDistributions.next(parent, i + 1)) {
            if (tokens[draftDistributions.row(i)] == token) {
                if (draftDistributions.sampling(parent) == ProposalSampling.INDEPENDENT) {
                    draftDistributions.add(parent, draftDistributions.row(i));
                }
                return random.nextInt(shape.vocabulary);
            }
        }
        draftDistributions.add(parent, row);
        return token;
    }

    /// The weights that are left when all that was sampled below a row is rejected.
    private long[] leftBelow(int row, int depth) {
        RejectionSampling rejection = new RejectionSampling(shape.vocabulary);
        enter(row, text(row, depth));
        new Sampler(sampling, shape.vocabulary).distribution(MemorySegment.ofArray(logits), row, context, rejection.target());
        rejection.begin(draftDistributions.sampling(row), draftDistributions.distribution(row));
        for (int sample = draftDistributions.next(row, 0); sample >= 0; sample = draftDistributions.next(row, sample + 1)) {
            assertTrue(rejection.reject(tokens[draftDistributions.row(sample)]), "something is left");
        }
        return IntStream.range(0, shape.vocabulary).mapToLong(rejection.target()::weight).toArray();
    }

    /// Looks at what is sampled after a row, which ends a text.
    private void enter(int row, int[] text) {
        context.set(sampling, text, text.length, promptLength);
        context.restrict(masks, row);
    }

    private int[] text(int row, int depth) {
        int[] text = Arrays.copyOf(before, before.length + depth + 1);
        for (int node = row, at = text.length - 1; node >= 0; node = parents[node], at--) {
            text[at] = tokens[node];
        }
        return text;
    }

    /// Pages of which only what is moved is noted.
    static PageTable recording(List<Integer> moves) {
        int slots = 4096;
        KvPool.Memory memory = new KvPool.Memory() {
            @Override
            public KvPool.PageList openList(int pages) {
                return (_, _) -> { };
            }

            @Override
            public void copyPage(int from, int to) {
                throw new AssertionError("page " + from + " copied to " + to);
            }

            @Override
            public void move(PageTable table, int from, int to) {
                moves.addAll(List.of(from, to));
            }

            @Override
            public void release() {
                // holds nothing
            }
        };
        PageTable pages = new KvPool(KvLayout.uniform(1, 1, 2, DType.F16), KvPool.pagesFor(slots), memory, _ -> { }).openTable(slots);
        pages.reserve(0, slots);
        return pages;
    }
}
