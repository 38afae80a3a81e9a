package org.gatun.cuda.simulator;

import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A shape and type of `wgmma.mma_async`: D = A·B + D, 64 rows by up to 256 columns, of which each of four warps has 16 rows.
///
/// A warp's part of A and D lies in its registers as that of `mma` does ([MatrixMultiply]), eight columns to four registers of D; or A
/// is read from shared memory, as B always is ([MatrixDescriptor]). Products are exact; sums run over k in order in f32 from what D
/// holds, as those of `mma` do here: a GPU may sum in another order and with a few bits more or less, and not in the same one for both.
final class WarpgroupMultiply {
    static final int MAX_COLUMNS = 256;

    private static final Pattern OPCODE = Pattern.compile(
            "wgmma\\.mma_async\\.sync\\.aligned\\.m64n(\\d+)k16\\.f32\\.(bf16\\.bf16|f16\\.f16)");
    private static final int ROWS = 16;
    private static final int DEPTH = MatrixDescriptor.DEPTH;

    private final int columns;
    private final boolean half;

    private WarpgroupMultiply(int columns, boolean half) {
        this.columns = columns;
        this.half = half;
    }

    /// Null if there is no such shape and type, or it is not supported.
    static WarpgroupMultiply find(String opcode) {
        Matcher matcher = OPCODE.matcher(opcode);
        if (!matcher.matches()) {
            return null;
        }
        int columns = Integer.parseInt(matcher.group(1));
        return columns % 8 != 0 || columns < 8 || columns > MAX_COLUMNS ? null
                : new WarpgroupMultiply(columns, matcher.group(2).startsWith("f16"));
    }

    int columns() {
        return columns;
    }

    int resultRegisters() {
        return columns / 2;
    }

    static int leftRegisters() {
        return 4;
    }

    /// Reads a warp's part of A from its registers.
    void left(MatrixScratch scratch, Object[] a) {
        for (int i = 0; i < a.length; i++) {
            int[] register = (int[]) a[i];
            for (int lane = 0; lane < Warp.SIZE; lane++) {
                int at = ((lane >> 2) + 8 * (i & 1)) * DEPTH + 2 * (lane & 3) + 8 * (i >> 1);
                scratch.left[at] = low(register[lane]);
                scratch.left[at + 1] = high(register[lane]);
            }
        }
    }

    /// Reads a warp's part of A from shared memory.
    ///
    /// @param first of its rows
    void left(MatrixScratch scratch, SharedMemory shared, MatrixDescriptor a, int first) {
        read(scratch.left, shared, a, first, ROWS, DEPTH, 1);
    }

    /// Reads B.
    void right(MatrixScratch scratch, SharedMemory shared, MatrixDescriptor b) {
        read(scratch.wide, shared, b, 0, columns, 1, columns);
    }

    private void read(float[] matrix, SharedMemory shared, MatrixDescriptor descriptor, int first, int lines, int lineStep, int depthStep) {
        boolean transposed = descriptor.transposed();
        int next = transposed ? lineStep : depthStep;
        for (int k = 0; k < DEPTH; k += transposed ? 1 : 2) {
            for (int line = 0; line < lines; line += transposed ? 2 : 1) {
                int word = shared.getInt(descriptor.address(first + line, k));
                int at = line * lineStep + k * depthStep;
                matrix[at] = low(word);
                matrix[at + next] = high(word);
            }
        }
    }

    private float low(int word) {
        return half ? Float.float16ToFloat((short) word) : Float.intBitsToFloat(word << 16);
    }

    private float high(int word) {
        return half ? Float.float16ToFloat((short) (word >>> 16)) : Float.intBitsToFloat(word & 0xffff0000);
    }

    /// Multiplies what was read.
    ///
    /// @param accumulates whether D is added, or else written only
    /// @param negates whether the product is subtracted
    void execute(MatrixScratch scratch, Object[] d, boolean accumulates, boolean negates) {
        float[] sums = scratch.wideSums;
        float[] right = scratch.wide;
        for (int row = 0; row < ROWS; row++) {
            int lane = 4 * (row & 7);
            int register = 2 * (row >> 3);
            if (accumulates) {
                for (int column = 0; column < columns; column++) {
                    sums[column] = ((float[]) d[column / 8 * 4 + register + (column & 1)])[lane + (column & 7) / 2];
                }
            } else {
                Arrays.fill(sums, 0, columns, 0);
            }
            for (int k = 0; k < DEPTH; k++) {
                float x = negates ? -scratch.left[row * DEPTH + k] : scratch.left[row * DEPTH + k];
                int at = k * columns;
                for (int column = 0; column < columns; column++) {
                    sums[column] += x * right[at + column];
                }
            }
            for (int column = 0; column < columns; column++) {
                ((float[]) d[column / 8 * 4 + register + (column & 1)])[lane + (column & 7) / 2] = sums[column];
            }
        }
    }
}
