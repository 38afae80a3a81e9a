package org.gatun.speculative.retrieval;

import java.util.concurrent.ThreadLocalRandom;
import org.gatun.decoding.TokenSequence;

/// Every position of an array of tokens, in the order of what stands there: where a few tokens occur is then one range, found by
/// bisection. (Manber and Myers 1993.) Positions are told apart by their first [#DEPTH] tokens, which is all that retrieval looks at.
///
/// A negative token ends a text: nothing is read beyond it. Immutable, shared by threads; the array is not copied.
final class SuffixArray implements Retriever {
    /// How many tokens of the end of a text are looked for, at most.
    static final int LONGEST_MATCH = 16;
    /// Fewer are too common to tell what follows.
    static final int SHORTEST_MATCH = 2;
    /// How many tokens in order count.
    static final int DEPTH = LONGEST_MATCH + Continuations.LENGTH;

    private final int[] tokens;
    private final int[] order;      // [tokens] positions

    SuffixArray(int[] tokens) {
        this.tokens = tokens;
        order = new int[tokens.length];
        for (int i = 0; i < order.length; i++) {
            order[i] = i;
        }
        sort(tokens, tokens.length, order, 0, order.length, DEPTH);
    }

    @Override
    public void begin(TokenSequence text) {
        // knows all it will know
    }

    @Override
    public void find(TokenSequence text, Continuations found) {
        int longest = Math.min(LONGEST_MATCH, text.length());
        for (int count = longest; count >= SHORTEST_MATCH && count > found.match(); count--) {
            int from = bound(text.array(), text.length() - count, count, false);
            int to = bound(text.array(), text.length() - count, count, true);
            if (from < to && continues(order[to - 1] + count)) {
                found.set(tokens, tokens.length, order, from, to, count, count);
            }
        }
    }

    /// Whether a text goes on at a position. Of a range the last goes on if any does, since an end comes before all tokens.
    private boolean continues(int position) {
        return at(tokens, tokens.length, position) >= 0;
    }

    /// What came after two tokens, and how often of all times.
    ///
    /// @param max successors to keep
    /// @return null if the two never occur
    Successors after(int first, int second, int max) {
        int[] pair = {first, second};
        int from = bound(pair, 0, 2, false);
        int to = bound(pair, 0, 2, true);
        Successors successors = new Successors(max);
        for (int start = from; start < to; ) {
            int token = at(tokens, tokens.length, order[start] + 2);
            int end = endOfRun(tokens, tokens.length, order, start, to, 2);
            if (token >= 0) {
                successors.add(token, (float) (end - start) / (to - from), 1);
            }
            start = end;
        }
        return successors.size() == 0 ? null : successors;
    }

    /// Where in the order the positions with `wanted[start .. start + count)` begin, or where those after them do.
    private int bound(int[] wanted, int start, int count, boolean after) {
        int low = 0;
        int high = order.length;
        while (low < high) {
            int middle = low + high >>> 1;
            int compared = 0;
            for (int i = 0; i < count && compared == 0; i++) {
                compared = Integer.compare(at(tokens, tokens.length, order[middle] + i), wanted[start + i]);
            }
            if (compared < 0 || after && compared == 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// Token at a position, negative at the end of a text and beyond.
    static int at(int[] tokens, int length, int position) {
        return position < length ? tokens[position] : -1;
    }

    /// The first place after `start` where another token stands at a distance; positions of the same token stand together.
    static int endOfRun(int[] tokens, int length, int[] order, int start, int to, int distance) {
        int token = at(tokens, length, order[start] + distance);
        int low = start;            // the same token stands there
        int step = 1;
        while (low + step < to && at(tokens, length, order[low + step] + distance) == token) {
            low += step;
            step *= 2;
        }
        int high = Math.min(to, low + step);
        while (high - low > 1) {
            int middle = low + high >>> 1;
            if (at(tokens, length, order[middle] + distance) == token) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return high;
    }

    /// Orders positions by the tokens from there on, `depth` of them. (Multikey quicksort, Bentley and Sedgewick 1997; pivots at random,
    /// because corpora come from files.)
    static void sort(int[] tokens, int length, int[] order, int from, int to, int depth) {
        sort(tokens, length, order, from, to, 0, depth);
    }

    private static void sort(int[] tokens, int length, int[] order, int first, int last, int done, int depth) {
        int from = first;
        int to = last;
        for (int distance = done; distance < depth && to - from > 1; distance++) {
            int pivot = at(tokens, length, order[ThreadLocalRandom.current().nextInt(from, to)] + distance);
            int less = from;
            int greater = to;
            for (int i = from; i < greater; ) {
                int token = at(tokens, length, order[i] + distance);
                if (token < pivot) {
                    swap(order, less++, i++);
                } else if (token > pivot) {
                    swap(order, i, --greater);
                } else {
                    i++;
                }
            }
            sort(tokens, length, order, from, less, distance, depth);
            sort(tokens, length, order, greater, to, distance, depth);
            if (pivot < 0) {
                return; // these ended
            }
            from = less;
            to = greater;
        }
    }

    private static void swap(int[] order, int i, int j) {
        int position = order[i];
        order[i] = order[j];
        order[j] = position;
    }
}
