package org.gatun.cuda.kernels;

import java.util.Optional;
import org.gatun.cuda.DeviceSlice;

/// Rows of activations in 8 bits on the device, as `quantize.cu` writes and `matmul_s8.cu` reads them: codes, a scale for each row and,
/// if they are kept apart, outliers.
///
/// @param memory of [#byteSize] bytes at least
/// @param most rows there is room for
/// @param width inputs of a row
/// @param apart whether outliers are kept
public record QuantizedRows(DeviceSlice memory, int most, int width, boolean apart) {
    private static final long ALIGNMENT = 16;

    /// A list of outliers: how many of each row, which inputs they are, and what they are; there is room for all.
    ///
    /// @param counts `[most] int`
    /// @param places `[most, width] int`
    /// @param values `[most, width] f32`
    public record Outliers(DeviceSlice counts, DeviceSlice places, DeviceSlice values) {}

    /// @throws IllegalArgumentException if the memory is too small, or the width no multiple of 8
    public QuantizedRows {
        if (width < 1 || width % 8 != 0 || memory.byteSize() < byteSize(most, width, apart)) {
            throw new IllegalArgumentException("%d rows of %d inputs in %d bytes: expected a multiple of 8 inputs, and %d bytes"
                    .formatted(most, width, memory.byteSize(), byteSize(most, width, apart)));
        }
    }

    /// Bytes of so many rows.
    public static long byteSize(int most, int width, boolean apart) {
        return most * codes(width) + vector(most) + (apart ? vector(most) + 2 * vector((long) most * width) : 0);
    }

    /// Codes of a row: whole weight tiles.
    private static long codes(int width) {
        return Math.ceilDiv(width, WeightType.TILE_INPUTS) * (long) WeightType.TILE_INPUTS;
    }

    /// Bytes of numbers of 4 bytes each.
    private static long vector(long count) {
        return Math.ceilDiv(count * Integer.BYTES, ALIGNMENT) * ALIGNMENT;
    }

    /// `[most, width rounded up to 64] s8`.
    public DeviceSlice codes() {
        return memory.slice(0, most * codes(width));
    }

    /// `[most] f32`.
    public DeviceSlice scales() {
        return memory.slice(codes().byteSize(), vector(most));
    }

    /// The outliers, if they are kept.
    public Optional<Outliers> outliers() {
        if (!apart) {
            return Optional.empty();
        }
        long counts = codes().byteSize() + vector(most);
        long list = vector((long) most * width);
        return Optional.of(new Outliers(memory.slice(counts, vector(most)), memory.slice(counts + vector(most), list),
                memory.slice(counts + vector(most) + list, list)));
    }
}
