package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.function.IntConsumer;

/// What becomes of characters that no piece covers: byte tokens where the vocabulary has them, the unknown token
/// where it has not.
///
/// @param bytes `[256]` token of each byte, [Vocabulary#NONE] where missing
/// @param unknown the unknown token, or [Vocabulary#NONE]
record Fallback(int[] bytes, int unknown) {

    /// Whether every byte has a token.
    boolean complete() {
        for (int token : bytes) {
            if (token < 0) {
                return false;
            }
        }
        return true;
    }

    /// Whether each of these bytes has a token.
    boolean covers(byte[] some) {
        for (byte b : some) {
            if (bytes[b & 0xFF] < 0) {
                return false;
            }
        }
        return true;
    }

    void emit(String characters, IntConsumer ids) {
        for (byte b : characters.getBytes(StandardCharsets.UTF_8)) {
            int id = bytes[b & 0xFF];
            if (id >= 0) {
                ids.accept(id);
            } else if (unknown >= 0) {
                ids.accept(unknown);
                return;
            }
        }
    }
}
