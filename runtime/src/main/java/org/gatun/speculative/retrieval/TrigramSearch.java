package org.gatun.speculative.retrieval;

import java.util.Arrays;
import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.CounterRandom;
import org.gatun.speculative.TokenTree;

/// Searches a [TrigramTable] for likely continuations of a text: a Monte-Carlo tree search, whose visits gather where the table has
/// weight, with some left for what was tried little. Deterministic for a seed, a text and a table.
///
/// Nodes are numbers, what is known of them is in arrays; the children of a node have consecutive numbers.
final class TrigramSearch {
    private static final int ROUNDS = 150;
    private static final int DEPTH = 3;
    /// No rounds add more nodes than this: one expansion each, of the successors that the table keeps.
    private static final int MAX_NODES = 1 + ROUNDS * 12;
    private static final double EXPLORATION = 32;
    private static final double EXPLORATION_GROWTH = 8;

    private final int[] tokens = new int[MAX_NODES];
    private final int[] parents = new int[MAX_NODES];
    private final int[] depths = new int[MAX_NODES];
    private final int[] firstChildren = new int[MAX_NODES]; // 0 before it is expanded
    private final int[] childCounts = new int[MAX_NODES];
    private final int[] visits = new int[MAX_NODES];
    private final float[] scores = new float[MAX_NODES];
    private final float[] priors = new float[MAX_NODES];
    private final int[] placed = new int[MAX_NODES]; // node of the tree proposed, -1 before
    private int beforeRoot;
    private int size;

    /// Searches anew.
    ///
    /// @param text at least two tokens
    void run(TokenSequence text, TrigramTable table, CounterRandom random) {
        beforeRoot = text.token(text.length() - 2);
        size = 0;
        append(text.last(), -1, 0);
        int stream = 0;
        for (int round = 0; round < ROUNDS; round++) {
            int node = 0;
            float reward = 1;
            while (childCounts[node] > 0) {
                node = mostPromising(node);
                reward += priors[node];
            }
            if (depths[node] < DEPTH && expand(node, table)) {
                node = firstChildren[node];
                reward += priors[node];
            }
            int before = tokenBefore(node);
            int last = tokens[node];
            for (int depth = depths[node]; depth < DEPTH; depth++) {
                Successors successors = table.after(before, last);
                if (successors == null) {
                    break;
                }
                int place = successors.sample(random.uniform(CounterRandom.Purpose.PROPOSAL, text.length(), stream++));
                reward += successors.weight(place);
                before = last;
                last = successors.token(place);
            }
            for (int visited = node; visited >= 0; visited = parents[visited]) {
                visits[visited]++;
                scores[visited] += reward;
            }
        }
    }

    private void append(int token, int parent, float prior) {
        tokens[size] = token;
        parents[size] = parent;
        depths[size] = parent < 0 ? 0 : depths[parent] + 1;
        firstChildren[size] = 0;
        childCounts[size] = 0;
        visits[size] = 0;
        scores[size] = 0;
        priors[size++] = prior;
    }

    private int tokenBefore(int node) {
        return node == 0 ? beforeRoot : tokens[parents[node]];
    }

    /// Gives a node its children, heaviest first.
    ///
    /// @return whether there are any
    private boolean expand(int node, TrigramTable table) {
        Successors successors = table.after(tokenBefore(node), tokens[node]);
        if (successors == null) {
            return false;
        }
        firstChildren[node] = size;
        childCounts[node] = successors.size();
        for (int place = 0; place < successors.size(); place++) {
            append(successors.token(place), node, successors.weight(place));
        }
        return true;
    }

    /// The first child never visited, or else the one of largest [#promise].
    private int mostPromising(int parent) {
        int best = -1;
        double bestPromise = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < childCounts[parent]; i++) {
            int child = firstChildren[parent] + i;
            if (visits[child] == 0) {
                return child;
            }
            double promise = promise(scores[child], visits[child], visits[parent], priors[child]);
            if (promise > bestPromise) {
                bestPromise = promise;
                best = child;
            }
        }
        return best;
    }

    /// What going on at a node promises: the mean reward so far, and more for a node that has a large prior or was visited little. (PUCT,
    /// as in Silver et al. 2017, "Mastering the game of Go without human knowledge".)
    static double promise(double score, int visits, int parentVisits, double prior) {
        double exploration = EXPLORATION + Math.log((parentVisits + EXPLORATION_GROWTH + 1) / EXPLORATION_GROWTH);
        return score / visits + exploration * prior * Math.sqrt(parentVisits) / (1 + visits);
    }

    /// Adds the nodes visited most to a tree that has a root only.
    ///
    /// @param limit most nodes the tree may have in the end
    void propose(TokenTree tree, int limit) {
        Arrays.fill(placed, 0, size, -1);
        placed[0] = 0;
        while (tree.size() < limit) {
            int best = 0;
            for (int node = 1; node < size; node++) {
                // a parent is visited at least as often, and has a lower number: it is placed before
                if (placed[node] < 0 && visits[node] > (best == 0 ? 0 : visits[best])) {
                    best = node;
                }
            }
            if (best == 0) {
                return;
            }
            placed[best] = tree.add(placed[parents[best]], tokens[best]);
        }
    }
}
