package org.gatun.constraint;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.gatun.tokenizer.Tokenizer;

/// The tokens of a tokenizer by their bytes, as a constraint walks them: once a tokenizer, shared by threads and by all constraints. Immutable.
///
/// Special tokens, and others without bytes, are never text. Tokens with equal bytes, such as a byte token and the letter, go together.
///
/// Tokens that are plain characters, as JSON has them inside strings, lie in slices of their own by length: where a string may go on
/// for that long, a slice is allowed as a whole and not walked (as llguidance does).
public final class TokenTrie {
    /// Most characters of a token, slice by slice.
    private static final int[] SLICE_LENGTHS = {12, 48};

    private final int vocabulary;
    private final int[] endTokens;
    private final List<Slice> slices;
    private final Nodes rest;
    private final byte[][] pieces;
    private final boolean hasAllBytes;

    /// Plain characters up to a length.
    ///
    /// @param length most characters
    /// @param nodes its tokens
    /// @param mask the same, `[ceil(vocabulary / 32)]`
    record Slice(int length, Nodes nodes, int[] mask) {}

    /// A trie, flattened depth first.
    ///
    /// @param bytes `[nodes]` that lead there
    /// @param depths `[nodes]` from 0
    /// @param ends `[nodes]` where the next one begins that is not below
    /// @param firstTokens `[nodes + 1]` where the tokens that end there begin in `tokens`
    /// @param tokens ids
    record Nodes(byte[] bytes, short[] depths, int[] ends, int[] firstTokens, int[] tokens, int deepest) {}

    private TokenTrie(byte[][] pieces, int[] endTokens) {
        this.pieces = pieces;
        this.endTokens = endTokens;
        vocabulary = pieces.length;
        hasAllBytes = Arrays.stream(pieces).filter(each -> each.length == 1).mapToInt(each -> each[0]).distinct().count() == 256;
        Integer[] order = new Integer[pieces.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> Arrays.compareUnsigned(pieces[a], pieces[b]));
        int[] kinds = new int[pieces.length];
        Arrays.setAll(kinds, i -> slice(pieces[i]));
        List<Slice> found = new ArrayList<>();
        for (int slice = 0; slice < SLICE_LENGTHS.length; slice++) {
            int kind = slice;
            int[] tokens = Arrays.stream(order).mapToInt(Integer::intValue).filter(each -> kinds[each] == kind).toArray();
            int[] mask = new int[words()];
            for (int token : tokens) {
                mask[token >> 5] |= 1 << token;
            }
            found.add(new Slice(SLICE_LENGTHS[slice], nodes(tokens), mask));
        }
        slices = List.copyOf(found);
        rest = nodes(Arrays.stream(order).mapToInt(Integer::intValue)
                .filter(each -> kinds[each] == SLICE_LENGTHS.length && pieces[each].length > 0).toArray());
    }

    /// The trie of a tokenizer.
    public static TokenTrie of(Tokenizer tokenizer) {
        byte[][] pieces = new byte[tokenizer.vocabularySize()][];
        Arrays.setAll(pieces, token -> tokenizer.isEndOfText(token) ? new byte[0] : tokenizer.bytes(token));
        int[] ends = IntStream.range(0, pieces.length).filter(tokenizer::isEndOfText).toArray();
        return new TokenTrie(pieces, ends);
    }

    /// The slice of a token, or their number for one that is in none.
    private static int slice(byte[] piece) {
        int characters = JsonText.plainCharacters(piece);
        for (int slice = 0; slice < SLICE_LENGTHS.length; slice++) {
            if (characters > 0 && characters <= SLICE_LENGTHS[slice]) {
                return slice;
            }
        }
        return SLICE_LENGTHS.length;
    }

    private Nodes nodes(int[] sorted) {
        int most = Arrays.stream(sorted).map(token -> pieces[token].length).sum();
        byte[] bytes = new byte[most];
        short[] depths = new short[most];
        int[] ends = new int[most];
        int[] first = new int[most + 1];
        int[] path = new int[1 + Arrays.stream(sorted).map(token -> pieces[token].length).max().orElse(0)];
        byte[] before = new byte[0];
        int nodes = 0;
        for (int i = 0; i < sorted.length; i++) {
            byte[] piece = pieces[sorted[i]];
            int common = Arrays.mismatch(before, piece);
            if (common >= 0) { // not a duplicate
                for (int depth = common; depth < before.length; depth++) {
                    ends[path[depth]] = nodes;
                }
                for (int depth = common; depth < piece.length; depth++) {
                    bytes[nodes] = piece[depth];
                    depths[nodes] = (short) depth;
                    first[nodes] = i;
                    path[depth] = nodes++;
                }
            }
            before = piece;
        }
        for (int depth = 0; depth < before.length; depth++) {
            ends[path[depth]] = nodes;
        }
        first[nodes] = sorted.length;
        return new Nodes(Arrays.copyOf(bytes, nodes), Arrays.copyOf(depths, nodes), Arrays.copyOf(ends, nodes),
                Arrays.copyOf(first, nodes + 1), sorted, path.length - 1);
    }

    /// Whether each byte is a token, so that any text can be spelled.
    boolean hasAllBytes() {
        return hasAllBytes;
    }

    /// Number of token ids.
    public int vocabularySize() {
        return vocabulary;
    }

    /// Words of a mask.
    int words() {
        return Math.ceilDiv(vocabulary, Integer.SIZE);
    }

    /// The tokens that end a text.
    int[] endTokens() {
        return endTokens;
    }

    /// The bytes of a token, not copied; none if it is never text.
    byte[] bytes(int token) {
        return pieces[token];
    }

    /// The tokens that are plain characters.
    List<Slice> slices() {
        return slices;
    }

    /// The tokens that are in no slice.
    Nodes rest() {
        return rest;
    }

    /// Most bytes of a token.
    int longest() {
        return Math.max(rest.deepest(), slices.stream().mapToInt(slice -> slice.nodes().deepest()).max().orElse(0));
    }
}
