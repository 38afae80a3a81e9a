package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/// Pieces by id and ids by piece. The arrays are not copied.
final class Vocabulary {
    /// What a token is for; numbered as in GGUF, from 1.
    enum Kind {
        NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE
    }

    /// How sentencepiece writes a space.
    static final char SPACE = '\u2581';
    /// [#id] of what is no piece.
    static final int NONE = -1;

    private final String[] pieces;
    private final Kind[] kinds;
    private final float[] scores;
    private final Map<String, Integer> ids;

    /// @param pieces `[vocabulary]`, empty where an id has no token
    /// @param kinds `[vocabulary]`
    /// @param scores `[vocabulary]`, or empty where the model has none
    Vocabulary(String[] pieces, Kind[] kinds, float[] scores) {
        this.pieces = pieces;
        this.kinds = kinds;
        this.scores = scores;
        this.ids = HashMap.newHashMap(pieces.length);
        for (int id = 0; id < pieces.length; id++) {
            if (!pieces[id].isEmpty()) {
                ids.putIfAbsent(pieces[id], id);
            }
        }
    }

    int size() {
        return pieces.length;
    }

    String piece(int id) {
        return pieces[Objects.checkIndex(id, pieces.length)];
    }

    Kind kind(int id) {
        return kinds[Objects.checkIndex(id, kinds.length)];
    }

    float score(int id) {
        return scores.length == 0 ? 0 : scores[id];
    }

    /// The id of a piece of any kind, the lowest if several have it.
    int id(String piece) {
        return ids.getOrDefault(piece, NONE);
    }

    /// The id of a piece that ordinary text may become.
    int textId(String text) {
        int id = id(text);
        return id != NONE && (kinds[id] == Kind.NORMAL || kinds[id] == Kind.USER_DEFINED || kinds[id] == Kind.UNUSED)
                ? id : NONE;
    }

    /// The tokens of the 256 bytes, written `<0x00>` to `<0xFF>`; [#NONE] for those that are missing.
    int[] byteTokens() {
        int[] tokens = new int[256];
        for (int b = 0; b < 256; b++) {
            tokens[b] = id("<0x%02X>".formatted(b));
        }
        return tokens;
    }

    /// The byte that a token of kind `BYTE` stands for.
    static byte[] byteOf(String piece) {
        return piece.matches("<0x[0-9A-Fa-f]{2}>")
                ? new byte[] {(byte) Integer.parseInt(piece, 3, 5, 16)}
                : piece.getBytes(StandardCharsets.UTF_8);
    }
}
