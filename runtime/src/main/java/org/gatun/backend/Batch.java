package org.gatun.backend;

import java.util.Arrays;
import java.util.Objects;

/// What changes from pass to pass: the segments whose rows are computed together, each of its own sequence. Reused; its methods allocate
/// nothing once it has held as many segments.
///
/// Rows lie segment by segment, in the order the segments were added, and so do the rows whose logits were asked for. A row has the same
/// bits whatever else the batch holds. No two segments may be of one page table, as neither would see what the other writes.
public final class Batch {
    private Segment[] segments = new Segment[1];
    private PageTable[] pageTables = new PageTable[1];
    private VerificationResult[] results = new VerificationResult[1];
    private int size;

    /// A batch of one segment, and a result of its own.
    public static Batch of(Segment segment, PageTable pages) {
        return new Batch().add(segment, pages, new VerificationResult(segment.limits().treeRows()));
    }

    /// Removes all segments.
    public Batch clear() {
        Arrays.fill(segments, 0, size, null);
        Arrays.fill(pageTables, 0, size, null);
        Arrays.fill(results, 0, size, null);
        size = 0;
        return this;
    }

    /// Adds a segment, which may be filled before or after.
    ///
    /// @param pages where the keys and values of its sequence are read and written
    /// @param result receives what is sampled and accepted, if the segment samples
    /// @throws IllegalArgumentException if a segment with that page table or result is there already
    public Batch add(Segment segment, PageTable pages, VerificationResult result) {
        Objects.requireNonNull(result, "result");
        for (int i = 0; i < size; i++) {
            if (pageTables[i] == pages || results[i] == result) {
                throw new IllegalArgumentException("segments " + i + " and " + size + " have the same "
                        + (pageTables[i] == pages ? "page table" : "result") + ": expected one for each");
            }
        }
        if (size == segments.length) {
            segments = Arrays.copyOf(segments, 2 * size);
            pageTables = Arrays.copyOf(pageTables, 2 * size);
            results = Arrays.copyOf(results, 2 * size);
        }
        segments[size] = segment;
        pageTables[size] = pages;
        results[size++] = result;
        return this;
    }

    /// Number of segments.
    public int size() {
        return size;
    }

    /// A segment.
    public Segment segment(int index) {
        return segments[Objects.checkIndex(index, size)];
    }

    /// Where the keys and values of a segment are.
    public PageTable pages(int index) {
        return pageTables[Objects.checkIndex(index, size)];
    }

    /// What was sampled and accepted of a segment.
    public VerificationResult result(int index) {
        return results[Objects.checkIndex(index, size)];
    }

    /// The only segment.
    ///
    /// @throws IllegalStateException if there is not one
    public Segment onlySegment() {
        if (size != 1) {
            throw new IllegalStateException("a batch of " + size + " segments: expected one");
        }
        return segments[0];
    }

    /// Rows to compute, over all segments.
    public int rows() {
        int rows = 0;
        for (int i = 0; i < size; i++) {
            rows += segments[i].rowsToRun();
        }
        return rows;
    }

    /// Rows whose logits were asked for, over all segments.
    public int selectedRows() {
        int rows = 0;
        for (int i = 0; i < size; i++) {
            rows += segments[i].selectedRows();
        }
        return rows;
    }

    /// Number of a segment's first selected row among those of the batch.
    public int firstLogits(int index) {
        int rows = 0;
        for (int i = 0; i < Objects.checkIndex(index, size); i++) {
            rows += segments[i].selectedRows();
        }
        return rows;
    }

    /// Checks that an executable with these limits can run this batch.
    ///
    /// @throws IllegalArgumentException if there is no segment, there are too many or too many rows, or a segment reaches beyond the slots
    ///         of its page table or has more rows than its result
    public void requireWithin(BatchLimits limits) {
        if (size == 0 || size > limits.segments() || rows() > limits.rows() || selectedRows() > limits.logitsRows()) {
            throw new IllegalArgumentException("batch of " + size + (size == 1 ? " segment, " : " segments, ") + rows() + " rows, "
                    + selectedRows() + " selected: expected one segment or more, within " + limits);
        }
        for (int i = 0; i < size; i++) {
            segments[i].requireWithin(limits, pageTables[i], i);
            if (segments[i].samples() && results[i].capacity() < segments[i].rows()) {
                throw new IllegalArgumentException("segment " + i + " of " + segments[i].rows() + " rows: its result holds "
                        + results[i].capacity());
            }
        }
    }

    /// Checks that an executable whose output is an input of this pass has left as many rows.
    ///
    /// @throws IllegalArgumentException if it has not
    public static void requireRowsOfInput(int rows, int left) {
        if (left < rows) {
            throw new IllegalArgumentException("a pass of " + rows + " rows: the executable that its input is taken from has left " + left);
        }
    }

    /// Whether a segment attends to [ranges][AttentionMask.Ranges].
    public boolean hasRanges() {
        for (int i = 0; i < size; i++) {
            if (segments[i].mask() instanceof AttentionMask.Ranges) {
                return true;
            }
        }
        return false;
    }

    /// Gives the rows to run slots to be written, see [PageTable#reserve]; to be called within a use of each page table. Hot.
    ///
    /// @throws OutOfPagesException if a pool has too few free pages; then those of some segments are reserved
    public void reservePages() {
        for (int i = 0; i < size; i++) {
            if (segments[i].firstSlot() != Segment.NO_SLOT) {
                pageTables[i].reserve(segments[i].firstSlot(), segments[i].firstSlot() + segments[i].rows());
            }
        }
    }

    /// Checks what statistics are asked for.
    ///
    /// @param vocabulary width of a row of logits, 0 if there are none
    /// @throws IllegalArgumentException if there are no logits, or as [org.gatun.sampling.RowStatistics#requireFor]
    public void requireStatistics(int vocabulary) {
        for (int i = 0; i < size; i++) {
            if (segments[i].statistics() != null) {
                if (vocabulary == 0) {
                    throw new IllegalArgumentException("row statistics in segment " + i + ": the plan has no logits");
                }
                segments[i].statistics().requireFor(segments[i].selectedRows(), vocabulary);
            }
        }
    }

    /// Whether a segment samples, so that there is something to verify.
    public boolean samples() {
        for (int i = 0; i < size; i++) {
            if (segments[i].samples()) {
                return true;
            }
        }
        return false;
    }

    /// Checks that there is something to verify, and how tokens are sampled.
    ///
    /// @param vocabulary width of a row of logits
    /// @throws IllegalStateException if no segment samples
    /// @throws IllegalArgumentException as [Segment#requireSampling]
    public void requireSampling(int vocabulary) {
        if (!samples()) {
            throw new IllegalStateException("a batch that samples no tokens: expected Segment.sample() before it is verified");
        }
        for (int i = 0; i < size; i++) {
            if (segments[i].samples()) {
                segments[i].requireSampling(vocabulary);
            }
        }
    }

    /// Checks that so many tokens can be sampled one after the other from the only segment.
    ///
    /// @throws IllegalStateException if there is not one segment
    /// @throws IllegalArgumentException if their number is out of range, there are not so many slots, statistics are asked for, or there is
    ///         a token mask, which is of the first token only
    public void requireChain(BatchLimits limits, int count) {
        Segment segment = onlySegment();
        if (count < 1 || count > limits.treeRows() || (long) segment.committed() + count > pageTables[0].slots()) {
            throw new IllegalArgumentException("sampling " + count + " tokens after " + segment.committed() + " slots: expected 1 to "
                    + limits.treeRows() + ", and the page table holds " + pageTables[0].slots() + " slots");
        }
        if (segment.statistics() != null) {
            throw new IllegalArgumentException("row statistics of a chain of tokens: expected none");
        }
        if (count > 1 && segment.samples() && segment.request().masks() != null) {
            throw new IllegalArgumentException("sampling " + count + " tokens under a token mask: expected one, as the next has another mask");
        }
    }
}
