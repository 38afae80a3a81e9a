package org.gatun.cuda.simulator;

/// What an access of a warp moved, in the 32 bits that a trace has for it.
///
/// Bits 0 to 9: sectors of global memory; 10 to 19: turns in shared memory, or for an atomic threads that meet at one address; 20 to 26:
/// number of the buffer; 27: whether it was found near the multiprocessor, in L1.
final class Moved {
    private static final int FIELD = 0x3ff;

    private Moved() {}

    static int of(long sectors, long turns) {
        return (int) Math.min(sectors, FIELD) | (int) Math.min(turns, FIELD) << 10;
    }

    static int at(int moved, int buffer, boolean near) {
        return moved | Math.min(buffer, 127) << 20 | (near ? 1 << 27 : 0);
    }

    static int sectors(int moved) {
        return moved & FIELD;
    }

    static int turns(int moved) {
        return moved >>> 10 & FIELD;
    }

    static int buffer(int moved) {
        return moved >>> 20 & 127;
    }

    static boolean isNear(int moved) {
        return (moved >>> 27 & 1) != 0;
    }
}
