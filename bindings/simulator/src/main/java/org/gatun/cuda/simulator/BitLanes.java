package org.gatun.cuda.simulator;

import static org.gatun.cuda.simulator.IntegerLanes.each;
import static org.gatun.cuda.simulator.IntegerLanes.eachLong;
import static org.gatun.cuda.simulator.IntegerLanes.ints;
import static org.gatun.cuda.simulator.IntegerLanes.longs;
import static org.gatun.cuda.simulator.IntegerLanes.shorts;

import java.util.List;
import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;

/// Logic, shifts, bit fields, and moves of whole registers. Shifts by more than the width give what is shifted in.
final class BitLanes {
    private static final int SIZE = Warp.SIZE;

    private BitLanes() {}

    static void register(Arithmetic.Forms forms) {
        registerMoves(forms);
        forms.add("and.b32", "III", (d, a, b, _, _) -> and((int[]) d, (int[]) a, (int[]) b));
        forms.add("or.b32", "III", (d, a, b, _, _) -> or((int[]) d, (int[]) a, (int[]) b));
        forms.add("xor.b32", "III", (d, a, b, _, _) -> xor((int[]) d, (int[]) a, (int[]) b));
        forms.add("not.b32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> ~x));
        forms.add("cnot.b32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> x == 0 ? 1 : 0));
        shorts(forms, "and.b16", (a, b) -> a & b);
        shorts(forms, "or.b16", (a, b) -> a | b);
        shorts(forms, "xor.b16", (a, b) -> a ^ b);
        forms.add("not.b16", "HH", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> ~x & 0xffff));
        longs(forms, "and.b64", (a, b) -> a & b);
        longs(forms, "or.b64", (a, b) -> a | b);
        longs(forms, "xor.b64", (a, b) -> a ^ b);
        forms.add("not.b64", "LL", (d, a, _, _, _) -> eachLong(d, a, x -> ~x));
        forms.add("and.pred", "PPP", (d, a, b, _, _) -> ((int[]) d)[0] = ((int[]) a)[0] & ((int[]) b)[0]);
        forms.add("or.pred", "PPP", (d, a, b, _, _) -> ((int[]) d)[0] = ((int[]) a)[0] | ((int[]) b)[0]);
        forms.add("xor.pred", "PPP", (d, a, b, _, _) -> ((int[]) d)[0] = ((int[]) a)[0] ^ ((int[]) b)[0]);
        forms.add("not.pred", "PP", (d, a, _, _, _) -> ((int[]) d)[0] = ~((int[]) a)[0]);
        forms.add("lop3.b32", "IIIII", (d, a, b, c, table) -> logic((int[]) d, (int[]) a, (int[]) b, (int[]) c, ((int[]) table)[0]));

        forms.add("shl.b32", "III", (d, a, b, _, _) -> shiftLeft((int[]) d, (int[]) a, (int[]) b));
        forms.add("shr.u32", "III", (d, a, b, _, _) -> shiftRight((int[]) d, (int[]) a, (int[]) b));
        forms.add("shr.b32", "III", (d, a, b, _, _) -> shiftRight((int[]) d, (int[]) a, (int[]) b));
        forms.add("shr.s32", "III", (d, a, b, _, _) -> shiftRightSigned((int[]) d, (int[]) a, (int[]) b));
        forms.add("shl.b16", "HHI", (d, a, b, _, _) -> each(d, a, b, (x, n) -> isWide(n, 16) ? 0 : x << n & 0xffff));
        forms.add("shr.u16", "HHI", (d, a, b, _, _) -> each(d, a, b, (x, n) -> isWide(n, 16) ? 0 : x >>> n));
        forms.add("shr.b16", "HHI", (d, a, b, _, _) -> each(d, a, b, (x, n) -> isWide(n, 16) ? 0 : x >>> n));
        forms.add("shr.s16", "HHI", (d, a, b, _, _) -> each(d, a, b, (x, n) -> (short) x >> (isWide(n, 16) ? 15 : n) & 0xffff));
        forms.add("shl.b64", "LLI", (d, a, b, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                int n = ((int[]) b)[i];
                ((long[]) d)[i] = isWide(n, 64) ? 0 : ((long[]) a)[i] << n;
            }
        });
        for (String type : List.of("u64", "b64")) {
            forms.add("shr." + type, "LLI", (d, a, b, _, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    int n = ((int[]) b)[i];
                    ((long[]) d)[i] = isWide(n, 64) ? 0 : ((long[]) a)[i] >>> n;
                }
            });
        }
        forms.add("shr.s64", "LLI", (d, a, b, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                int n = ((int[]) b)[i];
                ((long[]) d)[i] = ((long[]) a)[i] >> (isWide(n, 64) ? 63 : n);
            }
        });
        // The low word is the first source.
        forms.add("shf.l.wrap.b32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (low, high, n) -> funnelLeft(low, high, n & 31)));
        forms.add("shf.r.wrap.b32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (low, high, n) -> funnelRight(low, high, n & 31)));
        forms.add("shf.l.clamp.b32", "IIII",
                (d, a, b, c, _) -> each(d, a, b, c, (low, high, n) -> funnelLeft(low, high, isWide(n, 32) ? 32 : n)));
        forms.add("shf.r.clamp.b32", "IIII",
                (d, a, b, c, _) -> each(d, a, b, c, (low, high, n) -> funnelRight(low, high, isWide(n, 32) ? 32 : n)));

        forms.add("popc.b32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) Integer::bitCount));
        forms.add("clz.b32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) Integer::numberOfLeadingZeros));
        forms.add("brev.b32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) Integer::reverse));
        forms.add("popc.b64", "IL", (d, a, _, _, _) -> narrow(d, a, Long::bitCount));
        forms.add("clz.b64", "IL", (d, a, _, _, _) -> narrow(d, a, Long::numberOfLeadingZeros));
        forms.add("brev.b64", "LL", (d, a, _, _, _) -> eachLong(d, a, Long::reverse));
        forms.add("bfind.u32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) BitLanes::highest));
        forms.add("bfind.s32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> highest(x < 0 ? ~x : x)));
        forms.add("bfind.shiftamt.u32", "II", (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> shiftAmount(x, 31)));
        forms.add("bfind.shiftamt.s32", "II",
                (d, a, _, _, _) -> each(d, a, (IntUnaryOperator) x -> shiftAmount(x < 0 ? ~x : x, 31)));
        forms.add("bfind.u64", "IL", (d, a, _, _, _) -> narrow(d, a, x -> x == 0 ? -1 : 63 - Long.numberOfLeadingZeros(x)));
        forms.add("bfind.s64", "IL",
                (d, a, _, _, _) -> narrow(d, a, x -> (x ^ x >> 63) == 0 ? -1 : 63 - Long.numberOfLeadingZeros(x ^ x >> 63)));

        forms.add("bfe.u32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (x, at, length) -> extract(x, at, length, false)));
        forms.add("bfe.s32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, (x, at, length) -> extract(x, at, length, true)));
        forms.add("bfe.u64", "LLII", (d, a, b, c, _) -> extractLongs(d, a, b, c, false));
        forms.add("bfe.s64", "LLII", (d, a, b, c, _) -> extractLongs(d, a, b, c, true));
        forms.add("bfi.b32", "IIIII", (d, a, b, c, e) -> {
            for (int i = 0; i < SIZE; i++) {
                ((int[]) d)[i] = (int) insert(((int[]) a)[i], ((int[]) b)[i], ((int[]) c)[i] & 0xff, ((int[]) e)[i] & 0xff);
            }
        });
        forms.add("bfi.b64", "LLLII", (d, a, b, c, e) -> {
            for (int i = 0; i < SIZE; i++) {
                ((long[]) d)[i] = insert(((long[]) a)[i], ((long[]) b)[i], ((int[]) c)[i] & 0xff, ((int[]) e)[i] & 0xff);
            }
        });
        ints(forms, "bmsk.clamp.b32", (at, length) -> (int) (isWide(at, 32) ? 0 : mask(isWide(length, 32) ? 32 : length) << at));
        ints(forms, "bmsk.wrap.b32", (at, length) -> (int) (mask(length & 31) << (at & 31)));
        ints(forms, "szext.clamp.s32", (x, n) -> n == 0 ? 0 : isWide(n, 32) ? x : x << 32 - n >> 32 - n);
        ints(forms, "szext.clamp.u32", (x, n) -> n == 0 ? 0 : isWide(n, 32) ? x : x << 32 - n >>> 32 - n);
        ints(forms, "szext.wrap.s32", (x, n) -> (n & 31) == 0 ? 0 : x << 32 - (n & 31) >> 32 - (n & 31));
        ints(forms, "szext.wrap.u32", (x, n) -> (n & 31) == 0 ? 0 : x << 32 - (n & 31) >>> 32 - (n & 31));
        registerPermutations(forms);
    }

    private static void registerMoves(Arithmetic.Forms forms) {
        Lanes copy = (d, a, _, _, _) -> System.arraycopy(a, 0, d, 0, SIZE);
        for (String type : List.of("b32", "u32", "s32")) {
            forms.add("mov." + type, "II", copy);
            forms.add("selp." + type, "IIIP", (d, a, b, p, _) -> select((int[]) d, (int[]) a, (int[]) b, ((int[]) p)[0]));
        }
        for (String type : List.of("b16", "u16", "s16")) {
            forms.add("mov." + type, "HH", copy);
            forms.add("selp." + type, "HHHP", (d, a, b, p, _) -> select((int[]) d, (int[]) a, (int[]) b, ((int[]) p)[0]));
        }
        for (String type : List.of("b64", "u64", "s64")) {
            forms.add("mov." + type, "LL", copy);
            forms.add("selp." + type, "LLLP", (d, a, b, p, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    ((long[]) d)[i] = (((int[]) p)[0] >>> i & 1) != 0 ? ((long[]) a)[i] : ((long[]) b)[i];
                }
            });
        }
        forms.add("mov.f32", "FF", copy);
        forms.add("mov.f64", "DD", copy);
        forms.add("mov.pred", "PP", (d, a, _, _, _) -> ((int[]) d)[0] = ((int[]) a)[0]);
        forms.add("selp.f32", "FFFP", (d, a, b, p, _) -> select((float[]) d, (float[]) a, (float[]) b, ((int[]) p)[0]));
        forms.add("selp.f64", "DDDP", (d, a, b, p, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((double[]) d)[i] = (((int[]) p)[0] >>> i & 1) != 0 ? ((double[]) a)[i] : ((double[]) b)[i];
            }
        });
    }

    private static void registerPermutations(Arithmetic.Forms forms) {
        forms.add("prmt.b32", "IIII", (d, a, b, c, _) -> each(d, a, b, c, BitLanes::permute));
        permutation(forms, "f4e", (byteIndex, n) -> n + byteIndex);
        permutation(forms, "b4e", (byteIndex, n) -> n - byteIndex & 7);
        permutation(forms, "rc8", (byteIndex, n) -> n);
        permutation(forms, "ecl", (byteIndex, n) -> Math.max(byteIndex, n));
        permutation(forms, "ecr", (byteIndex, n) -> Math.min(byteIndex, n));
        permutation(forms, "rc16", (byteIndex, n) -> 2 * (n & 1) + (byteIndex & 1));
    }

    private static void permutation(Arithmetic.Forms forms, String mode, IntBinaryOperator place) {
        forms.add("prmt.b32." + mode, "IIII", (d, a, b, c, _) -> each(d, a, b, c, (x, y, n) -> {
            int selector = 0;
            for (int i = 0; i < 4; i++) {
                selector |= place.applyAsInt(i, n & 3) << 4 * i;
            }
            return permute(x, y, selector);
        }));
    }

    private static int permute(int a, int b, int selector) {
        long bytes = IntegerLanes.unsigned(b) << 32 | IntegerLanes.unsigned(a);
        int result = 0;
        for (int i = 0; i < 4; i++) {
            int code = selector >>> 4 * i & 15;
            int value = (int) (bytes >>> 8 * (code & 7)) & 0xff;
            result |= ((code & 8) == 0 ? value : (byte) value < 0 ? 0xff : 0) << 8 * i;
        }
        return result;
    }

    /// Whether a shift of unsigned `n` leaves nothing of so many bits.
    private static boolean isWide(int n, int bits) {
        return Integer.compareUnsigned(n, bits) >= 0;
    }

    private static int funnelLeft(int low, int high, int n) {
        return (int) ((IntegerLanes.unsigned(high) << 32 | IntegerLanes.unsigned(low)) << n >>> 32);
    }

    private static int funnelRight(int low, int high, int n) {
        return (int) ((IntegerLanes.unsigned(high) << 32 | IntegerLanes.unsigned(low)) >>> n);
    }

    private static int highest(int x) {
        return x == 0 ? -1 : 31 - Integer.numberOfLeadingZeros(x);
    }

    private static int shiftAmount(int x, int top) {
        return x == 0 ? -1 : top - highest(x);
    }

    private static long mask(int length) {
        return length >= 64 ? -1 : (1L << length) - 1;
    }

    private static int extract(int x, int at, int length, boolean signed) {
        int start = at & 0xff;
        int bits = length & 0xff;
        if (bits == 0) {
            return 0;
        }
        long wide = signed ? (long) x : IntegerLanes.unsigned(x);
        long shifted = start >= 64 ? wide >> 63 : wide >> start;
        int top = Math.min(start + bits - 1, 31);
        boolean negative = signed && (x >>> top & 1) != 0;
        long kept = shifted & mask(Math.min(bits, 32));
        return (int) (negative ? kept | ~mask(Math.min(bits, 32)) : kept);
    }

    private static void extractLongs(Object d, Object a, Object b, Object c, boolean signed) {
        for (int i = 0; i < SIZE; i++) {
            long x = ((long[]) a)[i];
            int start = ((int[]) b)[i] & 0xff;
            int bits = ((int[]) c)[i] & 0xff;
            long shifted = start >= 64 ? signed ? x >> 63 : 0 : signed ? x >> start : x >>> start;
            boolean negative = signed && (x >>> Math.min(start + bits - 1, 63) & 1) != 0;
            ((long[]) d)[i] = bits == 0 ? 0 : negative ? shifted | ~mask(bits) : shifted & mask(bits);
        }
    }

    private static long insert(long field, long into, int at, int length) {
        if (at >= 64) {
            return into;
        }
        long mask = mask(length) << at;
        return into & ~mask | field << at & mask;
    }

    @FunctionalInterface
    private interface LongToInt {
        int apply(long value);
    }

    private static void narrow(Object d, Object a, LongToInt function) {
        for (int i = 0; i < SIZE; i++) {
            ((int[]) d)[i] = function.apply(((long[]) a)[i]);
        }
    }

    private static void and(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] & b[i];
        }
    }

    private static void or(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] | b[i];
        }
    }

    private static void xor(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] ^ b[i];
        }
    }

    private static void logic(int[] d, int[] a, int[] b, int[] c, int table) {
        int m0 = -(table & 1);
        int m1 = -(table >>> 1 & 1);
        int m2 = -(table >>> 2 & 1);
        int m3 = -(table >>> 3 & 1);
        int m4 = -(table >>> 4 & 1);
        int m5 = -(table >>> 5 & 1);
        int m6 = -(table >>> 6 & 1);
        int m7 = -(table >>> 7 & 1);
        for (int i = 0; i < SIZE; i++) {
            int x = a[i];
            int y = b[i];
            int z = c[i];
            int without = ~y & (~z & m0 | z & m1) | y & (~z & m2 | z & m3);
            int with = ~y & (~z & m4 | z & m5) | y & (~z & m6 | z & m7);
            d[i] = ~x & without | x & with;
        }
    }

    private static void shiftLeft(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            int n = b[i];
            d[i] = (n & ~31) != 0 ? 0 : a[i] << n;
        }
    }

    private static void shiftRight(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            int n = b[i];
            d[i] = (n & ~31) != 0 ? 0 : a[i] >>> n;
        }
    }

    private static void shiftRightSigned(int[] d, int[] a, int[] b) {
        for (int i = 0; i < SIZE; i++) {
            int n = b[i];
            d[i] = a[i] >> ((n & ~31) != 0 ? 31 : n);
        }
    }

    private static void select(int[] d, int[] a, int[] b, int predicate) {
        for (int i = 0; i < SIZE; i++) {
            int mask = -(predicate >>> i & 1);
            d[i] = a[i] & mask | b[i] & ~mask;
        }
    }

    private static void select(float[] d, float[] a, float[] b, int predicate) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = (predicate >>> i & 1) != 0 ? a[i] : b[i];
        }
    }
}
