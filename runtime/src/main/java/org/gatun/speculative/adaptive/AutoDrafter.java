package org.gatun.speculative.adaptive;

import java.util.List;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Lets the one of several drafters propose that has turned out fastest for this text on this machine, none of them if plain decoding
/// is. What it learnt stays from text to text.
///
/// Its choices follow the clock, and the text must not: so what its drafters propose is deterministic, nothing is sampled, and the
/// text is that of plain decoding whoever proposed.
///
/// A drafter hears of the steps it proposed for, and catches up on what others added to the text. Owns its drafters. One thread at a
/// time.
public final class AutoDrafter implements Drafter {
    private final List<Drafter> drafters;
    private final MethodChoice choice;
    private final int maxRows;
    private int[] acceptedNodes = new int[64];
    private int allowed;

    /// @param drafters owned by this one from now on
    /// @param maxRows of a tree, the root included, at least one
    public AutoDrafter(List<Drafter> drafters, int maxRows) {
        this.drafters = List.copyOf(drafters);
        this.maxRows = maxRows;
        choice = new MethodChoice(drafters.size(), maxRows);
    }

    @Override
    public Requirements requirements() {
        return drafters.stream().map(Drafter::requirements).reduce(Requirements.NONE, Requirements::and);
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        drafters.forEach(drafter -> drafter.begin(target, prompt, sampling));
        choice.begin();
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        allowed = Math.min(maxRows, Math.min(maxNodes, choice.rows()));
        if (allowed > 1) {
            drafters.get(choice.next()).draft(text, tree, allowed);
            if (tree.samples() > 0) {
                throw new IllegalStateException("a drafter sampled its proposals, though the clock decides who proposes: "
                        + "expected deterministic ones, lest the text depend on the clock");
            }
        }
    }

    @Override
    public void draftAhead(TokenSequence text, TokenTree tree, int maxTokens) {
        if (allowed > 1) {
            drafters.get(choice.next()).draftAhead(text, tree, maxTokens);
        }
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        long begun = System.nanoTime();
        if (allowed > 1) {
            drafters.get(choice.next()).observe(text, step);
        }
        if (acceptedNodes.length < step.accepted()) {
            acceptedNodes = new int[2 * step.accepted()];
        }
        for (int depth = 1; depth <= step.accepted(); depth++) {
            acceptedNodes[depth - 1] = step.acceptedNode(depth);
        }
        choice.observe(allowed, step.tree().size(), acceptedNodes, step.accepted(),
                step.draftNanos() + System.nanoTime() - begun, step.verifyNanos());
    }

    @Override
    public void close() {
        closeFrom(0);
    }

    /// Closes all, even if one throws.
    private void closeFrom(int first) {
        if (first < drafters.size()) {
            try (Drafter _ = drafters.get(first)) {
                closeFrom(first + 1);
            }
        }
    }
}
