package org.gatun.cuda.simulator;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/// The memory of the simulated device, and the page-locked memory of the host that it reaches.
///
/// Addresses are never given twice, so that one of freed memory is known as such; pieces lie apart, so that a small overrun hits
/// nothing.
final class GlobalMemory {
    /// Above what a process has, so that device and host addresses differ.
    private static final long FIRST_ADDRESS = 1L << 50;
    private static final long ALIGNMENT = 256;
    private static final int FREED_REMEMBERED = 4096;

    private final long capacity;
    private long next = FIRST_ADDRESS;
    private long used;
    private final Deque<Allocation> freed = new ArrayDeque<>();

    /// By address; replaced, never changed, so that running kernels may look without a lock.
    private volatile Allocation[] live = {};

    GlobalMemory(long capacity) {
        this.capacity = capacity;
    }

    long capacity() {
        return capacity;
    }

    synchronized long free() {
        return capacity - used;
    }

    /// Null if there is not so much.
    synchronized Allocation allocate(long bytes) {
        long rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (bytes > capacity || rounded > capacity - used) {
            return null;
        }
        Allocation allocation = Allocation.device(this, next, bytes);
        next += rounded + ALIGNMENT;
        used += rounded;
        add(allocation);
        return allocation;
    }

    synchronized void add(Allocation allocation) {
        Allocation[] more = Arrays.copyOf(live, live.length + 1);
        int at = live.length;
        while (at > 0 && more[at - 1].base > allocation.base) {
            more[at] = more[--at];
        }
        more[at] = allocation;
        live = more;
    }

    /// Frees the piece that begins at an address; false if there is none.
    synchronized boolean free(long base) {
        Allocation allocation = find(base);
        if (allocation == null || allocation.base != base) {
            return false;
        }
        Allocation[] fewer = new Allocation[live.length - 1];
        int n = 0;
        for (Allocation each : live) {
            if (each != allocation) {
                fewer[n++] = each;
            }
        }
        live = fewer;
        if (base >= FIRST_ADDRESS) {
            used -= (allocation.size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        freed.addLast(allocation);
        if (freed.size() > FREED_REMEMBERED) {
            freed.removeFirst();
        }
        allocation.free();
        return true;
    }

    int count() {
        return live.length;
    }

    /// The piece that holds an address, null if none does.
    Allocation find(long address) {
        Allocation[] all = live;
        int low = 0;
        int high = all.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (all[middle].base <= address) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return high >= 0 && all[high].contains(address) ? all[high] : null;
    }

    /// Looks for pieces that kernels have filled by now.
    void refresh() {
        for (Allocation each : live) {
            each.refresh();
        }
    }

    /// What an address that no piece holds lies near, in words.
    synchronized String describe(long address) {
        for (Allocation each : freed) {
            if (each.contains(address)) {
                return "byte %d of a freed buffer of %d bytes".formatted(address - each.base, each.size);
            }
        }
        Allocation near = null;
        for (Allocation each : live) {
            if (each.base <= address || near == null) {
                near = each;
            }
        }
        if (near == null) {
            return "no buffer is there";
        }
        return address >= near.base ? "%d bytes past the end of a buffer of %d bytes".formatted(address - near.base - near.size, near.size)
                : "%d bytes before a buffer of %d bytes".formatted(near.base - address, near.size);
    }

    synchronized boolean wasFreed(long address) {
        return freed.stream().anyMatch(each -> each.contains(address));
    }
}
