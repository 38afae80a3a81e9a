package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.gatun.constraint.Constraint;
import org.gatun.constraint.ConstraintMatcher;
import org.gatun.constraint.Pieces;
import org.gatun.sampling.TokenMasks;
import org.junit.jupiter.api.Test;

class TreeMasksTest {
    /// No token spells X: behind b nothing may follow, behind a there is c.
    private final ConstraintMatcher matcher = Constraint.regex("ac|bX").compile(Pieces.only(true, "a", "b", "c")).matcher();
    private final TreeMasks masks = new TreeMasks(matcher, 4, 4);

    @Test
    void of_proposalBehindWhichNothingIsSpelled_hasNoMaskAndOthersHaveTheirs() {
        TokenTree tree = new TokenTree(4).begin(0);
        int stuck = tree.add(0, 1);
        int open = tree.add(0, 0);

        TokenMasks found = masks.of(tree);

        assertTrue(found.allows(0, 0) && found.allows(0, 1) && !found.allows(0, 2));
        assertFalse(found.isRestricted(stuck));
        assertTrue(found.allows(open, 2) && !found.allows(open, 0));
    }

    @Test
    void accept_textThatCameWhereNothingIsSpelled_isRefusedByName() {
        masks.accept(1);

        assertTrue(assertThrows(IllegalStateException.class, () -> masks.accept(2)).getMessage().contains("'regex ac|bX'"));
        assertThrows(IllegalStateException.class, () -> masks.of(new TokenTree(4).begin(1)));
    }
}
