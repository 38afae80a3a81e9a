package org.gatun.sampling;

/// Functions whose every rounding is spelled out, so that the host and kernels agree to the bit on what is sampled. The kernels'
/// half is `portable_math.cuh`; whoever changes one changes the other.
///
/// Polynomials are minimax fits of relative error below 5e-9, evaluated in f32 by fused multiply-adds.
final class PortableMath {
    /// What is added to a number below 2²² to round it to a whole one, and taken off again.
    private static final float ROUNDER = 0x1.8p23f;
    private static final float LOG2_E = 0x1.715476p0f;
    private static final float LN_2 = 0x1.62e430p-1f;
    private static final float LN_2_HIGH = 0x1.62e4p-1f;
    private static final float LN_2_LOW = 0x1.7f7d1cp-20f;

    private PortableMath() {}

    /// e to the power of `x`, which is at most 0; 0 below -87, and for NaN.
    static float exp(float x) {
        if (!(x >= -87)) {
            return 0;
        }
        float n = Math.fma(x, LOG2_E, ROUNDER) - ROUNDER;
        float r = Math.fma(n, -LN_2_LOW, Math.fma(n, -LN_2_HIGH, x));
        float p = 0x1.6ae68ep-10f;
        p = Math.fma(p, r, 0x1.126830p-7f);
        p = Math.fma(p, r, 0x1.555826p-5f);
        p = Math.fma(p, r, 0x1.555418p-3f);
        p = Math.fma(p, r, 0x1.fffffcp-2f);
        p = Math.fma(p, r, 1);
        p = Math.fma(p, r, 1);
        return p * Float.intBitsToFloat((int) n + 127 << 23);
    }

    /// An exponential variate of mean 1 from 32 random bits, `-ln(1 - (bits + 1/2) / 2³²)`, fine near 0 and in its tail.
    static float exponential(int bits) {
        float half = ((bits >= 0 ? bits : ~bits) + 0.5f) * 0x1p-32f; // distance to the nearer end of [0, 1]
        if (bits >= 0 && half <= 0.25f) {
            return -log1p(-half);
        }
        float uniform = bits >= 0 ? 1 - half : half;
        int exponent = Math.getExponent(uniform);
        float mantissa = Float.intBitsToFloat(Float.floatToRawIntBits(uniform) - (exponent << 23));
        if (mantissa > 0x1.6a09e6p0f) {
            mantissa *= 0.5f;
            exponent++;
        }
        return Math.fma(-exponent, LN_2, -log1p(mantissa - 1));
    }

    /// A number that [#exponential] of the same bits is not below, and that takes next to no time.
    static float minExponential(int bits) {
        return (bits >>> 1) * (0x1p-31f * (1 - 1e-5f));
    }

    /// ln(1 + x) for x from √½ - 1 to √2 - 1.
    private static float log1p(float x) {
        float p = -0x1.383daap-4f;
        p = Math.fma(p, x, 0x1.084e12p-3f);
        p = Math.fma(p, x, -0x1.0f3762p-3f);
        p = Math.fma(p, x, 0x1.22709ap-3f);
        p = Math.fma(p, x, -0x1.54274ap-3f);
        p = Math.fma(p, x, 0x1.99a402p-3f);
        p = Math.fma(p, x, -0x1.000428p-2f);
        p = Math.fma(p, x, 0x1.555550p-2f);
        p = Math.fma(p, x, -0x1.fffff8p-2f);
        return Math.fma(p * x, x, x);
    }
}
