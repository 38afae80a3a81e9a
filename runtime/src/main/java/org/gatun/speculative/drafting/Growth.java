package org.gatun.speculative.drafting;

import org.gatun.decoding.TokenText;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Which nodes a tree gets: the policy of a method with a draft model.
interface Growth {

    /// Grows a tree from its root.
    ///
    /// @param model has not read the text yet
    /// @param text ends with the root
    /// @param most nodes in the end, the root included; at least 2
    void grow(DraftModel model, TokenText text, TokenTree tree, int most);

    /// Learns from what became of the tree.
    default void observe(Step step) {
        // most learn nothing
    }
}
