package org.gatun.sampling;

/// What a place in a text still has to emit, while tokens sampled for it are tested one after the other.
///
/// One test is a step of speculative sampling (Leviathan et al. 2023, arXiv 2211.17192): a token sampled from the draft's distribution `q`
/// is accepted with probability `min(1, p / q)`, `p` being the target's, else `p` becomes the residual distribution `max(p - q, 0)`. A
/// token that comes out follows `p`; so, by induction over the tokens, one that comes out in the end follows the `p` there was at first,
/// whatever their number. Tokens sampled without replacement are tested with the distribution they were really sampled from (Jeon et al.
/// 2024, arXiv 2402.14160).
///
/// `verification.cu` has the same to the bit; whoever changes one changes the other.
public final class RejectionSampling {
    /// Less than this share left means that the two distributions are equal but for rounding.
    private static final double ROUNDING = 0x1p-23;

    private final TokenDistribution target; // p, or what is left of it
    private final TokenDistribution draft;  // q
    private ProposalSampling how;

    /// @param vocabulary number of tokens
    public RejectionSampling(int vocabulary) {
        target = new TokenDistribution(vocabulary);
        draft = new TokenDistribution(vocabulary);
    }

    /// What is still to be emitted: at first the target's distribution, to be filled in.
    public TokenDistribution target() {
        return target;
    }

    /// Begins with tokens sampled from a distribution over the same vocabulary.
    public void begin(ProposalSampling sampling, TokenDistribution distribution) {
        how = sampling;
        draft.set(distribution);
    }

    /// Probability that a sampled token is accepted.
    public double acceptance(int token) {
        long p = target.weight(token);
        long q = target.weightBy(draft, token);
        return p >= q ? 1 : (double) p / q;
    }

    /// Takes away what a rejected token stood for.
    ///
    /// @return whether anything is left; if not the distributions were equal, and the token is to be accepted
    public boolean reject(int token) {
        double before = target.mass();
        target.subtract(draft);
        if (target.mass() <= ROUNDING * before) {
            return false;
        }
        if (how == ProposalSampling.WITHOUT_REPLACEMENT) {
            draft.remove(token);
        }
        return true;
    }
}
