package org.gatun.model.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.gatun.tokenizer.TextStream;
import org.gatun.tokenizer.Tokenizer;

/// The tokenizer of a model without language: a token is written as its number, a text is numbers with blanks between. No token begins
/// or ends a text.
///
/// @param vocabularySize numbers from 0 on that are tokens
record NumberTokenizer(int vocabularySize) implements Tokenizer {

    /// @throws IllegalArgumentException if a word is no number of a token
    @Override
    public int[] encode(String text, Special special) {
        return Stream.of(text.strip().split("\\s+")).filter(word -> !word.isEmpty()).mapToInt(this::token).toArray();
    }

    private int token(String word) {
        try {
            return Objects.checkIndex(Integer.parseInt(word), vocabularySize);
        } catch (NumberFormatException | IndexOutOfBoundsException e) {
            throw new IllegalArgumentException("'" + word + "' in a text of token numbers: expected 0 to " + (vocabularySize - 1), e);
        }
    }

    @Override
    public byte[] bytes(int token) {
        return (piece(token) + " ").getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public String piece(int token) {
        return Integer.toString(Objects.checkIndex(token, vocabularySize));
    }

    @Override
    public boolean isUnused(int token) {
        Objects.checkIndex(token, vocabularySize);
        return false;
    }

    @Override
    public OptionalInt beginOfText() {
        return OptionalInt.empty();
    }

    @Override
    public boolean isEndOfText(int token) {
        return false;
    }

    @Override
    public TextStream stream() {
        return new TextStream() {
            @Override
            public String append(int token) {
                return piece(token) + " ";
            }

            @Override
            public String finish() {
                return "";
            }
        };
    }
}
