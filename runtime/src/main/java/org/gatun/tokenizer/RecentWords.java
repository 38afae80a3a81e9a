package org.gatun.tokenizer;

import java.util.Arrays;
import java.util.function.IntConsumer;

/// Remembers the tokens of words that were cut lately: in a long text most words have been there before. Not shared by threads.
final class RecentWords implements Segmenter.Words {
    /// Texts that are shorter hold few words twice.
    private static final int MIN_TEXT = 256;
    private static final int MAX_PLACES = 4096;
    /// Characters of the longest word that is remembered.
    private static final int LONGEST = 32;

    private final Segmenter.Words model;
    private final String[] words;
    private final int[][] tokens;
    private int[] found = new int[LONGEST];
    private int count;

    private RecentWords(Segmenter.Words model, int places) {
        this.model = model;
        this.words = new String[places];
        this.tokens = new int[places][];
    }

    /// `model` itself for a text that is too short.
    ///
    /// @param model gives the same tokens for the same word
    static Segmenter.Words of(Segmenter.Words model, int textLength) {
        return textLength < MIN_TEXT ? model
                : new RecentWords(model, Math.min(MAX_PLACES, Integer.highestOneBit(textLength)));
    }

    @Override
    public void segment(String word, IntConsumer ids) {
        if (word.length() > LONGEST) {
            model.segment(word, ids);
            return;
        }
        int hash = word.hashCode() * 0x9E3779B9;
        int place = (hash ^ hash >>> 16) & words.length - 1;
        if (!word.equals(words[place])) {
            count = 0;
            model.segment(word, this::add);
            words[place] = word;
            tokens[place] = Arrays.copyOf(found, count);
        }
        for (int token : tokens[place]) {
            ids.accept(token);
        }
    }

    private void add(int token) {
        if (count == found.length) {
            found = Arrays.copyOf(found, 2 * count);
        }
        found[count++] = token;
    }
}
