package org.gatun.tokenizer;

import java.util.OptionalInt;

/// Text to tokens and back. Immutable, shared by threads.
public interface Tokenizer {

    /// What to do about special tokens when encoding.
    ///
    /// @param addSpecial put the beginning-of-text token (and whatever else the model wants) around the text
    /// @param parseSpecial read special tokens written out in the text, like `<|im_start|>`, as those tokens
    record Special(boolean addSpecial, boolean parseSpecial) {
        /// Plain text, nothing added.
        public static final Special NONE = new Special(false, false);
        /// A prompt typed by a person.
        public static final Special ADD = new Special(true, false);
    }

    /// Number of token ids.
    int vocabularySize();

    /// Ids of a text. A surrogate without its other half reads as U+FFFD.
    int[] encode(String text, Special special);

    /// The bytes that a token stands for; none for control tokens.
    ///
    /// @throws IndexOutOfBoundsException if `token` is no id
    byte[] bytes(int token);

    /// The token as it is written in the vocabulary.
    ///
    /// @throws IndexOutOfBoundsException if `token` is no id
    String piece(int token);

    /// Whether a token is there to fill up the vocabulary only: no text becomes it, and it becomes no text.
    ///
    /// @throws IndexOutOfBoundsException if `token` is no id
    boolean isUnused(int token);

    /// Number of token ids without the unused ones at their end.
    ///
    /// @param rows of logits that there are: ids from there on do not count
    default int unpaddedSize(int rows) {
        int tokens = Math.min(vocabularySize(), rows);
        int count = tokens;
        while (count > 0 && isUnused(count - 1)) {
            count--;
        }
        return count > 0 ? count : tokens; // or the whole vocabulary would be padding
    }

    /// The token a text begins with, if the model has one.
    OptionalInt beginOfText();

    /// Whether generation stops at this token: end of text, end of turn.
    boolean isEndOfText(int token);

    /// Decodes tokens from the beginning of a text. To decode a continuation, append the tokens of the text before it
    /// and forget what they give: then a leading space stays, and a character left unfinished is finished.
    TextStream stream();

    /// The text of some tokens, malformed UTF-8 replaced.
    default String decode(int... tokens) {
        TextStream stream = stream();
        StringBuilder text = new StringBuilder();
        for (int token : tokens) {
            text.append(stream.append(token));
        }
        return text.append(stream.finish()).toString();
    }
}
