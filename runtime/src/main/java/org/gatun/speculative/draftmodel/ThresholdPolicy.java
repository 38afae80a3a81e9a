package org.gatun.speculative.draftmodel;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.TokenTree;

/// Grows where it is probable that verification comes by: a node gets children as long as that probability, estimated by the draft
/// model, is above a threshold; so the tree is deep where the model is sure and wide where it is not. Whether another child is sampled
/// depends on those sampled before, never on itself. (DySpec, Xiong et al. 2024, arXiv 2410.11744, level by level.)
///
/// @param threshold probability
/// @param depth levels at most
record ThresholdPolicy(double threshold, int depth) implements TreePolicy {
    private static final int MAX_CHILDREN = 16;

    @Override
    public void grow(DraftModel model, TokenSequence text, TokenTree tree, int max) {
        model.read(text, tree);
        double[] values = new double[max]; // probability that a node is reached
        values[0] = 1;
        List<Integer> level = List.of(0);
        for (int depthReached = 0; depthReached < depth && !level.isEmpty() && tree.size() < max; depthReached++) {
            if (depthReached > 0) {
                model.read(level.stream().mapToInt(Integer::intValue).toArray(), level.size());
            }
            int from = tree.size();
            for (int i = 0; i < level.size() && tree.size() < max; i++) {
                addChildren(model, tree, level.get(i), values, max);
            }
            level = new ArrayList<>();
            for (int node = from; node < tree.size(); node++) {
                if (values[node] > threshold) {
                    level.add(node);
                }
            }
            level.sort(Comparator.comparingDouble((Integer node) -> -values[node])); // the most promising get what room is left
        }
    }

    private void addChildren(DraftModel model, TokenTree tree, int node, double[] values, int max) {
        int[] tokens = new int[Math.min(MAX_CHILDREN, max - tree.size())];
        int found = model.candidates(node, tokens.length, tokens);
        TokenDistribution distribution = model.distribution(node);
        double slot = values[node]; // probability that the next child is tested
        double left = 1;            // of the distribution, without the children so far
        for (int i = 0; i < found && slot > threshold; i++) {
            if (i == 0) {
                model.open(node, ProposalSampling.WITHOUT_REPLACEMENT);
            }
            double share = Math.min(1, distribution.probability(tokens[i]) / left);
            values[model.add(node, tokens[i])] = slot * share;
            left -= distribution.probability(tokens[i]);
            slot *= 1 - share;
        }
    }
}
