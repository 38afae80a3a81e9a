package org.gatun.speculative.draftmodel;

import java.util.Arrays;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.Session;

/// A text of the target as the draft model reads it. The target may have more rows of padding, and emit one: the draft model, which has no
/// such row, reads its own last one instead. What it then proposes is a worse guess, and never a wrong text.
final class DraftText {
    private final int vocabulary;
    private int[] tokens = new int[0];
    private boolean same = true;

    /// @param draft session of the draft model
    DraftText(Session draft) {
        vocabulary = draft.vocabularySize();
    }

    /// Starts on a text of a target.
    void begin(Model target) {
        same = target.config().vocabulary() <= vocabulary;
    }

    /// The tokens of a text, of which as many as it has count; valid until the next call or until the text grows.
    int[] of(TokenSequence text) {
        if (same) {
            return text.array();
        }
        if (tokens.length < text.length()) {
            tokens = Arrays.copyOf(tokens, 2 * text.length());
        }
        for (int i = 0; i < text.length(); i++) {
            tokens[i] = Math.min(text.token(i), vocabulary - 1);
        }
        return tokens;
    }
}
