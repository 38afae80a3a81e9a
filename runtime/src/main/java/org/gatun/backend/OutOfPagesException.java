package org.gatun.backend;

/// A KV pool has too few free pages for what a sequence is to read or write. Nothing was run; whoever drives the sequences decides whether
/// to wait, to forget prefixes, or to put a sequence off.
public final class OutOfPagesException extends IllegalStateException {
    private static final long serialVersionUID = 1;

    /// Pages that were needed.
    private final int needed;
    /// Pages that were free.
    private final int free;

    OutOfPagesException(KvPool pool, int needed, int free) {
        super("KV pool of " + pool.pages() + " pages of " + KvPool.PAGE_SLOTS + " tokens, " + KvPool.pageBytes(pool.layout())
                + " bytes each: " + needed + " more are needed, found " + free + " free; close or rewind a sequence, or open a larger pool");
        this.needed = needed;
        this.free = free;
    }

    /// Pages that were needed.
    public int needed() {
        return needed;
    }

    /// Pages that were free.
    public int free() {
        return free;
    }
}
