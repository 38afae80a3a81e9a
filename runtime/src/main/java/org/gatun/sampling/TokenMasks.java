package org.gatun.sampling;

import java.util.Arrays;
import java.util.Objects;

/// Which tokens may follow some rows of a segment, as a grammar or a list of choices says: for each of these rows one bit a token. Other
/// rows may be followed by any token. In a tree each row has its own mask.
///
/// Reused: [#clear] forgets all masks, and only more of them than ever before allocate. One thread at a time.
public final class TokenMasks {
    private final int vocabulary;
    private final int words;     // of a mask
    private final int[] numbers; // [rows] of each row's mask, -1 if it has none
    private int[] masks;         // [count, words]
    private int count;

    /// @param rows most rows of a segment
    /// @param vocabulary width of a row of logits, which may be more than there are tokens
    public TokenMasks(int rows, int vocabulary) {
        this.vocabulary = vocabulary;
        words = Math.ceilDiv(vocabulary, Integer.SIZE);
        numbers = new int[rows];
        masks = new int[words];
        Arrays.fill(numbers, -1);
    }

    /// Lets any token follow any row.
    public void clear() {
        if (count > 0) {
            Arrays.fill(numbers, -1);
            count = 0;
        }
    }

    /// Allows no token after a row but those allowed from now on.
    ///
    /// @throws IndexOutOfBoundsException if no segment has such a row
    public void restrict(int row) {
        int number = begin(row);
        Arrays.fill(masks, number * words, (number + 1) * words, 0);
    }

    /// Allows a token after a row that is restricted.
    ///
    /// @throws IndexOutOfBoundsException if there is no such token
    /// @throws IllegalStateException if the row is not restricted
    public void allow(int row, int token) {
        Objects.checkIndex(token, vocabulary);
        if (!isRestricted(row)) {
            throw new IllegalStateException("row " + row + " may be followed by any token: expected restrict() before allow()");
        }
        masks[numbers[row] * words + token / Integer.SIZE] |= 1 << token;
    }

    /// Allows the tokens of a mask after a row, and no others.
    ///
    /// @param mask `[ceil(vocabulary / 32)]`, bit `token % 32` of word `token / 32` set if the token is allowed; copied
    /// @throws IllegalArgumentException if the mask has another width
    /// @throws IndexOutOfBoundsException if no segment has such a row
    public void set(int row, int... mask) {
        if (mask.length != words) {
            throw new IllegalArgumentException("token mask of row " + row + " has " + mask.length + " words: expected " + words + " for "
                    + vocabulary + " tokens");
        }
        int number = begin(row);
        System.arraycopy(mask, 0, masks, number * words, words);
    }

    private int begin(int row) {
        if (numbers[row] < 0) {
            numbers[row] = count++;
            if (count * words > masks.length) {
                masks = Arrays.copyOf(masks, Math.min(2 * count, numbers.length) * words);
            }
        }
        return numbers[row];
    }

    /// Whether only some tokens may follow a row.
    public boolean isRestricted(int row) {
        return numbers[row] >= 0;
    }

    /// Whether a token may follow a row.
    public boolean allows(int row, int token) {
        return !isRestricted(row) || (word(row, token / Integer.SIZE) >>> token & 1) != 0;
    }

    /// Word of the mask of a restricted row.
    int word(int row, int index) {
        return masks[numbers[row] * words + index];
    }

    /// Number of a row's mask, -1 if it has none.
    int number(int row) {
        return numbers[row];
    }

    /// How many rows are restricted.
    int count() {
        return count;
    }

    /// The masks by number, [#words] each.
    int[] masks() {
        return masks;
    }

    /// Words of a mask.
    int words() {
        return words;
    }

    /// Checks that the masks are for a segment of a model.
    ///
    /// @param segmentRows its rows
    /// @param logits width of a row of logits
    /// @throws IllegalArgumentException if the masks have another width, one is of a row that is not there, or allows no token
    void requireFor(int segmentRows, int logits) {
        if (vocabulary != logits) {
            throw new IllegalArgumentException("token masks for " + vocabulary + " tokens: expected " + logits
                    + ", the width of a row of logits");
        }
        for (int row = 0; row < numbers.length; row++) {
            if (isRestricted(row) && row >= segmentRows) {
                throw new IllegalArgumentException("token mask of row " + row + " of a segment of " + segmentRows
                        + " rows: expected one of its rows");
            }
            if (isRestricted(row) && !allowsAny(row)) {
                throw new IllegalArgumentException("token mask of row " + row + " allows no token: expected one at least");
            }
        }
    }

    private boolean allowsAny(int row) {
        int last = words - 1;
        for (int word = 0; word < last; word++) {
            if (word(row, word) != 0) {
                return true;
            }
        }
        return word(row, last) << -vocabulary != 0; // bits behind the last token count for nothing
    }
}
