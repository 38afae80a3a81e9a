package org.gatun.cuda.kernels;

import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;

/// A layer of a key-value cache: slot `s` is line `s % 64` of page `pages[s / 64]`.
///
/// @param keys `[pages, kvHeads, 64, storedDim] f16`
/// @param values likewise
/// @param pages `[slots / 64 rounded up] int`, the pages of the slots
/// @param slots there are
/// @param headDim elements of a head, an even number
public record KvLayer(DeviceSlice keys, DeviceSlice values, DeviceSlice pages, int slots, int kvHeads, int headDim) {
    /// Slots of a page.
    public static final int PAGE_SLOTS = 64;

    private static final NavigableSet<Integer> STORED_DIMS = new TreeSet<>(List.of(16, 32, 48, 64, 80, 96, 128, 256));

    /// Elements that a head takes in the cache; those beyond its own are zero.
    ///
    /// @throws IllegalArgumentException if there is no attention for heads of this size
    public static int storedDim(int headDim) {
        Integer stored = STORED_DIMS.ceiling(headDim);
        if (stored == null || headDim % 2 != 0) {
            throw new IllegalArgumentException("heads of %d elements: expected an even number, %d at most".formatted(headDim,
                    STORED_DIMS.last()));
        }
        return stored;
    }

    /// Elements that a head takes in the cache.
    public int storedDim() {
        return storedDim(headDim);
    }

    /// Bytes of the keys, or of the values, of a layer.
    public static long byteSize(int slots, int kvHeads, int headDim) {
        return (long) Math.ceilDiv(slots, PAGE_SLOTS) * PAGE_SLOTS * kvHeads * storedDim(headDim) * Short.BYTES;
    }

    void check(CudaFunction kernel) {
        KernelLaunch.check(kernel, "keys", keys, 1, byteSize(slots, kvHeads, headDim));
        KernelLaunch.check(kernel, "values", values, 1, byteSize(slots, kvHeads, headDim));
        KernelLaunch.check(kernel, "pages", pages, Integer.BYTES, Math.ceilDiv(slots, PAGE_SLOTS));
    }
}
