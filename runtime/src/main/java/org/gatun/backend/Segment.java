package org.gatun.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.sampling.RowStatistics;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingRequest;
import org.gatun.sampling.TokenMasks;

/// The rows of one sequence in a [Batch], written into off-heap buffers that a backend reads in place. Reused from pass to pass; its
/// methods allocate nothing.
///
/// Row `u` is a token at `position(u)`, and its key and value go to slot `firstSlot() + u`. What it attends to is said by an
/// [AttentionMask]: in a causal or tree segment every slot below `committed`, itself, and of the segment's own rows all before it, or its
/// ancestors; in a segment of ranges those.
///
/// Views memory of the arena it was made with, which must stay open until the pass, and its [Executable#await], is done.
public final class Segment {
    /// Of a segment of ranges: its rows write no slots.
    public static final int NO_SLOT = -1;

    private final BatchLimits limits;
    private final MemorySegment tokens;       // [limits.rows] i32
    private final MemorySegment positions;    // [limits.rows] i32
    private final MemorySegment selected;     // [limits.treeRows] i32
    private final AttentionMask.Tree tree;
    private final AttentionMask.Ranges ranges;
    private final SegmentSampling sampling;
    private int committed;
    private int firstSlot;
    private int first;
    private int rows;
    private int selectedRows;
    private AttentionMask mask = AttentionMask.Causal.INSTANCE;

    /// @param arena owner of the buffers
    /// @param limits most rows it can hold
    public Segment(Arena arena, BatchLimits limits) {
        this.limits = limits;
        tokens = arena.allocate(ValueLayout.JAVA_INT, limits.rows());
        positions = arena.allocate(ValueLayout.JAVA_INT, limits.rows());
        selected = arena.allocate(ValueLayout.JAVA_INT, limits.treeRows());
        tree = new AttentionMask.Tree(arena, limits.treeRows());
        ranges = new AttentionMask.Ranges(arena);
        sampling = new SegmentSampling(arena);
    }

    /// Starts a causal segment: rows continue the committed text one after the other.
    ///
    /// @param committed slots already filled
    public Segment beginCausal(int committed) {
        return begin(committed, AttentionMask.Causal.INSTANCE);
    }

    /// Starts a tree segment; give each row its mask words.
    ///
    /// @param committed slots already filled
    public Segment beginTree(int committed) {
        return begin(committed, tree);
    }

    /// Starts a segment whose rows attend to ranges of slots, in the order in which [#attendTo] and [#attendToRows] give them. The slots
    /// that it attends to must hold what earlier passes wrote, or its own rows.
    ///
    /// @param firstSlot where the key and value of the first row go, those of the others behind it; or [#NO_SLOT]
    public Segment beginRanges(int firstSlot) {
        if (firstSlot < NO_SLOT) {
            throw new IllegalArgumentException("rows written from slot " + firstSlot + " on: expected a slot, or NO_SLOT");
        }
        ranges.clear();
        begin(0, ranges);
        this.firstSlot = firstSlot;
        return this;
    }

    private Segment begin(int committed, AttentionMask mask) {
        if (committed < 0) {
            throw new IllegalArgumentException("segment after " + committed + " slots: expected none or more");
        }
        this.committed = committed;
        this.mask = mask;
        firstSlot = committed;
        first = 0;
        rows = 0;
        selectedRows = 0;
        sampling.forget();
        return this;
    }

    /// Lets the rows of a segment of ranges attend to slots, behind those given before.
    ///
    /// @throws IllegalStateException if this is no segment of ranges, or it has [AttentionMask.Ranges#MAX_RANGES] already
    /// @throws IllegalArgumentException if the range is empty or begins below 0
    public Segment attendTo(int from, int to) {
        requireRanges();
        if (from < 0 || to <= from) {
            throw new IllegalArgumentException("range of slots " + from + " to " + to + ": expected one slot or more, from 0 on");
        }
        ranges.add(from, to);
        return this;
    }

    /// Lets the rows of a segment of ranges attend to each other, behind the slots given before.
    ///
    /// @throws IllegalStateException if this is no segment of ranges, or they do already
    public Segment attendToRows() {
        requireRanges();
        ranges.addRows();
        return this;
    }

    private void requireRanges() {
        if (mask != ranges) {
            throw new IllegalStateException("a range in a segment of another mask: expected beginRanges()");
        }
    }

    /// Goes on with a tree that was run: rows added from now on attend to rows before as they say, and only they are run, for logits of their
    /// own. The keys and values of those before must still be in their slots. A backend may run all rows again, with the same result.
    ///
    /// @throws IllegalStateException if this is no tree segment
    public Segment extend() {
        if (mask != tree) {
            throw new IllegalStateException("extending a segment that is no tree: expected a tree segment");
        }
        first = rows;
        selectedRows = 0;
        sampling.forget();
        return this;
    }

    /// Adds a row to a causal segment, at the next position.
    ///
    /// @throws IllegalStateException if the segment is full or not causal
    public void addRow(int token) {
        if (mask != AttentionMask.Causal.INSTANCE || rows == limits.rows()) {
            throw new IllegalStateException(mask == AttentionMask.Causal.INSTANCE ? "the segment is full: " + rows + " rows"
                    : "a row of a segment that is not causal needs a position");
        }
        put(token, committed + rows);
    }

    /// Adds a row to a segment of ranges.
    ///
    /// @param position of the token in its text
    /// @throws IllegalStateException if the segment is full or has no ranges
    /// @throws IllegalArgumentException if the position is negative
    public void addRow(int token, int position) {
        requireRanges();
        if (rows == limits.rows()) {
            throw new IllegalStateException("the segment is full: " + rows + " rows");
        }
        if (position < 0) {
            throw new IllegalArgumentException("a row at position " + position + ": expected one from 0 on");
        }
        put(token, position);
    }

    /// Adds a row to a tree segment.
    ///
    /// @param position of the token in its text
    /// @param maskWords bit `v` set if the row attends to row `v` of the segment, itself included
    /// @param offset of the row's first word in `maskWords`
    /// @param words number of the row's words; missing ones are zero
    /// @throws IllegalStateException if the segment is full or no tree
    /// @throws IllegalArgumentException if the row does not attend to itself, or its position is negative
    public void addRow(int token, int position, long[] maskWords, int offset, int words) {
        if (mask != tree || rows == limits.treeRows()) {
            throw new IllegalStateException(mask == tree ? "the segment is full: " + rows + " rows"
                    : "a segment that is no tree takes no mask words");
        }
        if (position < 0 || rows / 64 >= words || (maskWords[offset + rows / 64] >>> rows % 64 & 1) == 0) {
            throw new IllegalArgumentException("row " + rows + " of a tree segment, at position " + position
                    + ": expected a position from 0 on, and a row that attends to itself");
        }
        tree.set(rows, maskWords, offset, words);
        put(token, position);
    }

    private void put(int token, int position) {
        if (samples()) {
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
    /// @param promptLength how many tokens of the text and the rows behind it are prompt; the frequency and presence penalties count the
    ///        others
    /// @throws IllegalStateException if there are no rows, some are selected already, more than `treeRows`, or they attend to ranges
    /// @throws IllegalArgumentException if a row has no token
    public void sample(Sampling sampling, int[] text, int promptLength) {
        this.sampling.sample(this, sampling, text, promptLength);
        for (int row = 0; row < rows; row++) {
            select(row);
        }
    }

    /// Says which tokens may be sampled after rows, before [#sample].
    ///
    /// @param masks read in place until the segment was verified; null for any token
    /// @throws IllegalStateException if tokens are sampled already
    public void setTokenMasks(TokenMasks masks) {
        sampling.setTokenMasks(masks);
    }

    /// Asks for statistics of the rows whose logits are asked for.
    ///
    /// @param statistics filled by the pass, at [Executable#run] or [Executable#await]; null for none
    public void setStatistics(RowStatistics statistics) {
        sampling.setStatistics(statistics);
    }

    /// What is to be filled; null if nothing is.
    public RowStatistics statistics() {
        return sampling.statistics();
    }

    /// Says which rows carry tokens sampled at random, for [Executable#verify] to test them as such.
    ///
    /// @param draftDistributions read in place until the segment was verified
    /// @throws IllegalArgumentException if what was sampled is not rows of this segment, each attending to the one it was sampled below
    public void setDraftDistributions(DraftDistributions draftDistributions) {
        sampling.setDraftDistributions(this, draftDistributions);
    }

    /// Rows that carry tokens sampled at random; null if none do.
    public DraftDistributions draftDistributions() {
        return sampling.draftDistributions();
    }

    /// Makes of this segment of one row, which samples, the one that follows it: it reads `token`, a position further on.
    ///
    /// @throws IllegalStateException if there is not one row, or no token is sampled
    public void advance(int token) {
        if (rows != 1 || !samples()) {
            throw new IllegalStateException("advancing a segment of " + rows + " rows: expected one, with a token sampled after it");
        }
        request().advance(token(0), position(0));
        tokens.setAtIndex(ValueLayout.JAVA_INT, 0, token);
        positions.setAtIndex(ValueLayout.JAVA_INT, 0, position(0) + 1);
        committed++;
        firstSlot++;
    }

    /// How tokens are sampled.
    ///
    /// @throws IllegalStateException if none are
    public SamplingRequest request() {
        return sampling.request();
    }

    /// Whether tokens are sampled.
    public boolean samples() {
        return sampling.samples();
    }

    /// Slots filled before the segment; 0 in a segment of ranges.
    public int committed() {
        return committed;
    }

    /// The slot of row 0's key and value, those of the others behind it; [#NO_SLOT] if they are not kept.
    public int firstSlot() {
        return firstSlot;
    }

    /// What the rows attend to.
    public AttentionMask mask() {
        return mask;
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
    public BatchLimits limits() {
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
        if (rows > (mask == tree ? max.treeRows() : max.rows())) {
            throw new IllegalArgumentException("segment " + number + " of " + rows + (mask == tree ? " rows of a tree" : " rows")
                    + ": beyond " + max);
        }
        if (mask == tree && limits.treeRows() != max.treeRows()) {
            throw new IllegalArgumentException("segment " + number + " is made for trees of " + limits.treeRows() + " rows: expected "
                    + max.treeRows());
        }
        if ((long) firstSlot + rows > pages.slots()) {
            throw new IllegalArgumentException("segment " + number + " of " + rows + " rows after " + firstSlot
                    + " slots: its page table holds " + pages.slots());
        }
        mask.requireWithin(this, pages, number);
    }

    /// Checks that tokens can be sampled as was asked.
    ///
    /// @param vocabulary width of a row of logits
    /// @throws IllegalStateException if none are sampled
    /// @throws IllegalArgumentException if a bias, a token mask or a distribution is not for this vocabulary, or a mask is of no row or
    ///         allows no token
    public void requireSampling(int vocabulary) {
        sampling.requireFor(rows, vocabulary);
    }

    /// Whether row `row` attends to row `other` of the same segment.
    public boolean attendsTo(int row, int other) {
        return mask.attendsTo(row, other);
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
