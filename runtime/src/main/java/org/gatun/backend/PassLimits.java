package org.gatun.backend;

/// How large passes can get; buffers are sized by it.
///
/// @param rows most rows of a causal pass
/// @param treeRows most rows of a tree pass, and most rows whose logits can be asked for; a multiple of 64
public record PassLimits(int rows, int treeRows) {

    /// @throws IllegalArgumentException if a number is not positive, `treeRows` no multiple of 64 or more than `rows`
    public PassLimits {
        if (rows < treeRows || treeRows <= 0 || treeRows % 64 != 0) {
            throw new IllegalArgumentException("passes of " + rows + " rows, trees of " + treeRows
                    + ": expected a positive multiple of 64 for trees, and at least as many for passes");
        }
    }
}
