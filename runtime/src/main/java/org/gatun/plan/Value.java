package org.gatun.plan;

/// An activation that one op writes and later ops read: `[rows, width] f32`.
///
/// @param id index of the value in its plan
/// @param width elements a row
/// @param rows which rows of the pass it has
public record Value(int id, int width, Rows rows) {

    /// Which rows of a pass a value holds.
    public enum Rows {
        /// One row a token of the pass.
        ALL,
        /// Only the rows whose result the caller asked for, see [Op.SelectRows].
        SELECTED
    }

    /// @throws IllegalArgumentException if the width is not positive
    public Value {
        if (width <= 0) {
            throw new IllegalArgumentException("value of width " + width + ": expected a positive width");
        }
    }
}
