package org.gatun.cuda;

/// A parameter of a kernel, as its PTX declares it.
///
/// @param type of the value
/// @param byteSize of the value
/// @param byteAlignment of the value
public record KernelParameter(Type type, int byteSize, int byteAlignment) {
    /// What a parameter takes. PTX does not tell a pointer from a 64-bit number, nor signed from unsigned.
    public enum Type { BITS_8, BITS_16, BITS_32, BITS_64, FLOAT, DOUBLE, BYTES }
}
