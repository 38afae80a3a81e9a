package org.gatun.speculative.drafting;

import org.gatun.backend.Verdict;
import org.gatun.decoding.TokenText;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.DraftLength;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// A smaller model proposes a chain. It draws with the target's own noise, so that wherever the two models agree on the
/// distribution they agree on the token, at any temperature. (Leviathan et al. 2023, arXiv 2211.17192, and Chen et al.
/// 2023, arXiv 2302.01318, for the scheme; here a draft is accepted if it equals the target's draw, which with shared noise
/// leaves the target's sampled text unchanged token for token.)
public final class ChainDrafter implements Drafter {
    private final Session session;
    private final DraftLength length;
    private final float lead;
    private Sampling sampling;
    private int drafts; // tokens of the latest proposal

    /// @param session of the draft model, owned by this drafter from now on
    /// @param first tokens to draft at first
    /// @param most tokens to draft at most
    /// @param lead drafting stops after a token whose logit leads the next by less
    public ChainDrafter(Session session, int first, int most, float lead) {
        this.session = session;
        this.lead = lead;
        length = new DraftLength(first, most);
    }

    @Override
    public void begin(Session target, TokenText prompt, Sampling targetSampling) {
        sampling = targetSampling;
    }

    @Override
    public void draft(TokenText text, TokenTree tree, int maxNodes) {
        int count = Math.min(length.next(), Math.min(maxNodes - tree.size(), session.capacity() - text.length()));
        drafts = 0;
        if (count <= 0) {
            return;
        }
        int known = session.commonPrefix(text.array(), text.length() - 1);
        session.rewind(known);
        session.prefill(text.array(), known, text.length() - 1);
        Verdict verdict = session.roll(text.last(), count, lead, sampling); // what follows an unsure token is seldom accepted
        int node = 0;
        for (int i = 0; i <= verdict.accepted(); i++) {
            node = tree.add(node, verdict.token(i));
            drafts++;
        }
    }

    @Override
    public void observe(TokenText text, Step step) {
        length.observe(drafts, step.accepted(drafts + 1));
    }

    @Override
    public void close() {
        session.close();
    }
}
