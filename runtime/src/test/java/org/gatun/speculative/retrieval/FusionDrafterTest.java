package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.gatun.decoding.TokenText;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;
import org.junit.jupiter.api.Test;

class FusionDrafterTest {
    private static final SuffixArray FOUND = new SuffixArray(new int[] {1, 2, 7, 3, 4, 5, -1, 1, 2, 8, 1, -1});

    @Test
    void draft_bothTrees_graftsBelowWhatAgrees() {
        assertEquals("7(3(4(5))) 9", Trees.text(fusion(FOUND, new int[] {0, 7}, new int[] {0, 9}, new int[] {1, 3}), 64, 1, 2));
    }

    @Test
    void draft_chain_isNoReasonToLeaveOutOthers() {
        assertEquals("7(3(4(5))) 8(1)", Trees.text(fusion(FOUND, new int[] {0, 7}), 64, 1, 2));
    }

    @Test
    void draft_nothingFound_isTheInnerTree() {
        assertEquals("7(3) 9", Trees.text(fusion(new SuffixArray(new int[0]), new int[] {0, 7}, new int[] {0, 9}, new int[] {1, 3}),
                64, 1, 2));
    }

    @Test
    void draft_nothingDrafted_isWhatWasFound() {
        assertEquals("7(3(4(5))) 8(1)", Trees.text(fusion(FOUND), 64, 1, 2));
    }

    @Test
    void draft_twice_isTheSameTree() {
        RetrievalDrafter retrieval = new RetrievalDrafter(List.of(FOUND), 8);
        TokenText text = new TokenText(1, 2);
        TokenTree tree = new TokenTree(64).begin(2);
        retrieval.draft(text, tree, 64);
        String once = Trees.text(tree);

        retrieval.draft(text, tree, 64);

        assertEquals(once, Trees.text(tree));
    }

    @Test
    void draft_fewRows_leavesHalfOfThemToTheDrafter() {
        FusionDrafter drafter = fusion(FOUND, new int[] {0, 7}, new int[] {0, 9}, new int[] {1, 3}, new int[] {2, 3});

        assertEquals("7(3(4)) 9", Trees.text(drafter, 5, 1, 2)); // the drafter's two, then two found
    }

    /// @param nodes parent and token of each
    private static FusionDrafter fusion(SuffixArray corpus, int[]... nodes) {
        return new FusionDrafter(new RetrievalDrafter(List.of(corpus), 8), new FixedTree(nodes), 8);
    }

    private record FixedTree(int[]... nodes) implements Drafter {

        @Override
        public void begin(Session target, TokenText prompt, Sampling sampling) {
            // always the same tree
        }

        @Override
        public void draft(TokenText text, TokenTree tree, int maxNodes) {
            for (int i = 0; i < nodes.length && tree.size() < maxNodes; i++) {
                tree.add(nodes[i][0], nodes[i][1]);
            }
        }

        @Override
        public void observe(TokenText text, Step step) {
            // learns nothing
        }

        @Override
        public void close() {
            // holds nothing
        }
    }
}
