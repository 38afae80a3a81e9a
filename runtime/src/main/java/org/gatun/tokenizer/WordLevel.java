package org.gatun.tokenizer;

import java.util.Map;
import java.util.function.IntConsumer;

/// Each word is a token, or unknown.
///
/// @param unknown the unknown token
record WordLevel(Map<String, Integer> tokens, int unknown) implements Segmenter {
    WordLevel {
        tokens = Map.copyOf(tokens);
    }

    @Override
    public void segment(String text, IntConsumer ids) {
        ids.accept(tokens.getOrDefault(text, unknown));
    }
}
