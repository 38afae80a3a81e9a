package org.gatun.speculative;

import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingContext;

/// What a token is sampled by after a node of a tree: the text, then the node's path. Reused from node to node.
public final class PathContext {
    private final SamplingContext context = new SamplingContext();
    private int[] path = new int[16];

    /// @param sampling whose penalties say what is looked at
    /// @param text of which the first `committed` tokens count, the tree's root being the last of them
    public void set(Sampling sampling, TokenSequence text, int committed, TokenTree tree, int node) {
        context.set(sampling, text.array(), committed, text.promptLength());
        int depth = tree.depth(node);
        if (depth > path.length) {
            path = new int[2 * depth];
        }
        int ancestor = node;
        for (int i = depth - 1; i >= 0; i--) {
            path[i] = tree.token(ancestor);
            ancestor = tree.parent(ancestor);
        }
        for (int i = 0; i < depth; i++) {
            context.add(path[i], true);
        }
    }

    /// What the node that was set leaves to be looked at.
    public SamplingContext context() {
        return context;
    }
}
