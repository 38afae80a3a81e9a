package org.gatun.speculative.draftmodel;

import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.ProposalSampling;
import org.gatun.speculative.TokenTree;

/// Level after level, every node of one gets the same number of children.
///
/// @param branching children of each node, level by level
/// @param how children are sampled
record LevelPolicy(int[] branching, ProposalSampling how) implements TreePolicy {

    @Override
    public void grow(DraftModel model, TokenSequence text, TokenTree tree, int max) {
        model.read(text, tree);
        int from = 0;
        for (int level = 0; level < branching.length && from < tree.size() && tree.size() < max; level++) {
            if (level > 0) {
                model.readFrom(from);
            }
            int to = tree.size();
            for (int node = from; node < to && tree.size() < max; node++) {
                model.propose(node, Math.min(branching[level], max - tree.size()), how);
            }
            from = to;
        }
    }
}
