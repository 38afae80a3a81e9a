package org.gatun.tokenizer;

import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/// A hash table from non-negative longs to longs, without a box per entry: merges by pair of symbols, trie edges by
/// node and character. The hash is seeded, because its keys come from files.
final class LongTable {
    /// What [#get] answers where there is no entry.
    static final long NONE = -1;

    private final long seed = ThreadLocalRandom.current().nextLong();
    private long[] keys;
    private long[] values;
    private int size;

    /// @param expected entries that fit before it grows
    LongTable(int expected) {
        allocate(Integer.highestOneBit(Math.max(8, expected)) << 2);
    }

    long get(long key) {
        int slot = slot(key);
        return keys[slot] == key ? values[slot] : NONE;
    }

    /// Adds an entry unless there is one.
    ///
    /// @return the value that was there, or [#NONE]
    long putIfAbsent(long key, long value) {
        int slot = slot(key);
        if (keys[slot] == key) {
            return values[slot];
        }
        keys[slot] = key;
        values[slot] = value;
        if (++size > keys.length / 2) {
            grow();
        }
        return NONE;
    }

    private void grow() {
        long[] oldKeys = keys;
        long[] oldValues = values;
        allocate(keys.length * 2);
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldKeys[i] != NONE) {
                int slot = slot(oldKeys[i]);
                keys[slot] = oldKeys[i];
                values[slot] = oldValues[i];
            }
        }
    }

    private void allocate(int length) {
        keys = new long[length];
        values = new long[length];
        Arrays.fill(keys, NONE);
    }

    /// The slot of `key`, or the free one where it would go.
    private int slot(long key) {
        long hash = (key ^ seed) * 0x9E3779B97F4A7C15L;
        hash = (hash ^ hash >>> 32) * 0xD6E8FEB86659FD93L;
        int mask = keys.length - 1;
        int slot = (int) (hash >>> 33) & mask;
        while (keys[slot] != key && keys[slot] != NONE) {
            slot = slot + 1 & mask;
        }
        return slot;
    }
}
