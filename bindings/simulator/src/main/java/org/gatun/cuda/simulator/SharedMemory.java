package org.gatun.cuda.simulator;

import java.util.Arrays;

/// The shared memory of a block, and who wrote and read each part of it last.
///
/// A part ("granule") is as small as the narrowest access of the kernel. What happens between two barriers is unordered; [Clocks] say
/// what is not. Warps are numbered through the cluster: those of other blocks come here too.
final class SharedMemory {
    private static final int NO_LANE = -1;

    private final Clocks clocks;
    private final int[] words;
    private final int byteSize;
    private final int granuleShift;
    private final int[] writers;
    private final int[] readers;
    /// The last reader that was not the one in [#readers].
    private final int[] otherReaders;
    /// How many products under way read a granule; null as long as there was none.
    private short[] underRead;
    /// When each warp of other blocks was here last.
    private final int[] visits;

    /// @param granuleShift log2 of the narrowest access in bytes, 0 to 2
    SharedMemory(int byteSize, Clocks clocks, int granuleShift) {
        this.byteSize = byteSize;
        this.clocks = clocks;
        this.granuleShift = granuleShift;
        words = new int[(byteSize + 3) / 4 + 4];
        int granules = (byteSize >> granuleShift) + 1;
        writers = new int[granules];
        readers = new int[granules];
        otherReaders = new int[granules];
        visits = new int[clocks.warps()];
    }

    /// For the next block.
    void clear() {
        Arrays.fill(writers, 0);
        Arrays.fill(readers, 0);
        Arrays.fill(otherReaders, 0);
        if (underRead != null) {
            Arrays.fill(underRead, (short) 0);
        }
        Arrays.fill(visits, 0);
    }

    int byteSize() {
        return byteSize;
    }

    /// Notes that a warp of another block comes here.
    void visit(int warp) {
        visits[warp] = clocks.time();
    }

    /// A warp of another block that came here after what a clock has seen of it, -1 if none did.
    int visitorAfter(int[] clock) {
        for (int i = 0; i < visits.length; i++) {
            if (visits[i] > clock[i]) {
                return i;
            }
        }
        return -1;
    }

    /// What is wrong with an access, null if nothing is.
    record Finding(KernelFault.Kind kind, String message) {}

    Finding read(int address, int bytes, int warp, int lane) {
        int me = clocks.mark(warp, lane);
        int end = (address + bytes - 1) >> granuleShift;
        for (int g = address >> granuleShift; g <= end; g++) {
            int writer = writers[g];
            if (writer == 0 || writer == Clocks.PENDING || !clocks.isOrdered(writer, warp, lane)) {
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
            case Clocks.PENDING -> pending(address);
            default -> new Finding(KernelFault.Kind.SHARED_RACE, "reads shared memory at %d, which %s wrote with no barrier between"
                    .formatted(address, clocks.thread(writer)));
        };
    }

    private static Finding pending(int address) {
        return new Finding(KernelFault.Kind.ASYNC_COPY_NOT_AWAITED,
                "shared memory at %d is the target of an asynchronous copy that was not waited for".formatted(address));
    }

    Finding write(int address, int bytes, int warp, int lane) {
        return change(address, bytes, warp, lane, clocks.mark(warp, lane), false);
    }

    /// An atomic operation, which may meet others.
    Finding update(int address, int bytes, int warp, int lane) {
        return change(address, bytes, warp, lane, clocks.atomicMark(warp, lane), true);
    }

    /// The order for an asynchronous copy, whose bytes come at any time until it is waited for.
    Finding order(int address, int bytes, int warp, int lane) {
        return change(address, bytes, warp, lane, Clocks.PENDING, false);
    }

    /// The tensor cores begin to read for a warp, until [#endRead].
    Finding beginRead(int address, int bytes, int warp) {
        if (underRead == null) {
            underRead = new short[writers.length];
        }
        int end = (address + bytes - 1) >> granuleShift;
        for (int g = address >> granuleShift; g <= end; g++) {
            int writer = writers[g];
            if (writer == 0 || writer == Clocks.PENDING || !clocks.isOrdered(writer, warp, NO_LANE)) {
                return readFinding(writer, g);
            }
            if (!clocks.isFenced(writer)) {
                return new Finding(KernelFault.Kind.PROXY_NOT_FENCED,
                        "the tensor cores read shared memory at %d, which %s wrote and did not fence (fence.proxy.async)"
                                .formatted(g << granuleShift, clocks.thread(writer)));
            }
            underRead[g]++;
        }
        return null;
    }

    /// The tensor cores have read, which counts as of now.
    void endRead(int address, int bytes, int warp) {
        int me = clocks.mark(warp, 0);
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
            if (writer == Clocks.PENDING) {
                return pending(at);
            }
            if (underRead != null && underRead[g] != 0) {
                return new Finding(KernelFault.Kind.PRODUCT_NOT_AWAITED,
                        "writes shared memory at %d, which a wgmma that was not waited for reads".formatted(at));
            }
            if (atomic && writer == 0) {
                return readFinding(0, g);
            }
            if (!(atomic && clocks.isAtomic(writer)) && !clocks.isOrdered(writer, warp, lane)) {
                return new Finding(KernelFault.Kind.SHARED_RACE, "writes shared memory at %d, which %s wrote with no barrier between"
                        .formatted(at, clocks.thread(writer)));
            }
            int reader = !clocks.isOrdered(readers[g], warp, lane) ? readers[g]
                    : !clocks.isOrdered(otherReaders[g], warp, lane) ? otherReaders[g] : 0;
            if (reader != 0) {
                return new Finding(KernelFault.Kind.SHARED_RACE, "writes shared memory at %d, which %s read with no barrier between"
                        .formatted(at, clocks.thread(reader)));
            }
            writers[g] = mark;
        }
        return null;
    }

    /// An asynchronous copy was waited for by the thread that ordered it.
    void arrive(int address, int bytes, int warp, int lane) {
        int mark = clocks.mark(warp, lane);
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
