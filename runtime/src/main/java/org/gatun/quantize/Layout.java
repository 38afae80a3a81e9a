package org.gatun.quantize;

import java.lang.foreign.MemorySegment;

/// How one block of elements is laid out in memory. [Codec] checks bounds and that what it encodes is finite.
sealed interface Layout permits PlainLayout, ByteLayout, NibbleLayout, SuperBlockLayout, CodebookLayout, SignedLayout,
        SparseLayout {

    /// Decodes the block at `offset`.
    void decode(MemorySegment source, long offset, float[] target, int targetOffset);

    /// Encodes finite elements into the block at `offset`.
    ///
    /// @throws IllegalArgumentException if an element is too large
    void encode(float[] source, int sourceOffset, MemorySegment target, long offset);

    /// Whether the block at `offset` is one that encoding can make, numbers aside.
    default boolean isSound(MemorySegment source, long offset) {
        return true;
    }
}
