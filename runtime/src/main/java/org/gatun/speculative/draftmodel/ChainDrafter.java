package org.gatun.speculative.draftmodel;

import org.gatun.backend.SampledTokens;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.DraftLength;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// A smaller model proposes a chain. It samples with the target's own random numbers, so that wherever the two models agree on the
/// distribution they agree on the token, at any temperature. (Leviathan et al. 2023, arXiv 2211.17192, and Chen et al.
/// 2023, arXiv 2302.01318, for the scheme; here a draft is accepted if it equals the target's sample, which with shared random numbers
/// leaves the target's sampled text unchanged token for token.)
///
/// While the target verifies, it can go on as if all were accepted: it guesses the token after the chain and drafts the next chain. If
/// the result is the one it expected, that chain is the next proposal; else it is forgotten, and read again is only what was accepted.
/// Either way it proposes what it would have proposed. (Post-verify of PEARL, Liu et al. 2024, arXiv 2408.11850; there the drafter
/// goes on in any case, here not after an unsure token, as both models may share a device.)
public final class ChainDrafter implements Drafter {

    /// When to go on during verification.
    public enum DraftAhead {
        /// Where the target's backend is asynchronous.
        AUTO,
        YES,
        NO
    }

    private final Session session;
    private final DraftLength length;
    private final float margin;
    private final DraftAhead draftAhead;
    private final DraftText draftText;
    private Sampling sampling;
    private boolean goesOn;
    private int drafts;         // tokens of the latest proposal
    private boolean unsure;     // of the last of them
    private SampledTokens next; // the token expected after them, and the proposal after that; the session's
    private int nextLength;     // of the text that `next` fits, 0 if there is none

    /// @param session of the draft model, owned by this drafter from now on
    /// @param first tokens to draft at first
    /// @param max tokens to draft at most
    /// @param margin drafting stops after a token whose logit is not ahead of the second by this much
    /// @param draftAhead when to go on while the target verifies
    public ChainDrafter(Session session, int first, int max, float margin, DraftAhead draftAhead) {
        this.session = session;
        this.margin = margin;
        this.draftAhead = draftAhead;
        length = new DraftLength(first, max);
        draftText = new DraftText(session);
    }

    @Override
    public Requirements requirements() {
        return Requirements.DRAFT_MODEL;
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling targetSampling) {
        sampling = targetSampling.withLogitBias(targetSampling.logitBias().below(session.vocabularySize()));
        session.setPromptLength(prompt.length());
        draftText.begin(target.model());
        goesOn = draftAhead == DraftAhead.YES || draftAhead == DraftAhead.AUTO && target.model().backend().isAsynchronous();
        nextLength = 0;
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        int count = Math.min(length.next(), Math.min(maxNodes - tree.size(), session.capacity() - text.length()));
        int[] tokens = draftText.of(text);
        boolean expected = text.length() == nextLength && session.commonPrefix(tokens, nextLength) == nextLength;
        nextLength = 0;
        drafts = 0;
        if (count <= 0) {
            return;
        }
        if (expected) {
            propose(next, 1, Math.min(count, next.count() - 1), tree);
            return;
        }
        int known = session.commonPrefix(tokens, text.length() - 1);
        session.rewind(known);
        session.prefill(tokens, known, text.length() - 1);
        // what follows an unsure token is seldom accepted
        SampledTokens sampled = session.decodeChain(tokens[text.length() - 1], count, margin, sampling);
        propose(sampled, 0, sampled.count(), tree);
    }

    /// Proposes tokens up to the first that is padding.
    private void propose(SampledTokens sampled, int first, int count, TokenTree tree) {
        int node = 0;
        while (drafts < count && tree.allows(sampled.token(first + drafts))) {
            node = tree.add(node, sampled.token(first + drafts++));
        }
        unsure = drafts < count || sampled.margin(first + count - 1) < margin;
    }

    @Override
    public void draftAhead(TokenSequence text, TokenTree tree, int maxTokens) {
        int accepted = text.length() + drafts; // the text, if all is accepted, without the token after that
        int count = Math.min(length.nextIfAccepted(), Math.min(maxTokens - drafts - 2, session.capacity() - accepted - 1));
        if (!goesOn || drafts == 0 || unsure || count <= 0) {
            return;
        }
        session.rewind(accepted - 1);
        next = session.decodeChain(tree.token(drafts), 1 + count, margin, sampling);
        nextLength = next.count() == 1 ? 0 : accepted + 1;
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        length.observe(drafts, step.accepted(drafts + 1));
    }

    @Override
    public void close() {
        session.close();
    }
}
