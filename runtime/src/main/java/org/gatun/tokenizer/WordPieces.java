package org.gatun.tokenizer;

import java.text.Normalizer.Form;
import java.util.Arrays;
import java.util.function.IntConsumer;

/// WordPiece with BERT's rules (Devlin et al., 2018, arXiv:1810.04805): words are split at spaces, punctuation and
/// Chinese characters, then taken apart into the longest pieces from the left. A word that cannot be is unknown.
///
/// Pieces are written as in GGUF: those that begin a word have [Vocabulary#SPACE] in front, others nothing.
final class WordPieces implements Segmenter {

    /// @param lowercase fold case
    /// @param stripAccents decompose and drop accents
    record Rules(boolean lowercase, boolean stripAccents) {}

    private final Rules rules;
    private final Trie pieces;
    private final int unknown;

    WordPieces(Vocabulary vocabulary, Rules rules, int unknown) {
        this.rules = rules;
        this.unknown = unknown;
        this.pieces = new Trie(4 * vocabulary.size());
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.textId(vocabulary.piece(id)) == id) {
                pieces.add(vocabulary.piece(id), id);
            }
        }
    }

    @Override
    public void segment(String text, IntConsumer ids) {
        String normal = rules.stripAccents() ? java.text.Normalizer.normalize(text, Form.NFD) : text;
        StringBuilder word = new StringBuilder();
        normal.codePoints().forEach(c -> {
            int type = Character.getType(c);
            if (isSpace(c)) {
                cut(word, ids);
            } else if (isDropped(c, type)) {
                return;
            } else if (isAlone(c, type)) {
                cut(word, ids);
                word.appendCodePoint(c);
                cut(word, ids);
            } else {
                word.appendCodePoint(rules.lowercase() ? Character.toLowerCase(c) : c);
            }
        });
        cut(word, ids);
    }

    /// Hands over the pieces of `word`, and empties it.
    private void cut(StringBuilder word, IntConsumer ids) {
        if (word.isEmpty()) {
            return;
        }
        word.insert(0, Vocabulary.SPACE);
        int[] found = new int[word.length()];
        int count = 0;
        for (int from = 0; from < word.length(); count++) {
            int end = from;
            int node = Trie.ROOT;
            for (int to = from; to < word.length(); ) {
                node = pieces.step(node, word.charAt(to++));
                if (node == Trie.NONE) {
                    break;
                }
                int id = pieces.id(node);
                if (id >= 0) {
                    found[count] = id;
                    end = to;
                }
            }
            if (end == from) {
                found[0] = unknown;
                count = unknown >= 0 ? 1 : 0;
                break;
            }
            from = end;
        }
        Arrays.stream(found, 0, count).forEach(ids);
        word.setLength(0);
    }

    private static boolean isSpace(int c) {
        return Character.isSpaceChar(c) || c >= '\t' && c <= '\r' || c == 0x85;
    }

    private boolean isDropped(int c, int type) {
        return c == 0xFFFD || type == Character.CONTROL || type == Character.FORMAT || type == Character.PRIVATE_USE
                || type == Character.SURROGATE
                || rules.stripAccents() && (type == Character.NON_SPACING_MARK
                        || type == Character.COMBINING_SPACING_MARK || type == Character.ENCLOSING_MARK);
    }

    /// Punctuation, ASCII symbols and Chinese characters are words of their own. The last of the ranges from U+2A700
    /// starts at U+2B920 in the Hugging Face tokenizer that models were trained with.
    private static boolean isAlone(int c, int type) {
        return switch (type) {
            case Character.CONNECTOR_PUNCTUATION, Character.DASH_PUNCTUATION, Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION, Character.INITIAL_QUOTE_PUNCTUATION,
                    Character.FINAL_QUOTE_PUNCTUATION, Character.OTHER_PUNCTUATION -> true;
            case Character.MATH_SYMBOL, Character.CURRENCY_SYMBOL, Character.MODIFIER_SYMBOL,
                    Character.OTHER_SYMBOL -> c < 0x7F;
            default -> c >= 0x4E00 && c <= 0x9FFF || c >= 0x3400 && c <= 0x4DBF || c >= 0x20000 && c <= 0x2A6DF
                    || c >= 0x2A700 && c <= 0x2B73F || c >= 0x2B740 && c <= 0x2B81F || c >= 0x2B920 && c <= 0x2CEAF
                    || c >= 0xF900 && c <= 0xFAFF || c >= 0x2F800 && c <= 0x2FA1F;
        };
    }
}
