package org.gatun.cuda.simulator;

/// Where a matrix that the tensor cores read themselves lies in shared memory: lines of elements of 16 bits along `k`, as 64 bits of a
/// register say it (PTX ISA, "Asynchronous warpgroup level matrix shared memory layout").
///
/// Known is the layout of rows of 128 bytes whose 16-byte chunks are swapped: chunk `c` of row `r` lies at `c ^ (r % 8)`, eight rows to
/// 1,024 bytes. Those of a transposed matrix are 64 lines at one `k`.
///
/// @param start address of the first element, a multiple of 1,024 up to the place in a row
/// @param leading bytes from 64 lines to the next 64, of a transposed matrix
/// @param stride bytes from eight rows to the next eight
record MatrixDescriptor(int start, int leading, int stride, boolean transposed) {
    /// Elements along `k` of one instruction.
    static final int DEPTH = 16;

    private static final int ROW_BYTES = 128;
    private static final int SWIZZLE_SHIFT = 62;
    private static final int SWIZZLE_128 = 1;

    static MatrixDescriptor of(long bits, boolean transposed) {
        return new MatrixDescriptor(field(bits, 0), field(bits, 16), field(bits, 32), transposed);
    }

    private static int field(long bits, int shift) {
        return (int) (bits >>> shift & 0x3fff) << 4;
    }

    /// What is wrong with the bits of one, null if nothing is.
    static String refusal(long bits, boolean transposed) {
        int start = field(bits, 0);
        int swizzle = (int) (bits >>> SWIZZLE_SHIFT);
        if (swizzle != SWIZZLE_128) {
            return "a matrix in shared memory with swizzling " + swizzle + ": only 1, of 128 bytes, is supported";
        }
        if ((bits >>> 49 & 7) != 0 || (start >>> 7 & 7) != 0) {
            return "a matrix in shared memory at %d with base offset %d: only multiples of 1,024 (and a place in the row) and 0 are supported"
                    .formatted(start, bits >>> 49 & 7);
        }
        int max = transposed ? 0 : ROW_BYTES - DEPTH * Short.BYTES;
        return start % ROW_BYTES <= max ? null
                : "a matrix in shared memory begins at byte %d of a row: expected %d at most".formatted(start % ROW_BYTES, max);
    }

    /// Where an element lies.
    int address(int line, int k) {
        int plain = transposed ? start + line / 64 * leading + k / 8 * stride + k % 8 * ROW_BYTES + line % 64 * Short.BYTES
                : start + line / 8 * stride + line % 8 * ROW_BYTES + k * Short.BYTES;
        return plain ^ (plain >>> 7 & 7) << 4;
    }

    /// Something done with 16 bytes at a time.
    interface Chunks {
        void accept(int address);
    }

    /// Calls it for all that the lines `first` to `first + lines` are in; both are multiples of 8.
    void forChunks(int first, int lines, Chunks chunks) {
        for (int k = 0; k < DEPTH; k += transposed ? 1 : 8) {
            for (int line = first; line < first + lines; line += transposed ? 8 : 1) {
                chunks.accept(address(line, k));
            }
        }
    }
}
