package org.gatun.cuda;

/// A parameter of a kernel, as its PTX declares it.
///
/// @param type of the value
/// @param byteSize of the value
/// @param byteAlignment of the value
public record KernelParameter(Type type, int byteSize, int byteAlignment) {
    /// What an argument is. The PTX of a parameter does not tell an address from a 64-bit number, nor signed from unsigned.
    public enum Type {
        BITS_8(1), BITS_16(2), BITS_32(4), BITS_64(8), FLOAT(4), DOUBLE(8),
        /// Of device memory: a field of a [KernelStructure].
        ADDRESS(8),
        /// A structure or an array, of any size.
        BYTES(1);

        private final int byteSize;

        Type(int byteSize) {
            this.byteSize = byteSize;
        }

        /// Bytes of one; for [#BYTES] of an element.
        int byteSize() {
            return byteSize;
        }
    }
}
