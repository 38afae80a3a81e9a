package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Rows that attend to ranges of slots: canvases, blocks written over themselves, copies of blocks.
class RangesTest {
    private static final BatchLimits LIMITS = new BatchLimits(256, 64, 64, 1);
    private static final int VOCABULARY = BatchTest.VOCABULARY;
    private static final int PREFIX = 75;
    private static final int BLOCK = 9;
    private static final int LENGTH = 130;

    static Stream<Backend> backends() {
        return BatchTest.backends();
    }

    /// A sequence of 130 slots, all written at once, both ways.
    private static final class Canvas implements AutoCloseable {
        private final Arena arena = Arena.ofConfined();
        private final Executable executable;
        private final PageTable pages;
        private final Segment segment;

        Canvas(Backend backend, DType type, int[] tokens) {
            executable = backend.compile(BatchTest.plan(arena, 0), LIMITS);
            pages = PageTable.openAlone(backend, KvLayout.uniform(1, 2, BatchTest.HEAD_DIM, type), 256);
            segment = new Segment(arena, LIMITS);
            segment.beginRanges(0).attendToRows();
            write(tokens, 0);
        }

        /// Adds rows at positions from `position` on, runs them and gives the logits of the first 40.
        float[] write(int[] tokens, int position) {
            for (int row = 0; row < tokens.length; row++) {
                segment.addRow(tokens[row], position + row);
            }
            for (int row = 0; row < Math.min(40, tokens.length); row++) {
                segment.select(row);
            }
            executable.run(Batch.of(segment, pages));
            return executable.logits().asSlice(0, 4L * segment.selectedRows() * VOCABULARY).toArray(ValueLayout.JAVA_FLOAT);
        }

        /// Rows of the block between what stands before and behind it.
        float[] block(int firstSlot, int[] tokens) {
            segment.beginRanges(firstSlot).attendTo(0, PREFIX).attendToRows().attendTo(PREFIX + BLOCK, LENGTH);
            return write(tokens, PREFIX);
        }

        @Override
        public void close() {
            executable.close();
            pages.close();
            arena.close();
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void run_canvasAndBlockWrittenOverItself_agreeWithTheReference(Backend backend) {
        long seed = TestScale.seed();
        SplittableRandom random = new SplittableRandom(seed);
        int[] text = random.ints(LENGTH, 0, VOCABULARY).toArray();
        int[] tokens = random.ints(BLOCK, 0, VOCABULARY).toArray();
        for (DType type : types(backend)) {
            try (ReferenceBackend reference = new ReferenceBackend(); Canvas expected = new Canvas(reference, type, text);
                    Canvas found = new Canvas(backend, type, text)) {
                assertClose(expected.block(PREFIX, tokens), found.block(PREFIX, tokens), bound(backend, type), type + ", seed " + seed);
                expected.segment.beginRanges(0).attendToRows();
                found.segment.beginRanges(0).attendToRows();
                assertClose(expected.write(text, 0), found.write(text, 0), bound(backend, type), type + ", canvas, seed " + seed);
            }
        }
        backend.close();
    }

    private static List<DType> types(Backend backend) {
        return KvLayout.TYPES.stream().filter(type -> !(backend instanceof CudaBackend) || type != DType.F32).toList();
    }

    /// CUDA rounds activations, queries and probabilities to 16 bits; elsewhere a key between two that can be stored may become either.
    private static double bound(Backend backend, DType type) {
        return backend instanceof CudaBackend ? 2e-2 : type == DType.F32 ? 1e-5 : 2e-4;
    }

    private static void assertClose(float[] expected, float[] found, double bound, String where) {
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            error += Math.pow(found[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        assertEquals(0, Math.sqrt(error / norm), bound, where);
    }

    @ParameterizedTest
    @MethodSource("backends")
    void run_copyOfABlockInOtherSlots_hasTheBitsOfTheBlock(Backend backend) {
        long seed = TestScale.seed();
        SplittableRandom random = new SplittableRandom(seed);
        int[] text = random.ints(LENGTH, 0, VOCABULARY).toArray();
        int[] tokens = random.ints(BLOCK, 0, VOCABULARY).toArray();
        for (DType type : types(backend)) {
            try (Canvas canvas = new Canvas(backend, type, text)) {
                float[] copy = canvas.block(LENGTH, tokens);
                assertArrayEquals(canvas.block(PREFIX, tokens), copy, type + ", seed " + seed);
                canvas.segment.beginRanges(Segment.NO_SLOT).attendTo(0, PREFIX).attendTo(LENGTH, LENGTH + BLOCK)
                        .attendTo(PREFIX + BLOCK, LENGTH);
                assertArrayEquals(copy, canvas.write(tokens, PREFIX), type + ", rows that are not kept, seed " + seed);
            }
        }
        backend.close();
    }

    @ParameterizedTest
    @MethodSource("backends")
    void run_rangesThatAreAllBefore_giveTheBitsOfACausalRow(Backend backend) {
        int[] text = new SplittableRandom(3).ints(LENGTH, 0, VOCABULARY).toArray();
        try (Canvas canvas = new Canvas(backend, DType.F16, text)) {
            canvas.segment.beginCausal(LENGTH).addRow(7);
            canvas.segment.select(0);
            canvas.executable.run(Batch.of(canvas.segment, canvas.pages));
            float[] causal = canvas.executable.logits().asSlice(0, 4L * VOCABULARY).toArray(ValueLayout.JAVA_FLOAT);
            canvas.segment.beginRanges(LENGTH).attendTo(0, 13).attendTo(13, LENGTH).attendToRows();
            assertArrayEquals(causal, canvas.write(new int[] {7}, LENGTH));
        }
        backend.close();
    }

    @Test
    void run_rangesThatCannotBe_areRefusedByName() {
        try (ReferenceBackend backend = new ReferenceBackend(); Canvas canvas = new Canvas(backend, DType.F16, new int[LENGTH]);
                Executable windowed = backend.compile(BatchTest.plan(canvas.arena, 20), LIMITS)) {
            assertRefused("segment 0, range 0 of slots 0 to 193: pages hold slots 0 to 192", canvas,
                    segment -> segment.beginRanges(0).attendTo(0, 193));
            assertRefused("segment 0, range 1 of slots 70 to 80: its rows write slots 75 to 76; expected attendToRows() for those", canvas,
                    segment -> segment.beginRanges(PREFIX).attendTo(0, 5).attendTo(70, 80));
            assertRefused("segment 0, range 1 of slots 4 to 6 and range 0 of slots 0 to 5: expected ranges that do not overlap", canvas,
                    segment -> segment.beginRanges(PREFIX).attendTo(0, 5).attendTo(4, 6));
            assertRefused("segment 0 attends to nothing: expected a range or its own rows", canvas, segment -> segment.beginRanges(0));
            assertRefused("segment 0 attends to its own rows, which write no slots: expected a first slot", canvas,
                    segment -> segment.beginRanges(Segment.NO_SLOT).attendToRows());
            canvas.segment.beginRanges(0).attendToRows().addRow(1, 0);
            assertEquals("ranges of slots in a plan of which layers have windows: expected one without",
                    assertThrows(IllegalArgumentException.class, () -> windowed.run(Batch.of(canvas.segment, canvas.pages))).getMessage());
            assertThrows(IllegalArgumentException.class, () -> canvas.segment.attendTo(5, 5));
            assertThrows(IllegalArgumentException.class, () -> canvas.segment.attendTo(-1, 5));
            assertThrows(IllegalStateException.class, () -> canvas.segment.beginCausal(0).attendTo(0, 1));
        }
    }

    private static void assertRefused(String message, Canvas canvas, Consumer<Segment> mask) {
        mask.accept(canvas.segment);
        canvas.segment.addRow(1, 0);
        assertEquals(message, assertThrows(IllegalArgumentException.class,
                () -> canvas.executable.run(Batch.of(canvas.segment, canvas.pages))).getMessage());
    }
}
