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

    /// Runs one pass, samples a token after each row, and keeps one path of rows: from the first row on to the child that carries the
    /// token sampled, as long as there is one. Rows that were sampled themselves ([Pass#setDraftDistributions]) are tested instead, so that
    /// what is emitted follows the target's distribution. The keys and values of accepted rows are moved into the slots behind the first
    /// row's, in order. Hot: allocates nothing, once it has seen distributions of such size. [HostVerifier] is the definition.
    ///
    /// @param pass one that samples, see [Pass#sample]
    /// @param kv where keys and values are read, written and moved
    /// @param result receives what was sampled and accepted
    /// @throws IllegalArgumentException as by [#run], or if a distribution is not over the vocabulary
    default void verify(Pass pass, KvStore kv, VerificationResult result) {
        launch(pass, kv, result);
        await();
    }

    /// The first part of [#verify]: where [#isAsynchronous], the pass is under way when this returns, else it is done. Until [#await],
    /// nothing else may be asked of this executable; `pass` may be filled anew, other executables may run.
    ///
    /// @throws IllegalArgumentException as by [#verify]; then there is nothing to await
    void launch(Pass pass, KvStore kv, VerificationResult result);

    /// The second part of [#verify]: waits for the pass that was launched, if it may still run, and gives its result what it lacks.
    void await();

    /// Whether the calling thread has time between [#launch] and [#await], since a device does the work.
    boolean isAsynchronous();

    /// Runs a pass of one row, samples a token after it, reads that in a pass of its own, and so on: a chain of tokens, each with its
    /// margin. The last one sampled is not read. Hot: allocates nothing.
    ///
    /// @param pass of one row, which samples; changed
    /// @param kv where keys and values are read and written
    /// @param count most tokens to sample, from 1 to `treeRows`
    /// @param margin after a token whose logit is not ahead of the second by this much, no more are sampled
    /// @param sampled receives the tokens
    /// @throws IllegalArgumentException as by [#run], or if the count is out of range or more than there are slots
    void decodeChain(Pass pass, KvStore kv, int count, float margin, SampledTokens sampled);

    /// Logits of the last pass, `[selected rows, vocabulary] f32`, overwritten by the next.
    MemorySegment logits();

    /// The hidden state tapped under `name` in the last pass, `[rows, width] f32`, overwritten by the next.
    ///
    /// @throws IllegalArgumentException if the plan has no such tap
    MemorySegment tap(String name);

    @Override
    void close();
}
