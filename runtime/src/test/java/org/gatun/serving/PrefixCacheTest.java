package org.gatun.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.gatun.backend.KvPool;
import org.gatun.backend.MarkovBackend;
import org.gatun.backend.PageTable;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Pages of a prefix cache against a set of all that was ever put into it.
class PrefixCacheTest {
    private static final int PAGES = 12;
    private static final int SLOTS = 6 * KvPool.PAGE_SLOTS;

    @TempDir
    private Path directory;

    /// What was written into a slot: a hash of all tokens up to there, and of whose they are.
    private final int[] slots = new int[PAGES * KvPool.PAGE_SLOTS];
    private Model model;
    private KvPool pool;

    @BeforeEach
    void open() throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, 6, 32, 1, 1, 1, 32, SLOTS, 1, 1);
        model = Model.load(shape.write(directory.resolve("m.gguf")), new MarkovBackend(6, 1, 1, null), new ModelOptions(SLOTS, DType.F16));
        pool = new KvPool(model.kvLayout(), PAGES, new KvPool.Memory() {
            @Override
            public KvPool.PageList openList(int pages) {
                return (_, _) -> { };
            }

            @Override
            public void copyPage(int from, int to) {
                throw new AssertionError("page " + from + " is written while others have it");
            }

            @Override
            public void move(PageTable table, int from, int to) {
                throw new AssertionError("nothing is moved");
            }

            @Override
            public void release() {
                Arrays.fill(slots, 0);
            }
        }, _ -> { });
    }

    @AfterEach
    void close() {
        pool.close();
        model.close();
    }

    private static int hash(String key, int[] tokens, int length) {
        return 31 * key.hashCode() + Arrays.hashCode(Arrays.copyOf(tokens, length));
    }

    /// Reads a text behind what the sequence has.
    private void read(SequenceState sequence, String key, int[] text) {
        sequence.pages().reserve(sequence.length(), text.length);
        for (int position = sequence.length(); position < text.length; position++) {
            slots[sequence.pages().poolSlot(position)] = hash(key, text, position + 1);
            sequence.append(text[position]);
        }
    }

    private SequenceState sequence() {
        return new SequenceState(model, pool.openTable(SLOTS));
    }

    private SequenceState read(String key, int... text) {
        SequenceState sequence = sequence();
        read(sequence, key, text);
        return sequence;
    }

    /// A text that begins like many others: pages of three kinds.
    private static int[] text(SplittableRandom random) {
        int[] text = new int[random.nextInt(1, SLOTS)];
        for (int page = 0; page * KvPool.PAGE_SLOTS < text.length; page++) {
            Arrays.fill(text, page * KvPool.PAGE_SLOTS, Math.min(text.length, (page + 1) * KvPool.PAGE_SLOTS), random.nextInt(3));
        }
        return text;
    }

    @Test
    void attach_randomOperations_givesRowsOfTheSameTokensAndKey() {
        SplittableRandom random = new SplittableRandom(TestScale.seed());
        PrefixCache cache = new PrefixCache(pool, PrefixSharing.KEY);
        Set<Integer> inserted = new HashSet<>(); // hashes of all prefixes of whole pages
        List<SequenceState> open = new ArrayList<>();
        int attached = 0;
        int refused = 0;
        for (int step = 0; step < TestScale.rounds(3_000, 100_000); step++) {
            if (open.size() > 2 || random.nextInt(3) == 0 && !open.isEmpty()) {
                open.remove(random.nextInt(open.size())).close();
                continue;
            }
            String key = "key " + random.nextInt(2);
            int[] text = text(random);
            SequenceState sequence = sequence();
            open.add(sequence);
            int found = cache.attach(key, text, text.length - 1, sequence);
            attached += found;
            assertTrue(found < text.length && found % KvPool.PAGE_SLOTS == 0);
            assertEquals(found / KvPool.PAGE_SLOTS, cache.matchingPages(key, text, text.length - 1));
            for (int position = 0; position < found; position++) {
                assertEquals(hash(key, text, position + 1), slots[sequence.pages().poolSlot(position)], "position " + position);
                assertEquals(text[position], sequence.tokens()[position]);
            }
            for (int length = KvPool.PAGE_SLOTS; length <= found; length += KvPool.PAGE_SLOTS) {
                assertTrue(inserted.contains(hash(key, text, length)));
            }
            int missing = KvPool.pagesFor(text.length) - KvPool.pagesFor(found) - pool.freePages();
            if (missing > 0) {
                int free = pool.freePages();
                boolean evicted = cache.evict(missing);
                assertEquals(evicted ? free + missing : free, pool.freePages());
                if (!evicted) {
                    refused++;
                    open.removeLast().close();
                    continue;
                }
            }
            read(sequence, key, text);
            cache.insert(key, sequence);
            for (int length = KvPool.PAGE_SLOTS; length <= text.length; length += KvPool.PAGE_SLOTS) {
                inserted.add(hash(key, text, length));
            }
            assertEquals(text.length / KvPool.PAGE_SLOTS, cache.matchingPages(key, text, text.length));
        }
        assertTrue(attached > 0 && refused > 0, attached + " tokens attached, " + refused + " times no pages");
        open.forEach(SequenceState::close);
        assertEquals(PAGES, pool.freePages() + cache.pages());
        assertTrue(cache.evict(cache.pages()));
        assertEquals(PAGES, pool.freePages());
    }

    @Test
    void evict_leastRecentLeafFirst() {
        PrefixCache cache = new PrefixCache(pool, PrefixSharing.ALL);
        int[] first = new int[2 * KvPool.PAGE_SLOTS];
        int[] second = first.clone();
        Arrays.fill(second, KvPool.PAGE_SLOTS, second.length, 1); // the same first page
        for (int[] text : List.of(first, second)) {
            try (SequenceState sequence = read("", text)) {
                cache.insert("", sequence);
            }
        }
        assertEquals(3, cache.pages());
        cache.matchingPages("", first, first.length);

        assertTrue(cache.evict(1));
        assertEquals(1, cache.matchingPages("", second, second.length));
        assertEquals(2, cache.matchingPages("", first, first.length));
        assertTrue(cache.evict(1));
        assertEquals(1, cache.matchingPages("", first, first.length));
    }

    @Test
    void evict_pagesThatASequenceUses_areLeft() {
        PrefixCache cache = new PrefixCache(pool, PrefixSharing.ALL);
        try (SequenceState sequence = read("", new int[KvPool.PAGE_SLOTS])) {
            cache.insert("", sequence);

            assertTrue(!cache.evict(1));
        }
        assertTrue(cache.evict(1));
    }

    @Test
    void insert_sharingNone_keepsNothing() {
        PrefixCache cache = new PrefixCache(pool, PrefixSharing.NONE);
        try (SequenceState sequence = read("", new int[KvPool.PAGE_SLOTS])) {
            cache.insert("", sequence);
        }
        assertEquals(PAGES, pool.freePages());
    }

    @Test
    void retain_freePage_isRefused() {
        assertEquals("page 3 is free: expected one that belongs to a page table",
                assertThrows(IllegalStateException.class, () -> pool.retain(3)).getMessage());
        assertEquals("page 3 is free: expected one that was retained",
                assertThrows(IllegalStateException.class, () -> pool.release(3)).getMessage());
    }
}
