package org.gatun.cuda.simulator;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;

/// What one worker counts while it runs blocks. Sums do not depend on the order, so that a launch's do not on the workers.
final class Tally {
    /// How often warps ran each basic block, and how many threads were active.
    final long[] warps;
    final long[] threads;

    long globalRequests;
    long loadedBytes;
    long storedBytes;
    long loadedSectors;
    long storedSectors;
    long sharedRequests;
    long bankConflicts;
    long barriers;
    long divergentBranches;

    private final long[] sorted = new long[Warp.SIZE];
    private final int[] banked = new int[Warp.SIZE];

    Tally(int basicBlocks) {
        warps = new long[basicBlocks];
        threads = new long[basicBlocks];
    }

    LaunchCounters counters(Kernel kernel) {
        long warpInstructions = 0;
        long threadInstructions = 0;
        long matrix = 0;
        Map<InstructionClass, Long> byClass = new EnumMap<>(InstructionClass.class);
        for (int i = 0; i < warps.length; i++) {
            BasicBlock block = kernel.blocks()[i];
            for (InstructionClass each : block.classes) {
                warpInstructions += warps[i];
                threadInstructions += threads[i];
                matrix += each == InstructionClass.MATRIX ? warps[i] : 0;
                byClass.merge(each, threads[i], Long::sum);
            }
        }
        return new LaunchCounters(warpInstructions, threadInstructions, byClass,
                new LaunchCounters.Global(globalRequests, loadedBytes, storedBytes, loadedSectors, storedSectors),
                new LaunchCounters.Shared(sharedRequests, bankConflicts), matrix, barriers, divergentBranches);
    }

    /// Counts a warp's access to global memory: consecutive addresses.
    void global(long first, long bytes, boolean store) {
        sectors(((first + bytes - 1) >>> 5) - (first >>> 5) + 1, bytes, store);
    }

    /// Counts a warp's access to global memory: any addresses, aligned to `width`.
    void global(long[] addresses, int mask, int width, boolean store) {
        int n = 0;
        boolean rising = true;
        for (int m = mask; m != 0; m &= m - 1) {
            long address = addresses[Integer.numberOfTrailingZeros(m)];
            rising &= n == 0 || sorted[n - 1] <= address;
            sorted[n++] = address;
        }
        if (!rising) {
            Arrays.sort(sorted, 0, n);
        }
        long distinct = 0;
        long count = 0;
        for (int i = 0; i < n; i++) {
            if (i == 0 || sorted[i] != sorted[i - 1]) {
                distinct++;
                count += i == 0 || sorted[i] >>> 5 != sorted[i - 1] >>> 5 ? 1 : 0;
            }
        }
        sectors(count, distinct * width, store);
    }

    /// Sectors of global memory so far.
    long moved() {
        return loadedSectors + storedSectors;
    }

    private void sectors(long count, long bytes, boolean store) {
        globalRequests++;
        if (store) {
            storedBytes += bytes;
            storedSectors += count;
        } else {
            loadedBytes += bytes;
            loadedSectors += count;
        }
    }

    /// Counts a warp's access to shared memory: threads that meet in one of the 32 banks at different words wait for each other.
    /// Wide accesses go in two or four turns.
    void shared(long[] addresses, int mask, int width) {
        sharedRequests++;
        int lanes = width <= 4 ? 32 : width == 8 ? 16 : 8;
        for (int turn = 0; turn < 32; turn += lanes) {
            int turnMask = lanes == 32 ? mask : mask & ((1 << lanes) - 1) << turn;
            if (turnMask != 0) {
                bankConflicts += conflicts(addresses, turnMask);
            }
        }
    }

    private int conflicts(long[] addresses, int mask) {
        int n = 0;
        int usedBanks = 0;
        boolean crowded = false;
        for (int m = mask; m != 0; m &= m - 1) {
            int word = (int) addresses[Integer.numberOfTrailingZeros(m)] >>> 2;
            boolean known = false;
            int bit = 1 << word;
            if ((usedBanks & bit) != 0) {
                for (int i = 0; i < n && !known; i++) {
                    known = banked[i] == word;
                }
                crowded |= !known;
            }
            usedBanks |= bit;
            if (!known) {
                banked[n++] = word;
            }
        }
        if (!crowded) {
            return 0;
        }
        int max = 0;
        for (int i = 0; i < n; i++) {
            int same = 0;
            for (int j = 0; j < n; j++) {
                same += (banked[i] & 31) == (banked[j] & 31) ? 1 : 0;
            }
            max = Math.max(max, same);
        }
        return max - 1;
    }

    void add(Tally other) {
        for (int i = 0; i < warps.length; i++) {
            warps[i] += other.warps[i];
            threads[i] += other.threads[i];
        }
        globalRequests += other.globalRequests;
        loadedBytes += other.loadedBytes;
        storedBytes += other.storedBytes;
        loadedSectors += other.loadedSectors;
        storedSectors += other.storedSectors;
        sharedRequests += other.sharedRequests;
        bankConflicts += other.bankConflicts;
        barriers += other.barriers;
        divergentBranches += other.divergentBranches;
    }
}
