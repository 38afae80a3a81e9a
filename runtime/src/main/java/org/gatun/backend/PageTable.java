package org.gatun.backend;

import java.util.Arrays;
import java.util.Objects;
import org.gatun.lifetime.Lifetime;

/// The pages of one sequence, in the order of its slots. Forked and rewound without copying a key: full pages are shared, and a page that
/// others share is copied when this table is about to write into it.
///
/// Used by one thread at a time, else `IllegalStateException`. Closed by whoever opened it, from any thread and at any time, or with its
/// pool: closing waits for the pass that runs over it, then gives its pages back; use after close throws `IllegalStateException`. Closing
/// twice is harmless.
public final class PageTable implements AutoCloseable {
    private final KvPool pool;
    private final int slots;
    private final int[] pages; // of the pool; those from `firstPage` to `endPage` are this table's
    private final int[] taken;
    private final KvPool.PageList list;
    private final Lifetime lifetime = new Lifetime("page table", this::release);
    private boolean ownsPool;
    private int firstPage;
    private int endPage;

    PageTable(KvPool pool, int slots) {
        this.pool = pool;
        this.slots = slots;
        pages = new int[KvPool.pagesFor(slots)];
        taken = new int[pages.length];
        Arrays.fill(pages, -1);
        list = pool.memory().openList(pages.length);
    }

    /// Opens the pages of a sequence in a pool of its own, which is closed with the table, and so are its forks.
    ///
    /// @throws IllegalArgumentException if the backend cannot store keys and values so, or there are no slots
    /// @throws OutOfMemoryError if there is not so much memory
    public static PageTable openAlone(Backend backend, KvLayout layout, int slots) {
        KvPool pool = backend.openKvPool(layout, KvPool.pagesFor(slots));
        try {
            PageTable table = pool.openTable(slots);
            table.ownsPool = true;
            return table;
        } catch (Throwable e) {
            pool.close();
            throw e;
        }
    }

    /// The pool that its pages are of.
    public KvPool pool() {
        return pool;
    }

    /// Most slots.
    public int slots() {
        return slots;
    }

    /// Slots that have a page.
    public int reservedSlots() {
        return Math.min(slots, endPage * KvPool.PAGE_SLOTS);
    }

    /// The first slot whose page was not given back by [#release(int)].
    public int firstSlot() {
        return firstPage * KvPool.PAGE_SLOTS;
    }

    /// A slot's number over all pages of the pool.
    ///
    /// @throws IndexOutOfBoundsException if the slot has no page
    public int poolSlot(int slot) {
        int index = slot / KvPool.PAGE_SLOTS;
        if (index < firstPage || index >= endPage) {
            throw new IndexOutOfBoundsException("slot " + slot + ": expected one from " + firstSlot() + " to " + reservedSlots());
        }
        return pages[index] * KvPool.PAGE_SLOTS + slot % KvPool.PAGE_SLOTS;
    }

    /// The page numbers where passes read them, as the pool's memory made it.
    public KvPool.PageList list() {
        return list;
    }

    /// Passes over it are uses.
    public Lifetime lifetime() {
        return lifetime;
    }

    /// Makes slots `from` to `to` ready to be written: gives them pages, and copies those that others share. Executables do so with the
    /// slots of a pass. Hot: allocates nothing.
    ///
    /// @throws IllegalArgumentException if there are not so many slots, or those below `from` have no pages
    /// @throws OutOfPagesException if the pool has too few free pages; then nothing has changed
    public void reserve(int from, int to) {
        lifetime.enter();
        try {
            reservePages(from, to);
        } finally {
            lifetime.leave();
        }
    }

    private void reservePages(int from, int to) {
        if (from < firstSlot() || from > reservedSlots() || to > slots) {
            throw new IllegalArgumentException("writing slots " + from + " to " + to + ": expected to begin within those with pages, "
                    + firstSlot() + " to " + reservedSlots() + ", and to end within " + slots);
        }
        int first = from / KvPool.PAGE_SLOTS;
        int end = KvPool.pagesFor(to);
        int needed = Math.max(0, end - endPage);
        for (int index = first; index < Math.min(end, endPage); index++) {
            needed += pool.isShared(pages[index]) ? 1 : 0;
        }
        if (needed > 0) {
            pool.take(needed, taken);
            for (int index = first; index < Math.min(end, endPage); index++) {
                if (pool.isShared(pages[index])) {
                    pool.memory().copyPage(pages[index], taken[--needed]);
                    pool.giveBack(pages, index, index + 1);
                    put(index, taken[needed]);
                }
            }
            while (endPage < end) {
                put(endPage++, taken[--needed]);
            }
            pool.giveBack(taken, 0, needed); // of pages that others have ceased to share meanwhile
        }
    }

    /// A page that was given back and is taken again, as after each rewinding of a draft, is in the list still.
    private void put(int index, int page) {
        if (pages[index] != page) {
            pages[index] = page;
            list.set(index, page);
        }
    }

    /// Number in the pool of one of its pages.
    ///
    /// @param index of the page here, the first slots' being 0
    /// @throws IndexOutOfBoundsException if there is no such page
    public int page(int index) {
        return poolSlot(index * KvPool.PAGE_SLOTS) / KvPool.PAGE_SLOTS;
    }

    /// Takes a page of the pool that belongs to somebody as its next one, which both share. What its slots hold, the caller knows.
    ///
    /// @throws IllegalStateException if the page is free
    /// @throws IllegalArgumentException if all slots have pages
    public void attach(int page) {
        lifetime.enter();
        try {
            if (endPage == pages.length) {
                throw new IllegalArgumentException("one page more for a sequence of " + slots + " slots: all have pages");
            }
            pool.retain(page);
            put(endPage++, page);
        } finally {
            lifetime.leave();
        }
    }

    /// A table of the same slots up to `length`, whose pages both share; the caller closes it.
    ///
    /// @throws IllegalArgumentException if slots below `length` have no pages
    public PageTable fork(int length) {
        lifetime.enter();
        try {
            if (length < firstSlot() || length > reservedSlots()) {
                throw new IllegalArgumentException("forking " + length + " slots: expected " + firstSlot() + " to " + reservedSlots()
                        + ", those with pages");
            }
            PageTable fork = pool.openTable(slots);
            fork.firstPage = firstPage;
            fork.endPage = KvPool.pagesFor(length);
            pool.share(pages, fork.firstPage, fork.endPage);
            for (int index = fork.firstPage; index < fork.endPage; index++) {
                fork.put(index, pages[index]);
            }
            return fork;
        } finally {
            lifetime.leave();
        }
    }

    /// Gives back the pages of slots from `length` on. Hot: allocates nothing.
    ///
    /// @throws IndexOutOfBoundsException if there are not so many slots with pages
    public void rewind(int length) {
        lifetime.enter();
        try {
            if (length < firstSlot() || length > reservedSlots()) {
                throw new IndexOutOfBoundsException("rewinding to " + length + " slots: expected " + firstSlot() + " to " + reservedSlots()
                        + ", those with pages");
            }
            int end = KvPool.pagesFor(length);
            pool.giveBack(pages, end, endPage);
            endPage = end;
        } finally {
            lifetime.leave();
        }
    }

    /// Gives back the pages whose slots all lie below `slot`: for layers with a window, which attend to them no more.
    ///
    /// @throws IndexOutOfBoundsException if there are not so many slots with pages
    public void release(int slot) {
        lifetime.enter();
        try {
            int first = Objects.checkIndex(slot, reservedSlots() + 1) / KvPool.PAGE_SLOTS;
            if (first > firstPage) {
                pool.giveBack(pages, firstPage, first);
                firstPage = first;
            }
        } finally {
            lifetime.leave();
        }
    }

    /// Copies the row in slot `from` to slot `to`, keys and values, in every layer. Hot: allocates nothing.
    ///
    /// @throws IllegalArgumentException if slots before `to` have no pages
    /// @throws IndexOutOfBoundsException if slot `from` has no page, or there is no slot `to`
    public void move(int from, int to) {
        lifetime.enter();
        try {
            poolSlot(from);
            reservePages(Objects.checkIndex(to, slots), to + 1);
            pool.memory().move(this, from, to);
        } finally {
            lifetime.leave();
        }
    }

    /// One that has a pool of its own is closed by that: were it the other way round, who closes the pool and who closes the table would
    /// wait for each other.
    @Override
    public void close() {
        if (ownsPool) {
            pool.close();
        } else {
            lifetime.close();
        }
    }

    private void release() {
        try (list) {
            pool.giveBack(pages, firstPage, endPage);
            pool.forget(this);
        }
    }

    /// As in messages: the pages, by number.
    @Override
    public String toString() {
        return "pages " + Arrays.toString(Arrays.copyOfRange(pages, firstPage, endPage)) + " from slot " + firstSlot() + " on";
    }
}
