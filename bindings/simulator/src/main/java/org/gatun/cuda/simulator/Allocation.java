package org.gatun.cuda.simulator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A piece of device memory, or of page-locked memory of the host.
///
/// Beside each byte stands whether something wrote it; a byte each, so that blocks on different threads do not disturb each other.
final class Allocation {
    /// Eight bytes, all written.
    private static final long WRITTEN = 0x0101010101010101L;

    /// The memory that it is a piece of: addresses of another driver's may be the same.
    final GlobalMemory memory;
    final long base;
    final long size;
    final MemorySegment data;
    /// Null where everything counts as written.
    private final MemorySegment written;
    private final Arena arena;
    /// Whether every byte is known to be written: then none need be looked at.
    private volatile boolean complete;
    private volatile boolean freed;

    private Allocation(GlobalMemory memory, long base, MemorySegment data, MemorySegment written, Arena arena) {
        this.memory = memory;
        this.base = base;
        size = data.byteSize();
        this.data = data;
        this.written = written;
        this.arena = arena;
        complete = written == null;
    }

    static Allocation device(GlobalMemory memory, long base, long size) {
        Arena arena = Arena.ofShared();
        try {
            // A margin lets the last bytes be looked at eight at a time.
            return new Allocation(memory, base, arena.allocate(size, 256), arena.allocate(size + 8, 8), arena);
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /// @param arena that ends with it; null if the memory is somebody else's
    static Allocation host(GlobalMemory memory, MemorySegment data, Arena arena) {
        return new Allocation(memory, data.address(), data, null, arena);
    }

    boolean contains(long address) {
        return address - base >= 0 && address - base < size;
    }

    boolean contains(long address, long bytes) {
        return address - base >= 0 && address - base <= size - bytes;
    }

    boolean isFreed() {
        return freed;
    }

    void free() {
        freed = true;
        if (arena != null) {
            arena.close();
        }
    }

    boolean isComplete() {
        return complete;
    }

    /// Notes that bytes were written.
    void markWritten(long offset, long bytes) {
        if (complete) {
            return;
        }
        if (bytes == size) {
            complete = true;
            return;
        }
        switch ((int) Math.min(bytes, 9)) {
            case 1 -> written.set(ValueLayout.JAVA_BYTE, offset, (byte) 1);
            case 2 -> written.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, (short) WRITTEN);
            case 4 -> written.set(ValueLayout.JAVA_INT_UNALIGNED, offset, (int) WRITTEN);
            case 8 -> written.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, WRITTEN);
            default -> written.asSlice(offset, bytes).fill((byte) 1);
        }
    }

    /// The first byte of a range that nothing wrote, -1 if there is none.
    long firstUnwritten(long offset, long bytes) {
        if (complete) {
            return -1;
        }
        long at = offset;
        long end = offset + bytes;
        while (at + 8 <= end && written.get(ValueLayout.JAVA_LONG_UNALIGNED, at) == WRITTEN) {
            at += 8;
        }
        while (at < end && written.get(ValueLayout.JAVA_BYTE, at) != 0) {
            at++;
        }
        return at < end ? at : -1;
    }

    /// Looks whether all is written by now.
    void refresh() {
        if (!complete && firstUnwritten(0, size) < 0) {
            complete = true;
        }
    }

    /// Takes bytes and what is known of them from another piece.
    void copyFrom(long offset, Allocation source, long sourceOffset, long bytes) {
        MemorySegment.copy(source.data, sourceOffset, data, offset, bytes);
        if (source.firstUnwritten(sourceOffset, bytes) < 0) {
            markWritten(offset, bytes);
        } else if (written != null) {
            if (complete) {
                written.fill((byte) 1);
                complete = false;
            }
            MemorySegment.copy(source.written, sourceOffset, written, offset, bytes);
        }
    }
}
