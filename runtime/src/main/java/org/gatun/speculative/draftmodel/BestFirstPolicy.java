package org.gatun.speculative.draftmodel;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.gatun.decoding.TokenSequence;
import org.gatun.speculative.TokenTree;

/// Of all paths that the draft model finds probable, the most probable ones: each level continues the `branch` best nodes of the one
/// before by their `branch` best tokens, and of everything seen the best nodes are proposed. They are deterministic, not sampled.
/// (The dynamic tree of EAGLE-2, Li et al. 2024, arXiv 2406.16858, over a plain draft model.)
final class BestFirstPolicy implements TreePolicy {
    private final int branch;
    private final int depth;
    private final TokenTree read; // the nodes that are continued

    /// A node that may be proposed.
    ///
    /// @param parent index of its parent among the candidates, -1 for the root
    /// @param parentNode the same as a node that was read
    /// @param logProbability of its path
    private record Candidate(int index, int parent, int parentNode, int token, double logProbability) {
        private static final Comparator<Candidate> BEST_FIRST =
                Comparator.comparingDouble((Candidate candidate) -> -candidate.logProbability).thenComparingInt(Candidate::index);
    }

    /// @param capacity most nodes that can be continued
    BestFirstPolicy(int branch, int depth, int capacity) {
        this.branch = branch;
        this.depth = depth;
        read = new TokenTree(capacity);
    }

    @Override
    public void grow(DraftModel model, TokenSequence text, TokenTree tree, int max) {
        model.read(text, read.begin(text.last()));
        int maxRead = Math.min(read.capacity(), 1 + model.room(text));
        List<Candidate> all = new ArrayList<>();
        addChildren(model, 0, -1, 0, all);
        int levelStart = 0;
        for (int level = 1; level < depth; level++) {
            List<Candidate> best = all.subList(levelStart, all.size()).stream().sorted(Candidate.BEST_FIRST)
                    .limit(Math.min(branch, maxRead - read.size())).toList();
            levelStart = all.size();
            int[] nodes = best.stream().mapToInt(candidate -> read.add(candidate.parentNode, candidate.token)).toArray();
            model.read(nodes, nodes.length);
            for (int i = 0; i < nodes.length; i++) {
                addChildren(model, nodes[i], best.get(i).index, best.get(i).logProbability, all);
            }
        }
        propose(all, tree, max);
    }

    private void addChildren(DraftModel model, int node, int parent, double logProbability, List<Candidate> all) {
        int[] tokens = new int[branch];
        int found = model.distribution(node).mostProbable(branch, tokens);
        for (int i = 0; i < found; i++) {
            all.add(new Candidate(all.size(), parent, node, tokens[i],
                    logProbability + Math.log(model.distribution(node).probability(tokens[i]))));
        }
    }

    /// Adds the best candidates; no child is better than its parent, so parents are among them.
    private static void propose(List<Candidate> all, TokenTree tree, int max) {
        int[] nodes = new int[all.size()];
        all.stream().sorted(Candidate.BEST_FIRST).limit(max - tree.size()).sorted(Comparator.comparingInt(Candidate::index))
                .forEach(candidate -> nodes[candidate.index] =
                        tree.add(candidate.parent < 0 ? 0 : nodes[candidate.parent], candidate.token));
    }
}
