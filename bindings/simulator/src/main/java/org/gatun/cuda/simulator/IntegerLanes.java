package org.gatun.cuda.simulator;

import java.util.List;
import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;

/// Arithmetic on whole numbers of 16, 32 and 64 bits. Division by zero gives all ones, which PTX leaves open.
final class IntegerLanes {
    private static final int SIZE = Warp.SIZE;

    private IntegerLanes() {}

    static void register(Arithmetic.Forms forms) {
        for (String sign : List.of("s", "u")) {
            forms.add("add." + sign + "32", "III", (d, a, b, _, _) -> add((int[]) d, (int[]) a, (int[]) b));
            forms.add("sub." + sign + "32", "III", (d, a, b, _, _) -> subtract((int[]) d, (int[]) a, (int[]) b));
            forms.add("mul.lo." + sign + "32", "III", (d, a, b, _, _) -> multiply((int[]) d, (int[]) a, (int[]) b));
            forms.add("mad.lo." + sign + "32", "IIII",
                    (d, a, b, c, _) -> multiplyAdd((int[]) d, (int[]) a, (int[]) b, (int[]) c));
            forms.add("add." + sign + "64", "LLL", (d, a, b, _, _) -> add((long[]) d, (long[]) a, (long[]) b));
            forms.add("sub." + sign + "64", "LLL", (d, a, b, _, _) -> subtract((long[]) d, (long[]) a, (long[]) b));
            forms.add("mul.lo." + sign + "64", "LLL", (d, a, b, _, _) -> multiply((long[]) d, (long[]) a, (long[]) b));
            forms.add("mad.lo." + sign + "64", "LLLL",
                    (d, a, b, c, _) -> multiplyAdd((long[]) d, (long[]) a, (long[]) b, (long[]) c));
            shorts(forms, "add." + sign + "16", (a, b) -> a + b);
            shorts(forms, "sub." + sign + "16", (a, b) -> a - b);
            shorts(forms, "mul.lo." + sign + "16", (a, b) -> a * b);
            forms.add("mad.lo." + sign + "16", "HHHH", (d, a, b, c, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    ((int[]) d)[i] = ((int[]) a)[i] * ((int[]) b)[i] + ((int[]) c)[i] & 0xffff;
                }
            });
        }
        forms.add("mul.wide.s32", "LII", (d, a, b, _, _) -> multiplyWide((long[]) d, (int[]) a, (int[]) b));
        forms.add("mul.wide.u32", "LII", (d, a, b, _, _) -> multiplyWideUnsigned((long[]) d, (int[]) a, (int[]) b));
        forms.add("mad.wide.s32", "LIIL",
                (d, a, b, c, _) -> multiplyWideAdd((long[]) d, (int[]) a, (int[]) b, (long[]) c));
        forms.add("mad.wide.u32", "LIIL",
                (d, a, b, c, _) -> multiplyWideAddUnsigned((long[]) d, (int[]) a, (int[]) b, (long[]) c));
        forms.add("mul.wide.s16", "IHH", (d, a, b, _, _) -> each(d, a, b, (x, y) -> (short) x * (short) y));
        forms.add("mul.wide.u16", "IHH", (d, a, b, _, _) -> each(d, a, b, (x, y) -> x * y));
        forms.add("mad.wide.s16", "IHHI", (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> (short) x * (short) y + z));
        forms.add("mad.wide.u16", "IHHI", (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> x * y + z));
        ints(forms, "mul.hi.s32", (a, b) -> (int) ((long) a * b >> 32));
        ints(forms, "mul.hi.u32", (a, b) -> (int) (unsigned(a) * unsigned(b) >>> 32));
        shorts(forms, "mul.hi.s16", (a, b) -> (short) a * (short) b >> 16);
        shorts(forms, "mul.hi.u16", (a, b) -> a * b >>> 16);
        longs(forms, "mul.hi.s64", Math::multiplyHigh);
        longs(forms, "mul.hi.u64", Math::unsignedMultiplyHigh);
        forms.add("mad.hi.s32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> (int) ((long) x * y >> 32) + z));
        forms.add("mad.hi.u32", "IIII",
                (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> (int) (unsigned(x) * unsigned(y) >>> 32) + z));
        ints(forms, "mul24.lo.s32", (a, b) -> (a << 8 >> 8) * (b << 8 >> 8));
        ints(forms, "mul24.lo.u32", (a, b) -> (a & 0xffffff) * (b & 0xffffff));
        forms.add("mad24.lo.s32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> (x << 8 >> 8) * (y << 8 >> 8) + z));
        forms.add("mad24.lo.u32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> (x & 0xffffff) * (y & 0xffffff) + z));

        ints(forms, "div.s32", (a, b) -> b == 0 ? -1 : a / b);
        ints(forms, "div.u32", (a, b) -> b == 0 ? -1 : Integer.divideUnsigned(a, b));
        ints(forms, "rem.s32", (a, b) -> b == 0 ? -1 : a % b);
        ints(forms, "rem.u32", (a, b) -> b == 0 ? -1 : Integer.remainderUnsigned(a, b));
        longs(forms, "div.s64", (a, b) -> b == 0 ? -1 : a / b);
        longs(forms, "div.u64", (a, b) -> b == 0 ? -1 : Long.divideUnsigned(a, b));
        longs(forms, "rem.s64", (a, b) -> b == 0 ? -1 : a % b);
        longs(forms, "rem.u64", (a, b) -> b == 0 ? -1 : Long.remainderUnsigned(a, b));
        shorts(forms, "div.s16", (a, b) -> b == 0 ? -1 : (short) a / (short) b);
        shorts(forms, "div.u16", (a, b) -> b == 0 ? -1 : a / b);
        shorts(forms, "rem.s16", (a, b) -> b == 0 ? -1 : (short) a % (short) b);
        shorts(forms, "rem.u16", (a, b) -> b == 0 ? -1 : a % b);

        forms.add("min.s32", "III", (d, a, b, _, _) -> minimum((int[]) d, (int[]) a, (int[]) b));
        forms.add("max.s32", "III", (d, a, b, _, _) -> maximum((int[]) d, (int[]) a, (int[]) b));
        ints(forms, "min.u32", (a, b) -> Integer.compareUnsigned(a, b) <= 0 ? a : b);
        ints(forms, "max.u32", (a, b) -> Integer.compareUnsigned(a, b) >= 0 ? a : b);
        longs(forms, "min.s64", Math::min);
        longs(forms, "max.s64", Math::max);
        longs(forms, "min.u64", (a, b) -> Long.compareUnsigned(a, b) <= 0 ? a : b);
        longs(forms, "max.u64", (a, b) -> Long.compareUnsigned(a, b) >= 0 ? a : b);
        shorts(forms, "min.s16", (a, b) -> Math.min((short) a, (short) b));
        shorts(forms, "max.s16", (a, b) -> Math.max((short) a, (short) b));
        shorts(forms, "min.u16", Math::min);
        shorts(forms, "max.u16", Math::max);
        forms.add("neg.s32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> -x));
        forms.add("abs.s32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) Math::abs));
        forms.add("neg.s64", "LL", (d, a, _, _, _) -> eachLong(d, a, x -> -x));
        forms.add("abs.s64", "LL", (d, a, _, _, _) -> eachLong(d, a, Math::abs));
        forms.add("neg.s16", "HH", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> -x & 0xffff));
        forms.add("abs.s16", "HH", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> Math.abs((short) x) & 0xffff));
        forms.add("sad.s32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> z + (x < y ? y - x : x - y)));
        forms.add("sad.u32", "IIII",
                (d, a, b, c, _) -> each(d, a, b, c, (x, y, z) -> z + (Integer.compareUnsigned(x, y) < 0 ? y - x : x - y)));

        for (String a : List.of("s32", "u32")) {
            for (String b : List.of("s32", "u32")) {
                boolean signedA = a.equals("s32");
                boolean signedB = b.equals("s32");
                forms.add("dp4a." + a + "." + b, "IIII",
                        (d, x, y, z, _) -> dotBytes((int[]) d, (int[]) x, (int[]) y, (int[]) z, signedA, signedB));
                for (int half = 0; half < 2; half++) {
                    int shift = 16 * half;
                    forms.add("dp2a." + (half == 0 ? "lo." : "hi.") + a + "." + b, "IIII",
                            (d, x, y, z, _) -> each(d, x, y, z, (p, q, r) -> r + half(p, 0, signedA) * quarter(q >>> shift, 0, signedB)
                                    + half(p, 1, signedA) * quarter(q >>> shift, 1, signedB)));
                }
            }
        }
    }

    private static int half(int word, int index, boolean signed) {
        int value = word >>> 16 * index & 0xffff;
        return signed ? (short) value : value;
    }

    private static int quarter(int word, int index, boolean signed) {
        int value = word >>> 8 * index & 0xff;
        return signed ? (byte) value : value;
    }

    static long unsigned(int value) {
        return value & 0xffffffffL;
    }

    private static void add(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] + b[i];
        }
    }

    private static void subtract(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] - b[i];
        }
    }

    private static void multiply(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] * b[i];
        }
    }

    private static void multiplyAdd(int[] d, int[] a, int[] b, int[] c) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] * b[i] + c[i];
        }
    }

    private static void add(long[] d, long[] a, long[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] + b[i];
        }
    }

    private static void subtract(long[] d, long[] a, long[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] - b[i];
        }
    }

    private static void multiply(long[] d, long[] a, long[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] * b[i];
        }
    }

    private static void multiplyAdd(long[] d, long[] a, long[] b, long[] c) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] * b[i] + c[i];
        }
    }

    private static void multiplyWide(long[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = (long) a[i] * b[i];
        }
    }

    private static void multiplyWideUnsigned(long[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = (a[i] & 0xffffffffL) * (b[i] & 0xffffffffL);
        }
    }

    private static void multiplyWideAdd(long[] d, int[] a, int[] b, long[] c) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = (long) a[i] * b[i] + c[i];
        }
    }

    private static void multiplyWideAddUnsigned(long[] d, int[] a, int[] b, long[] c) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = (a[i] & 0xffffffffL) * (b[i] & 0xffffffffL) + c[i];
        }
    }

    private static void minimum(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = Math.min(a[i], b[i]);
        }
    }

    private static void maximum(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = Math.max(a[i], b[i]);
        }
    }

    private static void dotBytes(int[] d, int[] a, int[] b, int[] c, boolean signedA, boolean signedB) {
        for (int i = 0; i < SIZE; i++) {
            int x = a[i];
            int y = b[i];
            int sum = c[i];
            for (int k = 0; k < 32; k += 8) {
                int p = x >>> k & 0xff;
                int q = y >>> k & 0xff;
                sum += (signedA ? (byte) p : p) * (signedB ? (byte) q : q);
            }
            d[i] = sum;
        }
    }

    // For forms that are met seldom.

    static void ints(Arithmetic.Forms forms, String opcode, IntBinaryOperator function) {
        forms.add(opcode, "III", (d, a, b, _, _) -> each(d, a, b, function));
    }

    static void shorts(Arithmetic.Forms forms, String opcode, IntBinaryOperator function) {
        forms.add(opcode, "HHH", (d, a, b, _, _) -> each(d, a, b, (x, y) -> function.applyAsInt(x, y) & 0xffff));
    }

    static void longs(Arithmetic.Forms forms, String opcode, LongBinaryOperator function) {
        forms.add(opcode, "LLL", (d, a, b, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((long[]) d)[i] = function.applyAsLong(((long[]) a)[i], ((long[]) b)[i]);
            }
        });
    }

    @FunctionalInterface
    interface IntTernaryOperator {
        int applyAsInt(int a, int b, int c);
    }

    static void each(Object d, Object a, IntUnaryOperator function) {
        for (int i = 0; i < SIZE; i++) {
            ((int[]) d)[i] = function.applyAsInt(((int[]) a)[i]);
        }
    }

    static void eachLong(Object d, Object a, LongUnaryOperator function) {
        for (int i = 0; i < SIZE; i++) {
            ((long[]) d)[i] = function.applyAsLong(((long[]) a)[i]);
        }
    }

    static void each(Object d, Object a, Object b, IntBinaryOperator function) {
        for (int i = 0; i < SIZE; i++) {
            ((int[]) d)[i] = function.applyAsInt(((int[]) a)[i], ((int[]) b)[i]);
        }
    }

    static void each(Object d, Object a, Object b, Object c, IntTernaryOperator function) {
        for (int i = 0; i < SIZE; i++) {
            ((int[]) d)[i] = function.applyAsInt(((int[]) a)[i], ((int[]) b)[i], ((int[]) c)[i]);
        }
    }
}
