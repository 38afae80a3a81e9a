package org.gatun.cuda.simulator;

import java.util.Arrays;

/// Who has seen what in a cluster: vector clocks over the warps of all its blocks (C. Flanagan, S. Freund, "FastTrack", 2009), with
/// one time for the whole cluster.
///
/// A mark is the time of an access with its thread, in 32 bits: time, whether atomic, warp and lane. `known[a][b]` is the time until
/// which warp `a` has seen all that warp `b` did. A warp's own threads are ordered by `.sync` instructions that they take together.
final class Clocks {
    /// The mark of bytes that an asynchronous copy was ordered to write.
    static final int PENDING = -1;

    private static final int LANE_BITS = 5;

    private final int blockWarps;
    private final int timeShift;
    private final int atomic;
    private final int maxTime;
    private final int[][] known;
    /// Until when a warp has seen everything.
    private final int[] floors;
    /// By warp and lane: until when the thread's writes are there for those that read shared memory by another way than threads do.
    private final int[] fenced;
    private int time = 1;

    /// @param blocks of the cluster
    /// @param blockWarps warps of a block
    Clocks(int blocks, int blockWarps) {
        this.blockWarps = blockWarps;
        int warps = blocks * blockWarps;
        timeShift = LANE_BITS + Integer.SIZE - Integer.numberOfLeadingZeros(warps - 1) + 1;
        atomic = 1 << timeShift - 1;
        maxTime = (1 << Integer.SIZE - timeShift) - 2;
        known = new int[warps][warps];
        floors = new int[warps];
        fenced = new int[warps * Warp.SIZE];
    }

    /// For the next cluster.
    void clear() {
        for (int[] row : known) {
            Arrays.fill(row, 0);
        }
        Arrays.fill(floors, 0);
        Arrays.fill(fenced, 0);
        time = 1;
    }

    /// Warps of all blocks.
    int warps() {
        return floors.length;
    }

    int time() {
        return time;
    }

    /// Moves on in time: what comes differs from what was. False if time has run out.
    boolean tick() {
        time++;
        return time < maxTime;
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

    int mark(int warp, int lane) {
        return time << timeShift | warp << LANE_BITS | lane;
    }

    int atomicMark(int warp, int lane) {
        return mark(warp, lane) | atomic;
    }

    boolean isAtomic(int mark) {
        return (mark & atomic) != 0;
    }

    /// Whether a warp's thread has seen what a mark stands for.
    boolean isOrdered(int mark, int warp, int lane) {
        int when = mark >>> timeShift;
        if (when <= floors[warp]) {
            return true;
        }
        int who = warp(mark);
        return who == warp && (mark & Warp.SIZE - 1) == lane || when <= known[warp][who];
    }

    /// Threads fence what they wrote until now; time must move on after it.
    void fence(int warp, int mask) {
        for (int m = mask; m != 0; m &= m - 1) {
            fenced[warp * Warp.SIZE + Integer.numberOfTrailingZeros(m)] = time;
        }
    }

    /// Whether the thread of a mark has fenced since.
    boolean isFenced(int mark) {
        return mark >>> timeShift <= fenced[mark & atomic - 1];
    }

    private int warp(int mark) {
        return (mark & atomic - 1) >>> LANE_BITS;
    }

    /// The thread of a mark.
    String thread(int mark) {
        return warpName(warp(mark)) + " lane " + (mark & Warp.SIZE - 1);
    }

    /// A warp, by its number in the cluster.
    String warpName(int warp) {
        return "warp " + warp % blockWarps + (warps() == blockWarps ? "" : " of the cluster's block " + warp / blockWarps);
    }
}
