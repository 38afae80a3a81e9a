package org.gatun.speculative.retrieval;

import java.util.ArrayList;
import java.util.List;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.DraftSampler;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Remembers the average of what the target held likely after the same last few tokens, and samples a tree of fixed shape from these
/// averages, without replacement. At temperature 0 the most probable are taken instead. (STAND: stochastic adaptive n-gram drafting,
/// Song et al. 2025, arXiv 2506.04708.)
///
/// What was learnt stays from text to text: it is best where many texts are alike.
public final class StandDrafter implements Drafter {
    /// Most rows its tree can have.
    public static final int MAX_ROWS = TreeTemplate.NODES;

    private static final int SHORTEST = 2;
    private static final int LONGEST = 4;
    private static final int KEPT = 10;
    private static final int MAX_CONTEXTS = 1 << 16;

    private final TreeTemplate template;
    private final int[] nodes;              // [template] node of the tree, -1 where it is left out
    private final RecentMap<Successors> averages = new RecentMap<>(MAX_CONTEXTS);
    // of the latest tree, kept until it was verified; then used again
    private final List<TokenDistribution> distributions = new ArrayList<>();
    private final DraftSampler draftSampler = new DraftSampler();
    private final TokenDistribution observed;
    private final int[] scratch = new int[KEPT];

    /// @param vocabulary number of tokens
    /// @param rows most rows of a pass, the root included
    public StandDrafter(int vocabulary, int rows) {
        template = TreeTemplate.of(rows);
        nodes = new int[template.size()];
        observed = new TokenDistribution(vocabulary);
    }

    @Override
    public Requirements requirements() {
        return Requirements.LOGITS;
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        draftSampler.begin(sampling);
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        int distributionsUsed = 0;
        for (int i = 0, child = 1; i < template.size(); i++) {
            int wanted = Math.min(template.children(i), maxNodes - tree.size());
            Successors successors = nodes[i] < 0 || wanted == 0 ? null : longestKnown(text, tree, nodes[i]);
            int added = 0;
            if (successors != null) {
                if (distributionsUsed == distributions.size()) {
                    distributions.add(new TokenDistribution(observed.vocabulary()));
                }
                added = draftSampler.propose(tree, nodes[i], fill(distributions.get(distributionsUsed++), successors), text.length()
                        + tree.depth(nodes[i]), wanted, ProposalSampling.WITHOUT_REPLACEMENT);
            }
            for (int rank = 0; rank < template.children(i); rank++) {
                nodes[child++] = rank < added ? tree.size() - added + rank : -1;
            }
        }
    }

    private static TokenDistribution fill(TokenDistribution distribution, Successors successors) {
        distribution.clear();
        for (int place = 0; place < successors.size(); place++) {
            distribution.add(successors.token(place), successors.weight(place));
        }
        return distribution;
    }

    /// What is known after the longest end of text and path of which something is known; null if nothing is.
    private Successors longestKnown(TokenSequence text, TokenTree tree, int node) {
        int depth = tree.depth(node);
        long key = 0;
        int ancestor = node;
        Successors longest = null;
        for (int back = 0; back < Math.min(LONGEST, text.length() + depth); back++) {
            key = extended(key, ancestor > 0 ? tree.token(ancestor) : text.token(text.length() - 1 - (back - depth)));
            ancestor = ancestor > 0 ? tree.parent(ancestor) : 0;
            Successors known = back + 1 < SHORTEST ? null : averages.get(key);
            longest = known == null ? longest : known;
        }
        return longest;
    }

    @Override
    public void observe(TokenSequence text, Step step) {
        int root = text.length() - 2 - step.accepted();
        for (int depth = 0; depth <= step.accepted(); depth++) {
            step.distribution(step.acceptedNode(depth), observed);
            long key = 0;
            for (int back = 0; back < Math.min(LONGEST, root + depth + 1); back++) {
                key = extended(key, text.token(root + depth - back));
                if (back + 1 >= SHORTEST) {
                    averages.computeIfAbsent(key, _ -> new Successors(KEPT)).average(observed, scratch);
                }
            }
        }
    }

    /// The key of a few tokens and one before them. Should two contexts share a key, their proposals are worse and nothing else.
    private static long extended(long key, int token) {
        long mixed = (key + token + 1) * 0x9E3779B97F4A7C15L;
        return mixed ^ mixed >>> 29;
    }

    @Override
    public void close() {
        // holds nothing
    }
}
