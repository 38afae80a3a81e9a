package org.gatun.speculative.retrieval;

import org.gatun.decoding.TokenSequence;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.TokenTree;

/// Trees as text: the tokens below the root, the children of each in brackets, in the order they were proposed.
final class Trees {
    private Trees() {}

    static String text(Continuations found, int limit) {
        TokenTree tree = new TokenTree(64).begin(0);
        found.grow(tree, limit);
        return text(tree);
    }

    static String text(Drafter drafter, int maxNodes, int... tokens) {
        TokenSequence text = new TokenSequence(tokens);
        TokenTree tree = new TokenTree(64).begin(text.last());
        drafter.draft(text, tree, maxNodes);
        return text(tree);
    }

    static String text(TokenTree tree) {
        return children(tree, 0);
    }

    private static String children(TokenTree tree, int parent) {
        StringBuilder text = new StringBuilder();
        for (int node = parent + 1; node < tree.size(); node++) {
            if (tree.parent(node) == parent) {
                String below = children(tree, node);
                text.append(text.isEmpty() ? "" : " ").append(tree.token(node)).append(below.isEmpty() ? "" : "(" + below + ")");
            }
        }
        return text.toString();
    }
}
