package org.gatun.speculative.draftmodel;

import java.util.Arrays;
import java.util.Comparator;
import java.util.PriorityQueue;
import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.CounterRandom;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.DraftSampler;
import org.gatun.speculative.TokenTree;

/// A beam of whole sequences sampled without replacement: of the children of all nodes of a level those with the largest keys, a key being
/// the log-probability of its sequence plus a Gumbel variate that agrees with its parent's key. Which keys are kept tells nothing about
/// which tokens they belong to, so the children kept of a node are sampled from its distribution without replacement.
/// (RSD-S, Jeon et al. 2024, arXiv 2402.14160; stochastic beam search, Kool et al. 2019, arXiv 1903.06059.)
///
/// @param width nodes of a level
/// @param depth levels
record StochasticBeamPolicy(int width, int depth) implements TreePolicy {

    /// A possible child.
    ///
    /// @param logProbability of the sequence
    /// @param key what the beam goes by
    private record Candidate(int parent, int token, double logProbability, double key) {
        /// The least first; ties as they come out of [TokenDistribution#mostProbable].
        private static final Comparator<Candidate> ORDER = Comparator.comparingDouble(Candidate::key)
                .thenComparing(Comparator.comparingInt(Candidate::parent).thenComparingInt(Candidate::token).reversed());
    }

    @Override
    public void grow(DraftModel model, TokenSequence text, TokenTree tree, int max) {
        model.read(text, tree);
        double[] logProbabilities = new double[max];
        double[] keys = new double[max];
        int from = 0;
        for (int level = 0; level < depth && from < tree.size() && tree.size() < max; level++) {
            if (level > 0) {
                model.readFrom(from);
            }
            int to = tree.size();
            int beam = Math.min(width, max - to);
            PriorityQueue<Candidate> best = new PriorityQueue<>(Candidate.ORDER);
            for (int node = from; node < to; node++) {
                collect(model, node, logProbabilities[node], keys[node], beam, best);
            }
            Candidate[] kept = best.toArray(Candidate[]::new);
            Arrays.sort(kept, Candidate.ORDER.reversed());
            for (Candidate candidate : kept) {
                if (tree.distribution(candidate.parent) == null) {
                    model.open(candidate.parent, ProposalSampling.WITHOUT_REPLACEMENT);
                }
                int node = model.add(candidate.parent, candidate.token);
                logProbabilities[node] = candidate.logProbability;
                keys[node] = candidate.key;
            }
            from = to;
        }
    }

    /// Offers the children of a node to the beam.
    private static void collect(DraftModel model, int node, double logProbability, double key, int beam, PriorityQueue<Candidate> best) {
        TokenDistribution distribution = model.distribution(node);
        DraftSampler draftSampler = model.draftSampler();
        int stream = draftSampler.nextStream();
        double[] perturbed = new double[distribution.size()];
        double largest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < distribution.size(); i++) {
            int token = distribution.token(i);
            perturbed[i] = logProbability + Math.log(distribution.probability(token));
            if (draftSampler.isRandom()) {
                perturbed[i] -= Math.log(draftSampler.counterRandom().exponential(CounterRandom.Purpose.PROPOSAL, model.positionBelow(node),
                        stream, token));
            }
            largest = Math.max(largest, perturbed[i]);
        }
        for (int i = 0; i < distribution.size(); i++) {
            int token = distribution.token(i);
            double childKey = draftSampler.isRandom() ? below(key, perturbed[i], largest) : perturbed[i];
            if (best.size() < beam || childKey >= best.peek().key) {
                best.add(new Candidate(node, token, logProbability + Math.log(distribution.probability(token)), childKey));
                if (best.size() > beam) {
                    best.poll();
                }
            }
        }
    }

    /// The key of a child, given that the largest among its siblings is their parent's key.
    static double below(double parentKey, double perturbed, double largest) {
        if (perturbed == largest) {
            return parentKey;
        }
        double v = parentKey - perturbed + Math.log1p(-Math.exp(perturbed - largest));
        return parentKey - Math.max(0, v) - Math.log1p(Math.exp(-Math.abs(v)));
    }
}
