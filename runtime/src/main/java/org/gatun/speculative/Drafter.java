package org.gatun.speculative;

import org.gatun.decoding.TokenText;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;

/// Proposes continuations of a text for the target to verify. It owns its own state, hears the outcome of every step, and
/// never touches the target's KV cache. What it proposes can cost time but never changes the text.
///
/// Owned by whoever opened it; closing twice is harmless. One thread at a time.
public interface Drafter extends AutoCloseable {

    /// Starts on a text; called before its first [#draft]. What was learnt from texts before may be kept.
    ///
    /// @param target the session whose text it is, for drafters that run parts of the target
    /// @param prompt tokens so far; the last one is the first root
    /// @param sampling the target's, so that a drafter may draw with the same noise
    void begin(Session target, TokenText prompt, Sampling sampling);

    /// Adds proposals to `tree`, whose root is the last token of `text`. Adding none is allowed.
    ///
    /// @param text tokens so far
    /// @param tree holds the root only
    /// @param maxNodes most nodes the tree may have in the end, the root included
    void draft(TokenText text, TokenTree tree, int maxNodes);

    /// Tells what became of the last proposal. `text` already has the tokens that the step emitted.
    ///
    /// @param step valid until the next pass
    void observe(TokenText text, Step step);

    @Override
    void close();
}
