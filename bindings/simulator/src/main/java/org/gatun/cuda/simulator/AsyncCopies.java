package org.gatun.cuda.simulator;

import java.util.Arrays;

/// The asynchronous copies that a warp's threads ordered and have not waited for, in the order of their groups.
final class AsyncCopies {
    private int[] addresses = new int[64];
    private int[] bytes = new int[64];
    private int[] lanes = new int[64];
    private int[] groups = new int[64];
    private int count;
    private final int[] committed = new int[Warp.SIZE];

    void clear() {
        count = 0;
        Arrays.fill(committed, 0);
    }

    void order(int address, int byteSize, int lane) {
        if (count == addresses.length) {
            addresses = Arrays.copyOf(addresses, 2 * count);
            bytes = Arrays.copyOf(bytes, 2 * count);
            lanes = Arrays.copyOf(lanes, 2 * count);
            groups = Arrays.copyOf(groups, 2 * count);
        }
        addresses[count] = address;
        bytes[count] = byteSize;
        lanes[count] = lane;
        groups[count] = committed[lane];
        count++;
    }

    void commit(int mask) {
        for (int m = mask; m != 0; m &= m - 1) {
            committed[Integer.numberOfTrailingZeros(m)]++;
        }
    }

    /// Ends the copies of all groups of these threads but the newest `pending` ones; those that belong to no group yet only if
    /// `all`.
    void await(SharedMemory shared, int warp, int mask, int pending, boolean all) {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            int lane = lanes[i];
            boolean ends = (mask >>> lane & 1) != 0 && (all || groups[i] < committed[lane] - pending);
            if (ends) {
                shared.arrive(addresses[i], bytes[i], warp, lane);
            } else {
                addresses[kept] = addresses[i];
                bytes[kept] = bytes[i];
                lanes[kept] = lane;
                groups[kept] = groups[i];
                kept++;
            }
        }
        count = kept;
    }
}
