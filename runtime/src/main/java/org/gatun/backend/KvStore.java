package org.gatun.backend;

/// The memory of one KV cache, on the backend that allocated it. It knows slots, not tokens: what is in them is the
/// business of `org.gatun.model.KvCache`.
///
/// Closed by whoever allocated it, from any thread and at any time, or with its backend: closing waits for the pass that runs over it; use
/// after close throws `IllegalStateException`. Closing twice is harmless.
public interface KvStore extends AutoCloseable {

    /// Its sizes.
    KvShape shape();

    /// Copies the row in slot `from` to slot `to`, keys and values, in every layer.
    ///
    /// @throws IndexOutOfBoundsException if a slot is outside the store
    void move(int from, int to);

    @Override
    void close();
}
