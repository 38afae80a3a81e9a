package org.gatun.tensor;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A named, typed view of memory that somebody else owns: a weight in a mapped file, say.
/// Valid as long as the owner of `data` is open.
///
/// @param name as in the model file
/// @param dtype how elements are stored
/// @param shape dimensions, outermost first
/// @param data exactly the bytes of the elements, row-major, little-endian
public record Tensor(String name, DType dtype, Shape shape, MemorySegment data) {

    /// @throws IllegalArgumentException if `data` has not the size that type and shape ask for, or rows of a quantized type
    ///         are no multiple of its block
    public Tensor {
        Objects.requireNonNull(name, "name");
        if (shape.columns() % dtype.blockElements() != 0) {
            throw new IllegalArgumentException("tensor " + name + " " + shape + " " + dtype + ": expected rows of a multiple of "
                    + dtype.blockElements() + " elements");
        }
        long expected = dtype.byteSize(shape);
        if (data.byteSize() != expected) {
            throw new IllegalArgumentException("tensor " + name + " " + shape + " " + dtype + ": found "
                    + data.byteSize() + " bytes, expected " + expected);
        }
    }

    /// Number of rows of a matrix `[rows, columns]`; 1 for a vector.
    ///
    /// @throws IllegalArgumentException if the tensor has more than two dimensions, or 2³¹ rows or more
    public int rows() {
        return switch (shape.rank()) {
            case 0, 1 -> 1;
            case 2 -> size(shape.dimension(0));
            default -> throw new IllegalArgumentException("tensor " + name + " " + shape + " is no matrix");
        };
    }

    /// Number of columns of a matrix `[rows, columns]`, the length of a vector.
    ///
    /// @throws IllegalArgumentException if there are 2³¹ or more
    public int columns() {
        return size(shape.columns());
    }

    private int size(long dimension) {
        if (dimension > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("tensor " + name + " " + shape + ": expected dimensions below 2^31");
        }
        return (int) dimension;
    }
}
