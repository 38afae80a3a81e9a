package org.gatun.cuda.simulator;

import org.gatun.cuda.simulator.FloatLanes.FloatBinary;
import org.gatun.cuda.simulator.FloatLanes.FloatUnary;

/// Arithmetic on f16 and bf16, alone and packed in pairs.
///
/// Sums and products are computed in f32, which has more than twice the bits and so loses nothing by the second rounding; fused
/// ones in f64 rounded to odd.
final class HalfLanes {
    private static final int SIZE = Warp.SIZE;

    private HalfLanes() {}

    /// A 16-bit format, alone or in pairs.
    private enum Type {
        F16("f16", false), F16X2("f16x2", true), BF16("bf16", false), BF16X2("bf16x2", true);

        final String suffix;
        final boolean isPair;

        Type(String suffix, boolean isPair) {
            this.suffix = suffix;
            this.isPair = isPair;
        }

        boolean isBrain() {
            return this == BF16 || this == BF16X2;
        }

        float decode(int bits) {
            return isBrain() ? NarrowFloats.bf16ToFloat(bits & 0xffff) : NarrowFloats.f16ToFloat(bits & 0xffff);
        }

        int encode(float x) {
            return isBrain() ? NarrowFloats.floatToBf16(x) : NarrowFloats.floatToF16(x);
        }

        int encodeFused(float a, float b, float c) {
            double product = (double) a * b;
            double sum = NarrowFloats.toOdd(product + c, NarrowFloats.sumError(product, c));
            return (isBrain() ? NarrowFloats.Format.BF16 : NarrowFloats.Format.F16).encode(sum, NarrowFloats.Rounding.RN, false);
        }
    }

    static void register(Arithmetic.Forms forms) {
        for (Type type : Type.values()) {
            for (String rounding : new String[] {"", ".rn"}) {
                binary(forms, "add" + rounding, type, (a, b) -> a + b);
                binary(forms, "sub" + rounding, type, (a, b) -> a - b);
                binary(forms, "mul" + rounding, type, (a, b) -> a * b);
            }
            if (!type.isBrain()) {
                for (String ftz : new String[] {".ftz", ".sat", ".ftz.sat"}) {
                    boolean flush = ftz.startsWith(".ftz");
                    boolean saturate = ftz.endsWith("sat");
                    binary(forms, "add" + ftz, type, (a, b) -> finish(flushed(a, flush) + flushed(b, flush), flush, saturate));
                    binary(forms, "sub" + ftz, type, (a, b) -> finish(flushed(a, flush) - flushed(b, flush), flush, saturate));
                    binary(forms, "mul" + ftz, type, (a, b) -> finish(flushed(a, flush) * flushed(b, flush), flush, saturate));
                }
            }
            fused(forms, "fma.rn", type, false, false);
            fused(forms, "fma.rn.relu", type, true, false);
            if (!type.isBrain()) {
                fused(forms, "fma.rn.sat", type, false, true);
            }
            binary(forms, "min", type, FloatLanes::min);
            binary(forms, "max", type, FloatLanes::max);
            binary(forms, "min.NaN", type, Math::min);
            binary(forms, "max.NaN", type, Math::max);
            unary(forms, "neg", type, a -> -a);
            unary(forms, "abs", type, Math::abs);
            unary(forms, "ex2.approx" + (type.isBrain() ? ".ftz" : ""), type, FloatLanes::exponential);
            unary(forms, "tanh.approx", type, a -> (float) Math.tanh(a));
        }
    }

    /// Subnormal halves are zeros.
    private static float flushed(float x, boolean flush) {
        return flush && Math.abs(x) < 0x1p-14f ? x * 0 : x;
    }

    private static float finish(float x, boolean flush, boolean saturate) {
        float kept = flushed(NarrowFloats.f16ToFloat(NarrowFloats.floatToF16(x)), flush);
        return saturate ? FloatLanes.saturate(kept) : kept;
    }

    private static void unary(Arithmetic.Forms forms, String name, Type type, FloatUnary function) {
        forms.add(name + "." + type.suffix, type.isPair ? "II" : "HH", (d, a, _, _, _) -> {
            int[] x = (int[]) a;
            for (int i = 0; i < SIZE; i++) {
                int low = type.encode(function.apply(type.decode(x[i])));
                ((int[]) d)[i] = type.isPair ? low | type.encode(function.apply(type.decode(x[i] >>> 16))) << 16 : low;
            }
        });
    }

    private static void binary(Arithmetic.Forms forms, String name, Type type, FloatBinary function) {
        forms.add(name + "." + type.suffix, type.isPair ? "III" : "HHH", (d, a, b, _, _) -> {
            int[] x = (int[]) a;
            int[] y = (int[]) b;
            for (int i = 0; i < SIZE; i++) {
                int p = x[i];
                int q = y[i];
                int low = type.encode(function.apply(type.decode(p), type.decode(q)));
                ((int[]) d)[i] = type.isPair ? low | type.encode(function.apply(type.decode(p >>> 16), type.decode(q >>> 16))) << 16 : low;
            }
        });
    }

    private static void fused(Arithmetic.Forms forms, String name, Type type, boolean relu, boolean saturate) {
        forms.add(name + "." + type.suffix, type.isPair ? "IIII" : "HHHH", (d, a, b, c, _) -> {
            int[] x = (int[]) a;
            int[] y = (int[]) b;
            int[] z = (int[]) c;
            for (int i = 0; i < SIZE; i++) {
                int p = x[i];
                int q = y[i];
                int r = z[i];
                int low = fuse(type, p, q, r, relu, saturate);
                ((int[]) d)[i] = type.isPair ? low | fuse(type, p >>> 16, q >>> 16, r >>> 16, relu, saturate) << 16 : low;
            }
        });
    }

    private static int fuse(Type type, int a, int b, int c, boolean relu, boolean saturate) {
        int bits = type.encodeFused(type.decode(a), type.decode(b), type.decode(c));
        if (relu || saturate) {
            float value = type.decode(bits);
            return relu ? value != value ? bits : type.encode(Math.max(value, 0)) : type.encode(FloatLanes.saturate(value));
        }
        return bits;
    }
}
