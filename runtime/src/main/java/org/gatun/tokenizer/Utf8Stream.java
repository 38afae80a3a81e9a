package org.gatun.tokenizer;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/// Joins the bytes of tokens to characters. Where the tokenizer puts a space before a text, the first byte of a text is
/// dropped if it is one: at the beginning, and after special tokens.
final class Utf8Stream implements TextStream {
    private final Vocabulary vocabulary;
    private final boolean spaceFirst;
    private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE).onUnmappableCharacter(CodingErrorAction.REPLACE);
    private byte[] unfinished = {};
    private boolean atBeginning = true;

    Utf8Stream(Vocabulary vocabulary, boolean spaceFirst) {
        this.vocabulary = vocabulary;
        this.spaceFirst = spaceFirst;
    }

    @Override
    public String append(int token) {
        byte[] bytes = vocabulary.bytes(token);
        int from = spaceFirst && atBeginning && bytes.length > 0 && bytes[0] == ' ' ? 1 : 0;
        atBeginning = vocabulary.isSpecial(token) || atBeginning && bytes.length == 0;
        if (unfinished.length == 0 && isAscii(bytes)) {
            return new String(bytes, from, bytes.length - from, StandardCharsets.ISO_8859_1);
        }
        ByteBuffer input = ByteBuffer.allocate(unfinished.length + bytes.length - from)
                .put(unfinished).put(bytes, from, bytes.length - from).flip();
        String text = decode(input, false);
        unfinished = new byte[input.remaining()];
        input.get(unfinished);
        return text;
    }

    static boolean isAscii(byte[] bytes) {
        for (byte b : bytes) {
            if (b < 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String finish() {
        String text = decode(ByteBuffer.wrap(unfinished), true);
        unfinished = new byte[0];
        atBeginning = true;
        return text;
    }

    private String decode(ByteBuffer input, boolean last) {
        CharBuffer text = CharBuffer.allocate(input.remaining() + 1);
        decoder.reset().decode(input, text, last);
        return text.flip().toString();
    }
}
