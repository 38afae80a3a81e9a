package org.gatun.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// How often each token occurs in a text that grows, is cut and grows again: a sorted list of the distinct tokens, so that it takes what the
/// text has, not what the vocabulary has. Allocates only when it grows. One thread at a time.
public final class TokenCounts {
    /// Bytes of an entry where kernels read it: token and count, i32 each.
    public static final int ENTRY_BYTES = 2 * Integer.BYTES;

    private int[] entries = new int[64]; // token and count of each, by rising token
    private int size;
    private int[] counted = new int[64]; // every token, in the order counted
    private int length;

    /// Counts `text[from .. to)`, and nothing else. What differs from the tokens counted before is looked at, the rest is compared.
    public void set(int[] text, int from, int to) {
        int common = Math.min(length, to - from);
        int mismatch = Arrays.mismatch(counted, 0, common, text, from, from + common);
        int kept = mismatch < 0 ? common : mismatch;
        while (length > kept) {
            remove(counted[--length]);
        }
        for (int i = from + length; i < to; i++) {
            add(text[i]);
        }
    }

    /// Counts what another counts.
    public void set(TokenCounts other) {
        set(other.counted, 0, other.length);
    }

    /// Counts one token more.
    public void add(int token) {
        if (length == counted.length) {
            counted = Arrays.copyOf(counted, 2 * length);
        }
        counted[length++] = token;
        int place = place(token);
        if (place < size && entries[2 * place] == token) {
            entries[2 * place + 1]++;
            return;
        }
        if (2 * size == entries.length) {
            entries = Arrays.copyOf(entries, 4 * size);
        }
        System.arraycopy(entries, 2 * place, entries, 2 * place + 2, 2 * (size - place));
        entries[2 * place] = token;
        entries[2 * place + 1] = 1;
        size++;
    }

    private void remove(int token) {
        int place = place(token);
        if (--entries[2 * place + 1] == 0) {
            size--;
            System.arraycopy(entries, 2 * place + 2, entries, 2 * place, 2 * (size - place));
        }
    }

    /// The first entry whose token is not below this one.
    private int place(int token) {
        int low = 0;
        int high = size;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (entries[2 * middle] < token) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// How many distinct tokens there are.
    public int size() {
        return size;
    }

    /// A token that occurs; the next one is larger.
    public int token(int index) {
        return entries[2 * index];
    }

    /// How often it occurs.
    public int count(int index) {
        return entries[2 * index + 1];
    }

    /// Writes the entries, [#size] times [#ENTRY_BYTES].
    void write(MemorySegment target, long offset) {
        MemorySegment.copy(entries, 0, target, ValueLayout.JAVA_INT, offset, 2 * size);
    }
}
