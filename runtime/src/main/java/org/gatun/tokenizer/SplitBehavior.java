package org.gatun.tokenizer;

import java.util.Arrays;

/// What becomes of the delimiters that a pre-tokenizer finds.
enum SplitBehavior {
    /// They are dropped.
    REMOVED,
    /// Each is a word.
    ISOLATED,
    /// Each ends the word before it; one after another delimiter is a word.
    MERGED_WITH_PREVIOUS,
    /// Each begins the word after it; one before another delimiter is a word.
    MERGED_WITH_NEXT,
    /// Those side by side are a word.
    CONTIGUOUS;

    /// A text cut into delimiters and what lies between, from left to right.
    static final class Cuts {
        private int[] ends = new int[16];
        private boolean[] delimiters = new boolean[16];
        private int count;

        void add(int end, boolean delimiter) {
            if (count == ends.length) {
                ends = Arrays.copyOf(ends, 2 * count);
                delimiters = Arrays.copyOf(delimiters, 2 * count);
            }
            ends[count] = end;
            delimiters[count++] = delimiter;
        }

        /// Adds a delimiter, and what lies between it and the one before.
        void addDelimiter(int from, int to) {
            if (from > end()) {
                add(from, false);
            }
            add(to, true);
        }

        int end() {
            return count == 0 ? 0 : ends[count - 1];
        }

        /// Adds what lies after the last delimiter.
        void finish(int length) {
            if (length > end()) {
                add(length, false);
            }
        }
    }

    /// Hands on the words that are not empty.
    ///
    /// @param inverted what lies between delimiters counts as such, and they do not
    void words(Cuts cuts, boolean inverted, PreTokenizer.Words words) {
        int from = 0;
        for (int i = 0; i < cuts.count; i++) {
            boolean delimiter = cuts.delimiters[i] != inverted;
            int to = cuts.ends[i];
            boolean last = i + 1 == cuts.count;
            boolean next = !last && cuts.delimiters[i + 1] != inverted;
            boolean joins = !last && switch (this) {
                case REMOVED, ISOLATED -> false;
                case CONTIGUOUS -> delimiter == next;
                case MERGED_WITH_PREVIOUS -> next && !delimiter;
                case MERGED_WITH_NEXT -> delimiter && !next;
            };
            if (!joins) {
                if (to > from && !(this == REMOVED && delimiter)) {
                    words.accept(from, to);
                }
                from = to;
            }
        }
    }
}
