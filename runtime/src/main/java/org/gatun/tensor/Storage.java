package org.gatun.tensor;

/// What the types of elements share: sizes.
///
/// @param blockElements elements that are stored together
/// @param blockBytes that they take
/// @param headerBytes before the blocks of each row
record Storage(int blockElements, int blockBytes, int headerBytes) {

    boolean isQuantized() {
        return blockElements > 1 || headerBytes > 0;
    }

    long rowBytes(DType type, long columns) {
        if (columns < 0 || columns % blockElements != 0) {
            throw new IllegalArgumentException(columns + " elements of " + type + ": expected a multiple of " + blockElements);
        }
        return Math.addExact(headerBytes, Math.multiplyExact(columns / blockElements, (long) blockBytes));
    }

    long byteSize(DType type, Shape shape) {
        return Math.multiplyExact(shape.rows(), rowBytes(type, shape.columns()));
    }
}
