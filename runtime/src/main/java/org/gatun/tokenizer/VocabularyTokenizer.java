package org.gatun.tokenizer;

import java.util.BitSet;
import java.util.OptionalInt;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.gatun.tokenizer.Vocabulary.Kind;

/// A tokenizer over a [Vocabulary]: finds the special tokens in a text, and leaves what lies between to a [Segmenter].
/// Where several special tokens begin at one place, the longest counts.
final class VocabularyTokenizer implements Tokenizer {

    /// What a model wants around a text, and where text ends.
    ///
    /// @param before tokens to put before a text
    /// @param after tokens to put after a text
    /// @param begin the beginning-of-text token
    /// @param ends tokens at which generation stops
    /// @param spaceFirst the segmenter puts a space before each text, for decoding to drop
    record Frame(int[] before, int[] after, OptionalInt begin, BitSet ends, boolean spaceFirst) {}

    private final Vocabulary vocabulary;
    private final Segmenter segmenter;
    private final Frame frame;
    private final Trie special = new Trie(1024);

    VocabularyTokenizer(Vocabulary vocabulary, Segmenter segmenter, Frame frame) {
        this.vocabulary = vocabulary;
        this.segmenter = segmenter;
        this.frame = frame;
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.isSpecial(id) && vocabulary.id(vocabulary.piece(id)) == id) {
                special.add(vocabulary.piece(id), id);
            }
        }
    }

    @Override
    public int vocabularySize() {
        return vocabulary.size();
    }

    @Override
    public int[] encode(String given, Special what) {
        String text = wellFormed(given);
        IntStream.Builder ids = IntStream.builder();
        if (what.addSpecial()) {
            IntStream.of(frame.before).forEach(ids);
        }
        int from = 0;
        for (int at = 0; at < text.length();) {
            int id = specialAt(text, at, what.parseSpecial());
            if (id < 0) {
                at++;
            } else {
                segment(text, from, at, ids);
                ids.accept(id);
                at += vocabulary.piece(id).length();
                from = at;
            }
        }
        segment(text, from, text.length(), ids);
        if (what.addSpecial()) {
            IntStream.of(frame.after).forEach(ids);
        }
        return ids.build().toArray();
    }

    private void segment(String text, int from, int to, IntConsumer ids) {
        if (from < to) {
            segmenter.segment(text.substring(from, to), ids);
        }
    }

    /// The special token that begins at `at`, or [Trie#NONE].
    private int specialAt(String text, int at, boolean control) {
        int found = Trie.NONE;
        int node = special.step(Trie.ROOT, text.charAt(at));
        for (int next = at + 1; node != Trie.NONE; next++) {
            int id = special.id(node);
            if (id >= 0 && (control || vocabulary.kind(id) == Kind.USER_DEFINED)) {
                found = id;
            }
            node = next < text.length() ? special.step(node, text.charAt(next)) : Trie.NONE;
        }
        return found;
    }

    /// With U+FFFD for surrogates that stand alone.
    static String wellFormed(String text) {
        StringBuilder repaired = null;
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                if (Character.isSupplementaryCodePoint(text.codePointAt(i))) {
                    i++;
                } else {
                    repaired = repaired == null ? new StringBuilder(text) : repaired;
                    repaired.setCharAt(i, '\uFFFD');
                }
            }
        }
        return repaired == null ? text : repaired.toString();
    }

    @Override
    public byte[] bytes(int token) {
        return vocabulary.bytes(token);
    }

    @Override
    public String piece(int token) {
        return vocabulary.piece(token);
    }

    @Override
    public boolean isUnused(int token) {
        return vocabulary.isUnused(token);
    }

    @Override
    public OptionalInt beginOfText() {
        return frame.begin;
    }

    @Override
    public boolean isEndOfText(int token) {
        return token >= 0 && frame.ends.get(token);
    }

    @Override
    public TextStream stream() {
        return new Utf8Stream(vocabulary, frame.spaceFirst);
    }
}
