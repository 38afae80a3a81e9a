package org.gatun.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Tokens by id while a file is read. What it allocates follows from the number of tokens, whatever ids they have.
final class IdTable {
    /// Ids that no token has, for each token and besides: vocabularies are padded, but not to many times their size.
    private static final int PER_TOKEN = 4;
    private static final int MORE = 1024;

    private final List<String> pieces = new ArrayList<>();
    private int[] ids = new int[1024];
    private int greatest = -1;

    /// Adds a token.
    ///
    /// @throws IllegalArgumentException if `id` is negative
    void put(String piece, int id) {
        if (id < 0) {
            throw new IllegalArgumentException("id of '" + piece + "' is " + id + ": expected 0 or more");
        }
        if (pieces.size() == ids.length) {
            ids = Arrays.copyOf(ids, 2 * ids.length);
        }
        greatest = greatest < 0 || id > ids[greatest] ? pieces.size() : greatest;
        ids[pieces.size()] = id;
        pieces.add(piece);
    }

    /// The tokens by their ids, empty where an id has none.
    ///
    /// @throws IllegalArgumentException if two tokens share an id, or one is far beyond the number of tokens; the message
    ///         names them
    String[] toArray() {
        if (greatest < 0) {
            return new String[0];
        }
        long max = (long) PER_TOKEN * pieces.size() + MORE;
        if (ids[greatest] > max) {
            throw new IllegalArgumentException("id of '" + pieces.get(greatest) + "' is " + ids[greatest]
                    + ": expected at most " + max + " for " + pieces.size() + " tokens");
        }
        String[] array = new String[ids[greatest] + 1];
        Arrays.fill(array, "");
        for (int i = 0; i < pieces.size(); i++) {
            String other = array[ids[i]];
            if (!other.isEmpty() && !other.equals(pieces.get(i))) {
                throw new IllegalArgumentException("id " + ids[i] + " belongs to '" + other + "' and '" + pieces.get(i)
                        + "': expected one token for each id");
            }
            array[ids[i]] = pieces.get(i);
        }
        return array;
    }
}
