package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Segment;
import org.junit.jupiter.api.Test;

class TokenTreeTest {
    private static final long SEED = 7;

    @Test
    void add_twoBranches_keepsDepthsAndAncestors() {
        TokenTree tree = new TokenTree(64).begin(2);
        int left = tree.add(0, 3);
        int right = tree.add(0, 4);
        int below = tree.add(right, 0);

        assertEquals(2, tree.depth(below));
        assertTrue(tree.isAncestor(right, below));
        assertFalse(tree.isAncestor(left, below));
        assertEquals(right, tree.child(0, 4));
        assertEquals(-1, tree.child(left, 0));
    }

    @Test
    void add_sameTokenTwice_returnsTheFirst() {
        TokenTree tree = new TokenTree(64).begin(2);

        assertEquals(tree.add(0, 3), tree.add(0, 3));
        assertEquals(2, tree.size());
    }

    @Test
    void add_fullTree_isRefused() {
        TokenTree tree = new TokenTree(2).begin(0);
        tree.add(0, 1);

        assertThrows(IllegalStateException.class, () -> tree.add(0, 2));
        assertThrows(IndexOutOfBoundsException.class, () -> tree.add(2, 2));
    }

    @Test
    void writeTo_randomTrees_rowsSeeTheirAncestorsOnly() {
        SplittableRandom random = new SplittableRandom(SEED);
        try (Arena arena = Arena.ofConfined()) {
            Segment segment = new Segment(arena, new BatchLimits(128, 128));
            TokenTree tree = new TokenTree(128);
            for (int round = 0; round < 50; round++) {
                tree.begin(random.nextInt(100));
                int size = random.nextInt(1, 129);
                while (tree.size() < size) {
                    tree.add(random.nextInt(tree.size()), random.nextInt(1000));
                }
                tree.writeTo(segment, 17);

                assertEquals(size, segment.rows());
                for (int row = 0; row < size; row++) {
                    assertEquals(17 + tree.depth(row), segment.position(row));
                    assertEquals(tree.parent(row), segment.parent(row));
                    for (int other = 0; other < size; other++) {
                        boolean onPath = false;
                        for (int node = row; node >= 0; node = tree.parent(node)) {
                            onPath |= node == other;
                        }
                        assertEquals(onPath, segment.attendsTo(row, other), "seed " + SEED + ", row " + row + ", other " + other);
                    }
                }
            }
        }
    }
}
