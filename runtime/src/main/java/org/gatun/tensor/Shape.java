package org.gatun.tensor;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/// The dimensions of a tensor, outermost first; row-major, the last dimension is contiguous.
///
/// @param dimensions sizes, none negative; empty for a scalar
public record Shape(List<Long> dimensions) {

    /// @throws IllegalArgumentException if a dimension is negative
    /// @throws ArithmeticException if the number of elements is beyond a `long`
    public Shape {
        dimensions = List.copyOf(dimensions);
        long elements = 1;
        for (long dimension : dimensions) {
            if (dimension < 0) {
                throw new IllegalArgumentException("dimension " + dimension + " in shape " + dimensions + " is negative");
            }
            elements = Math.multiplyExact(elements, dimension);
        }
    }

    /// A shape from its dimensions, outermost first.
    public static Shape of(long... dimensions) {
        return new Shape(Arrays.stream(dimensions).boxed().toList());
    }

    /// Number of dimensions.
    public int rank() {
        return dimensions.size();
    }

    /// Size of dimension `index`, counted from the outermost.
    public long dimension(int index) {
        return dimensions.get(index);
    }

    /// Size of the innermost dimension; 1 for a scalar.
    public long columns() {
        return dimensions.isEmpty() ? 1 : dimensions.getLast();
    }

    /// Number of rows: the product of all dimensions but the innermost, 0 if that is 0.
    public long rows() {
        return columns() == 0 ? 0 : elements() / columns();
    }

    /// Number of elements.
    public long elements() {
        long elements = 1;
        for (long dimension : dimensions) {
            elements *= dimension;
        }
        return elements;
    }

    /// As `[4096, 1024]`.
    @Override
    public String toString() {
        return dimensions.stream().map(Object::toString).collect(Collectors.joining(", ", "[", "]"));
    }
}
