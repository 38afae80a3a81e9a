package org.gatun.tokenizer;

import java.util.function.IntConsumer;

/// Cuts text that holds no added tokens into tokens. Immutable.
sealed interface Segmenter permits BytePairs, CharacterPairs, ScoredPairs, Unigram, WordLevel, WordPieces, WordSegmenter {

    /// Hands the ids of `text`, which is not empty, to `ids` in order.
    void segment(String text, IntConsumer ids);

    /// One that does the same for the words of one text, and may keep memory between them; not shared by threads.
    default Words words() {
        return this::segment;
    }

    /// Cuts words into tokens, one after the other.
    interface Words {
        void segment(String word, IntConsumer ids);
    }
}
