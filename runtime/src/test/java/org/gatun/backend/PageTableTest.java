package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;

/// Page tables against sequences that copy everything.
class PageTableTest {
    private static final KvLayout LAYOUT = KvLayout.uniform(1, 1, 2, DType.F16);
    private static final int POISON = Integer.MIN_VALUE;

    /// Pages whose slots hold a number each.
    private static final class Numbers implements KvPool.Memory {
        private final int[] slots;
        private boolean released;

        Numbers(int pages) {
            slots = new int[pages * KvPool.PAGE_SLOTS];
            Arrays.fill(slots, POISON);
        }

        @Override
        public KvPool.PageList openList(int pages) {
            return (_, _) -> { };
        }

        @Override
        public void copyPage(int from, int to) {
            System.arraycopy(slots, from * KvPool.PAGE_SLOTS, slots, to * KvPool.PAGE_SLOTS, KvPool.PAGE_SLOTS);
        }

        @Override
        public void move(PageTable table, int from, int to) {
            slots[table.poolSlot(to)] = slots[table.poolSlot(from)];
        }

        @Override
        public void release() {
            released = true;
        }
    }

    /// A sequence and what it should hold.
    private record Sequence(PageTable table, List<Integer> numbers) {}

    /// Random forks, appends, accepted paths, rewinds and drops in one pool.
    private static final class Walk {
        private final Numbers memory;
        private final KvPool pool;
        private final List<Sequence> sequences = new ArrayList<>();
        private final SplittableRandom random;
        private int next;
        private int full;

        Walk(int pages, SplittableRandom random) {
            this.random = random;
            memory = new Numbers(pages);
            pool = new KvPool(LAYOUT, pages, memory, _ -> { });
        }

        void step() {
            if (sequences.isEmpty()) {
                sequences.add(new Sequence(pool.openTable(pool.pages() * KvPool.PAGE_SLOTS), new ArrayList<>()));
            }
            Sequence sequence = sequences.get(random.nextInt(sequences.size()));
            List<Integer> numbers = sequence.numbers;
            switch (random.nextInt(8)) {
                case 0 -> {
                    if (sequences.size() < 10) {
                        int length = random.nextInt(numbers.size() + 1);
                        sequences.add(new Sequence(sequence.table.fork(length), new ArrayList<>(numbers.subList(0, length))));
                    }
                }
                case 1 -> {
                    int length = random.nextInt(numbers.size() + 1);
                    sequence.table.rewind(length);
                    numbers.subList(length, numbers.size()).clear();
                }
                case 2 -> {
                    if (random.nextInt(4) == 0) {
                        sequence.table.close();
                        sequences.remove(sequence);
                    }
                }
                case 3, 4 -> accept(sequence, random.nextInt(1, 65));
                default -> write(sequence, random.nextInt(1, 100));
            }
            poison();
        }

        /// Writes rows behind what is kept; false if there are no pages for them.
        private boolean reserve(Sequence sequence, int rows) {
            int length = sequence.numbers.size();
            try {
                sequence.table.reserve(length, length + rows);
            } catch (OutOfPagesException e) {
                assertTrue(e.needed() > e.free() && e.free() == pool.freePages(), e::getMessage);
                full++;
                return false;
            } catch (IllegalArgumentException _) {
                assertTrue(length + rows > sequence.table.slots());
                return false;
            }
            for (int row = 0; row < rows; row++) {
                memory.slots[sequence.table.poolSlot(length + row)] = next + row;
            }
            return true;
        }

        private void write(Sequence sequence, int rows) {
            if (reserve(sequence, rows)) {
                for (int row = 0; row < rows; row++) {
                    sequence.numbers.add(next + row);
                }
                next += rows;
            }
        }

        private void accept(Sequence sequence, int rows) {
            int length = sequence.numbers.size();
            if (reserve(sequence, rows)) {
                int kept = 0;
                for (int row = 0; row < rows; row++) {
                    if (random.nextInt(3) == 0) {
                        sequence.table.move(length + row, length + kept++);
                        sequence.numbers.add(next + row);
                    }
                }
                next += rows;
            }
        }

        /// Overwrites every slot that nobody keeps anything in.
        private void poison() {
            boolean[] kept = new boolean[memory.slots.length];
            for (Sequence sequence : sequences) {
                for (int slot = 0; slot < sequence.numbers.size(); slot++) {
                    kept[sequence.table.poolSlot(slot)] = true;
                }
            }
            for (int slot = 0; slot < kept.length; slot++) {
                memory.slots[slot] = kept[slot] ? memory.slots[slot] : POISON;
            }
        }

        void check(String where) {
            for (Sequence sequence : sequences) {
                int[] found = new int[sequence.numbers.size()];
                Arrays.setAll(found, slot -> memory.slots[sequence.table.poolSlot(slot)]);
                assertArrayEquals(sequence.numbers.stream().mapToInt(Integer::intValue).toArray(), found, where);
            }
        }
    }

    @Test
    void forkRewindAndMove_atRandom_eachSequenceHoldsWhatACopyHolds() {
        int rounds = TestScale.rounds(10_000, 100_000);
        long seed = TestScale.seed();
        Walk walk = new Walk(24, new SplittableRandom(seed));
        for (int round = 0; round < rounds; round++) {
            walk.step();
            walk.check("seed " + seed + ", round " + round);
        }
        assertTrue(walk.full > 0, "the pool was never full");
        walk.sequences.forEach(sequence -> sequence.table.close());
        assertEquals(walk.pool.pages(), walk.pool.freePages());
        walk.pool.close();
        assertTrue(walk.memory.released);
    }

    @Test
    void fork_fullPages_areSharedAndThePartialOneCopiedWhenWritten() {
        try (KvPool pool = new KvPool(LAYOUT, 8, new Numbers(8), _ -> { }); PageTable first = pool.openTable(512)) {
            first.reserve(0, 150);
            try (PageTable second = first.fork(150)) {
                assertEquals(5, pool.freePages());
                second.reserve(150, 160);
                assertEquals(4, pool.freePages());
                assertEquals(first.poolSlot(127), second.poolSlot(127));
                assertTrue(first.poolSlot(128) != second.poolSlot(128));
                first.reserve(150, 160);
                assertEquals(4, pool.freePages(), "nobody shares it any more");
            }
            assertEquals(5, pool.freePages());
        }
    }

    @Test
    void reserve_poolThatIsFull_saysHowManyPagesAreMissingAndChangesNothing() {
        try (KvPool pool = new KvPool(LAYOUT, 2, new Numbers(2), _ -> { }); PageTable first = pool.openTable(128);
                PageTable second = pool.openTable(128)) {
            first.reserve(0, 64);
            assertEquals("KV pool of 2 pages of 64 tokens, 512 bytes each: 2 more are needed, found 1 free; close or rewind a sequence, or "
                    + "open a larger pool", assertThrows(OutOfPagesException.class, () -> second.reserve(0, 65)).getMessage());
            assertEquals(0, second.reservedSlots());
            assertEquals("a sequence of 129 tokens needs 3 pages of 512 bytes: the KV pool has 2",
                    assertThrows(IllegalArgumentException.class, () -> pool.openTable(129)).getMessage());
        }
    }

    @Test
    void release_slotsBehindAWindow_givesTheirPagesBack() {
        KvLayout windowed = new KvLayout(List.of(new LayerState.Attention(1, 2, 100)), DType.F16);
        try (KvPool pool = new KvPool(windowed, 4, new Numbers(4), _ -> { }); PageTable table = pool.openTable(256);
                Arena arena = Arena.ofConfined()) {
            table.reserve(0, 256);
            table.release(130);
            assertEquals(2, pool.freePages());
            assertEquals(128, table.firstSlot());
            assertThrows(IndexOutOfBoundsException.class, () -> table.poolSlot(127));
            assertThrows(IndexOutOfBoundsException.class, () -> table.rewind(127));
            BatchLimits limits = new BatchLimits(64, 64);
            Segment segment = new Segment(arena, limits).beginCausal(200);
            segment.addRow(1);
            assertEquals("segment 0 of 1 rows after 200 slots: pages hold slots 128 to 256, layers attend to the last 100",
                    assertThrows(IllegalArgumentException.class, () -> Batch.of(segment, table).requireWithin(limits)).getMessage());
            segment.beginCausal(227).addRow(1);
            Batch.of(segment, table).requireWithin(limits);
        }
    }

    @Test
    void run_slotsWithoutPages_isRefused() {
        try (Backend backend = new ReferenceBackend(); Arena arena = Arena.ofConfined();
                PageTable table = PageTable.openAlone(backend, LAYOUT, 256)) {
            BatchLimits limits = new BatchLimits(64, 64);
            Segment segment = new Segment(arena, limits).beginCausal(65);
            segment.addRow(1);
            table.reserve(0, 64);
            assertEquals("segment 0 of 1 rows after 65 slots: pages hold slots 0 to 64, layers attend to all",
                    assertThrows(IllegalArgumentException.class, () -> Batch.of(segment, table).requireWithin(limits)).getMessage());
        }
    }

    @Test
    void close_poolOrTable_endsBothAndTwiceIsHarmless() {
        Numbers memory = new Numbers(2);
        KvPool pool = new KvPool(LAYOUT, 2, memory, _ -> { });
        PageTable table = pool.openTable(128);
        table.reserve(0, 128);
        pool.close();
        assertTrue(memory.released);
        table.close();
        assertThrows(IllegalStateException.class, () -> table.reserve(0, 1));
        assertThrows(IllegalStateException.class, () -> pool.openTable(1));
    }

    @Test
    void close_tableWithAPoolOfItsOwnAndItsBackendAtOnce_endsBoth() {
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            for (int round = 0; round < 3_000; round++) {
                ReferenceBackend backend = new ReferenceBackend();
                PageTable table = PageTable.openAlone(backend, LAYOUT, 64);
                CyclicBarrier both = new CyclicBarrier(2);
                Thread other = Thread.ofVirtual().start(() -> {
                    await(both);
                    backend.close();
                });
                await(both);
                table.close();
                other.join();
                assertThrows(IllegalStateException.class, () -> table.reserve(0, 1));
                assertThrows(IllegalStateException.class, () -> table.pool().openTable(1));
            }
        });
    }

    private static void await(CyclicBarrier barrier) {
        try {
            barrier.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException(e);
        }
    }
}
