package org.gatun.speculative;

import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;

/// Proposes continuations of a text for the target to verify. It owns its own state, hears the outcome of every step, and
/// never touches the target's KV cache. What it proposes can cost time but never changes the text.
///
/// Used by one thread at a time. Owned by whoever opened it and closed by any thread at any time: closing waits for the pass that runs on a
/// model of the drafter's, then frees its sessions and partial models, and calls that need these throw `IllegalStateException`. One
/// that holds nothing but objects of the heap has nothing to free, and nothing happens. Closing twice is harmless.
public interface Drafter extends AutoCloseable {

    /// What it needs besides the text: nothing unless overridden.
    default Requirements requirements() {
        return Requirements.NONE;
    }

    /// Starts on a text; called before its first [#draft]. What was learnt from texts before may be kept.
    ///
    /// @param target what the target keeps of the text, for drafters that run parts of it
    /// @param prompt tokens so far; the last one is the first root
    /// @param sampling the target's, so that a drafter may sample with the same random numbers
    void begin(SequenceState target, TokenSequence prompt, Sampling sampling);

    /// Adds proposals to `tree`, whose root is the last token of `text`. Adding none is allowed.
    ///
    /// @param text tokens so far
    /// @param tree holds the root only
    /// @param maxNodes most nodes the tree may have in the end, the root included
    void draft(TokenSequence text, TokenTree tree, int maxNodes);

    /// Gives time to go on while the target verifies the last proposal: what is prepared for the result that is likely costs no waiting
    /// if it comes. What the target keeps must be left alone. Does nothing unless overridden.
    ///
    /// @param text as it was when the proposal was made
    /// @param tree the proposal, as it is verified
    /// @param maxTokens most tokens that the text will grow by from here on, those of this step among them
    default void draftAhead(TokenSequence text, TokenTree tree, int maxTokens) {
        // most have nothing to do before they know the result
    }

    /// Tells what became of the last proposal. `text` already has the tokens that the step emitted.
    ///
    /// @param step valid until the next pass
    void observe(TokenSequence text, Step step);

    @Override
    void close();
}
