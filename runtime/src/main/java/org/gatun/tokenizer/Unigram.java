package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.IntConsumer;

/// The unigram language model of sentencepiece (Kudo, 2018, arXiv:1804.10959): of all ways to cut the text into pieces,
/// the one whose log probabilities add up to most, found by Viterbi's algorithm.
final class Unigram implements Segmenter {
    /// How much worse an unknown character is than the worst piece, as in sentencepiece.
    private static final float UNKNOWN_PENALTY = 10;

    private final Optional<SentencePieceNormalizer> normalizer;
    private final Trie pieces;
    private final double[] scores;
    private final double unknownScore;
    private final Fallback fallback;
    /// Whether bytes stand for a run of unknown characters if it is covered, or only if all bytes are.
    private final boolean partialBytes;

    /// As sentencepiece has it: user-defined pieces cost nothing, and byte tokens count only if there are all.
    Unigram(Vocabulary vocabulary, SentencePieceNormalizer normalizer, int unknown) {
        this.normalizer = Optional.of(normalizer);
        this.fallback = new Fallback(vocabulary.byteTokens(), unknown);
        this.partialBytes = false;
        this.pieces = new Trie(4 * vocabulary.size());
        this.scores = new double[vocabulary.size()];
        float worst = 0;
        for (int id = 0; id < vocabulary.size(); id++) {
            scores[id] = vocabulary.kind(id) == Vocabulary.Kind.USER_DEFINED ? 0 : vocabulary.score(id);
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

    /// As the Hugging Face library has it.
    ///
    /// @param pieces what text may become
    /// @param scores `[tokens]` log probabilities
    /// @param worst the least score of all pieces
    /// @param fallback for characters without piece
    Unigram(Trie pieces, double[] scores, double worst, Fallback fallback) {
        this.normalizer = Optional.empty();
        this.pieces = pieces;
        this.scores = scores;
        this.unknownScore = worst - UNKNOWN_PENALTY;
        this.fallback = fallback;
        this.partialBytes = true;
    }

    @Override
    public void segment(String text, IntConsumer ids) {
        String normal = normalizer.map(given -> given.apply(text)).orElse(text);
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
                    if (best[from] + scores[id] > best[to]) {
                        best[to] = best[from] + scores[id];
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
        int unknownFrom = -1;
        for (int i = first; i < ends.length; i++) {
            int end = ends[i];
            if (token[end] == Vocabulary.NONE) {
                unknownFrom = unknownFrom < 0 ? start[end] : unknownFrom;
            } else {
                emitUnknown(normal, unknownFrom, start[end], ids);
                unknownFrom = -1;
                ids.accept(token[end]);
            }
        }
        emitUnknown(normal, unknownFrom, normal.length(), ids);
    }

    /// Unknown characters side by side, if `from` is not negative.
    private void emitUnknown(String normal, int from, int to, IntConsumer ids) {
        if (from >= 0) {
            byte[] bytes = normal.substring(from, to).getBytes(StandardCharsets.UTF_8);
            if (partialBytes ? fallback.covers(bytes) : fallback.complete()) {
                for (byte b : bytes) {
                    ids.accept(fallback.bytes()[b & 0xFF]);
                }
            } else if (fallback.unknown() >= 0) {
                ids.accept(fallback.unknown());
            }
        }
    }
}
