package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.DeviceSlice;

/// Rows of activations in 8 bits on the device, as `quantize.cu` writes and `matmul_s8.cu` reads them: codes, a scale for each row and,
/// if they are kept apart, outliers.
///
/// @param memory of [#byteSize] bytes at least
/// @param max rows there is room for
/// @param width inputs of a row
/// @param apart whether outliers are kept
public record QuantizedRows(DeviceSlice memory, int max, int width, boolean apart) {
    private static final long ALIGNMENT = 16;

    /// A list of outliers: how many of each row, which inputs they are, and what they are; there is room for all.
    ///
    /// @param counts `[max] int`
    /// @param places `[max, width] int`
    /// @param values `[max, width] f32`
    public record Outliers(DeviceSlice counts, DeviceSlice places, DeviceSlice values) {}

    /// @throws IllegalArgumentException if the memory is too small, or the width no multiple of 8
    public QuantizedRows {
        if (width < 1 || width % 8 != 0 || memory.byteSize() < byteSize(max, width, apart)) {
            throw new IllegalArgumentException("%d rows of %d inputs in %d bytes: expected a multiple of 8 inputs, and %d bytes"
                    .formatted(max, width, memory.byteSize(), byteSize(max, width, apart)));
        }
    }

    /// Bytes of so many rows.
    public static long byteSize(int max, int width, boolean apart) {
        return max * codes(width) + vector(max) + (apart ? vector(max) + 2 * vector((long) max * width) : 0);
    }

    /// Codes of a row: whole weight tiles.
    private static long codes(int width) {
        return Math.ceilDiv(width, WeightType.TILE_INPUTS) * (long) WeightType.TILE_INPUTS;
    }

    /// Bytes of numbers of 4 bytes each.
    private static long vector(long count) {
        return Math.ceilDiv(count * Integer.BYTES, ALIGNMENT) * ALIGNMENT;
    }

    /// `[max, width rounded up to 64] s8`.
    public DeviceSlice codes() {
        return memory.slice(0, max * codes(width));
    }

    /// `[max] f32`.
    public DeviceSlice scales() {
        return memory.slice(codes().byteSize(), vector(max));
    }

    /// The outliers, if they are kept.
    public Optional<Outliers> outliers() {
        if (!apart) {
            return Optional.empty();
        }
        long counts = codes().byteSize() + vector(max);
        long list = vector((long) max * width);
        return Optional.of(new Outliers(memory.slice(counts, vector(max)), memory.slice(counts + vector(max), list),
                memory.slice(counts + vector(max) + list, list)));
    }
}
