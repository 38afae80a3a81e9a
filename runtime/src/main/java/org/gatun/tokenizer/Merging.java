package org.gatun.tokenizer;

import java.util.Arrays;

/// Joins neighbours in a row of symbols until none join: lowest rank first, leftmost first among equals. Serves many
/// rows one after the other, and grows to the longest. Takes O(n log n) for n symbols.
///
/// ```java
/// merging.run(count, pairs);
/// for (int i = 0; i < count; i = merging.next(i)) { … }
/// ```
final class Merging {
    /* The row is a linked list of positions. Each position has at max one live key, rank << 32 | position, for the
     * pair that begins there; the heap may hold stale keys besides, which differ from the live one and are skipped. */

    /// What the symbols are, and what joins.
    interface Pairs {
        /// [#rank] of two symbols that never join.
        int NEVER = Integer.MAX_VALUE;

        /// When the symbols at these two positions join.
        int rank(int left, int right);

        /// Makes the symbol at `left` the two joined.
        void join(int left, int right);
    }

    private static final long DEAD = Long.MIN_VALUE;

    private int[] next = {};
    private int[] previous = {};
    private long[] live = {};
    private long[] heap = {};
    private int heapSize;
    private int count;

    void run(int symbols, Pairs pairs) {
        count = symbols;
        if (next.length < count) {
            int length = Math.max(count, 32);
            next = new int[length];
            previous = new int[length];
            live = new long[length];
        }
        for (int i = 0; i < count; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
        }
        heapSize = 0;
        for (int i = 0; i < count; i++) {
            offer(i, pairs);
        }
        while (heapSize > 0) {
            long key = pop();
            int left = (int) key;
            if (live[left] == key) {
                int right = next[left];
                pairs.join(left, right);
                live[right] = DEAD;
                next[left] = next[right];
                if (next[left] < count) {
                    previous[next[left]] = left;
                }
                offer(left, pairs);
                if (previous[left] >= 0) {
                    offer(previous[left], pairs);
                }
            }
        }
    }

    /// The position of the symbol after the one at `position`, the number of symbols after the last.
    int next(int position) {
        return next[position];
    }

    private void offer(int left, Pairs pairs) {
        int rank = next[left] < count ? pairs.rank(left, next[left]) : Pairs.NEVER;
        if (rank == Pairs.NEVER) {
            live[left] = DEAD;
        } else {
            live[left] = (long) rank << 32 | left;
            push(live[left]);
        }
    }

    private void push(long key) {
        if (heapSize == heap.length) {
            heap = Arrays.copyOf(heap, Math.max(32, heapSize + (heapSize >> 1)));
        }
        int at = heapSize++;
        while (at > 0 && heap[(at - 1) >> 1] > key) {
            heap[at] = heap[(at - 1) >> 1];
            at = (at - 1) >> 1;
        }
        heap[at] = key;
    }

    private long pop() {
        long top = heap[0];
        long last = heap[--heapSize];
        int at = 0;
        for (int child = 1; child < heapSize; child = 2 * at + 1) {
            if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= last) {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = last;
        return top;
    }
}
