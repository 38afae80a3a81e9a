package org.gatun.backend;

import java.lang.foreign.MemorySegment;

/// A compiled plan. Used by one thread at a time, else `IllegalStateException`. Closed by whoever compiled it, from any thread and at any
/// time, or with its backend: closing waits for the pass that runs, on a device also for one that was launched and not awaited;
/// use after close throws `IllegalStateException`. Closing twice is harmless.
public interface Executable extends AutoCloseable {

    /// The largest passes it can run.
    PassLimits limits();

    /// Runs one pass. Hot: allocates nothing.
    ///
    /// @param pass tokens, positions and visibility of the rows
    /// @param kv where keys and values are read and written
    /// @throws IllegalArgumentException if the pass is beyond [#limits], reaches beyond the slots of `kv`, or
    ///         holds a token outside the vocabulary
    void run(Pass pass, KvStore kv);

    /// Runs one pass, draws a token after each row, and keeps one path of rows: from the first row on to the child that carries the
    /// token drawn, as long as there is one. Rows that were drawn themselves ([Pass#setDrawings]) are tested instead, so that the law of
    /// what is emitted stays the target's. The keys and values of accepted rows are moved into the slots behind the first row's, in
    /// order. Hot: allocates nothing, once it has seen drawings of such size. [HostVerifier] is the definition.
    ///
    /// @param pass one that draws, see [Pass#draw]
    /// @param kv where keys and values are read, written and moved
    /// @param verdict receives what was drawn and accepted
    /// @throws IllegalArgumentException as by [#run], or if a law is not over the vocabulary
    default void verify(Pass pass, KvStore kv, Verdict verdict) {
        launch(pass, kv, verdict);
        await();
    }

    /// The first part of [#verify]: where [#runsBesideHost], the pass is under way when this returns, else it is done. Until [#await],
    /// nothing else may be asked of this executable; `pass` may be filled anew, other executables may run.
    ///
    /// @throws IllegalArgumentException as by [#verify]; then there is nothing to await
    void launch(Pass pass, KvStore kv, Verdict verdict);

    /// The second part of [#verify]: waits for the pass that was launched, if it may still run, and gives its verdict what it lacks.
    void await();

    /// Whether the calling thread has time between [#launch] and [#await], since a device does the work.
    boolean runsBesideHost();

    /// Runs a pass of one row, draws a token after it, reads that in a pass of its own, and so on: a chain of tokens, each with its
    /// lead. The last one drawn is not read. Hot: allocates nothing.
    ///
    /// @param pass of one row, which draws; changed
    /// @param kv where keys and values are read and written
    /// @param count most tokens to draw, from 1 to `treeRows`
    /// @param lead after a token whose logit leads by less, no more are drawn
    /// @param verdict receives the tokens; all but the last count as accepted
    /// @throws IllegalArgumentException as by [#run], or if the count is out of range or more than there are slots
    void roll(Pass pass, KvStore kv, int count, float lead, Verdict verdict);

    /// Logits of the last pass, `[selected rows, vocabulary] f32`, overwritten by the next.
    MemorySegment logits();

    /// The hidden state tapped under `name` in the last pass, `[rows, width] f32`, overwritten by the next.
    ///
    /// @throws IllegalArgumentException if the plan has no such tap
    MemorySegment tap(String name);

    @Override
    void close();
}
