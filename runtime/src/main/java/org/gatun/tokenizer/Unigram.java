package org.gatun.tokenizer;

import java.util.Arrays;
import java.util.function.IntConsumer;

/// The unigram language model of sentencepiece (Kudo, 2018, arXiv:1804.10959): of all ways to cut the text into pieces,
/// the one whose log probabilities add up to most, found by Viterbi's algorithm.
final class Unigram implements Segmenter {
    /// How much worse an unknown character is than the worst piece, as in sentencepiece.
    private static final float UNKNOWN_PENALTY = 10;

    private final Vocabulary vocabulary;
    private final Normalizer normalizer;
    private final Fallback fallback;
    private final boolean bytesForUnknown;
    private final Trie pieces;
    private final double unknownScore;

    Unigram(Vocabulary vocabulary, Normalizer normalizer, int unknown) {
        this.vocabulary = vocabulary;
        this.normalizer = normalizer;
        this.fallback = new Fallback(vocabulary.byteTokens(), unknown);
        this.bytesForUnknown = fallback.complete();
        this.pieces = new Trie(4 * vocabulary.size());
        float worst = 0;
        for (int id = 0; id < vocabulary.size(); id++) {
            switch (vocabulary.kind(id)) {
                case NORMAL -> {
                    worst = Math.min(worst, vocabulary.score(id));
                    pieces.add(vocabulary.piece(id), id);
                }
                case USER_DEFINED, UNUSED -> pieces.add(vocabulary.piece(id), id);
                case UNKNOWN, CONTROL, BYTE -> { }
            }
        }
        unknownScore = worst - UNKNOWN_PENALTY;
    }

    @Override
    public void segment(String text, IntConsumer ids) {
        String normal = normalizer.apply(text);
        int length = normal.length();
        double[] best = new double[length + 1]; // of the text up to here
        int[] token = new int[length + 1]; // the last piece of that best, NONE for an unknown character
        int[] start = new int[length + 1]; // where that piece starts
        Arrays.fill(best, 1, length + 1, Double.NEGATIVE_INFINITY);
        for (int from = 0; from < length;) {
            int character = Character.charCount(normal.codePointAt(from));
            boolean known = false;
            int node = Trie.ROOT;
            for (int to = from; to < length; ) {
                node = pieces.step(node, normal.charAt(to++));
                if (node == Trie.NONE) {
                    break;
                }
                int id = pieces.id(node);
                if (id >= 0) {
                    known |= to - from == character;
                    double score = vocabulary.kind(id) == Vocabulary.Kind.USER_DEFINED ? 0 : vocabulary.score(id);
                    if (best[from] + score > best[to]) {
                        best[to] = best[from] + score;
                        token[to] = id;
                        start[to] = from;
                    }
                }
            }
            int next = from + character;
            if (!known && best[from] + unknownScore > best[next]) {
                best[next] = best[from] + unknownScore;
                token[next] = Vocabulary.NONE;
                start[next] = from;
            }
            from = next;
        }
        emit(normal, token, start, ids);
    }

    private void emit(String normal, int[] token, int[] start, IntConsumer ids) {
        int[] ends = new int[normal.length()];
        int first = ends.length;
        for (int end = normal.length(); end > 0; end = start[end]) {
            ends[--first] = end;
        }
        boolean afterUnknown = false;
        for (int i = first; i < ends.length; i++) {
            int end = ends[i];
            boolean unknown = token[end] == Vocabulary.NONE;
            if (!unknown) {
                ids.accept(token[end]);
            } else if (bytesForUnknown) {
                fallback.emit(normal.substring(start[end], end), ids);
            } else if (!afterUnknown && fallback.unknown() >= 0) {
                ids.accept(fallback.unknown());
            }
            afterUnknown = unknown;
        }
    }
}
