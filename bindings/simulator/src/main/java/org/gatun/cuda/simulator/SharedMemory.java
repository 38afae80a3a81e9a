package org.gatun.cuda.simulator;

import java.util.Arrays;

/// The shared memory of a block, and who wrote and read each part of it last.
///
/// A part ("granule") is as small as the narrowest access of the kernel. What happens between two barriers is unordered; the
/// checks follow vector clocks over warps (C. Flanagan, S. Freund, "FastTrack", 2009), with one time for the whole block: a mark
/// is the time of an access with its thread, and `known[a][b]` the time until which warp `a` has seen all that warp `b` did. A
/// warp's own threads are ordered by `.sync` instructions that they take together.
final class SharedMemory {
    /// A mark: time, whether atomic, warp and lane.
    private static final int TIME_SHIFT = 11;
    private static final int ATOMIC = 1 << 10;
    /// Bits of warp and lane.
    private static final int THREAD = ATOMIC - 1;
    private static final int NO_LANE = -1;
    private static final int MOST_TIME = (1 << 32 - TIME_SHIFT) - 2;
    /// The mark of bytes that an asynchronous copy was ordered to write.
    private static final int PENDING = -1;

    private final int[] words;
    private final int byteSize;
    private final int granuleShift;
    private final int[] writers;
    private final int[] readers;
    /// The last reader that was not the one in [#readers].
    private final int[] otherReaders;
    private final int[][] known;
    /// By warp and lane: until when the thread's writes are there for those that read by another way than threads do.
    private final int[] fenced;
    /// How many products under way read a granule; null as long as there was none.
    private short[] underRead;
    /// Until when a warp has seen everything.
    private final int[] floors;
    private int time = 1;

    /// @param granuleShift log2 of the narrowest access in bytes, 0 to 2
    SharedMemory(int byteSize, int warps, int granuleShift) {
        this.byteSize = byteSize;
        this.granuleShift = granuleShift;
        words = new int[(byteSize + 3) / 4 + 4];
        int granules = (byteSize >> granuleShift) + 1;
        writers = new int[granules];
        readers = new int[granules];
        otherReaders = new int[granules];
        known = new int[warps][warps];
        floors = new int[warps];
        fenced = new int[warps * Warp.SIZE];
    }

    /// For the next block.
    void clear() {
        Arrays.fill(writers, 0);
        Arrays.fill(readers, 0);
        Arrays.fill(otherReaders, 0);
        for (int[] row : known) {
            Arrays.fill(row, 0);
        }
        Arrays.fill(floors, 0);
        Arrays.fill(fenced, 0);
        if (underRead != null) {
            Arrays.fill(underRead, (short) 0);
        }
        time = 1;
    }

    int byteSize() {
        return byteSize;
    }

    /// Moves on in time: what comes differs from what was. False if time has run out.
    boolean tick() {
        time++;
        return time < MOST_TIME;
    }

    /// A warp's threads have met: each has seen what the others did.
    void meet(int warp) {
        known[warp][warp] = time - 1;
        raiseFloor(warp);
    }

    /// What a warp has seen, added to a clock.
    void publish(int warp, int[] clock) {
        for (int i = 0; i < clock.length; i++) {
            clock[i] = Math.max(clock[i], known[warp][i]);
        }
        clock[warp] = time - 1;
    }

    /// A warp sees all that a clock has.
    void learn(int warp, int[] clock) {
        for (int i = 0; i < clock.length; i++) {
            known[warp][i] = Math.max(known[warp][i], clock[i]);
        }
        raiseFloor(warp);
    }

    private void raiseFloor(int warp) {
        int floor = Integer.MAX_VALUE;
        for (int each : known[warp]) {
            floor = Math.min(floor, each);
        }
        floors[warp] = floor;
    }

    private int mark(int warp, int lane) {
        return time << TIME_SHIFT | warp << 5 | lane;
    }

    private boolean isOrdered(int mark, int warp, int lane) {
        int when = mark >>> TIME_SHIFT;
        if (when <= floors[warp]) {
            return true;
        }
        int who = mark >>> 5 & 31;
        return who == warp && (mark & 31) == lane || when <= known[warp][who];
    }

    /// What is wrong with an access, null if nothing is.
    record Finding(KernelFault.Kind kind, String message) {}

    Finding read(int address, int bytes, int warp, int lane) {
        int me = mark(warp, lane);
        int end = (address + bytes - 1) >> granuleShift;
        for (int g = address >> granuleShift; g <= end; g++) {
            int writer = writers[g];
            if (writer == 0 || writer == PENDING || writer >>> TIME_SHIFT > floors[warp] && !isOrdered(writer, warp, lane)) {
                return readFinding(writer, g);
            }
            int reader = readers[g];
            if (reader != me) {
                readers[g] = me;
                otherReaders[g] = reader;
            }
        }
        return null;
    }

    private Finding readFinding(int writer, int granule) {
        int address = granule << granuleShift;
        return switch (writer) {
            case 0 -> new Finding(KernelFault.Kind.UNINITIALIZED_SHARED, "shared memory at %d was never written".formatted(address));
            case PENDING -> pending(address);
            default -> new Finding(KernelFault.Kind.SHARED_RACE, "reads shared memory at %d, which %s wrote with no barrier between"
                    .formatted(address, who(writer)));
        };
    }

    private static Finding pending(int address) {
        return new Finding(KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                "shared memory at %d is the target of a cp.async that was not waited for".formatted(address));
    }

    private static String who(int mark) {
        return "warp " + (mark >>> 5 & 31) + " lane " + (mark & 31);
    }

    Finding write(int address, int bytes, int warp, int lane) {
        return change(address, bytes, warp, lane, mark(warp, lane), false);
    }

    /// An atomic operation, which may meet others.
    Finding update(int address, int bytes, int warp, int lane) {
        return change(address, bytes, warp, lane, mark(warp, lane) | ATOMIC, true);
    }

    /// The order for an asynchronous copy, whose bytes come at any time until it is waited for.
    Finding order(int address, int bytes, int warp, int lane) {
        return change(address, bytes, warp, lane, PENDING, false);
    }

    /// Threads fence what they wrote until now; time must move on after it.
    void fence(int warp, int mask) {
        for (int m = mask; m != 0; m &= m - 1) {
            fenced[warp * Warp.SIZE + Integer.numberOfTrailingZeros(m)] = time;
        }
    }

    /// The tensor cores begin to read for a warp, until [#endRead].
    Finding beginRead(int address, int bytes, int warp) {
        if (underRead == null) {
            underRead = new short[writers.length];
        }
        int end = (address + bytes - 1) >> granuleShift;
        for (int g = address >> granuleShift; g <= end; g++) {
            int writer = writers[g];
            if (writer == 0 || writer == PENDING || !isOrdered(writer, warp, NO_LANE)) {
                return readFinding(writer, g);
            }
            if (writer >>> TIME_SHIFT > fenced[writer & THREAD]) {
                return new Finding(KernelFault.Kind.PROXY_NOT_FENCED,
                        "the tensor cores read shared memory at %d, which %s wrote and did not fence (fence.proxy.async)"
                                .formatted(g << granuleShift, who(writer)));
            }
            underRead[g]++;
        }
        return null;
    }

    /// The tensor cores have read, which counts as of now.
    void endRead(int address, int bytes, int warp) {
        int me = mark(warp, 0);
        int end = (address + bytes - 1) >> granuleShift;
        for (int g = address >> granuleShift; g <= end; g++) {
            underRead[g]--;
            if (readers[g] != me) {
                otherReaders[g] = readers[g];
                readers[g] = me;
            }
        }
    }

    private Finding change(int address, int bytes, int warp, int lane, int mark, boolean atomic) {
        int end = (address + bytes - 1) >> granuleShift;
        for (int g = address >> granuleShift; g <= end; g++) {
            int writer = writers[g];
            int at = g << granuleShift;
            if (writer == PENDING) {
                return pending(at);
            }
            if (underRead != null && underRead[g] != 0) {
                return new Finding(KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        "writes shared memory at %d, which a wgmma that was not waited for reads".formatted(at));
            }
            if (atomic && writer == 0) {
                return readFinding(0, g);
            }
            if (!(atomic && (writer & ATOMIC) != 0) && !isOrdered(writer, warp, lane)) {
                return new Finding(KernelFault.Kind.SHARED_RACE, "writes shared memory at %d, which %s wrote with no barrier between"
                        .formatted(at, who(writer)));
            }
            int reader = !isOrdered(readers[g], warp, lane) ? readers[g]
                    : !isOrdered(otherReaders[g], warp, lane) ? otherReaders[g] : 0;
            if (reader != 0) {
                return new Finding(KernelFault.Kind.SHARED_RACE, "writes shared memory at %d, which %s read with no barrier between"
                        .formatted(at, who(reader)));
            }
            writers[g] = mark;
        }
        return null;
    }

    /// An asynchronous copy was waited for by the thread that ordered it.
    void arrive(int address, int bytes, int warp, int lane) {
        int mark = mark(warp, lane);
        int end = (address + bytes - 1) >> granuleShift;
        for (int g = address >> granuleShift; g <= end; g++) {
            writers[g] = mark;
        }
    }

    int getInt(int address) {
        return words[address >> 2];
    }

    void setInt(int address, int value) {
        words[address >> 2] = value;
    }

    /// @param bytes 1, 2, 4 or 8; zero-extended
    long get(int address, int bytes) {
        int word = words[address >> 2];
        return switch (bytes) {
            case 1 -> word >>> 8 * (address & 3) & 0xff;
            case 2 -> word >>> 8 * (address & 2) & 0xffff;
            case 4 -> word & 0xffffffffL;
            default -> word & 0xffffffffL | (long) words[(address >> 2) + 1] << 32;
        };
    }

    void set(int address, int bytes, long value) {
        int at = address >> 2;
        switch (bytes) {
            case 1 -> {
                int shift = 8 * (address & 3);
                words[at] = words[at] & ~(0xff << shift) | ((int) value & 0xff) << shift;
            }
            case 2 -> {
                int shift = 8 * (address & 2);
                words[at] = words[at] & ~(0xffff << shift) | ((int) value & 0xffff) << shift;
            }
            case 4 -> words[at] = (int) value;
            default -> {
                words[at] = (int) value;
                words[at + 1] = (int) (value >>> 32);
            }
        }
    }
}
