package org.gatun.cuda.simulator;

import java.util.Locale;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import org.gatun.cuda.simulator.NarrowFloats.Rounding;

/// Arithmetic on f32 and f64.
///
/// Rounded as the instruction says. Approximate functions are computed in double precision and rounded once, which is closer
/// than the error PTX allows them (ex2, lg2, rcp, rsqrt and sqrt 1 to 2 units in the last place, sin and cos 2^-20.9 absolute in
/// the first quadrants, tanh 2^-11 relative). With `.ftz` subnormal inputs and results are zeros. NaN is some NaN.
final class FloatLanes {
    private static final int SIZE = Warp.SIZE;

    private FloatLanes() {}

    static void register(Arithmetic.Forms forms) {
        forms.add("add.f32", "FFF", (d, a, b, _, _) -> add((float[]) d, (float[]) a, (float[]) b));
        forms.add("sub.f32", "FFF", (d, a, b, _, _) -> subtract((float[]) d, (float[]) a, (float[]) b));
        forms.add("mul.f32", "FFF", (d, a, b, _, _) -> multiply((float[]) d, (float[]) a, (float[]) b));
        forms.add("fma.rn.f32", "FFFF", (d, a, b, c, _) -> fuse((float[]) d, (float[]) a, (float[]) b, (float[]) c));
        forms.add("max.f32", "FFF", (d, a, b, _, _) -> maximum((float[]) d, (float[]) a, (float[]) b));
        forms.add("min.f32", "FFF", (d, a, b, _, _) -> minimum((float[]) d, (float[]) a, (float[]) b));
        forms.add("neg.f32", "FF", (d, a, _, _, _) -> negate((float[]) d, (float[]) a));
        forms.add("abs.f32", "FF", (d, a, _, _, _) -> absolute((float[]) d, (float[]) a));
        binary(forms, "add.rn.f32", (a, b) -> a + b);
        binary(forms, "sub.rn.f32", (a, b) -> a - b);
        binary(forms, "mul.rn.f32", (a, b) -> a * b);
        withSaturation(forms, "add", (a, b) -> a + b);
        withSaturation(forms, "sub", (a, b) -> a - b);
        withSaturation(forms, "mul", (a, b) -> a * b);
        ternary(forms, "fma.rn.sat.f32", (a, b, c) -> saturate(Math.fma(a, b, c)));
        ternary(forms, "fma.rn.ftz.sat.f32", (a, b, c) -> saturate(Math.fma(a, b, c)));
        ternary(forms, "fma.rn.ftz.f32", Math::fma);
        ternary(forms, "mad.rn.f32", Math::fma);
        for (Rounding rounding : new Rounding[] {Rounding.RZ, Rounding.RM, Rounding.RP}) {
            registerDirected(forms, rounding);
        }
        binary(forms, "div.rn.f32", (a, b) -> a / b);
        binary(forms, "div.rn.ftz.f32", (a, b) -> a / b);
        for (String kind : new String[] {"approx", "full"}) {
            binary(forms, "div." + kind + ".f32", (a, b) -> a / b);
            binary(forms, "div." + kind + ".ftz.f32", (a, b) -> a / b);
        }
        binary(forms, "max.ftz.f32", FloatLanes::max);
        binary(forms, "min.ftz.f32", FloatLanes::min);
        binary(forms, "max.NaN.f32", Math::max);
        binary(forms, "min.NaN.f32", Math::min);
        binary(forms, "max.ftz.NaN.f32", Math::max);
        binary(forms, "min.ftz.NaN.f32", Math::min);
        binary(forms, "copysign.f32", (a, b) -> Math.copySign(b, a));
        unary(forms, "neg.ftz.f32", a -> -a);
        unary(forms, "abs.ftz.f32", Math::abs);
        for (String ftz : new String[] {"", ".ftz"}) {
            unary(forms, "rcp.rn" + ftz + ".f32", a -> 1 / a);
            unary(forms, "sqrt.rn" + ftz + ".f32", a -> (float) Math.sqrt(a));
            unary(forms, "rcp.approx" + ftz + ".f32", a -> 1 / a);
            unary(forms, "sqrt.approx" + ftz + ".f32", a -> (float) Math.sqrt(a));
            unary(forms, "rsqrt.approx" + ftz + ".f32", a -> (float) (1 / Math.sqrt(a)));
            unary(forms, "ex2.approx" + ftz + ".f32", FloatLanes::exponential);
            unary(forms, "lg2.approx" + ftz + ".f32", a -> (float) (Math.log(a) / Math.log(2)));
            unary(forms, "sin.approx" + ftz + ".f32", a -> (float) Math.sin(a));
            unary(forms, "cos.approx" + ftz + ".f32", a -> (float) Math.cos(a));
        }
        unary(forms, "tanh.approx.f32", a -> (float) Math.tanh(a));
        registerDoubles(forms);
    }

    static float exponential(float a) {
        return (float) Math.exp(a * Math.log(2));
    }

    private static void withSaturation(Arithmetic.Forms forms, String name, FloatBinary function) {
        binary(forms, name + ".ftz.f32", function);
        binary(forms, name + ".sat.f32", (a, b) -> saturate(function.apply(a, b)));
        binary(forms, name + ".ftz.sat.f32", (a, b) -> saturate(function.apply(a, b)));
        binary(forms, name + ".rn.ftz.f32", function);
    }

    /// A sum rounded in a direction; one that is zero exactly is negative towards minus infinity, unless both operands are +0.
    private static float sum(double a, double b, Rounding rounding) {
        double sum = a + b;
        if (sum == 0 && rounding == Rounding.RM && (a != 0 || 1 / a < 0 || 1 / b < 0)) {
            return -0f;
        }
        return NarrowFloats.toFloat(sum, NarrowFloats.sumError(a, b), rounding);
    }

    private static void registerDirected(Arithmetic.Forms forms, Rounding rounding) {
        String mode = rounding.name().toLowerCase(Locale.ROOT);
        for (String ftz : new String[] {"", ".ftz"}) {
            String end = "." + mode + ftz + ".f32";
            binary(forms, "add" + end, (a, b) -> sum(a, b, rounding));
            binary(forms, "sub" + end, (a, b) -> sum(a, -b, rounding));
            binary(forms, "mul" + end, (a, b) -> NarrowFloats.toFloat((double) a * b, 0, rounding));
            ternary(forms, "fma" + end, (a, b, c) -> {
                double product = (double) a * b;
                return sum(product, c, rounding);
            });
            binary(forms, "div" + end, (a, b) -> NarrowFloats.toFloat((double) a / b, quotientError(a, b), rounding));
            unary(forms, "rcp" + end, a -> NarrowFloats.toFloat(1.0 / a, quotientError(1, a), rounding));
            unary(forms, "sqrt" + end, a -> {
                double root = Math.sqrt(a);
                return NarrowFloats.toFloat(root, Math.fma(-root, root, a), rounding);
            });
        }
    }

    /// The sign of what `a / b` leaves out.
    private static double quotientError(double a, double b) {
        double rest = Math.fma(-(a / b), b, a);
        return b < 0 ? -rest : rest;
    }

    private static void registerDoubles(Arithmetic.Forms forms) {
        for (String rounding : new String[] {"", ".rn"}) {
            doubles(forms, "add" + rounding + ".f64", (a, b) -> a + b);
            doubles(forms, "sub" + rounding + ".f64", (a, b) -> a - b);
            doubles(forms, "mul" + rounding + ".f64", (a, b) -> a * b);
        }
        forms.add("fma.rn.f64", "DDDD", (d, a, b, c, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((double[]) d)[i] = Math.fma(((double[]) a)[i], ((double[]) b)[i], ((double[]) c)[i]);
            }
        });
        doubles(forms, "div.rn.f64", (a, b) -> a / b);
        doubles(forms, "min.f64", (a, b) -> a != a ? b : b != b ? a : Math.min(a, b));
        doubles(forms, "max.f64", (a, b) -> a != a ? b : b != b ? a : Math.max(a, b));
        doubles(forms, "copysign.f64", (a, b) -> Math.copySign(b, a));
        oneDouble(forms, "neg.f64", a -> -a);
        oneDouble(forms, "abs.f64", Math::abs);
        oneDouble(forms, "rcp.rn.f64", a -> 1 / a);
        oneDouble(forms, "sqrt.rn.f64", Math::sqrt);
        // The upper half of the result only, as PTX says.
        oneDouble(forms, "rcp.approx.ftz.f64", a -> upperHalf(1 / upperHalf(a)));
        oneDouble(forms, "rsqrt.approx.ftz.f64", a -> upperHalf(1 / Math.sqrt(upperHalf(a))));
        oneDouble(forms, "rsqrt.approx.f64", a -> 1 / Math.sqrt(a));
    }

    private static double upperHalf(double x) {
        return Double.longBitsToDouble(Double.doubleToRawLongBits(x) & 0xffffffff00000000L);
    }

    static float saturate(float x) {
        return x > 0 ? Math.min(x, 1) : 0; // NaN becomes zero
    }

    static float max(float a, float b) {
        return a != a ? b : b != b ? a : Math.max(a, b);
    }

    static float min(float a, float b) {
        return a != a ? b : b != b ? a : Math.min(a, b);
    }

    private static void add(float[] d, float[] a, float[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] + b[i];
        }
    }

    private static void subtract(float[] d, float[] a, float[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] - b[i];
        }
    }

    private static void multiply(float[] d, float[] a, float[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] * b[i];
        }
    }

    private static void fuse(float[] d, float[] a, float[] b, float[] c) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = Math.fma(a[i], b[i], c[i]);
        }
    }

    private static void maximum(float[] d, float[] a, float[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = max(a[i], b[i]);
        }
    }

    private static void minimum(float[] d, float[] a, float[] b) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = min(a[i], b[i]);
        }
    }

    private static void negate(float[] d, float[] a) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = -a[i];
        }
    }

    private static void absolute(float[] d, float[] a) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = Math.abs(a[i]);
        }
    }

    // For forms that are met seldom.

    @FunctionalInterface
    interface FloatUnary {
        float apply(float a);
    }

    @FunctionalInterface
    interface FloatBinary {
        float apply(float a, float b);
    }

    @FunctionalInterface
    interface FloatTernary {
        float apply(float a, float b, float c);
    }

    private static float flushed(float x, boolean ftz) {
        return ftz ? NarrowFloats.flush(x) : x;
    }

    private static boolean isFlushing(String opcode) {
        return opcode.contains(".ftz");
    }

    private static void unary(Arithmetic.Forms forms, String opcode, FloatUnary function) {
        boolean ftz = isFlushing(opcode);
        forms.add(opcode, "FF", (d, a, _, _, _) -> {
            float[] x = (float[]) a;
            for (int i = 0; i < SIZE; i++) {
                ((float[]) d)[i] = flushed(function.apply(flushed(x[i], ftz)), ftz);
            }
        });
    }

    private static void binary(Arithmetic.Forms forms, String opcode, FloatBinary function) {
        boolean ftz = isFlushing(opcode);
        forms.add(opcode, "FFF", (d, a, b, _, _) -> {
            float[] x = (float[]) a;
            float[] y = (float[]) b;
            for (int i = 0; i < SIZE; i++) {
                ((float[]) d)[i] = flushed(function.apply(flushed(x[i], ftz), flushed(y[i], ftz)), ftz);
            }
        });
    }

    private static void ternary(Arithmetic.Forms forms, String opcode, FloatTernary function) {
        boolean ftz = isFlushing(opcode);
        forms.add(opcode, "FFFF", (d, a, b, c, _) -> {
            float[] x = (float[]) a;
            float[] y = (float[]) b;
            float[] z = (float[]) c;
            for (int i = 0; i < SIZE; i++) {
                ((float[]) d)[i] = flushed(function.apply(flushed(x[i], ftz), flushed(y[i], ftz), flushed(z[i], ftz)), ftz);
            }
        });
    }

    private static void oneDouble(Arithmetic.Forms forms, String opcode, DoubleUnaryOperator function) {
        forms.add(opcode, "DD", (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((double[]) d)[i] = function.applyAsDouble(((double[]) a)[i]);
            }
        });
    }

    private static void doubles(Arithmetic.Forms forms, String opcode, DoubleBinaryOperator function) {
        forms.add(opcode, "DDD", (d, a, b, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((double[]) d)[i] = function.applyAsDouble(((double[]) a)[i], ((double[]) b)[i]);
            }
        });
    }
}
