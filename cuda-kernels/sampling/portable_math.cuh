// Functions whose every rounding is spelled out, so that the host and kernels agree to the bit on what is sampled. The host's half is
// PortableMath.java; whoever changes one changes the other.
//
// Polynomials are minimax fits of relative error below 5e-9, evaluated in f32 by fused multiply-adds.
#pragma once

// e to the power of x, which is at most 0; 0 below -87, and for NaN.
__device__ __forceinline__ float portable_exp(float x) {
    constexpr float ROUNDER = 0x1.8p23f;
    if (!(x >= -87.0f)) {
        return 0.0f;
    }
    const float n = __fadd_rn(__fmaf_rn(x, 0x1.715476p0f, ROUNDER), -ROUNDER);
    const float r = __fmaf_rn(n, -0x1.7f7d1cp-20f, __fmaf_rn(n, -0x1.62e4p-1f, x));
    float p = 0x1.6ae68ep-10f;
    p = __fmaf_rn(p, r, 0x1.126830p-7f);
    p = __fmaf_rn(p, r, 0x1.555826p-5f);
    p = __fmaf_rn(p, r, 0x1.555418p-3f);
    p = __fmaf_rn(p, r, 0x1.fffffcp-2f);
    p = __fmaf_rn(p, r, 1.0f);
    p = __fmaf_rn(p, r, 1.0f);
    return __fmul_rn(p, __int_as_float(static_cast<int>(n) + 127 << 23));
}

// ln(1 + x) for x from sqrt(1/2) - 1 to sqrt(2) - 1.
__device__ __forceinline__ float portable_log1p(float x) {
    float p = -0x1.383daap-4f;
    p = __fmaf_rn(p, x, 0x1.084e12p-3f);
    p = __fmaf_rn(p, x, -0x1.0f3762p-3f);
    p = __fmaf_rn(p, x, 0x1.22709ap-3f);
    p = __fmaf_rn(p, x, -0x1.54274ap-3f);
    p = __fmaf_rn(p, x, 0x1.99a402p-3f);
    p = __fmaf_rn(p, x, -0x1.000428p-2f);
    p = __fmaf_rn(p, x, 0x1.555550p-2f);
    p = __fmaf_rn(p, x, -0x1.fffff8p-2f);
    return __fmaf_rn(__fmul_rn(p, x), x, x);
}

// An exponential variate of mean 1 from 32 random bits, -ln(1 - (bits + 1/2) / 2^32), fine near 0 and in its tail.
__device__ __forceinline__ float portable_exponential(int bits) {
    const float half = __fmul_rn(__fadd_rn(static_cast<float>(bits >= 0 ? bits : ~bits), 0.5f), 0x1p-32f);
    if (bits >= 0 && half <= 0.25f) {
        return -portable_log1p(-half);
    }
    const float uniform = bits >= 0 ? __fadd_rn(1.0f, -half) : half;
    int exponent = (__float_as_int(uniform) >> 23) - 127;
    float mantissa = __int_as_float(__float_as_int(uniform) - (exponent << 23));
    if (mantissa > 0x1.6a09e6p0f) {
        mantissa = __fmul_rn(mantissa, 0.5f);
        exponent++;
    }
    return __fmaf_rn(static_cast<float>(-exponent), 0x1.62e430p-1f, -portable_log1p(__fadd_rn(mantissa, -1.0f)));
}
