package org.gatun.speculative.drafting;

import org.gatun.decoding.TokenText;
import org.gatun.sampling.ProposalSampling;
import org.gatun.speculative.TokenTree;

/// Level after level, every node of one gets the same number of children.
///
/// @param widths children of each node, level by level
/// @param how children are sampled
record LevelGrowth(int[] widths, ProposalSampling how) implements Growth {

    @Override
    public void grow(DraftModel model, TokenText text, TokenTree tree, int most) {
        model.read(text, tree);
        int from = 0;
        for (int level = 0; level < widths.length && from < tree.size() && tree.size() < most; level++) {
            if (level > 0) {
                model.readFrom(from);
            }
            int to = tree.size();
            for (int node = from; node < to && tree.size() < most; node++) {
                model.propose(node, Math.min(widths[level], most - tree.size()), how);
            }
            from = to;
        }
    }
}
