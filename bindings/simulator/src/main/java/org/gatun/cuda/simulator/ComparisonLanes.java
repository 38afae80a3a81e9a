package org.gatun.cuda.simulator;

import java.util.Map;

/// Comparisons: `setp` and `set`, `slct` and `testp`.
///
/// Two numbers compare in one of four ways, and a comparison holds for some of them: bit 0 less, 1 equal, 2 greater, 3 unordered.
/// The plain names do not hold for NaN, `ne` included.
final class ComparisonLanes {
    private static final int SIZE = Warp.SIZE;
    private static final Map<String, Integer> SIGNED = Map.of("eq", 0b010, "ne", 0b101, "lt", 0b001, "le", 0b011, "gt", 0b100,
            "ge", 0b110);
    private static final Map<String, Integer> UNSIGNED_NAMES = Map.of("lo", 0b001, "ls", 0b011, "hi", 0b100, "hs", 0b110);
    private static final Map<String, Integer> UNORDERED = Map.of("equ", 0b1010, "neu", 0b1101, "ltu", 0b1001, "leu", 0b1011, "gtu",
            0b1100, "geu", 0b1110, "num", 0b0111, "nan", 0b1000);

    private ComparisonLanes() {}

    /// How a comparison fills a mask: bit `i` is whether it holds for lane `i`.
    @FunctionalInterface
    private interface Comparison {
        int mask(Object a, Object b, int ways);
    }

    static void register(Arithmetic.Forms forms) {
        SIGNED.forEach((name, ways) -> {
            add(forms, name, ways, "s32", 'I', ComparisonLanes::ints);
            add(forms, name, ways, "u32", 'I', ComparisonLanes::unsignedInts);
            add(forms, name, ways, "s64", 'L', ComparisonLanes::longs);
            add(forms, name, ways, "u64", 'L', ComparisonLanes::unsignedLongs);
            add(forms, name, ways, "s16", 'H', ComparisonLanes::shorts);
            add(forms, name, ways, "u16", 'H', ComparisonLanes::ints);
            if (name.equals("eq") || name.equals("ne")) {
                add(forms, name, ways, "b32", 'I', ComparisonLanes::ints);
                add(forms, name, ways, "b64", 'L', ComparisonLanes::longs);
                add(forms, name, ways, "b16", 'H', ComparisonLanes::ints);
            }
            addReal(forms, name, ways);
        });
        UNSIGNED_NAMES.forEach((name, ways) -> {
            add(forms, name, ways, "u32", 'I', ComparisonLanes::unsignedInts);
            add(forms, name, ways, "u64", 'L', ComparisonLanes::unsignedLongs);
            add(forms, name, ways, "u16", 'H', ComparisonLanes::ints);
        });
        UNORDERED.forEach((name, ways) -> addReal(forms, name, ways));
        forms.add("slct.b32.s32", "IIII", (d, a, b, c, _) -> IntegerLanes.each(d, a, b, c, (x, y, z) -> z >= 0 ? x : y));
        forms.add("slct.f32.s32", "FFFI", (d, a, b, c, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((float[]) d)[i] = ((int[]) c)[i] >= 0 ? ((float[]) a)[i] : ((float[]) b)[i];
            }
        });
        test(forms, "finite", x -> Float.isFinite(x));
        test(forms, "infinite", x -> Float.isInfinite(x));
        test(forms, "number", x -> x == x);
        test(forms, "notanumber", x -> x != x);
        test(forms, "normal", x -> Float.isFinite(x) && Math.abs(x) >= Float.MIN_NORMAL);
        test(forms, "subnormal", x -> x != 0 && Math.abs(x) < Float.MIN_NORMAL);
    }

    @FunctionalInterface
    private interface FloatPredicate {
        boolean test(float x);
    }

    private static void test(Arithmetic.Forms forms, String name, FloatPredicate predicate) {
        forms.add("testp." + name + ".f32", "PF", (d, a, _, _, _) -> {
            int mask = 0;
            for (int i = 0; i < SIZE; i++) {
                mask |= predicate.test(((float[]) a)[i]) ? 1 << i : 0;
            }
            ((int[]) d)[0] = mask;
        });
    }

    private static void addReal(Arithmetic.Forms forms, String name, int ways) {
        add(forms, name, ways, "f32", 'F', ComparisonLanes::floats);
        add(forms, name, ways, "ftz.f32", 'F', ComparisonLanes::flushedFloats);
        add(forms, name, ways, "f64", 'D', ComparisonLanes::doubles);
        add(forms, name, ways, "f16", 'H', ComparisonLanes::halves);
        add(forms, name, ways, "bf16", 'H', ComparisonLanes::brainHalves);
    }

    private static void add(Arithmetic.Forms forms, String name, int ways, String type, char kind, Comparison comparison) {
        forms.add("setp." + name + "." + type, "P" + kind + kind, (d, a, b, _, _) -> ((int[]) d)[0] = comparison.mask(a, b, ways));
        for (String result : new String[] {"u32", "s32"}) {
            forms.add("set." + name + "." + result + "." + type, "I" + kind + kind, (d, a, b, _, _) -> {
                int mask = comparison.mask(a, b, ways);
                for (int i = 0; i < SIZE; i++) {
                    ((int[]) d)[i] = -(mask >>> i & 1);
                }
            });
        }
    }

    private static int ints(Object a, Object b, int ways) {
        int[] x = (int[]) a;
        int[] y = (int[]) b;
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> Integer.compare(x[i], y[i]) + 1 & 1) << i;
        }
        return mask;
    }

    private static int unsignedInts(Object a, Object b, int ways) {
        int[] x = (int[]) a;
        int[] y = (int[]) b;
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> Integer.compareUnsigned(x[i], y[i]) + 1 & 1) << i;
        }
        return mask;
    }

    private static int shorts(Object a, Object b, int ways) {
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> Integer.compare((short) ((int[]) a)[i], (short) ((int[]) b)[i]) + 1 & 1) << i;
        }
        return mask;
    }

    private static int longs(Object a, Object b, int ways) {
        long[] x = (long[]) a;
        long[] y = (long[]) b;
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> Long.compare(x[i], y[i]) + 1 & 1) << i;
        }
        return mask;
    }

    private static int unsignedLongs(Object a, Object b, int ways) {
        long[] x = (long[]) a;
        long[] y = (long[]) b;
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> Long.compareUnsigned(x[i], y[i]) + 1 & 1) << i;
        }
        return mask;
    }

    private static int way(double x, double y) {
        return x < y ? 0 : x == y ? 1 : x > y ? 2 : 3;
    }

    private static int floats(Object a, Object b, int ways) {
        float[] x = (float[]) a;
        float[] y = (float[]) b;
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> way(x[i], y[i]) & 1) << i;
        }
        return mask;
    }

    private static int flushedFloats(Object a, Object b, int ways) {
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> way(NarrowFloats.flush(((float[]) a)[i]), NarrowFloats.flush(((float[]) b)[i])) & 1) << i;
        }
        return mask;
    }

    private static int doubles(Object a, Object b, int ways) {
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> way(((double[]) a)[i], ((double[]) b)[i]) & 1) << i;
        }
        return mask;
    }

    private static int halves(Object a, Object b, int ways) {
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> way(Float.float16ToFloat((short) ((int[]) a)[i]), Float.float16ToFloat((short) ((int[]) b)[i])) & 1) << i;
        }
        return mask;
    }

    private static int brainHalves(Object a, Object b, int ways) {
        int mask = 0;
        for (int i = 0; i < SIZE; i++) {
            mask |= (ways >>> way(NarrowFloats.bf16ToFloat(((int[]) a)[i]), NarrowFloats.bf16ToFloat(((int[]) b)[i])) & 1) << i;
        }
        return mask;
    }
}
