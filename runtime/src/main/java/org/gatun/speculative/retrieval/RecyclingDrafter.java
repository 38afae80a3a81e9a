package org.gatun.speculative.retrieval;

import java.util.Arrays;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Proposes what the target itself last held likely after each token, along a tree of fixed shape. Every row of a verified pass, that
/// of a rejected token too, refreshes what is known of its token. (Token Recycling, Luo et al. 2024, arXiv 2408.08696.)
///
/// What was learnt stays from text to text.
public final class RecyclingDrafter implements Drafter {
    /// Most rows its tree can have.
    public static final int MAX_ROWS = TreeTemplate.NODES;

    private static final int UNKNOWN = -1;

    private final TreeTemplate template;
    private final int[] successors; // [vocabulary, RANKS] most probable first, UNKNOWN where the token was not yet seen
    private final int[] nodes;      // [template] node of the tree, UNKNOWN where it is left out

    /// @param vocabulary number of tokens
    /// @param rows most rows of a pass, the root included
    public RecyclingDrafter(int vocabulary, int rows) {
        template = TreeTemplate.of(rows);
        nodes = new int[template.size()];
        successors = new int[Math.multiplyExact(vocabulary, TreeTemplate.RANKS)];
        Arrays.fill(successors, UNKNOWN);
    }

    @Override
    public Requirements requirements() {
        return Requirements.LOGITS;
    }

    @Override
    public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
        // what was learnt stays
    }

    @Override
    public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
        for (int i = 1; i < template.size(); i++) {
            int parent = nodes[template.parent(i)];
            int token = parent == UNKNOWN ? UNKNOWN : successor(tree.token(parent), template.rank(i));
            nodes[i] = token == UNKNOWN || tree.size() == maxNodes ? UNKNOWN : tree.add(parent, token);
        }
    }

    /// What came after a token at a rank, or -1.
    int successor(int token, int rank) {
        return successors[token * TreeTemplate.RANKS + rank];
    }

    /// Where a token occurs at several nodes the last counts.
    @Override
    public void observe(TokenSequence text, Step step) {
        for (int node = 0; node < step.tree().size(); node++) {
            step.mostProbable(node, TreeTemplate.RANKS, successors, step.tree().token(node) * TreeTemplate.RANKS);
        }
    }

    @Override
    public void close() {
        // holds nothing
    }
}
