package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/// Pieces by id and ids by piece. The arrays are not copied.
final class Vocabulary {
    /// What a token is for; numbered as in GGUF, from 1.
    enum Kind {
        NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE
    }

    /// How ordinary pieces are written.
    enum Spelling {
        /// As text, with [#SPACE] for a space.
        TEXT,
        /// As bytes in the [ByteAlphabet].
        BYTES
    }

    /// How sentencepiece writes a space.
    static final char SPACE = '\u2581';
    /// [#id] of what is no piece.
    static final int NONE = -1;

    private static final Pattern BYTE_PIECE = Pattern.compile("<0x[0-9A-Fa-f]{2}>");

    private final String[] pieces;
    private final Kind[] kinds;
    private final float[] scores;
    private final Spelling spelling;
    /// Ids by hash of their piece, [#NONE] where free; a table of our own, to look up parts of strings without cutting them.
    private final int[] slots;
    private final int multiplier = ThreadLocalRandom.current().nextInt() | 1;

    /// @param pieces `[vocabulary]`, empty where an id has no token
    /// @param kinds `[vocabulary]`
    /// @param scores `[vocabulary]`, or empty where the model has none
    Vocabulary(String[] pieces, Kind[] kinds, float[] scores, Spelling spelling) {
        this.pieces = pieces;
        this.kinds = kinds;
        this.scores = scores;
        this.spelling = spelling;
        this.slots = new int[Integer.highestOneBit(Math.max(8, pieces.length)) << 2];
        Arrays.fill(slots, NONE);
        for (int id = 0; id < pieces.length; id++) {
            int slot = slot(pieces[id], 0, pieces[id].length(), pieces[id].length());
            if (!pieces[id].isEmpty() && slots[slot] == NONE) {
                slots[slot] = id;
            }
        }
    }

    /// The slot of the piece that is `text` from `from` to before `to`, without the character at `leftOut`, or the free one
    /// where it would go.
    private int slot(String text, int from, int to, int leftOut) {
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = i == leftOut ? hash : hash * multiplier + text.charAt(i);
        }
        hash *= 0x9E3779B9;
        int slot = (hash ^ hash >>> 16) & slots.length - 1;
        while (slots[slot] != NONE && !isPiece(pieces[slots[slot]], text, from, to, leftOut)) {
            slot = slot + 1 & slots.length - 1;
        }
        return slot;
    }

    private static boolean isPiece(String piece, String text, int from, int to, int leftOut) {
        if (leftOut < from || leftOut >= to) {
            return piece.length() == to - from && text.startsWith(piece, from);
        }
        return piece.length() == to - from - 1 && piece.regionMatches(0, text, from, leftOut - from)
                && piece.regionMatches(leftOut - from, text, leftOut + 1, to - leftOut - 1);
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
        return id(piece, 0, piece.length(), piece.length());
    }

    /// The same for `text` from `from` to before `to`, without the character at `leftOut` if that lies between.
    int id(String text, int from, int to, int leftOut) {
        return slots[slot(text, from, to, leftOut)];
    }

    /// The id of a piece that ordinary text may become.
    int textId(String text) {
        return textId(text, 0, text.length(), text.length());
    }

    /// The same for `text` from `from` to before `to`, without the character at `leftOut` if that lies between.
    int textId(String text, int from, int to, int leftOut) {
        int id = slots[slot(text, from, to, leftOut)];
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

    /// Whether a piece is written as byte tokens are, `<0x0A>`.
    static boolean isBytePiece(String piece) {
        return BYTE_PIECE.matcher(piece).matches();
    }

    /// The bytes that a token stands for, see [Tokenizer#bytes].
    byte[] bytes(int id) {
        String piece = piece(id);
        return switch (kinds[id]) {
            case NORMAL -> switch (spelling) {
                case TEXT -> piece.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
                case BYTES -> ByteAlphabet.bytes(piece);
            };
            case USER_DEFINED -> piece.getBytes(StandardCharsets.UTF_8);
            case BYTE -> isBytePiece(piece)
                    ? new byte[] {(byte) Integer.parseInt(piece, 3, 5, 16)}
                    : piece.getBytes(StandardCharsets.UTF_8);
            case CONTROL, UNKNOWN, UNUSED -> new byte[0];
        };
    }

    /// Whether an id only fills up the vocabulary.
    boolean isUnused(int id) {
        return kind(id) == Kind.UNUSED || pieces[id].isEmpty();
    }

    /// Whether a token stands between texts that are cut each for itself.
    boolean isSpecial(int id) {
        return switch (kind(id)) {
            case USER_DEFINED, CONTROL, UNKNOWN -> true;
            case NORMAL, UNUSED, BYTE -> false;
        };
    }
}
