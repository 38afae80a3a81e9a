package org.gatun.cuda.simulator;

/// The arrays that registers of a warp are: `int[32]` for 16 and 32 bits, `float[32]`, `long[32]`, `double[32]`, and `int[1]` for
/// predicates, a bit a thread.
final class Registers {
    private Registers() {}

    static Object allocate(char kind) {
        return switch (kind) {
            case 'P' -> new int[1];
            case 'H', 'I' -> new int[Warp.SIZE];
            case 'F' -> new float[Warp.SIZE];
            case 'L' -> new long[Warp.SIZE];
            case 'D' -> new double[Warp.SIZE];
            default -> throw new AssertionError(kind);
        };
    }

    /// Takes the lanes in `mask` from `source`.
    static void merge(Object target, Object source, int mask) {
        switch (target) {
            case int[] to when to.length == 1 -> to[0] = to[0] & ~mask | ((int[]) source)[0] & mask;
            case int[] to -> {
                int[] from = (int[]) source;
                for (int m = mask; m != 0; m &= m - 1) {
                    int lane = Integer.numberOfTrailingZeros(m);
                    to[lane] = from[lane];
                }
            }
            case float[] to -> {
                float[] from = (float[]) source;
                for (int m = mask; m != 0; m &= m - 1) {
                    int lane = Integer.numberOfTrailingZeros(m);
                    to[lane] = from[lane];
                }
            }
            case long[] to -> {
                long[] from = (long[]) source;
                for (int m = mask; m != 0; m &= m - 1) {
                    int lane = Integer.numberOfTrailingZeros(m);
                    to[lane] = from[lane];
                }
            }
            case double[] to -> {
                double[] from = (double[]) source;
                for (int m = mask; m != 0; m &= m - 1) {
                    int lane = Integer.numberOfTrailingZeros(m);
                    to[lane] = from[lane];
                }
            }
            default -> throw new AssertionError(target);
        }
    }

    /// The bits of a lane, zero-extended.
    static long bits(Object register, int lane) {
        return switch (register) {
            case int[] ints -> ints[lane] & 0xffffffffL;
            case float[] floats -> Float.floatToRawIntBits(floats[lane]) & 0xffffffffL;
            case long[] longs -> longs[lane];
            case double[] doubles -> Double.doubleToRawLongBits(doubles[lane]);
            default -> throw new AssertionError(register);
        };
    }

    static void setBits(Object register, int lane, long bits) {
        switch (register) {
            case int[] ints -> ints[lane] = (int) bits;
            case float[] floats -> floats[lane] = Float.intBitsToFloat((int) bits);
            case long[] longs -> longs[lane] = bits;
            case double[] doubles -> doubles[lane] = Double.longBitsToDouble(bits);
            default -> throw new AssertionError(register);
        }
    }

    /// A register with the same bits in each lane.
    static Object constant(char kind, long bits) {
        Object register = allocate(kind);
        if (kind == 'P') {
            ((int[]) register)[0] = bits == 0 ? 0 : -1;
            return register;
        }
        for (int lane = 0; lane < Warp.SIZE; lane++) {
            setBits(register, lane, kind == 'H' ? bits & 0xffff : bits);
        }
        return register;
    }
}
