package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.cuda.TestDriver;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.RopeTable;
import org.gatun.plan.Value;
import org.gatun.sampling.LogitBias;
import org.gatun.sampling.RowStatistics;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenMasks;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Batches of many sequences: a row has the bits that it has in its segment alone, and a segment is sampled and verified as alone.
class BatchTest {
    static final int VOCABULARY = 50;
    private static final int NOT_A_NUMBER = VOCABULARY; // a token whose keys and values are none
    private static final int HEADS = 4;
    static final int HEAD_DIM = 16;
    private static final BatchLimits ALONE = new BatchLimits(128, 64);
    private static final BatchLimits TOGETHER = new BatchLimits(512, 64, 256, 12);

    static Stream<Backend> backends() {
        Stream<Backend> host = Stream.concat(Stream.of(new ReferenceBackend()), CpuBackend.instructionSets().stream()
                .map(set -> CpuBackend.open(new CpuOptions(2, Optional.of(set)))));
        return Stream.concat(host, Stream.of(CudaBackend.open(TestDriver.open(), 0)));
    }

    /// A sequence: its text so far, and what its segment holds.
    ///
    /// @param before rows of a tree that an earlier pass has run
    private record Sequence(int[] text, Mask mask, int[] tokens, int[] parents, int before, boolean samples, Sampling sampling,
            TokenMasks tokenMasks, int slots, DType kvType) {
        private enum Mask { CAUSAL, TREE, RANGES }

        /// @param text of another sequence, whose beginning this one may have too
        static Sequence random(SplittableRandom random, int[] other, List<Mask> masks, List<DType> kvTypes) {
            int[] text = random.ints(random.nextInt(0, 90), 0, VOCABULARY).toArray();
            if (random.nextBoolean()) {
                System.arraycopy(other, 0, text, 0, random.nextInt(Math.min(other.length, text.length) + 1));
            }
            Mask mask = random.nextBoolean() ? Mask.CAUSAL : masks.get(random.nextInt(masks.size()));
            boolean tree = mask == Mask.TREE;
            int rows = random.nextInt(1, tree ? 9 : random.nextInt(4) == 0 ? 40 : 4);
            int[] parents = new int[rows];
            for (int row = 1; row < rows; row++) {
                parents[row] = tree ? random.nextInt(row) : row - 1;
            }
            int before = tree && random.nextBoolean() ? random.nextInt(rows) : 0;
            return new Sequence(text, mask, random.ints(rows, 0, VOCABULARY).toArray(), parents, before,
                    mask != Mask.RANGES && before == 0 && random.nextBoolean(), sampling(random), masks(random, rows),
                    text.length + rows + 1 + random.nextInt(100), kvTypes.get(random.nextInt(kvTypes.size())));
        }

        /// The second half of the text before the first, and the rows between them.
        private void beginRanges(Segment segment) {
            int middle = text.length / 2;
            segment.beginRanges(text.length);
            if (middle < text.length) {
                segment.attendTo(middle, text.length);
            }
            segment.attendToRows();
            if (middle > 0) {
                segment.attendTo(0, middle);
            }
        }

        private static Sampling sampling(SplittableRandom random) {
            Sampling sampling = Sampling.GREEDY.withTemperature(random.nextBoolean() ? 0 : 0.9).withSeed(random.nextInt(100));
            return random.nextInt(3) > 0 ? sampling : sampling.withFrequencyPenalty(random.nextInt(2)).withPresencePenalty(0.5)
                    .withRepetitionPenalty(1.1).withLogitBias(LogitBias.of(Map.of(random.nextInt(VOCABULARY), 1.5)));
        }

        private static TokenMasks masks(SplittableRandom random, int rows) {
            TokenMasks masks = new TokenMasks(rows, VOCABULARY);
            for (int row = 0; row < rows && random.nextInt(4) == 0; row++) {
                masks.restrict(row);
                random.ints(10, 0, VOCABULARY).forEach(allowed(masks, row));
            }
            return masks;
        }

        private static IntConsumer allowed(TokenMasks masks, int row) {
            return token -> masks.allow(row, token);
        }

        void fill(Segment segment, Consumer<Segment> run) {
            switch (mask) {
                case CAUSAL -> segment.beginCausal(text.length);
                case TREE -> segment.beginTree(text.length);
                case RANGES -> beginRanges(segment);
            }
            long[] masks = new long[tokens.length];
            int[] depths = new int[tokens.length];
            for (int row = 0; row < tokens.length; row++) {
                if (row > 0 && row == before) {
                    run.accept(segment);
                    segment.extend();
                }
                masks[row] = (row == 0 ? 0 : masks[parents[row]]) | 1L << row;
                depths[row] = row == 0 ? 0 : depths[parents[row]] + 1;
                switch (mask) {
                    case CAUSAL -> segment.addRow(tokens[row]);
                    case TREE -> segment.addRow(tokens[row], text.length + depths[row], masks, row, 1);
                    case RANGES -> segment.addRow(tokens[row], 2 * row);
                }
            }
            if (samples) {
                segment.setTokenMasks(tokenMasks);
                segment.sample(sampling, text, text.length / 2);
            } else {
                for (int row = before; row < tokens.length; row += 3) {
                    segment.select(row);
                }
            }
        }
    }

    /// A sequence on a backend, with its text read.
    private static final class Open implements AutoCloseable {
        private final Sequence sequence;
        private final Segment segment;
        private final PageTable kv;
        private final VerificationResult result = new VerificationResult(ALONE.treeRows());
        private final RowStatistics statistics = new RowStatistics(ALONE.treeRows(), 5, 3, VOCABULARY - 1);

        /// @param kv pages that hold the first `read` tokens of its text
        Open(Sequence sequence, PageTable kv, int read, Executable executable, Arena arena) {
            this.sequence = sequence;
            this.kv = kv;
            segment = new Segment(arena, ALONE);
            if (sequence.text.length > read) {
                segment.beginCausal(read);
                for (int i = read; i < sequence.text.length; i++) {
                    segment.addRow(sequence.text[i]);
                }
                executable.run(Batch.of(segment, kv));
            }
            sequence.fill(segment, filled -> executable.run(Batch.of(filled, kv)));
            segment.setStatistics(sequence.tokens[0] % 2 == 0 ? null : statistics);
        }

        /// Logits of the rows asked for, and what was sampled.
        List<float[]> run(Executable executable) {
            Batch batch = new Batch().add(segment, kv, result);
            if (sequence.samples) {
                executable.verify(batch);
            } else {
                executable.run(batch);
            }
            requireStatistics(executable);
            return rows(executable, 0, segment.selectedRows());
        }

        /// By definition, and within what a device may be off.
        private void requireStatistics(Executable executable) {
            RowStatistics expected = new RowStatistics(ALONE.treeRows(), 5, 3, VOCABULARY - 1);
            expected.compute(executable.logits(), 0, segment.statistics() == null ? 0 : segment.selectedRows(), VOCABULARY);
            assertEquals(expected.rows(), statistics.rows());
            for (int row = 0; row < expected.rows(); row++) {
                assertEquals(expected.logSumExp(row), statistics.logSumExp(row), 2e-6 * Math.max(1, Math.abs(expected.logSumExp(row))));
                assertEquals(expected.entropy(row), statistics.entropy(row), 2e-6 * Math.log(VOCABULARY));
                for (int rank = 0; rank < 5; rank++) {
                    assertEquals(expected.token(row, rank), statistics.token(row, rank));
                    assertEquals(expected.logit(row, rank), statistics.logit(row, rank));
                }
                assertEquals(expected.column(row, 1), statistics.column(row, 1));
            }
        }

        /// What was sampled and accepted, and by which margin.
        String verified() {
            StringBuilder text = new StringBuilder();
            for (int i = 0; sequence.samples && i <= result.accepted(); i++) {
                text.append(result.token(i)).append(" by ").append(result.margin(i));
                text.append(i < result.accepted() ? " row " + result.row(i) + ", " : "");
            }
            for (int row = 0; row < statistics.rows(); row++) {
                text.append(", ").append(statistics.logSumExp(row)).append(' ').append(statistics.entropy(row)).append(' ')
                        .append(statistics.column(row, 0)).append(' ').append(statistics.column(row, 1));
                for (int rank = 0; rank < 5; rank++) {
                    text.append(' ').append(statistics.token(row, rank)).append(' ').append(statistics.logit(row, rank));
                }
            }
            return text.toString();
        }

        /// Logits of a row behind what was kept: the keys and values stand where they should.
        float[] next(Executable executable) {
            int kept = sequence.samples ? 1 + result.accepted() : sequence.mask == Sequence.Mask.TREE ? 0 : sequence.tokens.length;
            segment.beginCausal(sequence.text.length + kept).addRow(VOCABULARY - 1);
            segment.select(0);
            executable.run(Batch.of(segment, kv));
            return rows(executable, 0, 1).getFirst();
        }

        @Override
        public void close() {
            kv.close();
        }
    }

    private static List<float[]> rows(Executable executable, int from, int count) {
        List<float[]> rows = new ArrayList<>();
        for (int row = from; row < from + count; row++) {
            rows.add(executable.logits().asSlice(4L * row * VOCABULARY, 4L * VOCABULARY).toArray(ValueLayout.JAVA_FLOAT));
        }
        return rows;
    }

    static Plan plan(Arena arena, int window) {
        SplittableRandom random = new SplittableRandom(7);
        int width = HEADS * HEAD_DIM;
        float[] frequencies = new float[HEAD_DIM / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = (float) Math.pow(10_000, -(double) i / frequencies.length);
        }
        RopeTable rope = new RopeTable(RopeTable.Pairing.SPLIT, frequencies, 1);
        Tensor embedding = matrix(arena, random, "embedding", VOCABULARY + 1, width);
        embedding.data().asSlice(4L * NOT_A_NUMBER * width, 4L * width).fill((byte) 0xff);
        PlanBuilder plan = new PlanBuilder();
        Value in = plan.embed(embedding);
        Value queries = plan.rope(plan.matMul(in, matrix(arena, random, "q", width, width)), HEAD_DIM, rope);
        Value keys = plan.rope(plan.matMul(in, matrix(arena, random, "k", 2 * HEAD_DIM, width)), HEAD_DIM, rope);
        Value values = plan.matMul(in, matrix(arena, random, "v", 2 * HEAD_DIM, width));
        Value out = plan.add(in, plan.attention(0, queries, keys, values, new AttentionShape(HEADS, 2, HEAD_DIM, 0.4f, window)));
        return plan.build(plan.matMul(plan.selectRows(out), matrix(arena, random, "head", VOCABULARY, width)));
    }

    private static Tensor matrix(Arena arena, SplittableRandom random, String name, int rows, int columns) {
        float[] elements = new float[rows * columns];
        for (int i = 0; i < elements.length; i++) {
            elements[i] = (float) random.nextDouble(-0.5, 0.5);
        }
        return new Tensor(name, DType.F32, Shape.of(rows, columns), arena.allocateFrom(ValueLayout.JAVA_FLOAT, elements));
    }

    @ParameterizedTest
    @MethodSource("backends")
    void run_manySegments_eachRowHasTheBitsOfItsSegmentAlone(Backend backend) {
        boolean cuda = backend instanceof CudaBackend;
        int rounds = cuda ? TestScale.rounds(2, 30) : TestScale.rounds(30, 1000);
        long seed = TestScale.seed();
        SplittableRandom random = new SplittableRandom(seed);
        try (Arena arena = Arena.ofConfined(); backend) {
            List<DType> types = KvLayout.TYPES.stream().filter(type -> !cuda || type != DType.F32).toList();
            for (int window : new int[] {0, 20}) {
                List<Sequence.Mask> masks = window > 0 ? List.of(Sequence.Mask.TREE) : List.of(Sequence.Mask.values());
                try (Executable alone = backend.compile(plan(arena, window), ALONE);
                        Executable together = backend.compile(plan(arena, window), TOGETHER)) {
                    for (int round = 0; round < rounds; round++) {
                        List<DType> ofRound = cuda ? List.of(types.get(random.nextInt(types.size()))) : types;
                        List<Sequence> sequences = new ArrayList<>();
                        for (int segments = random.nextInt(1, 13); sequences.size() < segments; ) {
                            int[] other = sequences.isEmpty() ? new int[0] : sequences.getLast().text;
                            sequences.add(Sequence.random(random, other, masks, ofRound));
                        }
                        String where = "seed " + seed + ", window " + window + ", round " + round;
                        try (Pools pools = new Pools(backend, alone, sequences, random)) {
                            check(backend, alone, together, sequences, pools, where);
                        }
                    }
                }
            }
        }
    }

    /// A pool for all sequences of a type: its pages are in no order, and full of what is no number.
    private static final class Pools implements AutoCloseable {
        private final Map<DType, KvPool> pools = new HashMap<>();

        Pools(Backend backend, Executable executable, List<Sequence> sequences, SplittableRandom random) {
            for (DType type : sequences.stream().map(Sequence::kvType).distinct().toList()) {
                int pages = sequences.stream().filter(sequence -> sequence.kvType == type)
                        .mapToInt(sequence -> 1 + KvPool.pagesFor(sequence.text.length + sequence.tokens.length + 1)).sum();
                KvPool pool = backend.openKvPool(KvLayout.uniform(1, 2, HEAD_DIM, type), pages);
                pools.put(type, pool);
                poison(pool, executable, random);
            }
        }

        private static void poison(KvPool pool, Executable executable, SplittableRandom random) {
            try (Arena arena = Arena.ofConfined()) {
                List<PageTable> tables = new ArrayList<>();
                while (pool.freePages() > 0) {
                    PageTable table = pool.openTable(KvPool.PAGE_SLOTS);
                    Segment segment = new Segment(arena, ALONE).beginCausal(0);
                    for (int row = 0; row < KvPool.PAGE_SLOTS; row++) {
                        segment.addRow(NOT_A_NUMBER);
                    }
                    executable.run(Batch.of(segment, table));
                    tables.add(table);
                }
                while (!tables.isEmpty()) {
                    tables.remove(random.nextInt(tables.size())).close();
                }
            }
        }

        /// The pages of a sequence, of which it shares what it can with one that is open.
        Open open(Sequence sequence, List<Open> opened, Executable executable, Arena arena) {
            Optional<Open> other = opened.stream().filter(one -> one.sequence.kvType == sequence.kvType).reduce((_, last) -> last);
            int common = other.isEmpty() ? 0 : Arrays.mismatch(sequence.text, other.get().sequence.text);
            int read = common < 0 ? sequence.text.length : common;
            PageTable table = other.isPresent() ? other.get().kv.fork(read)
                    : pools.get(sequence.kvType).openTable(Math.min(256, pools.get(sequence.kvType).pages() * KvPool.PAGE_SLOTS));
            return new Open(sequence, table, read, executable, arena);
        }

        @Override
        public void close() {
            pools.values().forEach(pool -> {
                assertEquals(pool.pages(), pool.freePages());
                pool.close();
            });
        }
    }

    private static void check(Backend backend, Executable alone, Executable together, List<Sequence> sequences, Pools pools,
            String where) {
        try (Arena arena = Arena.ofConfined()) {
            List<List<float[]>> expected = new ArrayList<>();
            List<String> verified = new ArrayList<>();
            List<float[]> next = new ArrayList<>();
            List<Open> opened = new ArrayList<>();
            Batch batch = new Batch();
            for (Sequence sequence : sequences) {
                PageTable pages = PageTable.openAlone(backend, KvLayout.uniform(1, 2, HEAD_DIM, sequence.kvType), sequence.slots);
                try (Open one = new Open(sequence, pages, 0, alone, arena)) {
                    expected.add(one.run(alone));
                    verified.add(one.verified());
                    next.add(one.next(alone));
                }
                Open one = pools.open(sequence, opened, alone, arena);
                opened.add(one);
                batch.add(one.segment, one.kv, one.result);
            }
            if (sequences.stream().anyMatch(Sequence::samples)) {
                together.verify(batch);
            } else {
                together.run(batch);
            }
            int row = 0;
            for (int i = 0; i < sequences.size(); i++) {
                List<float[]> found = rows(together, row, expected.get(i).size());
                for (int j = 0; j < found.size(); j++) {
                    assertArrayEquals(expected.get(i).get(j), found.get(j), where + ", segment " + i + ", row " + j);
                }
                assertEquals(verified.get(i), opened.get(i).verified(), where + ", segment " + i);
                row += expected.get(i).size();
            }
            for (int i = 0; i < sequences.size(); i++) {
                assertArrayEquals(next.get(i), opened.get(i).next(alone), where + ", behind segment " + i);
                opened.get(i).close();
            }
        }
    }

    @Test
    void run_moreThanTheLimitsHold_isRefusedByName() {
        try (Arena arena = Arena.ofConfined(); Backend backend = new ReferenceBackend();
                Executable executable = backend.compile(plan(arena, 0), new BatchLimits(64, 64, 2, 2));
                PageTable first = PageTable.openAlone(backend, KvLayout.uniform(1, 2, HEAD_DIM, DType.F16), 8);
                PageTable second = PageTable.openAlone(backend, KvLayout.uniform(1, 2, HEAD_DIM, DType.F16), 8);
                PageTable third = PageTable.openAlone(backend, KvLayout.uniform(1, 2, HEAD_DIM, DType.F16), 8)) {
            Batch batch = new Batch();
            for (PageTable kv : List.of(first, second, third)) {
                Segment segment = new Segment(arena, ALONE).beginCausal(0);
                segment.addRow(1);
                batch.add(segment, kv, new VerificationResult(64));
            }
            String message = assertThrows(IllegalArgumentException.class, () -> executable.run(batch)).getMessage();
            assertEquals("batch of 3 segments, 3 rows, 0 selected: expected one segment or more, within " + executable.limits(), message);
            assertThrows(IllegalArgumentException.class, () -> batch.add(new Segment(arena, ALONE), first, new VerificationResult(64)));
            assertThrows(IllegalStateException.class, () -> executable.verify(new Batch()));
        }
    }
}
