package org.gatun.backend;

import java.lang.foreign.MemorySegment;

/// A compiled plan. Used by one thread at a time, else `IllegalStateException`. Closed by whoever compiled it, from any thread and at any
/// time, or with its backend: closing waits for the pass that runs, on a device also for one that was launched and not awaited;
/// use after close throws `IllegalStateException`. Closing twice is harmless.
public interface Executable extends AutoCloseable {

    /// The largest passes it can run.
    BatchLimits limits();

    /// Runs a batch: one pass. Hot: allocates nothing.
    ///
    /// @throws IllegalArgumentException if the batch is beyond [#limits], a segment reaches beyond its page table or holds a token
    ///         outside the vocabulary, or a page table is not of this backend or keeps something else than the plan needs
    /// @throws OutOfPagesException if a pool has too few free pages for the rows
    void run(Batch batch);

    /// Runs a batch, samples a token after each row of the segments that sample, and keeps one path of their rows: from the first row on
    /// to the child that carries the token sampled, as long as there is one. Rows that were sampled themselves
    /// ([Segment#setDraftDistributions]) are tested instead, so that what is emitted follows the target's distribution. The keys and
    /// values of accepted rows are moved into the slots behind the first row's, in order. Hot: allocates nothing, once it has seen
    /// distributions of such size. [HostVerifier] is the definition.
    ///
    /// @param batch with segments that sample, see [Segment#sample]; their results receive what was sampled and accepted
    /// @throws IllegalArgumentException as by [#run], or if a distribution is not over the vocabulary
    /// @throws IllegalStateException if no segment samples
    default void verify(Batch batch) {
        launch(batch);
        await();
    }

    /// The first part of [#verify]: where [Backend#isAsynchronous], the pass is under way when this returns, else it is done. Until [#await],
    /// nothing else may be asked of this executable; the segments may be filled anew, other executables may run.
    ///
    /// @throws IllegalArgumentException as by [#verify]; then there is nothing to await
    void launch(Batch batch);

    /// The second part of [#verify]: waits for the pass that was launched, if it may still run, and gives its results what they lack.
    void await();

    /// Runs a pass of one row, samples a token after it, reads that in a pass of its own, and so on: a chain of tokens, each with its
    /// margin. The last one sampled is not read. Hot: allocates nothing.
    ///
    /// @param batch of one segment of one row, which samples; changed
    /// @param count most tokens to sample, from 1 to `treeRows`
    /// @param margin after a token whose logit is not ahead of the second by this much, no more are sampled
    /// @param sampled receives the tokens
    /// @throws IllegalArgumentException as by [#run], or if the count is out of range or more than there are slots
    /// @throws IllegalStateException if there is not one segment of one row, or it does not sample
    void decodeChain(Batch batch, int count, float margin, SampledTokens sampled);

    /// Logits of the last pass, `[selected rows, vocabulary] f32`, overwritten by the next.
    ///
    /// @throws IllegalArgumentException if the plan has none
    MemorySegment logits();

    /// An output of the last pass, `[rows or selected rows of that pass, width] f32`, overwritten by the next. Where a backend runs rows
    /// again that an earlier pass of a tree has run, these come first.
    ///
    /// @throws IllegalArgumentException if the plan has no such output
    MemorySegment output(String name);

    /// Where the caller writes the rows of an input before a pass, `[limits.rows, width] f32`, row by row as they lie in the batch.
    ///
    /// @throws IllegalArgumentException if the plan has no such input
    MemorySegment input(String name);

    /// Takes the rows of an input from an output of another executable of this backend from now on: those of its last pass when a pass of
    /// this one begins. On a device they do not visit the host.
    ///
    /// @param from must have run a pass of as many rows before each of this
    /// @throws IllegalArgumentException if there is no such input or output, they differ in width, the output has selected rows only, or
    ///         the executable is of another backend
    void connect(String input, Executable from, String output);

    @Override
    void close();
}
