package org.gatun.cuda.kernels;

import org.gatun.cuda.DeviceSlice;

/// How many rows a kernel works on: a number on the device, so that one launch, or one graph of launches, serves passes of
/// different sizes.
///
/// @param count `[1] int`, at most `max`
/// @param max for which a launch has blocks
public record Rows(DeviceSlice count, int max) {
    /// @throws IllegalArgumentException if there is no room for the count, or there can be no row
    public Rows {
        if (max < 1 || count.byteSize() < Integer.BYTES) {
            throw new IllegalArgumentException("at most %d rows, counted in %d bytes: expected 1 or more, and 4 bytes".formatted(max,
                    count.byteSize()));
        }
    }
}
