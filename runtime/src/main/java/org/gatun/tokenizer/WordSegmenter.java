package org.gatun.tokenizer;

import java.util.function.IntConsumer;

/// Normalizes a text, splits it into words, and cuts each for itself.
///
/// @param model what cuts words into tokens
record WordSegmenter(Normalizer normalizer, Splitter splitter, Segmenter model) implements Segmenter {
    @Override
    public void segment(String text, IntConsumer ids) {
        String normal = normalizer.apply(text);
        if (!normal.isEmpty()) {
            Words cut = RecentWords.of(model.words(), normal.length());
            splitter.split(normal, true, (word, _) -> cut.segment(word, ids));
        }
    }
}
