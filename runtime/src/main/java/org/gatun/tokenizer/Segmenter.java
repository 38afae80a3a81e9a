package org.gatun.tokenizer;

import java.util.function.IntConsumer;

/// Cuts text that holds no special tokens into tokens. Immutable.
sealed interface Segmenter permits BytePairs, ScoredPairs, Unigram, WordPieces {

    /// Hands the ids of `text`, which is not empty, to `ids` in order.
    void segment(String text, IntConsumer ids);
}
