package org.gatun.sampling;

/// How several proposals for one place were sampled from a [TokenDistribution].
public enum ProposalSampling {
    /// Each from the same distribution, so that one token may be sampled several times.
    INDEPENDENT,
    /// Each from the distribution without those sampled before.
    WITHOUT_REPLACEMENT
}
