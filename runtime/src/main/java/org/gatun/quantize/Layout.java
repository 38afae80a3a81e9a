package org.gatun.quantize;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// How one block of elements is laid out in memory. [Codec] checks bounds and that what it encodes is finite.
sealed interface Layout permits PlainLayout, ByteLayout, NibbleLayout, SuperBlockLayout, CodebookLayout, SignedLayout,
        SparseLayout, MicroscaledLayout, BlocksOfFourLayout {

    /// Decodes the block at `offset`.
    void decode(MemorySegment source, long offset, float[] target, int targetOffset);

    /// Encodes finite elements into the block at `offset`.
    ///
    /// @throws IllegalArgumentException if an element is too large
    void encode(float[] source, int sourceOffset, MemorySegment target, long offset);

    /// What elements of the block at `offset` have that encoding cannot make, numbers aside.
    default Optional<String> damage(MemorySegment source, long offset) {
        return Optional.empty();
    }
}
