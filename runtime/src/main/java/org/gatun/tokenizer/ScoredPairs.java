package org.gatun.tokenizer;

import java.util.function.IntConsumer;

/// Byte-pair encoding as sentencepiece does it (Kudo and Richardson, 2018, arXiv:1808.06226): the characters of the
/// whole text join into pieces, the piece of the highest score first; characters without piece become byte tokens. Nothing
/// joins to a piece of score minus infinity.
final class ScoredPairs implements Segmenter {
    private final Vocabulary vocabulary;
    private final SentencePieceNormalizer normalizer;
    private final Fallback fallback;
    private final int longest;

    ScoredPairs(Vocabulary vocabulary, SentencePieceNormalizer normalizer, int unknown) {
        this.vocabulary = vocabulary;
        this.normalizer = normalizer;
        this.fallback = new Fallback(vocabulary.byteTokens(), unknown);
        int longest = 0;
        for (int id = 0; id < vocabulary.size(); id++) {
            longest = Math.max(longest, vocabulary.piece(id).length());
        }
        this.longest = longest;
    }

    @Override
    public void segment(String text, IntConsumer ids) {
        Row row = new Row(normalizer.apply(text));
        Merging merging = new Merging();
        merging.run(row.count, row);
        for (int i = 0; i < row.count; i = merging.next(i)) {
            String piece = row.text.substring(row.starts[i], row.ends[i]);
            int id = vocabulary.textId(piece);
            if (id >= 0) {
                ids.accept(id);
            } else {
                fallback.emit(piece, ids);
            }
        }
    }

    /// The pieces of one text, by where they start and end.
    private final class Row implements Merging.Pairs {
        final String text;
        final int count;
        final int[] starts;
        final int[] ends;

        Row(String text) {
            this.text = text;
            count = text.codePointCount(0, text.length());
            starts = new int[count];
            ends = new int[count];
            for (int i = 0, at = 0; i < count; i++) {
                starts[i] = at;
                at = ends[i] = text.offsetByCodePoints(at, 1);
            }
        }

        @Override
        public int rank(int left, int right) {
            int id = ends[right] - starts[left] > longest ? Vocabulary.NONE
                    : vocabulary.textId(text, starts[left], ends[right], ends[right]);
            if (id < 0 || vocabulary.score(id) == Float.NEGATIVE_INFINITY) {
                return NEVER;
            }
            // The bits of a float order like the float once those of negative ones are turned over.
            int bits = Float.floatToIntBits(vocabulary.score(id) + 0f);
            return ~(bits ^ bits >> 31 & 0x7FFFFFFF);
        }

        @Override
        public void join(int left, int right) {
            ends[left] = ends[right];
        }
    }
}
