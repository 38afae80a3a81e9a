package org.gatun.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.sampling.Sampling;

/// The rows of one sequence in a [Batch], written into off-heap buffers that a backend reads in place. Reused from pass to pass; its
/// methods allocate nothing.
///
/// Row `u` is a token at `position(u)`, and its key and value go to slot `committed + u`. It attends to every slot below
/// `committed` and, of the segment's own rows, itself and its ancestors: in a causal segment all rows before it, in a tree segment
/// the rows of its mask words.
///
/// Views memory of the arena it was made with, which must stay open until the pass, and its [Executable#await], is done.
public final class Segment {
    private final BatchLimits limits;
    private final MemorySegment tokens;       // [limits.rows] i32
    private final MemorySegment positions;    // [limits.rows] i32
    private final MemorySegment selected;     // [limits.treeRows] i32
    private final MemorySegment maskWords;    // [limits.treeRows, limits.treeRows / 64] i64
    private final MemorySegment recent;       // [REPETITION_WINDOW] i32
    private int committed;
    private int first;
    private int rows;
    private int selectedRows;
    private int recentTokens;
    private boolean tree;
    private Sampling sampling;
    private DraftDistributions draftDistributions;

    /// @param arena owner of the buffers
    /// @param limits most rows it can hold
    public Segment(Arena arena, BatchLimits limits) {
        this.limits = limits;
        tokens = arena.allocate(ValueLayout.JAVA_INT, limits.rows());
        positions = arena.allocate(ValueLayout.JAVA_INT, limits.rows());
        selected = arena.allocate(ValueLayout.JAVA_INT, limits.treeRows());
        maskWords = arena.allocate(ValueLayout.JAVA_LONG, (long) limits.treeRows() * (limits.treeRows() / 64));
        recent = arena.allocate(ValueLayout.JAVA_INT, Sampling.REPETITION_WINDOW);
    }

    /// Starts a causal segment: rows continue the committed text one after the other.
    ///
    /// @param committed slots already filled
    public Segment beginCausal(int committed) {
        return begin(committed, false);
    }

    /// Starts a tree segment; give each row its mask words.
    ///
    /// @param committed slots already filled
    public Segment beginTree(int committed) {
        return begin(committed, true);
    }

    private Segment begin(int committed, boolean tree) {
        if (committed < 0) {
            throw new IllegalArgumentException("segment after " + committed + " slots: expected none or more");
        }
        this.committed = committed;
        this.tree = tree;
        first = 0;
        rows = 0;
        selectedRows = 0;
        sampling = null;
        draftDistributions = null;
        return this;
    }

    /// Goes on with a tree that was run: rows added from now on see rows before as they say, and only they are run, for logits of their
    /// own. The keys and values of those before must still be in their slots. A backend may run all rows again, with the same result.
    ///
    /// @throws IllegalStateException if this is no tree segment
    public Segment extend() {
        if (!tree) {
            throw new IllegalStateException("extending a causal segment: expected a tree segment");
        }
        first = rows;
        selectedRows = 0;
        sampling = null;
        draftDistributions = null;
        return this;
    }

    /// Adds a row to a causal segment, at the next position.
    ///
    /// @throws IllegalStateException if the segment is full or a tree segment
    public void addRow(int token) {
        if (tree || rows == limits.rows()) {
            throw new IllegalStateException(tree ? "a row of a tree segment needs mask words" : "the segment is full: " + rows + " rows");
        }
        put(token, committed + rows);
    }

    /// Adds a row to a tree segment.
    ///
    /// @param position of the token in its text
    /// @param maskWords bit `v` set if the row attends to row `v` of the segment, itself included
    /// @param offset of the row's first word in `maskWords`
    /// @param words number of the row's words; missing ones are zero
    /// @throws IllegalStateException if the segment is full or a causal segment
    /// @throws IllegalArgumentException if the row does not see itself, or its position is negative
    public void addRow(int token, int position, long[] maskWords, int offset, int words) {
        if (!tree || rows == limits.treeRows()) {
            throw new IllegalStateException(tree ? "the segment is full: " + rows + " rows" : "a causal segment takes no mask words");
        }
        if (position < 0 || rows / 64 >= words || (maskWords[offset + rows / 64] >>> rows % 64 & 1) == 0) {
            throw new IllegalArgumentException("row " + rows + " of a tree segment, at position " + position
                    + ": expected a position from 0 on, and a row that attends to itself");
        }
        int stride = maskStride();
        for (int word = 0; word < stride; word++) {
            this.maskWords.setAtIndex(ValueLayout.JAVA_LONG, (long) rows * stride + word,
                    word < words ? maskWords[offset + word] : 0);
        }
        put(token, position);
    }

    private void put(int token, int position) {
        if (sampling != null) {
            throw new IllegalStateException("a row after the segment samples: expected all rows before Segment.sample()");
        }
        tokens.setAtIndex(ValueLayout.JAVA_INT, rows, token);
        positions.setAtIndex(ValueLayout.JAVA_INT, rows, position);
        rows++;
    }

    /// Asks for the logits of a row.
    ///
    /// @throws IndexOutOfBoundsException if there is no such row among those to run, or `treeRows` rows were already asked for
    public void select(int row) {
        if (row < first || row >= rows || selectedRows == limits.treeRows()) {
            throw new IndexOutOfBoundsException("row " + row + " of a segment of " + rows + " rows");
        }
        selected.setAtIndex(ValueLayout.JAVA_INT, selectedRows++, row);
    }

    /// Asks for the logits of every row, and for the tokens sampled from them, see [Executable#verify].
    ///
    /// @param text the tokens before the segment
    /// @throws IllegalStateException if there are no rows, some are selected already, or more than `treeRows`
    public void sample(Sampling sampling, int[] text) {
        if (first > 0 || rows == 0 || rows > limits.treeRows() || selectedRows > 0) {
            throw new IllegalStateException("sampling after each of " + rows + " rows, " + selectedRows
                    + " selected: expected 1 to " + limits.treeRows() + ", none selected");
        }
        this.sampling = sampling;
        for (int row = 0; row < rows; row++) {
            select(row);
        }
        recentTokens = Math.min(committed, Sampling.REPETITION_WINDOW);
        MemorySegment.copy(text, committed - recentTokens, recent, ValueLayout.JAVA_INT, 0, recentTokens);
    }

    /// Says which rows carry tokens sampled at random, for [Executable#verify] to test them as such.
    ///
    /// @param draftDistributions read in place until the segment was verified
    /// @throws IllegalArgumentException if what was sampled is not rows of this segment, each attending to the one it was sampled below
    public void setDraftDistributions(DraftDistributions draftDistributions) {
        for (int sample = 0; sample < draftDistributions.count(); sample++) {
            int row = draftDistributions.row(sample);
            if (row >= rows || !attendsTo(row, draftDistributions.parent(sample))) {
                throw new IllegalArgumentException("row " + row + " sampled below row " + draftDistributions.parent(sample)
                        + " in a segment of " + rows + " rows: expected rows that attend to those they were sampled below");
            }
        }
        this.draftDistributions = draftDistributions.count() == 0 ? null : draftDistributions;
    }

    /// Rows that carry tokens sampled at random; null if none do.
    public DraftDistributions draftDistributions() {
        return draftDistributions;
    }

    /// Makes of this segment of one row, which samples, the one that follows it: it reads `token`, a position further on.
    ///
    /// @throws IllegalStateException if there is not one row, or no token is sampled
    public void advance(int token) {
        if (rows != 1 || !samples()) {
            throw new IllegalStateException("advancing a segment of " + rows + " rows: expected one, with a token sampled after it");
        }
        if (recentTokens == Sampling.REPETITION_WINDOW) {
            MemorySegment.copy(recent, Integer.BYTES, recent, 0, recent.byteSize() - Integer.BYTES);
            recentTokens--;
        }
        recent.setAtIndex(ValueLayout.JAVA_INT, recentTokens++, token(0));
        tokens.setAtIndex(ValueLayout.JAVA_INT, 0, token);
        positions.setAtIndex(ValueLayout.JAVA_INT, 0, position(0) + 1);
        committed++;
    }

    /// How tokens are sampled.
    ///
    /// @throws IllegalStateException if none are
    public Sampling sampling() {
        if (!samples()) {
            throw new IllegalStateException("a segment that samples no tokens: expected Segment.sample() before it is verified");
        }
        return sampling;
    }

    /// Whether tokens are sampled.
    public boolean samples() {
        return sampling != null;
    }

    /// The latest tokens before the segment, `[recentTokens] i32`; only if tokens are sampled.
    public MemorySegment recent() {
        return recent;
    }

    /// How many there are, at most [Sampling#REPETITION_WINDOW].
    public int recentTokens() {
        return recentTokens;
    }

    /// Slots filled before the segment.
    public int committed() {
        return committed;
    }

    /// The first row to run: 0, or the number of those run before by a tree that was extended.
    public int first() {
        return first;
    }

    /// Rows to run, those run before left out.
    public int rowsToRun() {
        return rows - first;
    }

    /// The largest segments it can hold.
    BatchLimits limits() {
        return limits;
    }

    /// Rows of the segment, those run before included.
    public int rows() {
        return rows;
    }

    /// Rows whose logits were asked for.
    public int selectedRows() {
        return selectedRows;
    }

    /// Whether rows attend by mask words.
    public boolean isTree() {
        return tree;
    }

    /// Mask words a row in [#maskWords].
    public int maskStride() {
        return limits.treeRows() / 64;
    }

    /// Token ids, `[rows] i32`.
    public MemorySegment tokens() {
        return tokens;
    }

    /// Positions, `[rows] i32`.
    public MemorySegment positions() {
        return positions;
    }

    /// The rows whose logits were asked for, `[selected rows] i32`.
    public MemorySegment selected() {
        return selected;
    }

    /// Mask words, `[rows, maskStride] i64`; only in a tree segment.
    public MemorySegment maskWords() {
        return maskWords;
    }

    /// Token of a row.
    public int token(int row) {
        return tokens.getAtIndex(ValueLayout.JAVA_INT, row);
    }

    /// Position of a row.
    public int position(int row) {
        return positions.getAtIndex(ValueLayout.JAVA_INT, row);
    }

    /// Index of the row whose logits were asked for as number `index`.
    public int selected(int index) {
        return selected.getAtIndex(ValueLayout.JAVA_INT, index);
    }

    /// Checks that this segment can run in an executable with these limits, on these pages.
    ///
    /// @param number of the segment in its batch
    /// @throws IllegalArgumentException if it has too many rows, reaches beyond the slots, or attends to slots without a page
    void requireWithin(BatchLimits max, PageTable pages, int number) {
        if (rows > (tree ? max.treeRows() : max.rows())) {
            throw new IllegalArgumentException("segment " + number + " of " + rows + (tree ? " rows of a tree: beyond " : " rows: beyond ")
                    + max);
        }
        if (tree && maskStride() != max.treeRows() / 64) {
            throw new IllegalArgumentException("segment " + number + " is made for trees of " + limits.treeRows() + " rows: expected "
                    + max.treeRows());
        }
        if ((long) committed + rows > pages.slots()) {
            throw new IllegalArgumentException("segment " + number + " of " + rows + " rows after " + committed
                    + " slots: its page table holds " + pages.slots());
        }
        int window = pages.pool().layout().window();
        if (committed > pages.reservedSlots() || pages.firstSlot() > 0 && (window == 0 || committed - window + 1 < pages.firstSlot())) {
            throw new IllegalArgumentException("segment " + number + " of " + rows + " rows after " + committed + " slots: pages hold slots "
                    + pages.firstSlot() + " to " + pages.reservedSlots() + ", layers attend to " + (window == 0 ? "all" : "the last " + window));
        }
    }

    /// Checks that so many tokens can be sampled one after the other from this segment.
    ///
    /// @throws IllegalArgumentException if their number is out of range or there are not so many slots
    public void requireChain(BatchLimits max, PageTable pages, int count) {
        if (count < 1 || count > max.treeRows() || (long) committed + count > pages.slots()) {
            throw new IllegalArgumentException("sampling " + count + " tokens after " + committed + " slots: expected 1 to "
                    + max.treeRows() + ", and the page table holds " + pages.slots() + " slots");
        }
    }

    /// Whether row `row` attends to row `other` of the same segment.
    public boolean attendsTo(int row, int other) {
        if (!tree) {
            return other <= row;
        }
        long word = maskWords.getAtIndex(ValueLayout.JAVA_LONG, (long) row * maskStride() + other / 64);
        return (word >>> other % 64 & 1) != 0;
    }

    /// The row that `row` continues: the last before it that it attends to; -1 if there is none.
    public int parent(int row) {
        int other = row - 1;
        while (other >= 0 && !attendsTo(row, other)) {
            other--;
        }
        return other;
    }

    /// The first row that continues `row` with `token`, or -1.
    public int child(int row, int token) {
        for (int other = row + 1; other < rows; other++) {
            if (token(other) == token && parent(other) == row) {
                return other;
            }
        }
        return -1;
    }
}
