package org.gatun.template;

/// What one rendering may take. Everything that allocates, repeats or descends asks here first, so a template ends within
/// a bounded time and memory whatever it does.
final class Budget {
    /* Memory is counted as it is taken and never given back: what is alive at any time is less. A long conversation is
     * copied a few times by an honest template, so the bound grows with what was given. */

    private static final long MAX_BYTES = 32L << 20;
    private static final long MAX_MORE_BYTES = 1L << 30;
    private static final int BYTES_PER_BYTE_GIVEN = 64;
    private static final long MAX_STEPS = 20_000_000;
    private static final long MAX_NANOS = 5_000_000_000L;
    private static final int MAX_DEPTH = 500;
    private static final long STEPS_BETWEEN_LOOKS = 1 << 13;

    /// A size that is always refused, and does not overflow.
    static final long ABSURD = Long.MAX_VALUE >> 8;

    private static final int BYTES_OF_OBJECT = 48;
    private static final int BYTES_OF_REFERENCE = 8;
    private static final int BYTES_OF_ENTRY = 96;

    private final long start = System.nanoTime();
    private long bytesLeft = MAX_BYTES;
    private long moreBytes;
    private long steps;
    private long nextLook = STEPS_BETWEEN_LOOKS;
    private int depth;

    /// Grants more memory for what the caller gave.
    void given(long bytes) {
        long more = Math.min(BYTES_PER_BYTE_GIVEN * bytes, MAX_MORE_BYTES - moreBytes);
        moreBytes += more;
        bytesLeft += more;
    }

    /// Takes the memory of a string.
    void text(long characters) {
        bytes(BYTES_OF_OBJECT + 2 * characters);
    }

    /// Takes the memory of a list.
    void list(long elements) {
        bytes(BYTES_OF_OBJECT + BYTES_OF_REFERENCE * elements);
    }

    /// Takes the memory of a map.
    void map(long entries) {
        bytes(BYTES_OF_OBJECT + BYTES_OF_ENTRY * entries);
    }

    /// Takes memory, and the time to fill it.
    ///
    /// @param bytes may be absurd, but not negative
    void bytes(long bytes) {
        bytesLeft -= bytes;
        if (bytesLeft < 0) {
            throw new Refusal("takes more than " + (MAX_BYTES + moreBytes >> 20) + " MB");
        }
        work(1 + bytes / 64);
    }

    /// Takes steps, each some nanoseconds long.
    void work(long more) {
        steps += more;
        if (steps >= nextLook) {
            nextLook = steps + STEPS_BETWEEN_LOOKS;
            look();
        }
    }

    private void look() {
        if (steps > MAX_STEPS) {
            throw new Refusal("takes more than " + MAX_STEPS + " steps");
        }
        if (System.nanoTime() - start > MAX_NANOS) {
            throw new Refusal("takes more than " + MAX_NANOS / 1_000_000_000 + " seconds");
        }
        if (Thread.currentThread().isInterrupted()) {
            throw new Refusal("interrupted");
        }
    }

    /// Goes one level down, in the tree or in a value; [#leave] comes back. A refusal on the way ends the rendering, so
    /// nobody needs to come back from there.
    void enter() {
        work(1);
        if (++depth > MAX_DEPTH) {
            throw new Refusal("nested more than " + MAX_DEPTH + " deep");
        }
    }

    void leave() {
        depth--;
    }
}
