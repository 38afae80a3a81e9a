package org.gatun.tokenizer;

import java.util.function.IntConsumer;

/// Cuts text that holds no special tokens into tokens, and says what bytes an ordinary piece stands for. Immutable.
sealed interface Segmenter permits BytePairs, ScoredPairs, Unigram, WordPieces {

    /// Hands the ids of `text`, which is not empty, to `ids` in order.
    void segment(String text, IntConsumer ids);

    /// The bytes that an ordinary piece stands for.
    byte[] bytes(String piece);

    /// Whether [#segment] puts a space before the text, for decoding to drop.
    boolean addsSpace();
}
