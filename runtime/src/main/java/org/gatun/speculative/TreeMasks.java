package org.gatun.speculative;

import org.gatun.constraint.ConstraintMatcher;
import org.gatun.sampling.TokenMasks;

/// Which tokens a constraint lets follow each node of a tree. A node that the constraint does not allow, and what lies below it, needs no
/// mask: the masks above it keep the walk from there. One behind the end of the text has none, since what follows is forgotten, and neither
/// has one behind which no token spells what must follow: only if the text comes there, as it would without proposals, is that an error.
final class TreeMasks {
    private final ConstraintMatcher matcher;
    private final TokenMasks masks;
    private final int[] mask; // [ceil(vocabulary / 32)]

    /// @param matcher at the root of the trees to come
    /// @param rows most nodes of a tree
    /// @param vocabulary width of a row of logits
    TreeMasks(ConstraintMatcher matcher, int rows, int vocabulary) {
        this.matcher = matcher;
        masks = new TokenMasks(rows, vocabulary);
        mask = new int[Math.ceilDiv(vocabulary, Integer.SIZE)];
    }

    /// The masks of a tree, overwritten by the next call.
    ///
    /// @throws IllegalStateException if no token spells what the constraint asks for next
    TokenMasks of(TokenTree tree) {
        masks.clear();
        visit(tree, 0);
        return masks;
    }

    private void visit(TokenTree tree, int node) {
        if (matcher.isEnded()) {
            return;
        }
        if (!matcher.tryMask(mask)) {
            if (node == 0) {
                matcher.mask(mask);
            }
            return;
        }
        masks.set(node, mask);
        for (int child = node + 1; child < tree.size(); child++) {
            if (tree.parent(child) == node && masks.allows(node, tree.token(child)) && matcher.accept(tree.token(child))) {
                visit(tree, child);
                matcher.rollback(1);
            }
        }
    }

    /// Goes behind a token of the text.
    void accept(int token) {
        if (!matcher.isEnded() && !matcher.accept(token)) {
            matcher.mask(mask); // says so if none may follow
            throw new IllegalStateException("token " + token + " was sampled although its mask forbids it");
        }
    }
}
