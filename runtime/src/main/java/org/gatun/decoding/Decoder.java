package org.gatun.decoding;

import org.gatun.backend.Segment;
import org.gatun.backend.SegmentResult;

/// A way to continue a text, in steps of two halves around a pass that somebody else runs: a session for one text, or an engine that puts the
/// segments of many texts, each continued in its own way, into one [org.gatun.backend.Batch].
///
/// Whoever drives it calls, step by step, [#propose]; [#duringPass], while the pass is under way; and [#accept], before the next pass of
/// the same executable. A pass that failed has no second half: the step is proposed again, even if the sequence has lost its rows meanwhile.
/// The text does not depend on who drives, on
/// what else the batch holds, or on how many steps it took.
///
/// One thread at a time.
public interface Decoder {

    /// Prompt and what was emitted; grows with each step.
    TokenSequence text();

    /// The first half of a step: writes the rows of a pass, and how they are sampled. Tokens of the text that were not read yet come first,
    /// in a segment that samples nothing.
    ///
    /// @param segment to be run over the pages of the text's sequence
    /// @param maxRows most rows, at least one; a step emits at most as many tokens as it has rows
    /// @throws IllegalStateException if the sequence has no slot left
    void propose(Segment segment, int maxRows);

    /// Gives time to prepare the next proposal while the pass is under way. Does nothing unless overridden.
    ///
    /// @param maxTokens most tokens that the text will grow by from here on, those of this step among them
    default void duringPass(int maxTokens) {
        // most have nothing to do before they know the result
    }

    /// The second half of a step: keeps what was accepted, and appends to [#text] what is emitted.
    ///
    /// @param result of the segment, valid until the executable's next pass
    /// @return how many tokens were emitted; none while the text is being read
    /// @throws IllegalStateException if nothing was proposed
    int accept(SegmentResult result);
}
