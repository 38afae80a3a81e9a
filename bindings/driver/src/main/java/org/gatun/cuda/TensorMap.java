package org.gatun.cuda;

import java.util.List;

/// A tensor in device memory as bulk tensor copies see it.
///
/// @param elementType the driver's `CUtensorMapDataType`
/// @param address of the first element, a multiple of 16
/// @param sizes in elements, the fastest dimension first; 1 to 5
/// @param strides in bytes of all dimensions but the fastest
/// @param box elements of each dimension that one copy brings
/// @param swizzle how the rows of a box are permuted in shared memory
public record TensorMap(ElementType elementType, long address, List<Long> sizes, List<Long> strides, List<Integer> box,
        Swizzle swizzle) {
    /// Element types; the driver's numbering.
    public enum ElementType { U8, U16, U32, S32, U64, S64, F16, F32, F64, BF16 }

    /// Permutations of 16-byte chunks; the driver's numbering.
    public enum Swizzle { NONE, BYTES_32, BYTES_64, BYTES_128 }

    public TensorMap {
        sizes = List.copyOf(sizes);
        strides = List.copyOf(strides);
        box = List.copyOf(box);
        if (sizes.isEmpty() || sizes.size() > 5 || strides.size() != sizes.size() - 1 || box.size() != sizes.size()) {
            throw new IllegalArgumentException("tensor map with sizes %s, strides %s, box %s: expected 1 to 5 sizes, one stride less, as many of the box"
                    .formatted(sizes, strides, box));
        }
    }
}
