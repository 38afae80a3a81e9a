package org.gatun.speculative;

import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.Sampling;

/// The latest tokens up to a node of a tree: the end of the text, then the node's path. Reused from node to node.
public final class PathContext {
    private int[] tokens = new int[2 * Sampling.REPETITION_WINDOW];
    private int length;

    /// @param text of which the first `committed` tokens count, the tree's root being the last of them
    public void set(TokenSequence text, int committed, TokenTree tree, int node) {
        int kept = Math.min(committed, Sampling.REPETITION_WINDOW);
        length = kept + tree.depth(node);
        if (length > tokens.length) {
            tokens = new int[2 * length];
        }
        System.arraycopy(text.array(), committed - kept, tokens, 0, kept);
        for (int ancestor = node; ancestor > 0; ancestor = tree.parent(ancestor)) {
            tokens[kept - 1 + tree.depth(ancestor)] = tree.token(ancestor);
        }
    }

    /// The backing array, of which the first [#length] elements count.
    public int[] tokens() {
        return tokens;
    }

    /// How many tokens there are: those that a [org.gatun.sampling.Sampler] looks at, at least.
    public int length() {
        return length;
    }
}
