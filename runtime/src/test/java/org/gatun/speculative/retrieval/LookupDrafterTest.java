package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.gatun.decoding.TokenSequence;
import org.gatun.speculative.TokenTree;
import org.junit.jupiter.api.Test;

class LookupDrafterTest {

    @Test
    void draft_repeatedText_proposesWhatFollowed() {
        LookupDrafter drafter = new LookupDrafter(3, 4);
        TokenSequence text = new TokenSequence(1, 2, 3, 4, 5, 6, 9, 2, 3);
        TokenTree tree = new TokenTree(64).begin(text.last());

        drafter.draft(text, tree, 64);

        assertEquals(5, tree.size());
        assertEquals(4, tree.token(1));
        assertEquals(5, tree.token(2));
        assertEquals(6, tree.token(3));
        assertEquals(9, tree.token(4));
    }

    @Test
    void draft_freshText_proposesNothing() {
        TokenSequence text = new TokenSequence(1, 2, 3);
        TokenTree tree = new TokenTree(64).begin(text.last());

        new LookupDrafter(3, 4).draft(text, tree, 64);

        assertEquals(1, tree.size());
    }

    @Test
    void draft_overlappingRepetition_staysInsideTheText() {
        TokenSequence text = new TokenSequence(7, 7, 7);
        TokenTree tree = new TokenTree(64).begin(text.last());

        new LookupDrafter(3, 8).draft(text, tree, 64);

        assertEquals(2, tree.size());
        assertEquals(7, tree.token(1));
    }
}
