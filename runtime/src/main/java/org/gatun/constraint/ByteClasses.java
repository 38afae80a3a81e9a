package org.gatun.constraint;

import java.util.Arrays;
import java.util.BitSet;

/// The 256 bytes in classes, such that no set known here holds a part of a class. One thread at a time while sets come.
final class ByteClasses {
    private final int[] classes = new int[256];
    private int[] representatives = {0};
    private int count = 1;

    /// Splits classes of which the set holds a part.
    void refine(BitSet set) {
        int[] within = new int[2 * count]; // new class + 1 by old class and membership
        int[] first = new int[256];
        int found = 0;
        for (int each = 0; each < classes.length; each++) {
            int key = 2 * classes[each] + (set.get(each) ? 1 : 0);
            if (within[key] == 0) {
                first[found] = each;
                within[key] = ++found;
            }
            classes[each] = within[key] - 1;
        }
        representatives = Arrays.copyOf(first, found);
        count = found;
    }

    /// Class of a byte.
    int of(int value) {
        return classes[value];
    }

    /// A byte of a class.
    int representative(int number) {
        return representatives[number];
    }

    /// How many there are.
    int count() {
        return count;
    }
}
