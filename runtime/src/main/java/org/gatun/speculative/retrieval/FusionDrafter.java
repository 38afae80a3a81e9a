package org.gatun.speculative.retrieval;

import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// A drafter whose tree is continued with what retrieval finds: one is good at the next token, the other at long spans. What is found
/// is walked along the drafter's tree as far as they agree, and the rest hung there. (RASD: retrieval-augmented speculative decoding,
/// Quan et al. 2025, arXiv 2503.03434.)
///
/// Where the drafter proposes several first tokens, what is found to begin otherwise is left out. Owns the drafter.
public final class FusionDrafter implements Drafter {
    private final Drafter inner;
    private final RetrievalDrafter retrieval;
    private final int rows;

    /// @param inner owned by this drafter from now on
    /// @param rows that are kept free for what is found, unless that is more than half of them
    public FusionDrafter(RetrievalDrafter retrieval, Drafter inner, int rows) {
        this.inner = inner;
        this.retrieval = retrieval;
        this.rows = rows;
    }

    @Override
    public Requirements requirements() {
        return inner.requirements().and(retrieval.requirements());
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        inner.begin(target, prompt, sampling);
        retrieval.begin(target, prompt, sampling);
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        inner.draft(text, tree, Math.max((maxNodes + 1) / 2, maxNodes - rows));
        retrieval.draft(text, tree, maxNodes); // after all that was sampled
    }

    @Override
    public void draftAhead(TokenSequence text, TokenTree tree, int maxTokens) {
        inner.draftAhead(text, tree, maxTokens);
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        inner.observe(text, step);
        retrieval.observe(text, step);
    }

    @Override
    public void close() {
        inner.close();
        retrieval.close();
    }
}
