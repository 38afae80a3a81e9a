package org.gatun.speculative.retrieval;

import org.gatun.speculative.TokenTree;

/// What followed at some places of a text, as a tree: the more places go on with the same tokens, the earlier these are proposed.
///
/// The places are kept in the order of what follows, so that those with a common beginning are a range; ranges stand in for a trie.
final class Continuations {
    /// Tokens that are read on from a place, at most.
    static final int LENGTH = 10;

    /// Places that go on with the same token.
    ///
    /// @param parent the node of the tree that they continue
    /// @param distance from a position to the token
    private record Range(int from, int to, int parent, int distance) {
        int count() {
            return to - from;
        }
    }

    private int[] tokens;
    private int length;
    private int[] order;
    private int distance;
    private int from;
    private int to;
    private int match;
    private Range[] waiting = new Range[0]; // not yet in the tree, the most frequent first
    private int size;

    /// Forgets all places.
    void clear() {
        match = 0;
    }

    /// How many tokens of the end of the text stand before each place; 0 if there are no places.
    int match() {
        return match;
    }

    /// Sets the places.
    ///
    /// @param tokens of which the first `length` count; a negative one ends a text
    /// @param order positions, those from place `from` to before `to` in the order of what follows
    /// @param distance from a position to what follows
    /// @param match how many tokens of the end of the text stand before
    void set(int[] tokens, int length, int[] order, int from, int to, int distance, int match) {
        this.tokens = tokens;
        this.length = length;
        this.order = order;
        this.from = from;
        this.to = to;
        this.distance = distance;
        this.match = match;
    }

    /// Adds what followed to a tree, most frequent first; what the tree has already is walked along. Where the tree has several first
    /// tokens these are taken to be all that can come, and others are not added.
    ///
    /// @param limit most nodes the tree may have in the end
    void grow(TokenTree tree, int limit) {
        if (match == 0) {
            return;
        }
        if (waiting.length < limit) {
            waiting = new Range[limit];
        }
        size = 0;
        boolean pruned = firstTokens(tree) > 1;
        enqueue(new Range(from, to, 0, distance), tree, pruned);
        while (size > 0) {
            Range range = waiting[0];
            System.arraycopy(waiting, 1, waiting, 0, --size);
            int token = token(range);
            if (tree.size() < limit || tree.child(range.parent, token) >= 0) {
                int node = tree.add(range.parent, token);
                if (tree.depth(node) < LENGTH) {
                    enqueue(new Range(range.from, range.to, node, range.distance + 1), tree, false);
                }
            }
        }
    }

    private static int firstTokens(TokenTree tree) {
        int count = 0;
        for (int node = 1; node < tree.size(); node++) {
            if (tree.parent(node) == 0) {
                count++;
            }
        }
        return count;
    }

    /// Lets the parts of a range that go on with the same token wait.
    ///
    /// @param known whether only what the tree has below the parent counts
    private void enqueue(Range range, TokenTree tree, boolean known) {
        for (int start = range.from; start < range.to; ) {
            int end = SuffixArray.endOfRun(tokens, length, order, start, range.to, range.distance);
            Range part = new Range(start, end, range.parent, range.distance);
            if (tree.allows(token(part)) && (!known || tree.child(range.parent, token(part)) >= 0)) {
                insert(part);
            }
            start = end;
        }
    }

    private int token(Range range) {
        return SuffixArray.at(tokens, length, order[range.from] + range.distance);
    }

    /// Keeps as many ranges as a tree can have nodes, since no more can get in.
    private void insert(Range range) {
        int place = size;
        while (place > 0 && waiting[place - 1].count() < range.count()) {
            place--;
        }
        if (place < waiting.length) {
            size = Math.min(size + 1, waiting.length);
            System.arraycopy(waiting, place, waiting, place + 1, size - 1 - place);
            waiting[place] = range;
        }
    }
}
