package org.gatun.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The printable character that byte-level vocabularies write for each byte: itself for printable Latin-1, characters
/// from U+0100 on for the other 68. From GPT-2 (Radford et al., 2019, `bytes_to_unicode`).
final class ByteAlphabet {
    private static final char[] LETTERS = new char[256];
    private static final short[] BYTES = new short[256 + 68];

    static {
        char other = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b != 0xAD;
            LETTERS[b] = printable ? (char) b : other++;
        }
        Arrays.fill(BYTES, (short) -1);
        for (int b = 0; b < 256; b++) {
            BYTES[LETTERS[b]] = (short) b;
        }
    }

    private ByteAlphabet() {}

    /// The letter of a byte, 0 to 255.
    static char letter(int value) {
        return LETTERS[value];
    }

    /// Bytes spelled in the alphabet.
    static String spell(byte[] bytes, int from, int to) {
        char[] letters = new char[to - from];
        for (int i = from; i < to; i++) {
            letters[i - from] = LETTERS[bytes[i] & 0xFF];
        }
        return new String(letters);
    }

    /// The UTF-8 of a text spelled in the alphabet.
    static String spell(String text) {
        int length = text.length();
        char[] letters = new char[length];
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c >= 0x80) {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                return spell(bytes, 0, bytes.length);
            }
            letters[i] = LETTERS[c];
        }
        return new String(letters);
    }

    /// Whether all characters are of the alphabet.
    static boolean spells(String piece) {
        for (int i = 0; i < piece.length(); i++) {
            char c = piece.charAt(i);
            if (c >= BYTES.length || BYTES[c] < 0) {
                return false;
            }
        }
        return true;
    }

    /// The bytes that a piece spells; characters outside the alphabet stand for their own UTF-8.
    static byte[] bytes(String piece) {
        if (spells(piece)) {
            byte[] bytes = new byte[piece.length()];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) BYTES[piece.charAt(i)];
            }
            return bytes;
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(piece.length());
        piece.codePoints().forEach(c -> {
            if (c < BYTES.length && BYTES[c] >= 0) {
                bytes.write(BYTES[c]);
            } else {
                bytes.writeBytes(Character.toString(c).getBytes(StandardCharsets.UTF_8));
            }
        });
        return bytes.toByteArray();
    }
}
