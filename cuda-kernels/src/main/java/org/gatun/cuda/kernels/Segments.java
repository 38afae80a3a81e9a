package org.gatun.cuda.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.function.Function;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceSlice;

/// The sequences of a pass on the device, as `segment.cuh` has them: rows lie segment by segment, and each segment has its pages.
///
/// @param memory `[max]` of [#LAYOUT], of which the first `count` are meant
/// @param count `[1] int`
/// @param ofRows `[rows] int`: the number of each row's segment
/// @param ranges `[.., 2] int`: what segments that attend to ranges attend to
/// @param max most segments
/// @param maxRows most rows of one
public record Segments(DeviceSlice memory, DeviceSlice count, DeviceSlice ofRows, DeviceSlice ranges, int max, int maxRows) {
    /// What the rows of a segment attend to; in the order of `segment.cuh`.
    public enum Mask {
        /// All committed slots, and the segment's rows up to the row itself.
        CAUSAL,
        /// All committed slots, and the segment's rows on the row's path, see [TreePaths].
        TREE,
        /// Ranges of slots.
        RANGES
    }

    /// A segment, as kernels read it.
    public static final StructLayout LAYOUT = MemoryLayout.structLayout(
            ValueLayout.JAVA_LONG.withName("pages"), ValueLayout.JAVA_INT.withName("committed"),
            ValueLayout.JAVA_INT.withName("first_slot"), ValueLayout.JAVA_INT.withName("first_row"),
            ValueLayout.JAVA_INT.withName("rows"), ValueLayout.JAVA_INT.withName("mask"),
            ValueLayout.JAVA_INT.withName("first_range"), ValueLayout.JAVA_INT.withName("ranges"),
            ValueLayout.JAVA_INT.withName("keys"), MemoryLayout.paddingLayout(8));

    private static final long PAGES = offset("pages");
    /// Where in a [#LAYOUT] the slots before its rows are, an `int`.
    public static final long COMMITTED = offset("committed");
    private static final long FIRST_SLOT = offset("first_slot");
    private static final long FIRST_ROW = offset("first_row");
    /// Where in a [#LAYOUT] the number of its rows is, an `int`.
    public static final long ROWS = offset("rows");
    private static final long MASK = offset("mask");
    private static final long FIRST_RANGE = offset("first_range");
    private static final long RANGES = offset("ranges");
    private static final long KEYS = offset("keys");

    private static long offset(String field) {
        return LAYOUT.byteOffset(MemoryLayout.PathElement.groupElement(field));
    }

    /// Writes a [#LAYOUT] of a causal or a tree segment.
    ///
    /// @param offset of it in `target`
    /// @param pages where the addresses of its pages are on the device
    /// @param committed slots before its rows
    /// @param firstRow of the pass
    public static void write(MemorySegment target, long offset, long pages, int committed, int firstRow, int rows, Mask mask) {
        target.set(ValueLayout.JAVA_LONG, offset + PAGES, pages);
        target.set(ValueLayout.JAVA_INT, offset + COMMITTED, committed);
        target.set(ValueLayout.JAVA_INT, offset + FIRST_SLOT, committed);
        target.set(ValueLayout.JAVA_INT, offset + FIRST_ROW, firstRow);
        target.set(ValueLayout.JAVA_INT, offset + ROWS, rows);
        target.set(ValueLayout.JAVA_INT, offset + MASK, mask.ordinal());
    }

    /// Writes a [#LAYOUT] of a segment of ranges.
    ///
    /// @param firstSlot that its rows write; -1 if they write none
    /// @param firstRange of its ranges, among all
    /// @param ranges how many
    /// @param keys slots in all of them
    public static void writeRanges(MemorySegment target, long offset, long pages, int firstSlot, int firstRow, int rows, int firstRange,
            int ranges, int keys) {
        write(target, offset, pages, 0, firstRow, rows, Mask.RANGES);
        target.set(ValueLayout.JAVA_INT, offset + FIRST_SLOT, firstSlot);
        target.set(ValueLayout.JAVA_INT, offset + FIRST_RANGE, firstRange);
        target.set(ValueLayout.JAVA_INT, offset + RANGES, ranges);
        target.set(ValueLayout.JAVA_INT, offset + KEYS, keys);
    }

    /// A pass of one segment.
    ///
    /// @param copied gives what it is given memory on the device
    /// @param pages addresses of its pages, on the device
    /// @param mask causal or a tree
    public static Segments alone(Function<MemorySegment, DeviceSlice> copied, DeviceSlice pages, int committed, int rows, Mask mask) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(LAYOUT);
            write(segment, 0, pages.buffer().address(pages.byteOffset()), committed, 0, rows, mask);
            DeviceSlice one = copied.apply(MemorySegment.ofArray(new int[] {1, 0}));
            return new Segments(copied.apply(segment), one, copied.apply(MemorySegment.ofArray(new int[rows])), one, 1, rows);
        }
    }

    void check(CudaFunction kernel, int rows) {
        KernelLaunch.check(kernel, "segments", memory, 1, max, LAYOUT.byteSize());
        KernelLaunch.check(kernel, "segment_count", count, Integer.BYTES, 1);
        KernelLaunch.check(kernel, "row_segments", ofRows, Integer.BYTES, rows);
        KernelLaunch.check(kernel, "ranges", ranges, Integer.BYTES, 1);
    }
}
