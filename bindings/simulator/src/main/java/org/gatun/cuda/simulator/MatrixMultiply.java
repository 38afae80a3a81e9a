package org.gatun.cuda.simulator;

import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.cuda.simulator.NarrowFloats.Format;

/// A shape and types of `mma`: D = A·B + C, matrices spread over the registers of 32 threads.
///
/// With `g` the thread's number over 4, `t` the rest, and `E` elements to a register, A's register `i` holds row `g`, or `g + 8` where
/// `i` is odd, from column `E·t + 4E·(i / 2)`; B's holds column `g` from row `E·t + 4E·i`; C and D hold row `g`, then `g + 8`, from column
/// `2t` (PTX ISA, "Matrix fragments for mma"). A sparse A has two of every four elements along k; the others are given by metadata
/// (PTX ISA, "Sparse matrix storage").
///
/// Products are exact; sums run over k in order in f32, where a GPU may sum in another order and with a few bits more.
final class MatrixMultiply {
    private static final Pattern OPCODE = Pattern.compile(
            "mma\\.(sp(?:::ordered_metadata)?\\.)?sync\\.aligned\\.m(\\d+)n8k(\\d+)\\.row\\.col(\\.satfinite)?\\.(\\w+)\\.(\\w+)\\.(\\w+)\\.(\\w+)");

    private enum Element {
        F16(16, false), BF16(16, false), TF32(32, false), E4M3(8, false), E5M2(8, false), S8(8, true), U8(8, true);

        final int bits;
        final boolean whole;

        Element(int bits, boolean whole) {
            this.bits = bits;
            this.whole = whole;
        }

        int perRegister() {
            return 32 / bits;
        }

        static Element of(String type) {
            for (Element each : values()) {
                if (each.name().equalsIgnoreCase(type)) {
                    return each;
                }
            }
            return null;
        }
    }

    private final int rows;
    private final int depth;
    private final boolean sparse;
    private final Element left;
    private final Element right;
    private final String result;
    private final boolean halfResult;
    private final boolean saturate;

    private MatrixMultiply(int rows, int depth, boolean sparse, Element left, Element right, String result, boolean saturate) {
        this.rows = rows;
        this.depth = depth;
        this.sparse = sparse;
        this.left = left;
        this.right = right;
        this.result = result;
        halfResult = result.equals("f16");
        this.saturate = saturate;
    }

    /// Null if there is no such shape and types, or they are not supported.
    static MatrixMultiply find(String opcode) {
        Matcher matcher = OPCODE.matcher(opcode);
        if (!matcher.matches() || !matcher.group(5).equals(matcher.group(8))) {
            return null;
        }
        boolean sparse = matcher.group(1) != null;
        int rows = Integer.parseInt(matcher.group(2));
        int depth = Integer.parseInt(matcher.group(3));
        Element left = Element.of(matcher.group(6));
        Element right = Element.of(matcher.group(7));
        String result = matcher.group(5);
        boolean saturate = matcher.group(4) != null;
        boolean supported = left != null && right != null && isShape(rows, depth, sparse, left) && switch (result) {
            case "f32" -> !left.whole && !right.whole && !saturate;
            case "f16" -> left != Element.BF16 && left != Element.TF32 && !left.whole && !right.whole && !saturate;
            case "s32" -> left.whole && right.whole;
            default -> false;
        } && (left == right || left.bits == 8);
        return supported ? new MatrixMultiply(rows, depth, sparse, left, right, result, saturate) : null;
    }

    private static boolean isShape(int rows, int depth, boolean sparse, Element left) {
        int min = switch (left) {
            case TF32 -> 4;
            case F16, BF16 -> 8;
            case E4M3, E5M2, S8, U8 -> 16;
        };
        if (rows == 8) {
            return left.whole && depth == 16 && !sparse;
        }
        if (rows != 16 || sparse && left == Element.TF32) {
            return false;
        }
        int wide = sparse ? 2 * min : min;
        return depth == wide || depth == 2 * wide;
    }

    boolean isSparse() {
        return sparse;
    }

    /// The class of a register of C and D.
    char resultKind() {
        return result.equals("f32") ? 'F' : 'I';
    }

    int resultRegisters() {
        return rows / 4 / (halfResult ? 2 : 1);
    }

    char leftKind() {
        return 'I';
    }

    int leftRegisters() {
        return rows * leftDepth() * left.bits / 32 / Warp.SIZE;
    }

    char rightKind() {
        return 'I';
    }

    int rightRegisters() {
        return 8 * depth * right.bits / 32 / Warp.SIZE;
    }

    private int leftDepth() {
        return sparse ? depth / 2 : depth;
    }

    /// Computes a warp's product. Registers are as [Registers] has them; those of `d` may be those of `c`.
    ///
    /// @param metadata of a sparse product, else null
    /// @param selector which threads' metadata counts
    void execute(MatrixScratch scratch, Object[] d, Object[] a, Object[] b, Object[] c, int[] metadata, int selector) {
        if (left.whole) {
            for (int i = 0; i < a.length; i++) {
                gatherLeft(scratch.leftInts, (int[]) a[i], i);
            }
            for (int i = 0; i < b.length; i++) {
                gatherRight(scratch.rightInts, (int[]) b[i], i);
            }
            int[] matrix = scratch.leftInts;
            if (sparse) {
                matrix = scratch.expandedInts;
                Arrays.fill(matrix, 0, rows * depth, 0);
                for (int j = 0; j < rows * leftDepth(); j++) {
                    matrix[place(j, metadata, selector)] = scratch.leftInts[j];
                }
            }
            multiplyInts(matrix, scratch.rightInts, d, c);
            return;
        }
        for (int i = 0; i < a.length; i++) {
            gatherLeft(scratch.left, (int[]) a[i], i);
        }
        for (int i = 0; i < b.length; i++) {
            gatherRight(scratch.right, (int[]) b[i], i);
        }
        float[] matrix = scratch.left;
        if (sparse) {
            matrix = scratch.expanded;
            Arrays.fill(matrix, 0, rows * depth, 0);
            for (int j = 0; j < rows * leftDepth(); j++) {
                matrix[place(j, metadata, selector)] = scratch.left[j];
            }
        }
        multiplyFloats(matrix, scratch.right, d, c);
    }

    /// Where the element of a compressed matrix stands in the whole one.
    private int place(int index, int[] metadata, int selector) {
        int row = index / leftDepth();
        int element = index % leftDepth();
        int group = element >> 1;
        int lane = 4 * (row & 7);
        int nibble;
        if (left.bits == 16) {
            // A thread has four groups of row g in its lower half, of row g + 8 in its upper one.
            int thread = depth == 16 ? selector & 3 : 2 * (selector & 1) + (group >> 2);
            nibble = metadata[lane + thread] >>> (row < 8 ? 0 : 16) + 4 * (group & 3);
        } else {
            // A thread has eight groups of one row.
            int thread = (depth == 32 ? 2 * (selector & 1) : 2 * (group >> 3)) + (row < 8 ? 0 : 1);
            nibble = metadata[lane + thread] >>> 4 * (group & 7);
        }
        return row * depth + 4 * group + (nibble >>> 2 * (element & 1) & 3);
    }

    private int leftRow(int lane, int register) {
        return (lane >> 2) + (rows == 16 ? 8 * (register & 1) : 0);
    }

    private int leftColumn(int lane, int register) {
        int elements = left.perRegister();
        return elements * (lane & 3) + 4 * elements * (rows == 16 ? register >> 1 : register);
    }

    private void gatherLeft(float[] matrix, int[] register, int number) {
        int columns = leftDepth();
        for (int lane = 0; lane < Warp.SIZE; lane++) {
            decode(matrix, leftRow(lane, number) * columns + leftColumn(lane, number), 1, register[lane], left);
        }
    }

    private void gatherRight(float[] matrix, int[] register, int number) {
        int elements = right.perRegister();
        for (int lane = 0; lane < Warp.SIZE; lane++) {
            int row = elements * (lane & 3) + 4 * elements * number;
            decode(matrix, 8 * row + (lane >> 2), 8, register[lane], right);
        }
    }

    private static void decode(float[] matrix, int at, int step, int word, Element type) {
        switch (type) {
            case BF16 -> {
                matrix[at] = Float.intBitsToFloat(word << 16);
                matrix[at + step] = Float.intBitsToFloat(word & 0xffff0000);
            }
            case F16 -> {
                matrix[at] = Float.float16ToFloat((short) word);
                matrix[at + step] = Float.float16ToFloat((short) (word >>> 16));
            }
            case TF32 -> matrix[at] = Float.intBitsToFloat(word & ~0x1fff);
            case E4M3, E5M2 -> {
                Format format = type == Element.E4M3 ? Format.E4M3 : Format.E5M2;
                for (int i = 0; i < 4; i++) {
                    matrix[at + i * step] = format.decode(word >>> 8 * i & 0xff);
                }
            }
            case S8, U8 -> throw new AssertionError(type);
        }
    }

    private void gatherLeft(int[] matrix, int[] register, int number) {
        for (int lane = 0; lane < Warp.SIZE; lane++) {
            decode(matrix, leftRow(lane, number) * leftDepth() + leftColumn(lane, number), 1, register[lane], left);
        }
    }

    private void gatherRight(int[] matrix, int[] register, int number) {
        for (int lane = 0; lane < Warp.SIZE; lane++) {
            decode(matrix, 8 * (4 * (lane & 3) + 16 * number) + (lane >> 2), 8, register[lane], right);
        }
    }

    private static void decode(int[] matrix, int at, int step, int word, Element type) {
        for (int i = 0; i < 4; i++) {
            matrix[at + i * step] = type == Element.S8 ? (byte) (word >>> 8 * i) : word >>> 8 * i & 0xff;
        }
    }

    private void multiplyFloats(float[] a, float[] b, Object[] d, Object[] c) {
        for (int row = 0; row < rows; row++) {
            float s0 = start(c, row, 0);
            float s1 = start(c, row, 1);
            float s2 = start(c, row, 2);
            float s3 = start(c, row, 3);
            float s4 = start(c, row, 4);
            float s5 = start(c, row, 5);
            float s6 = start(c, row, 6);
            float s7 = start(c, row, 7);
            for (int k = 0; k < depth; k++) {
                float x = a[row * depth + k];
                int at = 8 * k;
                s0 += x * b[at];
                s1 += x * b[at + 1];
                s2 += x * b[at + 2];
                s3 += x * b[at + 3];
                s4 += x * b[at + 4];
                s5 += x * b[at + 5];
                s6 += x * b[at + 6];
                s7 += x * b[at + 7];
            }
            finish(d, row, 0, s0, s1);
            finish(d, row, 2, s2, s3);
            finish(d, row, 4, s4, s5);
            finish(d, row, 6, s6, s7);
        }
    }

    private float start(Object[] c, int row, int column) {
        int lane = 4 * (row & 7) + (column >> 1);
        if (halfResult) {
            return NarrowFloats.f16ToFloat(((int[]) c[row >> 3])[lane] >>> 16 * (column & 1) & 0xffff);
        }
        return ((float[]) c[2 * (row >> 3) + (column & 1)])[lane];
    }

    private void finish(Object[] d, int row, int column, float even, float odd) {
        int lane = 4 * (row & 7) + (column >> 1);
        if (halfResult) {
            ((int[]) d[row >> 3])[lane] = NarrowFloats.floatToF16(even) | NarrowFloats.floatToF16(odd) << 16;
        } else {
            ((float[]) d[2 * (row >> 3)])[lane] = even;
            ((float[]) d[2 * (row >> 3) + 1])[lane] = odd;
        }
    }

    private void multiplyInts(int[] a, int[] b, Object[] d, Object[] c) {
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < 8; column++) {
                int register = 2 * (row >> 3) + (column & 1);
                int lane = 4 * (row & 7) + (column >> 1);
                long sum = ((int[]) c[register])[lane];
                for (int k = 0; k < depth; k++) {
                    sum += (long) a[row * depth + k] * b[8 * k + column];
                }
                ((int[]) d[register])[lane] = saturate ? Math.clamp(sum, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) sum;
            }
        }
    }
}
