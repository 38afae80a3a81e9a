package org.gatun.speculative;

import org.gatun.sampling.CounterRandom;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;

/// Proposes by a distribution what may follow a node. At temperature 0 these are the most probable tokens; above it they are sampled, with
/// random numbers of its own, apart from the target's.
///
/// The random numbers of a sample belong to its position and its number in the text: the same text begun again with the same seed is given
/// the same proposals. One thread at a time.
public final class DraftSampler {
    private boolean random;
    private CounterRandom counterRandom;
    private int stream; // of samples
    private int[] tokens = new int[16];

    /// Starts on a text.
    ///
    /// @param target how the target's tokens are sampled
    public void begin(Sampling target) {
        random = target.temperature() > 0;
        counterRandom = new CounterRandom(target.seed(), target.stream());
        stream = 0;
    }

    /// Whether tokens are sampled, not deterministic.
    public boolean isRandom() {
        return random;
    }

    /// The random numbers that tokens are sampled with.
    public CounterRandom counterRandom() {
        return counterRandom;
    }

    /// A number that no other sample of this text had or will have.
    public int nextStream() {
        return stream++;
    }

    /// What may follow, the most promising first: the most probable tokens, or different ones sampled in turn.
    ///
    /// @param position of the tokens
    /// @param count most tokens
    /// @param found receives them
    /// @return how many there are
    public int candidates(TokenDistribution distribution, int position, int count, int[] found) {
        return random ? distribution.sample(counterRandom, position, nextStream(), count, found) : distribution.mostProbable(count, found);
    }

    /// Gives a node its distribution, before children are added.
    public void open(TokenTree tree, int node, TokenDistribution distribution, ProposalSampling how) {
        if (random) {
            tree.setDistribution(node, how, distribution);
        }
    }

    /// Adds a child to a node that was opened.
    public int add(TokenTree tree, int node, int token) {
        return random ? tree.addSampled(node, token) : tree.add(node, token);
    }

    /// Adds children below a node that has none: sampled ones, or the most probable.
    ///
    /// @param distribution must stay as it is until the tree was verified
    /// @param position of the children
    /// @param count most children
    /// @return how many nodes were added, the last ones of the tree
    public int propose(TokenTree tree, int node, TokenDistribution distribution, int position, int count, ProposalSampling how) {
        if (tokens.length < count) {
            tokens = new int[count];
        }
        int before = tree.size();
        open(tree, node, distribution, how);
        int turns = random && how == ProposalSampling.INDEPENDENT ? count : 1;
        for (int turn = 0; turn < turns; turn++) {
            int found = candidates(distribution, position, count / turns, tokens);
            for (int i = 0; i < found; i++) {
                add(tree, node, tokens[i]);
            }
        }
        return tree.size() - before;
    }
}
