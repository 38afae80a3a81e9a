package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;

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
    private static final long FREE = -1;

    private final String[] pieces;
    private final Kind[] kinds;
    private final float[] scores;
    private final Spelling spelling;
    /// All pieces in a row, and where each begins: comparing with one of many strings would wait for memory.
    private final char[] letters;
    private final int[] starts;
    /// Hash of a piece << 32 | its id, [#FREE] where there is none; a table of our own, to look up parts of strings without cutting
    /// them. With the whole hash, hardly ever is another piece looked at.
    private final long[] slots;
    private final int multiplier;

    /// @param pieces `[vocabulary]`, empty where an id has no token
    /// @param kinds `[vocabulary]`
    /// @param scores `[vocabulary]`, or empty where the model has none
    Vocabulary(String[] pieces, Kind[] kinds, float[] scores, Spelling spelling) {
        this.pieces = pieces;
        this.kinds = kinds;
        this.scores = scores;
        this.spelling = spelling;
        this.multiplier = ThreadLocalRandom.current().nextInt() | 1;
        this.starts = starts(pieces);
        this.letters = letters(pieces, starts);
        this.slots = new long[Integer.highestOneBit(Math.max(8, pieces.length)) << 2];
        Arrays.fill(slots, FREE);
        for (int id = 0; id < pieces.length; id++) {
            add(id);
        }
    }

    private Vocabulary(Vocabulary of, String[] pieces, Kind[] kinds) {
        this.pieces = pieces;
        this.kinds = kinds;
        this.scores = of.scores;
        this.spelling = of.spelling;
        this.multiplier = of.multiplier;
        this.starts = starts(pieces);
        this.letters = letters(pieces, starts);
        this.slots = of.slots.clone();
        for (int id = 0; id < pieces.length; id++) {
            if (id >= of.size() || of.pieces[id].isEmpty()) {
                add(id);
            }
        }
    }

    private static int[] starts(String[] pieces) {
        int[] starts = new int[pieces.length + 1];
        for (int id = 0; id < pieces.length; id++) {
            starts[id + 1] = Math.addExact(starts[id], pieces[id].length());
        }
        return starts;
    }

    private static char[] letters(String[] pieces, int[] starts) {
        char[] letters = new char[starts[pieces.length]];
        for (int id = 0; id < pieces.length; id++) {
            pieces[id].getChars(0, pieces[id].length(), letters, starts[id]);
        }
        return letters;
    }

    /// Enters a piece; of several alike the first stays.
    private void add(int id) {
        int length = pieces[id].length();
        if (length > 0) {
            int hash = hash(pieces[id], 0, length, length);
            int slot = slot(hash, pieces[id], 0, length, length);
            slots[slot] = slots[slot] == FREE ? (long) hash << 32 | id : slots[slot];
        }
    }

    /// One that has more pieces, none of which is here.
    ///
    /// @param pieces `[vocabulary]`, those that are here and others, where ids had none or behind
    /// @param kinds `[vocabulary]`
    Vocabulary with(String[] pieces, Kind[] kinds) {
        return pieces.length <= slots.length / 2 ? new Vocabulary(this, pieces, kinds)
                : new Vocabulary(pieces, kinds, scores, spelling);
    }

    private int hash(String text, int from, int to, int leftOut) {
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = i == leftOut ? hash : hash * multiplier + text.charAt(i);
        }
        return hash * 0x9E3779B9;
    }

    /// The slot of the piece with this hash that is `text` from `from` to before `to`, without the character at `leftOut`, or the
    /// free one where it would go.
    private int slot(int hash, String text, int from, int to, int leftOut) {
        int slot = (hash ^ hash >>> 16) & slots.length - 1;
        while (slots[slot] != FREE
                && !((int) (slots[slot] >>> 32) == hash && isPiece((int) slots[slot], text, from, to, leftOut))) {
            slot = slot + 1 & slots.length - 1;
        }
        return slot;
    }

    private boolean isPiece(int id, String text, int from, int to, int leftOut) {
        int at = starts[id];
        int end = starts[id + 1];
        for (int i = from; i < to; i++) {
            if (i != leftOut && (at == end || letters[at++] != text.charAt(i))) {
                return false;
            }
        }
        return at == end;
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
        return (int) slots[slot(hash(text, from, to, leftOut), text, from, to, leftOut)];
    }

    /// The id of a piece that ordinary text may become.
    int textId(String text) {
        return textId(text, 0, text.length(), text.length());
    }

    /// The same for `text` from `from` to before `to`, without the character at `leftOut` if that lies between.
    int textId(String text, int from, int to, int leftOut) {
        int id = id(text, from, to, leftOut);
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
        return piece.length() == 6 && piece.startsWith("<0x") && piece.charAt(5) == '>' && HexFormat.isHexDigit(piece.charAt(3))
                && HexFormat.isHexDigit(piece.charAt(4));
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
