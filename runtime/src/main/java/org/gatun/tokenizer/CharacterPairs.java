package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntConsumer;

/// Byte-pair encoding over the characters of a word (Sennrich et al., 2016, arXiv:1508.07909), as the Hugging Face
/// library has it: pairs of tokens join by ranked merges, a pair that is not listed never does.
final class CharacterPairs implements Segmenter {

    /// What is particular to a model.
    ///
    /// @param prefix written before each character of a word but the first
    /// @param suffix written after the last character of a word
    /// @param unknown the token of characters without one, or [Vocabulary#NONE]: then they are left out
    /// @param fuseUnknown unknown characters side by side are one unknown token
    /// @param bytes `[256]` tokens that stand for the bytes of characters without a token; all [Vocabulary#NONE] if the
    ///        model has none
    /// @param wholeWords a word that is a token stays whole, whatever the merges say
    record Rules(String prefix, String suffix, int unknown, boolean fuseUnknown, int[] bytes, boolean wholeWords) {}

    private final Vocabulary vocabulary;
    private final Rules rules;
    private final Fallback fallback;
    private final LongTable merges;
    /// Tokens of single characters, without prefix and suffix.
    private final LongTable characters = new LongTable(1024);

    /// @param vocabulary what text may become
    /// @param merges key: left token << 32 | right token; value: rank << 32 | the token of both
    CharacterPairs(Vocabulary vocabulary, Rules rules, LongTable merges) {
        this.vocabulary = vocabulary;
        this.rules = rules;
        this.fallback = new Fallback(rules.bytes, Vocabulary.NONE);
        this.merges = merges;
        for (int id = 0; id < vocabulary.size(); id++) {
            String piece = vocabulary.piece(id);
            if (!piece.isEmpty() && piece.length() == Character.charCount(piece.codePointAt(0)) && vocabulary.textId(piece) == id) {
                characters.putIfAbsent(piece.codePointAt(0), id);
            }
        }
    }

    @Override
    public void segment(String text, IntConsumer ids) {
        words().segment(text, ids);
    }

    @Override
    public Words words() {
        return new Row();
    }

    /// The symbols of one word.
    private final class Row implements Merging.Pairs, Words {
        private final Merging merging = new Merging();
        private int[] symbols = new int[32];
        private int count;
        private int unknowns;

        @Override
        public void segment(String word, IntConsumer ids) {
            int whole = rules.wholeWords ? vocabulary.textId(word) : Vocabulary.NONE;
            if (whole >= 0) {
                ids.accept(whole);
                return;
            }
            fill(word);
            merging.run(count, this);
            for (int i = 0; i < count; i = merging.next(i)) {
                ids.accept(symbols[i]);
            }
        }

        private void fill(String word) {
            count = 0;
            unknowns = 0;
            for (int at = 0, next; at < word.length(); at = next) {
                int c = word.codePointAt(at);
                next = at + Character.charCount(c);
                String mark = at == 0 ? "" : rules.prefix;
                String end = next < word.length() ? "" : rules.suffix;
                boolean plain = mark.isEmpty() && end.isEmpty();
                String written = plain ? "" : mark + Character.toString(c) + end;
                int id = plain ? (int) characters.get(c) : vocabulary.textId(written);
                if (id >= 0) {
                    addUnknowns();
                    add(id);
                } else if (!addBytes(plain ? Character.toString(c) : written) && rules.unknown >= 0) {
                    unknowns = rules.fuseUnknown ? 1 : unknowns + 1;
                }
            }
            addUnknowns();
        }

        /// Unknown characters are held back until one comes that has a token. Bytes go before them, as in the library.
        private void addUnknowns() {
            for (; unknowns > 0; unknowns--) {
                add(rules.unknown);
            }
        }

        private boolean addBytes(String written) {
            byte[] bytes = written.getBytes(StandardCharsets.UTF_8);
            if (!fallback.covers(bytes)) {
                return false;
            }
            for (byte b : bytes) {
                add(rules.bytes[b & 0xFF]);
            }
            return true;
        }

        private void add(int id) {
            if (count == symbols.length) {
                symbols = Arrays.copyOf(symbols, 2 * count);
            }
            symbols[count++] = id;
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
