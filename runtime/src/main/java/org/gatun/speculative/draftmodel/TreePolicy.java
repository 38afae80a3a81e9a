package org.gatun.speculative.draftmodel;

import org.gatun.decoding.TokenSequence;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// Which nodes a tree gets: the policy of a method with a draft model.
interface TreePolicy {

    /// Grows a tree from its root.
    ///
    /// @param model has not read the text yet
    /// @param text ends with the root
    /// @param max nodes in the end, the root included; at least 2
    void grow(DraftModel model, TokenSequence text, TokenTree tree, int max);

    /// Learns from what became of the tree.
    default void observe(Step step) {
        // most learn nothing
    }
}
