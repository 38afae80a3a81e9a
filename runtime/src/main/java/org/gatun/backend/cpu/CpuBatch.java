package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.backend.AttentionMask;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.PageTable;
import org.gatun.backend.Segment;

/// A batch as `struct gatun_batch` has it: the rows to run of all segments one behind the other.
final class CpuBatch {
    private static final long POSITIONS = NativeLayout.offset(NativeLayout.SEGMENT, "positions");
    private static final long MASK_WORDS = NativeLayout.offset(NativeLayout.SEGMENT, "mask_words");
    private static final long KV = NativeLayout.offset(NativeLayout.SEGMENT, "kv");
    private static final long PAGES = NativeLayout.offset(NativeLayout.SEGMENT, "pages");
    private static final long MASK_STRIDE = NativeLayout.offset(NativeLayout.SEGMENT, "mask_stride");
    private static final long RANGES = NativeLayout.offset(NativeLayout.SEGMENT, "ranges");
    private static final long RANGE_COUNT = NativeLayout.offset(NativeLayout.SEGMENT, "range_count");
    private static final long FIRST_SLOT = NativeLayout.offset(NativeLayout.SEGMENT, "first_slot");
    private static final long VISIBLE_SLOTS = NativeLayout.offset(NativeLayout.SEGMENT, "visible_slots");
    private static final long COMMITTED = NativeLayout.offset(NativeLayout.SEGMENT, "committed");
    private static final long FIRST = NativeLayout.offset(NativeLayout.SEGMENT, "first");
    private static final long ROWS = NativeLayout.offset(NativeLayout.SEGMENT, "rows");
    private static final long ROW = NativeLayout.offset(NativeLayout.SEGMENT, "row");
    private static final long BATCH_ROWS = NativeLayout.offset(NativeLayout.BATCH, "rows");
    private static final long SELECTED_ROWS = NativeLayout.offset(NativeLayout.BATCH, "selected_rows");

    private final MemorySegment struct;
    private final MemorySegment tokens;     // [limits.rows] i32
    private final MemorySegment positions;  // [limits.rows] i32
    private final MemorySegment selected;   // [limits.logitsRows] i32
    private final MemorySegment segmentOf;  // [limits.rows] i32
    private final MemorySegment segments;   // [limits.segments] struct gatun_segment

    /// @param arena owner of its memory
    CpuBatch(Arena arena, BatchLimits limits) {
        struct = arena.allocate(NativeLayout.BATCH);
        tokens = arena.allocate(ValueLayout.JAVA_INT, limits.rows());
        positions = arena.allocate(ValueLayout.JAVA_INT, limits.rows());
        selected = arena.allocate(ValueLayout.JAVA_INT, limits.logitsRows());
        segmentOf = arena.allocate(ValueLayout.JAVA_INT, limits.rows());
        segments = arena.allocate(NativeLayout.SEGMENT, limits.segments());
        set("tokens", tokens);
        set("positions", positions);
        set("selected", selected);
        set("segment_of", segmentOf);
        set("segments", segments);
    }

    private void set(String field, MemorySegment value) {
        struct.set(ValueLayout.ADDRESS, NativeLayout.offset(NativeLayout.BATCH, field), value);
    }

    /// Writes a batch, whose page tables must be of this backend and which must be within the limits. Hot: allocates nothing.
    ///
    /// @param minToken tokens must be this at least
    /// @param vocabulary and below this
    /// @return the `struct gatun_batch`
    /// @throws IllegalArgumentException if a token is outside the vocabulary
    MemorySegment write(Batch batch, int minToken, int vocabulary) {
        int rows = 0;
        int selectedRows = 0;
        for (int number = 0; number < batch.size(); number++) {
            Segment segment = batch.segment(number);
            write(segment, batch.pages(number), number * NativeLayout.SEGMENT.byteSize(), rows);
            for (int i = 0; i < segment.selectedRows(); i++) {
                selected.setAtIndex(ValueLayout.JAVA_INT, selectedRows++, rows + segment.selected(i) - segment.first());
            }
            for (int own = segment.first(); own < segment.rows(); own++) {
                int token = segment.token(own);
                if (token < minToken || token >= vocabulary) {
                    throw new IllegalArgumentException("token " + token + ": expected one below " + vocabulary);
                }
                tokens.setAtIndex(ValueLayout.JAVA_INT, rows, token);
                positions.setAtIndex(ValueLayout.JAVA_INT, rows, segment.position(own));
                segmentOf.setAtIndex(ValueLayout.JAVA_INT, rows++, number);
            }
        }
        struct.set(ValueLayout.JAVA_INT, BATCH_ROWS, rows);
        struct.set(ValueLayout.JAVA_INT, SELECTED_ROWS, selectedRows);
        return struct;
    }

    private void write(Segment segment, PageTable pages, long offset, int row) {
        segments.set(ValueLayout.ADDRESS, offset + POSITIONS, segment.positions());
        segments.set(ValueLayout.ADDRESS, offset + KV, ((CpuKvMemory) pages.pool().memory()).struct());
        segments.set(ValueLayout.ADDRESS, offset + PAGES, ((CpuKvMemory.Numbers) pages.list()).memory());
        segments.set(ValueLayout.JAVA_INT, offset + COMMITTED, segment.committed());
        segments.set(ValueLayout.JAVA_INT, offset + FIRST_SLOT, segment.firstSlot());
        segments.set(ValueLayout.JAVA_INT, offset + FIRST, segment.first());
        segments.set(ValueLayout.JAVA_INT, offset + ROWS, segment.rowsToRun());
        segments.set(ValueLayout.JAVA_INT, offset + ROW, row);
        switch (segment.mask()) {
            case AttentionMask.Causal _ ->
                writeMask(offset, MemorySegment.NULL, 0, MemorySegment.NULL, 0, segment.committed() + segment.rows());
            case AttentionMask.Tree tree ->
                writeMask(offset, tree.words(), tree.stride(), MemorySegment.NULL, 0, segment.committed() + segment.rows());
            case AttentionMask.Ranges ranges ->
                writeMask(offset, MemorySegment.NULL, 0, ranges.bounds(), ranges.count(), ranges.visibleSlots(segment.rows()));
        }
    }

    private void writeMask(long offset, MemorySegment words, int stride, MemorySegment ranges, int rangeCount, int visibleSlots) {
        segments.set(ValueLayout.ADDRESS, offset + MASK_WORDS, words);
        segments.set(ValueLayout.JAVA_INT, offset + MASK_STRIDE, stride);
        segments.set(ValueLayout.ADDRESS, offset + RANGES, ranges);
        segments.set(ValueLayout.JAVA_INT, offset + RANGE_COUNT, rangeCount);
        segments.set(ValueLayout.JAVA_INT, offset + VISIBLE_SLOTS, visibleSlots);
    }
}
