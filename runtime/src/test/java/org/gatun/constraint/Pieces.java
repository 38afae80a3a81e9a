package org.gatun.constraint;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import org.gatun.tokenizer.TextStream;
import org.gatun.tokenizer.Tokenizer;

/// A tokenizer of pieces, whose last token ends a text. Texts are cut at the longest piece that fits.
public final class Pieces implements Tokenizer {
    private final List<byte[]> pieces;

    private final boolean ends;

    private Pieces(List<byte[]> pieces, boolean ends) {
        this.pieces = pieces;
        this.ends = ends;
    }

    /// Every byte, some texts, and an end.
    static Pieces of(String... texts) {
        List<byte[]> pieces = new ArrayList<>();
        for (int each = 0; each < 256; each++) {
            pieces.add(new byte[] {(byte) each});
        }
        Arrays.stream(texts).forEach(each -> pieces.add(each.getBytes(StandardCharsets.UTF_8)));
        pieces.add(new byte[0]);
        return new Pieces(pieces, true);
    }

    /// Some texts, and an end if asked for.
    public static Pieces only(boolean end, String... texts) {
        List<byte[]> pieces = new ArrayList<>();
        Arrays.stream(texts).forEach(each -> pieces.add(each.getBytes(StandardCharsets.UTF_8)));
        if (end) {
            pieces.add(new byte[0]);
        }
        return new Pieces(pieces, end);
    }

    /// Every byte, and random texts of some letters; duplicates and half characters among them.
    static Pieces random(String letters, int count, long seed) {
        Random random = new Random(seed);
        int[] codePoints = letters.codePoints().toArray();
        Pieces all = of();
        byte[] end = all.pieces.removeLast();
        for (int i = 0; i < count; i++) {
            StringBuilder text = new StringBuilder();
            for (int length = 1 + random.nextInt(random.nextInt(8) == 0 ? 16 : 4); length > 0; length--) {
                text.appendCodePoint(codePoints[random.nextInt(codePoints.length)]);
            }
            byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
            all.pieces.add(random.nextInt(10) == 0 ? Arrays.copyOf(bytes, Math.max(1, bytes.length - 1)) : bytes);
        }
        all.pieces.add(end);
        return all;
    }

    int end() {
        return pieces.size() - 1;
    }

    @Override
    public int vocabularySize() {
        return pieces.size();
    }

    @Override
    public int[] encode(String text, Special special) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        List<Integer> tokens = new ArrayList<>();
        for (int at = 0; at < bytes.length; ) {
            int best = bytes[at] & 0xff;
            for (int token = 256; token < end(); token++) {
                byte[] piece = pieces.get(token);
                if (piece.length > pieces.get(best).length && at + piece.length <= bytes.length
                        && Arrays.equals(piece, Arrays.copyOfRange(bytes, at, at + piece.length))) {
                    best = token;
                }
            }
            tokens.add(best);
            at += pieces.get(best).length;
        }
        return tokens.stream().mapToInt(Integer::intValue).toArray();
    }

    @Override
    public byte[] bytes(int token) {
        return pieces.get(token).clone();
    }

    @Override
    public String piece(int token) {
        return new String(pieces.get(token), StandardCharsets.UTF_8);
    }

    @Override
    public boolean isUnused(int token) {
        return false;
    }

    @Override
    public OptionalInt beginOfText() {
        return OptionalInt.empty();
    }

    @Override
    public boolean isEndOfText(int token) {
        return ends && token == end();
    }

    @Override
    public TextStream stream() {
        throw new UnsupportedOperationException("texts are put together from bytes");
    }
}
