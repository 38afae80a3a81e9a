package org.gatun.backend;

import java.util.function.Consumer;
import org.gatun.lifetime.Lifetime;

/// The memory in which sequences keep their keys and values, in pages of [#PAGE_SLOTS] slots of every layer, counted: a page may belong to
/// several [page tables][PageTable], and be [retained][#retain]; it is free when it belongs to nobody. It knows slots, not tokens.
///
/// Shared by threads. Closed by whoever opened it, from any thread and at any time, or with its backend: closing closes its page tables,
/// which waits for the passes that run over them; use after close throws `IllegalStateException`. Closing twice is harmless.
///
/// After PagedAttention (Kwon et al. 2023, "Efficient Memory Management for Large Language Model Serving with PagedAttention").
public final class KvPool implements AutoCloseable {
    /// Slots of a page.
    public static final int PAGE_SLOTS = 64;

    /// The pages on a backend. Called by the threads that use its page tables, no more once it is released.
    public interface Memory {
        /// Makes what passes read the page numbers of a table from; closed with the table.
        ///
        /// @param pages most pages
        PageList openList(int pages);

        /// Copies a page, after the passes that were launched and before those that will be.
        void copyPage(int from, int to);

        /// Copies the row in slot `from` of a table to slot `to`, keys and values, in every layer.
        void move(PageTable table, int from, int to);

        /// Frees the pages. Called once.
        void release();
    }

    /// The numbers of a table's pages, where passes read them.
    @FunctionalInterface
    public interface PageList extends AutoCloseable {
        /// Says which page is number `index` from now on.
        void set(int index, int page);

        @Override
        default void close() {
            // most have nothing to free
        }
    }

    private final KvLayout layout;
    private final int window;
    private final Memory memory;
    private final int[] references;  // page tables, and others, that a page belongs to; guarded by it, as are the next two
    private final int[] free;        // the first `freePages` are numbers of free pages
    private int freePages;
    private final Lifetime lifetime;

    /// @param memory of `pages` pages of the layout, released when this is closed
    /// @param owner hears of that
    /// @throws IllegalArgumentException if there is no page
    public KvPool(KvLayout layout, int pages, Memory memory, Consumer<AutoCloseable> owner) {
        requirePages(layout, pages);
        this.layout = layout;
        window = layout.window();
        this.memory = memory;
        try {
            references = new int[pages];
            free = new int[pages];
        } catch (Throwable e) {
            memory.release();
            throw e;
        }
        for (int page = 0; page < pages; page++) {
            free[page] = pages - 1 - page; // the lowest are taken first
        }
        freePages = pages;
        lifetime = new Lifetime("KV pool", () -> {
            try {
                owner.accept(this);
            } finally {
                memory.release();
            }
        });
    }

    /// Checks a number of pages before their memory is allocated.
    ///
    /// @throws IllegalArgumentException if there is none, or there are 2³¹ slots or more
    public static void requirePages(KvLayout layout, int pages) {
        if (pages < 1 || pages > Integer.MAX_VALUE / PAGE_SLOTS) {
            throw new IllegalArgumentException("KV pool of " + pages + " pages of " + pageBytes(layout) + " bytes for " + layout
                    + ": expected 1 to " + Integer.MAX_VALUE / PAGE_SLOTS);
        }
    }

    /// Pages that so many slots take.
    public static int pagesFor(int slots) {
        return Math.ceilDiv(slots, PAGE_SLOTS);
    }

    /// Bytes of the keys and values of a page.
    public static long pageBytes(KvLayout layout) {
        return PAGE_SLOTS * layout.slotBytes();
    }

    /// What a slot keeps.
    public KvLayout layout() {
        return layout;
    }

    /// [KvLayout#window] of the layout. Hot.
    int window() {
        return window;
    }

    /// The pages on the backend.
    public Memory memory() {
        return memory;
    }

    /// All pages.
    public int pages() {
        return references.length;
    }

    /// Pages that belong to nobody.
    public int freePages() {
        synchronized (references) {
            return freePages;
        }
    }

    /// Opens a table without pages, for a sequence of at most `slots` slots; the caller closes it.
    ///
    /// @throws IllegalArgumentException if there are more slots than the pool has, or none
    public PageTable openTable(int slots) {
        if (slots < 1 || pagesFor(slots) > pages()) {
            throw new IllegalArgumentException("a sequence of " + slots + " tokens needs " + pagesFor(slots) + " pages of "
                    + pageBytes(layout) + " bytes: the KV pool has " + pages());
        }
        lifetime.enterInTurn();
        try {
            PageTable table = new PageTable(this, slots);
            lifetime.adopt(table.lifetime());
            return table;
        } finally {
            lifetime.leave();
        }
    }

    void forget(PageTable table) {
        lifetime.disown(table.lifetime());
    }

    /// Makes a page belong to somebody besides its page tables, so that what it holds stays when these are gone, until it is
    /// [released][#release].
    ///
    /// @throws IllegalStateException if the page is free
    public void retain(int page) {
        synchronized (references) {
            if (references[page] == 0) {
                throw new IllegalStateException("page " + page + " is free: expected one that belongs to a page table");
            }
            references[page]++;
        }
    }

    /// Gives back a page that was [retained][#retain].
    ///
    /// @throws IllegalStateException if the page is free
    public void release(int page) {
        synchronized (references) {
            if (references[page] == 0) {
                throw new IllegalStateException("page " + page + " is free: expected one that was retained");
            }
            drop(page);
        }
    }

    /// Takes one from the references of a page; to be called while they are guarded.
    private void drop(int page) {
        if (--references[page] == 0) {
            free[freePages++] = page;
        }
    }

    /// Whether a page belongs to more than one.
    public boolean isShared(int page) {
        synchronized (references) {
            return references[page] > 1;
        }
    }

    /// Takes pages for one table each.
    ///
    /// @param count of pages to write into `taken`
    /// @throws OutOfPagesException if there are not so many; then none is taken
    void take(int count, int[] taken) {
        synchronized (references) {
            if (count > freePages) {
                throw new OutOfPagesException(this, count, freePages);
            }
            for (int i = 0; i < count; i++) {
                taken[i] = free[--freePages];
                references[taken[i]] = 1;
            }
        }
    }

    /// Makes pages belong to one more table.
    void share(int[] pages, int from, int to) {
        synchronized (references) {
            for (int i = from; i < to; i++) {
                references[pages[i]]++;
            }
        }
    }

    /// Gives back what a table had of pages.
    void giveBack(int[] pages, int from, int to) {
        synchronized (references) {
            for (int i = from; i < to; i++) {
                drop(pages[i]);
            }
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
