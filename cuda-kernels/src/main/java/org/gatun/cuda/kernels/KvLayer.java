package org.gatun.cuda.kernels;

import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;

/// A layer of a key-value cache: slot `s` is line `s % 64` of page `s / 64`, and a page holds the keys and values of all layers, as
/// `cache.cuh` has it. Kernels know a cache by the addresses of its pages only: a launch serves any whose addresses are put there.
///
/// @param pages `[slots / 64 rounded up] long`: addresses of pages of [#pageBytes]
/// @param slots there are
/// @param headDim elements of a head, an even number
/// @param type of the elements stored
/// @param number of the layer
public record KvLayer(DeviceSlice pages, int slots, int kvHeads, int headDim, KvType type, int number) {
    /// Slots of a page.
    public static final int PAGE_SLOTS = 64;

    private static final NavigableSet<Integer> STORED_DIMS = new TreeSet<>(List.of(16, 32, 48, 64, 80, 96, 128, 256));

    /// Elements that a head takes in the cache; those beyond its own are zero.
    ///
    /// @throws IllegalArgumentException if there is no attention for heads of this size
    public static int storedDim(int headDim) {
        unsupportedReason(headDim).ifPresent(reason -> {
            throw new IllegalArgumentException(reason);
        });
        return STORED_DIMS.ceiling(headDim);
    }

    /// Why there is no attention for heads of a size; empty if there is.
    public static Optional<String> unsupportedReason(int headDim) {
        return headDim % 2 == 0 && headDim <= STORED_DIMS.last() ? Optional.empty()
                : Optional.of("heads of %d elements: expected an even number, %d at most".formatted(headDim, STORED_DIMS.last()));
    }

    /// Elements that a head takes in the cache.
    public int storedDim() {
        return storedDim(headDim);
    }

    /// Pages of so many slots.
    public static int pageCount(int slots) {
        return Math.ceilDiv(slots, PAGE_SLOTS);
    }

    /// Bytes of a page.
    ///
    /// @throws IllegalArgumentException if it is 2 GiB or more, or there is no attention for heads of this size
    public static int pageBytes(KvType type, int layers, int kvHeads, int headDim) {
        int stored = storedDim(headDim);
        int headBytes = PAGE_SLOTS * (type.lineBytes(stored) + type.scaleBytes(stored));
        long heads = 2L * layers * kvHeads; // at most 2^63
        if (heads > Integer.MAX_VALUE / headBytes) {
            throw new IllegalArgumentException("pages of %d slots in %d layers with %d key-value heads of %d elements: expected less than "
                    .formatted(PAGE_SLOTS, layers, kvHeads, headDim) + "2 GiB");
        }
        return (int) heads * headBytes;
    }

    /// The addresses of pages that lie one after the other.
    ///
    /// @param order number of the page that serves as each
    public static long[] addresses(DeviceBuffer memory, int pageBytes, int... order) {
        long[] addresses = new long[order.length];
        for (int i = 0; i < order.length; i++) {
            addresses[i] = memory.address((long) order[i] * pageBytes);
        }
        return addresses;
    }

    /// Bytes of a page before the layer.
    int offset() {
        return number == 0 ? 0 : pageBytes(type, number, kvHeads, headDim);
    }

    void check(CudaFunction kernel) {
        KernelLaunch.check(kernel, "pages", pages, Long.BYTES, pageCount(slots));
    }
}
