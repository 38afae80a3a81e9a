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
    private TokenText drafted = new TokenText(); // tokens with a KV row in the draft's session, then those proposed since

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
    public void begin(TokenText prompt, Sampling targetSampling) {
        sampling = targetSampling;
        session.rewind(0);
        drafted = new TokenText();
    }

    @Override
    public void draft(TokenText text, TokenTree tree, int maxNodes) {
        int count = Math.min(length.next(), Math.min(maxNodes - tree.size(), session.capacity() - text.length()));
        drafts = 0;
        if (count <= 0) {
            return;
        }
        catchUp(text);
        Verdict verdict = session.roll(drafted.last(), count, lead, sampling); // what follows an unsure token is seldom accepted
        int node = 0;
        for (int i = 0; i <= verdict.accepted(); i++) {
            drafted.append(verdict.token(i));
            node = tree.add(node, verdict.token(i));
            drafts++;
        }
    }

    /// Drops rows of rejected proposals, then computes those of emitted tokens that were never proposed; all but the root's.
    private void catchUp(TokenText text) {
        int common = 0;
        int known = Math.min(session.length(), text.length() - 1);
        while (common < known && drafted.token(common) == text.token(common)) {
            common++;
        }
        session.rewind(common);
        drafted.truncate(common);
        session.prefill(text.array(), common, text.length() - 1);
        for (int position = common; position < text.length(); position++) {
            drafted.append(text.token(position));
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
