package org.gatun.speculative.draftmodel;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.gatun.decoding.TokenSequence;
import org.gatun.sampling.ProposalSampling;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;

/// The tree that is best if the chance to be accepted depends on a child's place among its siblings only: found by dynamic programming
/// from how often the first, second, third, … child was accepted so far, and found anew as that is learnt.
/// (Sequoia, Chen et al. 2024, arXiv 2402.12374.)
final class SequoiaPolicy implements TreePolicy {
    private static final int WIDTH = 8;
    private static final int STEPS_A_PLAN = 32;
    /// What is believed before anything was seen, and after how many nodes what was seen counts as much.
    private static final double[] BELIEVED = {0.6, 0.12, 0.06, 0.03, 0.02, 0.015, 0.01, 0.01};
    private static final int BELIEF_NODES = 16;
    /// Older outcomes count less.
    private static final double DECAY = 0.98;

    private final int rows;
    private final int depth;
    private final double[] tested = new double[WIDTH];
    private final double[] accepted = new double[WIDTH];
    private Shape plan;
    private int steps;

    /// A planned node: its children in order.
    record Shape(List<Shape> children) {

        int size() {
            return 1 + children.stream().mapToInt(Shape::size).sum();
        }
    }

    /// @param rows most nodes, the root included
    /// @param depth levels at most, that of the root not counted
    SequoiaPolicy(int rows, int depth) {
        this.rows = rows;
        this.depth = depth;
        plan = best(acceptance(), rows, depth);
    }

    @Override
    public void grow(DraftModel model, TokenSequence text, TokenTree tree, int max) {
        Shape shape = max < plan.size() ? best(acceptance(), max, depth) : plan;
        model.read(text, tree);
        List<Shape> shapes = new ArrayList<>(List.of(shape)); // of the nodes
        int from = 0;
        while (from < tree.size()) {
            int to = tree.size();
            if (from > 0) {
                int[] inner = IntStream.range(from, to).filter(node -> !shapes.get(node).children.isEmpty()).toArray();
                model.read(inner, inner.length);
            }
            for (int node = from; node < to; node++) {
                List<Shape> children = shapes.get(node).children;
                if (!children.isEmpty()) {
                    model.propose(node, children.size(), ProposalSampling.WITHOUT_REPLACEMENT);
                    shapes.addAll(children.subList(0, tree.size() - shapes.size()));
                }
            }
            from = to;
        }
    }

    @Override
    public void observe(Step step) {
        for (int depthReached = 0; depthReached <= step.accepted(); depthReached++) {
            learn(step.tree(), step.acceptedNode(depthReached), step.emitted(depthReached));
        }
        if (++steps % STEPS_A_PLAN == 0) {
            plan = best(acceptance(), rows, depth);
        }
    }

    private void learn(TokenTree tree, int node, int token) {
        int place = 0;
        for (int child = node + 1; child < tree.size() && place < WIDTH; child++) {
            if (tree.parent(child) == node) {
                tested[place] = DECAY * tested[place] + 1;
                accepted[place] = DECAY * accepted[place] + (tree.token(child) == token ? 1 : 0);
                place++;
            }
        }
    }

    private double[] acceptance() {
        double[] rates = new double[WIDTH];
        for (int place = 0; place < WIDTH; place++) {
            rates[place] = (accepted[place] + BELIEVED[place] * BELIEF_NODES) / (tested[place] + BELIEF_NODES);
        }
        return rates;
    }

    /// The tree with the most nodes accepted on average.
    ///
    /// @param rates probability that the first, second, … child of a node is the one accepted
    /// @param nodes in the tree, the root included
    /// @param levels below the root, at most
    static Shape best(double[] rates, int nodes, int levels) {
        Search search = new Search(rates, nodes, levels);
        int max = nodes;
        while (search.value[levels][max] < 1) {
            max--; // so few levels have no place for so many nodes
        }
        return search.shape(max, levels);
    }

    /// Tokens that a step emits on average with the best tree.
    static double expected(double[] rates, int nodes, int levels) {
        return new Search(rates, nodes, levels).value[levels][nodes];
    }

    /// Tables over levels left, nodes and children.
    private static final class Search {
        private final int width;
        private final double[][][] valueWith; // [levels][nodes][children], exactly so many
        private final int[][][] rest;         // nodes left for the children before the last
        private final double[][] value;       // [levels][nodes]
        private final int[][] children;       // of the best

        Search(double[] rates, int nodes, int levels) {
            width = rates.length;
            valueWith = new double[levels + 1][nodes + 1][width + 1];
            rest = new int[levels + 1][nodes + 1][width + 1];
            value = new double[levels + 1][nodes + 1];
            children = new int[levels + 1][nodes + 1];
            for (int level = 0; level <= levels; level++) {
                for (int count = 1; count <= nodes; count++) {
                    fill(rates, level, count);
                }
            }
        }

        private void fill(double[] rates, int level, int count) {
            for (int child = 0; child <= width; child++) {
                double best = child == 0 && count == 1 ? 1 : Double.NEGATIVE_INFINITY;
                for (int before = 1; child > 0 && level > 0 && before < count; before++) {
                    double found = valueWith[level][before][child - 1] + rates[child - 1] * value[level - 1][count - before];
                    if (found > best) {
                        best = found;
                        rest[level][count][child] = before;
                    }
                }
                valueWith[level][count][child] = best;
                if (child == 0 || best > value[level][count]) {
                    value[level][count] = best;
                    children[level][count] = child;
                }
            }
        }

        private Shape shape(int count, int level) {
            List<Shape> found = new ArrayList<>();
            int left = count;
            for (int child = children[level][count]; child > 0; child--) {
                int before = rest[level][left][child];
                found.addFirst(shape(left - before, level - 1));
                left = before;
            }
            return new Shape(found);
        }
    }
}
