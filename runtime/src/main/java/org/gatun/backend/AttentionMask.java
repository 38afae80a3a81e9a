package org.gatun.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Which slots the rows of a [Segment] attend to, and in which order they count: sums over keys go by that order, never by where the keys
/// lie.
public sealed interface AttentionMask {

    /// Whether row `row` attends to row `other` of the same segment.
    boolean attendsTo(int row, int other);

    /// Checks that what the rows of a segment attend to has pages.
    ///
    /// @param number of the segment in its batch
    /// @throws IllegalArgumentException if it has not
    default void requireWithin(Segment segment, PageTable pages, int number) {
        int window = pages.pool().window();
        if (segment.committed() > pages.reservedSlots()
                || pages.firstSlot() > 0 && (window == 0 || segment.committed() - window + 1 < pages.firstSlot())) {
            throw new IllegalArgumentException("segment " + number + " of " + segment.rows() + " rows after " + segment.committed()
                    + " slots: pages hold slots " + pages.firstSlot() + " to " + pages.reservedSlots() + ", layers attend to "
                    + (window == 0 ? "all" : "the last " + window));
        }
    }

    /// All committed slots, then the rows of the segment up to the row itself.
    enum Causal implements AttentionMask {
        /// The only one.
        INSTANCE;

        @Override
        public boolean attendsTo(int row, int other) {
            return other <= row;
        }
    }

    /// All committed slots, then the rows of the segment that the row's mask words name: itself and its ancestors.
    final class Tree implements AttentionMask {
        private final MemorySegment words; // [treeRows, stride] i64
        private final int stride;

        Tree(Arena arena, int treeRows) {
            stride = treeRows / Long.SIZE;
            words = arena.allocate(ValueLayout.JAVA_LONG, (long) treeRows * stride);
        }

        void set(int row, long[] from, int offset, int count) {
            for (int word = 0; word < stride; word++) {
                words.setAtIndex(ValueLayout.JAVA_LONG, (long) row * stride + word, word < count ? from[offset + word] : 0);
            }
        }

        /// `[rows, stride] i64`: bit `v` of a row is set if it attends to row `v`.
        public MemorySegment words() {
            return words;
        }

        /// Words a row.
        public int stride() {
            return stride;
        }

        @Override
        public boolean attendsTo(int row, int other) {
            return (words.getAtIndex(ValueLayout.JAVA_LONG, (long) row * stride + other / Long.SIZE) >>> other % Long.SIZE & 1) != 0;
        }
    }

    /// Ranges of slots, the same for all rows, in the order given; one of them may be the slots that the segment's rows write, which then
    /// see each other both ways. A canvas, a block written over itself between what stands before and behind it, a copy of a block, an
    /// encoder, a row that continues several branches: all are ranges.
    final class Ranges implements AttentionMask {
        /// Most ranges.
        public static final int MAX_RANGES = 64;
        private static final int ROWS = -1; // instead of bounds: the segment's own rows

        private final MemorySegment bounds; // [MAX_RANGES, 2] i32
        private int count;
        private boolean seesRows;

        Ranges(Arena arena) {
            bounds = arena.allocate(ValueLayout.JAVA_INT, 2 * MAX_RANGES);
        }

        void clear() {
            count = 0;
            seesRows = false;
        }

        void add(int from, int to) {
            if (count == MAX_RANGES) {
                throw new IllegalStateException("a range after " + count + ": expected at most so many");
            }
            bounds.setAtIndex(ValueLayout.JAVA_INT, 2L * count, from);
            bounds.setAtIndex(ValueLayout.JAVA_INT, 2L * count++ + 1, to);
        }

        void addRows() {
            if (seesRows) {
                throw new IllegalStateException("the segment's own rows twice: expected once");
            }
            add(ROWS, ROWS);
            seesRows = true;
        }

        /// `[count, 2] i32`: the first slot of each range, and the one behind its last; both -1 for the segment's own rows.
        public MemorySegment bounds() {
            return bounds;
        }

        /// Number of ranges, the segment's own rows included.
        public int count() {
            return count;
        }

        /// Whether range `index` is the segment's own rows.
        public boolean isRows(int index) {
            return from(index) == ROWS;
        }

        /// The first slot of a range.
        public int from(int index) {
            return bounds.getAtIndex(ValueLayout.JAVA_INT, 2L * index);
        }

        /// The slot behind the last of a range.
        public int to(int index) {
            return bounds.getAtIndex(ValueLayout.JAVA_INT, 2L * index + 1);
        }

        /// Slots that a row attends to, of a segment of `rows` rows.
        public int visibleSlots(int rows) {
            int slots = 0;
            for (int i = 0; i < count; i++) {
                slots += isRows(i) ? rows : to(i) - from(i);
            }
            return slots;
        }

        @Override
        public boolean attendsTo(int row, int other) {
            return seesRows;
        }

        @Override
        public void requireWithin(Segment segment, PageTable pages, int number) {
            int slot = segment.firstSlot();
            int end = slot + segment.rows();
            if (count == 0 || seesRows && slot == Segment.NO_SLOT) {
                throw new IllegalArgumentException("segment " + number + (count == 0 ? " attends to nothing: expected a range or its own rows"
                        : " attends to its own rows, which write no slots: expected a first slot"));
            }
            for (int i = 0; i < count; i++) {
                if (isRows(i)) {
                    continue;
                }
                if (from(i) < pages.firstSlot() || to(i) > pages.reservedSlots()) {
                    throw new IllegalArgumentException("segment " + number + ", " + range(i) + ": pages hold slots " + pages.firstSlot()
                            + " to " + pages.reservedSlots());
                }
                if (slot != Segment.NO_SLOT && from(i) < end && slot < to(i)) {
                    throw new IllegalArgumentException("segment " + number + ", " + range(i) + ": its rows write slots " + slot + " to "
                            + end + "; expected attendToRows() for those");
                }
                for (int other = 0; other < i; other++) {
                    if (!isRows(other) && from(i) < to(other) && from(other) < to(i)) {
                        throw new IllegalArgumentException("segment " + number + ", " + range(i) + " and " + range(other)
                                + ": expected ranges that do not overlap");
                    }
                }
            }
        }

        private String range(int index) {
            return "range " + index + " of slots " + from(index) + " to " + to(index);
        }
    }
}
