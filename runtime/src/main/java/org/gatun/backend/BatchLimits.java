package org.gatun.backend;

/// How large batches can get; buffers are sized by it.
///
/// @param rows most rows of a batch, over all segments, and most of a causal segment
/// @param treeRows most rows of a tree; a multiple of 64
/// @param logitsRows most rows of a batch whose logits can be asked for
/// @param segments most segments of a batch
public record BatchLimits(int rows, int treeRows, int logitsRows, int segments) {

    /// @throws IllegalArgumentException if a number is not positive, `treeRows` no multiple of 64, or there are fewer rows than rows of a
    ///         tree, rows with logits or segments
    public BatchLimits {
        if (treeRows <= 0 || treeRows % 64 != 0 || logitsRows <= 0 || segments <= 0
                || rows < Math.max(treeRows, Math.max(logitsRows, segments))) {
            throw new IllegalArgumentException("batches of " + rows + " rows, trees of " + treeRows + ", " + logitsRows
                    + " rows with logits and " + segments + " segments: expected a positive multiple of 64 for trees, positive numbers, "
                    + "and at least as many rows as any of them");
        }
    }

    /// For batches of one segment, which may ask for the logits of as many rows as a tree has.
    public BatchLimits(int rows, int treeRows) {
        this(rows, treeRows, treeRows, 1);
    }
}
