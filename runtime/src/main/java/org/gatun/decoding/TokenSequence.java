package org.gatun.decoding;

import java.util.Arrays;
import java.util.Objects;

/// The tokens of a text as it grows: prompt, then what was generated. One thread at a time.
public final class TokenSequence {
    private final int promptLength;
    private int[] tokens;
    private int length;

    /// @param tokens the prompt, copied
    public TokenSequence(int... tokens) {
        this.tokens = Arrays.copyOf(tokens, Math.max(64, 2 * tokens.length));
        length = tokens.length;
        promptLength = length;
    }

    /// Adds a token.
    public void append(int token) {
        if (length == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * length);
        }
        tokens[length++] = token;
    }

    /// Forgets all tokens from `length` on.
    ///
    /// @throws IndexOutOfBoundsException if the text is shorter
    public void truncate(int length) {
        this.length = Objects.checkIndex(length, this.length + 1);
    }

    /// How many of the tokens are the prompt.
    public int promptLength() {
        return promptLength;
    }

    /// Number of tokens.
    public int length() {
        return length;
    }

    /// Token at a position.
    public int token(int position) {
        return tokens[Objects.checkIndex(position, length)];
    }

    /// The last token.
    public int last() {
        return token(length - 1);
    }

    /// The backing array, of which the first [#length] elements count; not a copy, valid until the next append.
    public int[] array() {
        return tokens;
    }

    /// A copy of the tokens from `from` on.
    public int[] from(int from) {
        return Arrays.copyOfRange(tokens, Objects.checkIndex(from, length + 1), length);
    }
}
