package org.gatun.speculative.retrieval;

import java.util.Arrays;

/// The shape of a tree that is the same in every step: each node is a rank among the successors of its parent. Node 0 is the root;
/// parents come before children, level by level. Immutable.
final class TreeTemplate {
    /// Children of each node, level by level: 80 nodes below the root, 8, 21, 25, 15, 8 and 3 on its six levels. (The tree of Token
    /// Recycling, Luo et al. 2024, arXiv 2408.08696.)
    private static final int[] CHILDREN = {
        8,
        8, 4, 3, 2, 1, 1, 1, 1,
        8, 3, 2, 1, 1, 1, 1, 1, 2, 1, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0,
        5, 2, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0,
        3, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0,
        2, 0, 0, 1};
    /// Ranks that occur.
    static final int RANKS = 8;
    /// Nodes it has when whole, the root included.
    static final int NODES = 81;
    /// How often the successor of a rank came, measured with the story models, half of it sampled; it decides which nodes are dropped
    /// first, and falls with the rank.
    private static final double[] EXPECTED = {0.32, 0.10, 0.06, 0.04, 0.03, 0.025, 0.02, 0.015};

    private final int[] parents;    // [nodes]
    private final int[] ranks;      // [nodes]
    private final int[] children;   // [nodes] how many

    /// The nodes of the whole template that are most likely to be accepted.
    ///
    /// @param rows how many to keep, the root included
    static TreeTemplate of(int rows) {
        return new TreeTemplate(new TreeTemplate(CHILDREN, NODES).childrenOfBest(Math.min(rows, NODES)), rows);
    }

    /// @param childCounts children of each node, level by level; no more than the first `nodes` nodes are made
    private TreeTemplate(int[] childCounts, int nodes) {
        parents = new int[Math.min(nodes, NODES)];
        ranks = new int[parents.length];
        children = Arrays.copyOf(childCounts, parents.length);
        int node = 1;
        for (int parent = 0; node < parents.length; parent++) {
            for (int rank = 0; rank < children[parent]; rank++) {
                parents[node] = parent;
                ranks[node++] = rank;
            }
        }
    }

    /// How many children the nodes of most value have. A node is worth less than its parent and than its siblings of lower rank, so
    /// these nodes are a tree whose children still have ranks from 0 on.
    private int[] childrenOfBest(int count) {
        double[] values = new double[parents.length];
        int[] kept = new int[parents.length]; // children kept, -1 where the node is not
        for (int node = 0; node < values.length; node++) {
            values[node] = node == 0 ? 1 : values[parents[node]] * EXPECTED[ranks[node]];
            kept[node] = node == 0 ? 0 : -1;
        }
        for (int i = 1; i < count; i++) {
            int best = 0;
            for (int node = 1; node < values.length; node++) {
                if (kept[node] < 0 && (best == 0 || values[node] > values[best])) {
                    best = node;
                }
            }
            kept[best] = 0;
            kept[parents[best]]++;
        }
        return Arrays.stream(kept).filter(childCount -> childCount >= 0).toArray();
    }

    /// Number of nodes, the root included.
    int size() {
        return parents.length;
    }

    /// Parent of a node other than the root.
    int parent(int node) {
        return parents[node];
    }

    /// Which successor of its parent a node is, 0 the first.
    int rank(int node) {
        return ranks[node];
    }

    /// How many children a node has.
    int children(int node) {
        return children[node];
    }
}
