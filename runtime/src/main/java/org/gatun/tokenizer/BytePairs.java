package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;

/// Byte-level byte-pair encoding: a [PreTokenizer] cuts the text into words, and the bytes of each word join by ranked
/// merges. Sennrich et al., 2016 (arXiv:1508.07909), on bytes as in GPT-2 (Radford et al., 2019).
final class BytePairs implements Segmenter {
    /* A symbol is a token id, or vocabulary size + i for the i-th spelling that only merges mention. Working on
     * symbols makes a merge one table look-up, without building strings. */

    private final Vocabulary vocabulary;
    private final PreTokenizer words;
    private final boolean wholeWords;
    private final LongTable merges;
    private final int[] byteSymbols = new int[256];
    private final List<String> spellings = new ArrayList<>();
    private boolean repeated;

    /// @param wholeWords a word that is a token stays whole, whatever the merges say
    /// @param merges spellings of left and right half, a blank between, in order of rank
    /// @throws IllegalArgumentException if a merge has no two halves; the message names it
    BytePairs(Vocabulary vocabulary, PreTokenizer words, boolean wholeWords, List<String> merges) {
        this.vocabulary = vocabulary;
        this.words = words;
        this.wholeWords = wholeWords;
        this.merges = new LongTable(merges.size());
        Map<String, Integer> others = new HashMap<>();
        for (int b = 0; b < 256; b++) {
            byteSymbols[b] = symbol(String.valueOf(ByteAlphabet.letter(b)), 0, 1, 1, others);
        }
        for (int rank = 0; rank < merges.size(); rank++) {
            String merge = merges.get(rank);
            int length = merge.length();
            int blank = merge.indexOf(' ', 1);
            if (blank < 0 || blank == length - 1) {
                throw new IllegalArgumentException("merge " + rank + " is '" + merge + "': expected two tokens with a blank between");
            }
            addMerge(symbol(merge, 0, blank, blank, others), symbol(merge, blank + 1, length, blank, others), rank,
                    symbol(merge, 0, length, blank, others));
        }
    }

    /// With the rank of a merge being the id of what it makes, as in tiktoken's files.
    BytePairs(Vocabulary vocabulary, PreTokenizer words) {
        this.vocabulary = vocabulary;
        this.words = words;
        this.wholeWords = true;
        this.merges = new LongTable(2 * vocabulary.size());
        for (int b = 0; b < 256; b++) {
            byteSymbols[b] = symbol(String.valueOf(ByteAlphabet.letter(b)), 0, 1, 1, new HashMap<>());
        }
        for (int id = 0; id < vocabulary.size(); id++) {
            String piece = vocabulary.piece(id);
            for (int cut = 1; cut < piece.length() && vocabulary.kind(id) == Vocabulary.Kind.NORMAL; cut++) {
                int left = vocabulary.textId(piece, 0, cut, cut);
                int right = left < 0 ? -1 : vocabulary.textId(piece, cut, piece.length(), piece.length());
                if (right >= 0) {
                    addMerge(left, right, id, id);
                }
            }
        }
    }

    /// The symbol spelled by `text` from `from` to before `to`, without the blank.
    private int symbol(String text, int from, int to, int blank, Map<String, Integer> others) {
        int id = vocabulary.textId(text, from, to, blank);
        return id >= 0 ? id : others.computeIfAbsent(from < blank && blank < to
                ? text.substring(from, blank).concat(text.substring(blank + 1, to)) : text.substring(from, to), s -> {
            spellings.add(s);
            return vocabulary.size() + spellings.size() - 1;
        });
    }

    private void addMerge(int left, int right, int rank, int merged) {
        repeated |= merges.putIfAbsent((long) left << 32 | right, (long) rank << 32 | merged) != LongTable.NONE;
    }

    /// Whether every byte and both sides and result of every merge are tokens, and no merge is listed twice.
    boolean isComplete() {
        return spellings.isEmpty() && !repeated;
    }

    @Override
    public void segment(String text, IntConsumer ids) {
        Words cut = RecentWords.of(new Row(), text.length());
        words.split(text, (from, to) -> cut.segment(text.substring(from, to), ids));
    }

    /// A symbol without token falls apart into its bytes; bytes without token are lost, as the model has no way to
    /// say them.
    private void emit(int symbol, IntConsumer ids) {
        if (symbol < vocabulary.size()) {
            ids.accept(symbol);
        } else {
            for (byte b : ByteAlphabet.bytes(spellings.get(symbol - vocabulary.size()))) {
                if (byteSymbols[b & 0xFF] < vocabulary.size()) {
                    ids.accept(byteSymbols[b & 0xFF]);
                }
            }
        }
    }

    /// The symbols of one word.
    private final class Row implements Merging.Pairs, Words {
        private final Merging merging = new Merging();
        private int[] symbols = new int[32];

        @Override
        public void segment(String word, IntConsumer ids) {
            byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
            int whole = wholeWords ? vocabulary.textId(ByteAlphabet.spell(bytes, 0, bytes.length)) : Vocabulary.NONE;
            if (whole >= 0) {
                ids.accept(whole);
                return;
            }
            fill(bytes);
            merging.run(bytes.length, this);
            for (int i = 0; i < bytes.length; i = merging.next(i)) {
                emit(symbols[i], ids);
            }
        }

        private void fill(byte[] bytes) {
            if (symbols.length < bytes.length) {
                symbols = new int[bytes.length];
            }
            for (int i = 0; i < bytes.length; i++) {
                symbols[i] = byteSymbols[bytes[i] & 0xFF];
            }
        }

        @Override
        public int rank(int left, int right) {
            long merge = merges.get((long) symbols[left] << 32 | symbols[right]);
            return merge == LongTable.NONE ? NEVER : (int) (merge >>> 32);
        }

        @Override
        public void join(int left, int right) {
            symbols[left] = (int) merges.get((long) symbols[left] << 32 | symbols[right]);
        }
    }
}
