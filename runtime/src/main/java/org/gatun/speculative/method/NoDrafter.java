package org.gatun.speculative.method;

import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Proposes nothing: each pass verifies the root alone, which is plain decoding.
final class NoDrafter implements Drafter {

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        // no state
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        // the root alone
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        // no state
    }

    @Override
    public void close() {
        // holds nothing
    }
}
