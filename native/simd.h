/*
 * Vectors of WIDTH lanes, as many as a register of the instruction set holds. Kernels are written once over these: what layouts
 * and sums have 16 lanes of is PARTS vectors. Longer vectors than the machine's would be kept in memory by the compiler.
 * Compiled with -DGATUN_ISA=name and that instruction set's flags.
 */
#ifndef GATUN_SIMD_H
#define GATUN_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define JOIN(a, b) a##_##b
#define EXPAND(a, b) JOIN(a, b)
/* The name of a function for this instruction set. */
#define NAME(function) EXPAND(function, GATUN_ISA)

/*
 * WIDTH, and the accumulators that a kernel may keep in registers: vectors of outputs, and rows, of a tile of a matrix product.
 */
#if defined(__AVX512F__)
#define WIDTH 16
#define TILE_VECTORS 2
#define TILE_ROWS 6
#elif defined(__AVX2__)
#define WIDTH 8
#define TILE_VECTORS 2
#define TILE_ROWS 4
#else
#define WIDTH 4
#define TILE_VECTORS 4
#define TILE_ROWS 4
#endif

/* Vectors that hold 16 lanes. */
#define PARTS (GATUN_LANES / WIDTH)

typedef float floats __attribute__((vector_size(4 * WIDTH)));
typedef int32_t ints __attribute__((vector_size(4 * WIDTH)));
typedef uint32_t words __attribute__((vector_size(4 * WIDTH)));
typedef uint16_t halves __attribute__((vector_size(2 * WIDTH)));
typedef int16_t shorts __attribute__((vector_size(4 * WIDTH)));
typedef uint8_t bytes __attribute__((vector_size(4 * WIDTH)));
typedef int8_t codes __attribute__((vector_size(WIDTH)));

#define INLINE static inline __attribute__((always_inline))

INLINE floats splat(float value) {
    return value - (floats){0};
}

INLINE floats load(const float *source) {
    floats value;
    memcpy(&value, source, sizeof value);
    return value;
}

INLINE void store(float *target, floats value) {
    memcpy(target, &value, sizeof value);
}

/* a · b + c, rounded once where the machine can. */
INLINE floats multiply_add(floats a, floats b, floats c) {
#if defined(__AVX512F__)
    return (floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return a * b + c; /* contracted by -ffp-contract=fast */
#endif
}

/* Lane by lane: mask ? a : b, for masks as comparisons give them. */
INLINE floats choose(ints mask, floats a, floats b) {
    return (floats)((mask & (ints)a) | (~mask & (ints)b));
}

INLINE floats larger(floats a, floats b) {
    return choose(a > b, a, b);
}

INLINE floats magnitude_of(floats x) {
    return larger(x, -x);
}

/* Sum of 16 lanes, in a fixed order. */
INLINE float sum_of(const floats value[PARTS]) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)*value);
#else
    float sum = 0;
#pragma GCC unroll 16
    for (int lane = 0; lane < GATUN_LANES; lane++) {
        sum += value[lane / WIDTH][lane % WIDTH];
    }
    return sum;
#endif
}

/* Sums of codes wrap, where activations are not numbers. */
INLINE int32_t wrapping_sum(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* Sum of the lanes, which wraps: what becomes of activations that are not numbers is the least int. */
INLINE int32_t sum_of_ints(ints value) {
    uint32_t sum = 0;
#if defined(__AVX512F__)
    __m256i halves = _mm256_add_epi32(_mm512_extracti64x4_epi64((__m512i)value, 1), _mm512_extracti64x4_epi64((__m512i)value, 0));
    __m128i quarters = _mm_add_epi32(_mm256_extracti128_si256(halves, 1), _mm256_extracti128_si256(halves, 0));
#pragma GCC unroll 4
    for (int lane = 0; lane < 4; lane++) {
        sum += ((unsigned __attribute__((vector_size(16))))quarters)[lane];
    }
#else
#pragma GCC unroll 16
    for (int lane = 0; lane < WIDTH; lane++) {
        sum += (uint32_t)value[lane];
    }
#endif
    return (int32_t)sum;
}

/* The largest lane. */
INLINE float largest_of(floats value) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)value);
#else
    float largest = value[0];
#pragma GCC unroll 16
    for (int lane = 1; lane < WIDTH; lane++) {
        largest = value[lane] > largest ? value[lane] : largest;
    }
    return largest;
#endif
}

/* Lanes from -128 to 127 as bytes. */
INLINE codes to_codes(ints value) {
#if defined(__AVX512F__)
    return (codes)_mm512_cvtepi32_epi8((__m512i)value);
#elif defined(__AVX2__)
    const __m256i lowest = _mm256_shuffle_epi8((__m256i)value, _mm256_set1_epi32(0x0c080400));
    return (codes)_mm_cvtsi128_si64(_mm_unpacklo_epi32(_mm256_castsi256_si128(lowest), _mm256_extracti128_si256(lowest, 1)));
#else
    return __builtin_convertvector(value, codes);
#endif
}

/* The nearest whole numbers, ties to even; a product that is given is rounded before. */
INLINE ints nearest(floats value) {
#if defined(__AVX512F__)
    return (ints)_mm512_cvtps_epi32((__m512)value);
#elif defined(__AVX2__)
    return (ints)_mm256_cvtps_epi32((__m256)value);
#elif defined(__aarch64__)
    return (ints)vcvtnq_s32_f32((float32x4_t)value);
#else
    ints result;
    for (int lane = 0; lane < WIDTH; lane++) {
        result[lane] = (int32_t)lrintf(value[lane]);
    }
    return result;
#endif
}

INLINE floats to_floats(ints value) {
    return __builtin_convertvector(value, floats);
}

/* Bytes as numbers. */
INLINE floats from_codes(const int8_t *source) {
#if defined(__AVX512F__)
    return to_floats((ints)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)source)));
#elif defined(__AVX2__)
    return to_floats((ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)source)));
#else
    codes value;
    memcpy(&value, source, sizeof value);
    return to_floats(__builtin_convertvector(value, ints));
#endif
}

INLINE words load_16_bits(const uint16_t *source) {
#if defined(__AVX512F__)
    return (words)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)source));
#elif defined(__AVX2__)
    return (words)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)source));
#else
    halves raw;
    memcpy(&raw, source, sizeof raw);
    return __builtin_convertvector(raw, words);
#endif
}

INLINE floats from_halves(const uint16_t *source) {
#if defined(__AVX512F__)
    return (floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)source));
#elif defined(__F16C__)
    return (floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)source));
#elif defined(__aarch64__)
    return (floats)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(source)));
#else
    /* Bits in place, exponents too small by 112; infinities and NaN have the largest. */
    const words raw = load_16_bits(source);
    const words magnitude = (raw & 0x7fff) << 13;
    const words special = (words)(magnitude >= 0x0f800000) & 0x7f800000;
    return (floats)((words)((floats)magnitude * 0x1p112f) | special | (raw & 0x8000) << 16);
#endif
}

INLINE float from_half(uint16_t source) {
#if defined(__F16C__)
    return _cvtsh_ss(source);
#elif defined(__aarch64__)
    __fp16 value;
    memcpy(&value, &source, sizeof value);
    return value;
#else
    float value;
    gatun_decode(GATUN_F16, (const uint8_t *)&source, &value, 1);
    return value;
#endif
}

INLINE void to_halves(uint16_t *target, const float *source) {
#if defined(__AVX512F__)
    _mm256_storeu_si256((__m256i *)target, _mm512_cvtps_ph((__m512)load(source), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
    _mm_storeu_si128((__m128i *)target, _mm256_cvtps_ph((__m256)load(source), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__aarch64__)
    vst1_u16(target, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(source))));
#else
    gatun_round_to_halves(target, source, WIDTH);
#endif
}

INLINE floats from_bfloats(const uint16_t *source) {
    return (floats)(load_16_bits(source) << 16);
}

INLINE ints splat_int(int32_t value) {
    return value - (ints){0};
}

INLINE bytes load_bytes(const uint8_t *source) {
    bytes value;
    memcpy(&value, source, sizeof value);
    return value;
}

/* The bits `mask` of each byte after a shift to the right, or left if it is negative. Machines shift no bytes, but words. */
INLINE bytes bits_of(bytes source, const int shift, const unsigned mask) {
    const words shifted = shift < 0 ? (words)source << -shift : (words)source >> shift;
    return (bytes)(shifted & mask * 0x01010101);
}

/* 16 bytes, again and again. */
INLINE bytes repeat_bytes(const void *source) {
#if defined(__AVX512F__)
    return (bytes)_mm512_broadcast_i32x4(_mm_loadu_si128(source));
#elif defined(__AVX2__)
    return (bytes)_mm256_broadcastsi128_si256(_mm_loadu_si128(source));
#else
    return load_bytes(source);
#endif
}

/* Byte i: entry indices[i], below 16, of the 16 bytes that `table` repeats. */
INLINE bytes look_up(bytes table, bytes indices) {
#if defined(__AVX512F__)
    return (bytes)_mm512_shuffle_epi8((__m512i)table, (__m512i)indices);
#elif defined(__AVX2__)
    return (bytes)_mm256_shuffle_epi8((__m256i)table, (__m256i)indices);
#elif defined(__aarch64__)
    return (bytes)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)indices);
#else
    uint8_t entries[4 * WIDTH];
    uint8_t places[4 * WIDTH];
    memcpy(entries, &table, sizeof table);
    memcpy(places, &indices, sizeof indices);
#pragma GCC unroll 4
    for (int i = 0; i < 4 * WIDTH; i++) {
        places[i] = entries[places[i]];
    }
    return load_bytes(places);
#endif
}

/*
 * pick: lane i is number places[i] of the group of `period` numbers, 4, 8 or 16, that begins `offset` after `sixteen`. It takes
 * places from aim(), which serves many rows; only their lowest bits count.
 *
 * AVX-512 picks of all 16 numbers: a load that repeats a few takes as long as a shuffle.
 */
#if defined(__AVX512F__)
INLINE words aim(words places, const int offset, const int period) {
    return period == GATUN_LANES ? places : (places & (unsigned)(period - 1)) | (unsigned)offset;
}

INLINE floats pick(const float *sixteen, words aimed, const int offset, const int period) {
    (void)offset;
    (void)period;
    return (floats)_mm512_permutexvar_ps((__m512i)aimed, (__m512)load(sixteen));
}
#elif defined(__aarch64__)
/* A shuffle of bytes. */
INLINE words aim(words places, const int offset, const int period) {
    (void)offset;
    return (places & (unsigned)(period - 1)) * 0x04040404 + 0x03020100;
}

INLINE floats pick(const float *sixteen, words aimed, const int offset, const int period) {
    const uint8_t *table = (const uint8_t *)(sixteen + offset);
    uint8x16_t indices = (uint8x16_t)aimed;
    switch (period) {
        case 4: return (floats)vqtbl1q_u8(vld1q_u8(table), indices);
        case 8: return (floats)vqtbl2q_u8(vld1q_u8_x2(table), indices);
        default: return (floats)vqtbl4q_u8(vld1q_u8_x4(table), indices);
    }
}
#else
INLINE words aim(words places, const int offset, const int period) {
    (void)offset;
    (void)period;
    return places;
}

INLINE floats pick(const float *sixteen, words aimed, const int offset, const int period) {
#if defined(__AVX2__)
    const __m256i indices = (__m256i)aimed;
    if (period == 4) {
        return (floats)_mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)(sixteen + offset)), indices);
    }
    __m256 low = _mm256_permutevar8x32_ps((__m256)load(sixteen + offset), indices);
    if (period == 8) {
        return (floats)low;
    }
    __m256 high = _mm256_permutevar8x32_ps((__m256)load(sixteen + 8), indices);
    return (floats)_mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(indices, 28)));
#else
    floats result;
    for (int lane = 0; lane < WIDTH; lane++) {
        result[lane] = sixteen[offset + (int)(aimed[lane] & (unsigned)(period - 1))];
    }
    return result;
#endif
}
#endif

/*
 * Lane i: sum + Σ_j weight[4 i + j] · activation[j], j = 0..3, exact. dot_unsigned takes weights below 128. dot_signed takes
 * weights from of_signed() or, where they are stored plus 128, from of_raised(): a machine that multiplies unsigned by signed
 * leaves them 128 larger and starts its sums at -128 · Σ activation, from start_signed(), the others at 0. Activations are not
 * below -127.
 *
 * dot_picked takes signed weights and activations of which each lane has its own, from lift(). On a machine that multiplies
 * unsigned by signed these are more by 128; what that adds to a sum, the same for all rows, add_lift collects.
 *
 * Sums run as `partials`, from begin() to end(), of at most dots_of() vectors of weights not beyond `largest`. AVX2 adds pairs
 * of products in 16 bits.
 */
#if defined(__AVX2__) && !defined(__AVX512VNNI__)
typedef shorts partials;

INLINE int dots_of(const int largest) {
    return 32767 / (2 * 127 * largest);
}

INLINE partials begin(ints sum) {
    (void)sum;
    return (partials){0};
}

INLINE ints end(ints sum, partials partial) {
    return sum + (ints)_mm256_madd_epi16((__m256i)partial, _mm256_set1_epi16(1));
}
#else
typedef ints partials;

INLINE int dots_of(const int largest) {
    (void)largest;
    return 8;
}

INLINE partials begin(ints sum) {
    return sum;
}

INLINE ints end(ints sum, partials partial) {
    (void)sum;
    return partial;
}
#endif

#if defined(__AVX512VNNI__)
INLINE bytes of_raised(bytes weights) {
    return weights;
}

INLINE bytes of_signed(bytes weights) {
    return weights ^ 0x80;
}

INLINE ints start_signed(int32_t sum_of_activations) {
    return splat_int((int32_t)(-128u * (uint32_t)sum_of_activations));
}

INLINE partials dot_signed(partials sum, bytes weights, const int8_t *activations) {
    int32_t four;
    memcpy(&four, activations, 4);
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, _mm512_set1_epi32(four));
}

INLINE partials dot_unsigned(partials sum, bytes weights, const int8_t *activations) {
    return dot_signed(sum, weights, activations);
}

INLINE bytes lift(bytes activations) {
    return activations ^ 0x80;
}

INLINE partials dot_picked(partials sum, bytes weights, bytes activations) {
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)activations, (__m512i)weights);
}

INLINE ints add_lift(ints lifted, bytes weights) {
    return (ints)_mm512_dpbusd_epi32((__m512i)lifted, _mm512_set1_epi8((char)0x80), (__m512i)weights);
}
#else
INLINE bytes of_raised(bytes weights) {
    return weights ^ 0x80;
}

INLINE bytes of_signed(bytes weights) {
    return weights;
}

INLINE ints start_signed(int32_t sum_of_activations) {
    (void)sum_of_activations;
    return splat_int(0);
}

INLINE bytes lift(bytes activations) {
    return activations;
}

INLINE partials dot_picked(partials sum, bytes weights, bytes activations) {
#if defined(__AVX2__)
    /* |w| · (sign of w given to x) fits 16 bits in pairs, w · x with unsigned w would not. */
    const __m256i w = (__m256i)weights;
    return sum + (shorts)_mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8((__m256i)activations, w));
#elif defined(__ARM_FEATURE_DOTPROD)
    return (ints)vdotq_s32((int32x4_t)sum, (int8x16_t)weights, (int8x16_t)activations);
#else
    /* Products of bytes, and sums of two, fit 16 bits. */
    const shorts w = (shorts)weights;
    const shorts x = (shorts)activations;
    const ints pairs = (ints)((w << 8 >> 8) * (x << 8 >> 8) + (w >> 8) * (x >> 8));
    return sum + (pairs << 16 >> 16) + (pairs >> 16);
#endif
}

INLINE ints add_lift(ints lifted, bytes weights) {
    (void)weights;
    return lifted;
}

INLINE partials dot_signed(partials sum, bytes weights, const int8_t *activations) {
    int32_t four;
    memcpy(&four, activations, 4);
    return dot_picked(sum, weights, (bytes)splat_int(four));
}

INLINE partials dot_unsigned(partials sum, bytes weights, const int8_t *activations) {
#if defined(__AVX2__)
    int32_t four;
    memcpy(&four, activations, 4);
    return sum + (shorts)_mm256_maddubs_epi16((__m256i)weights, _mm256_set1_epi32(four));
#else
    return dot_signed(sum, weights, activations);
#endif
}
#endif

/*
 * e^x for x ≤ 0 (and up to 88), relative error below 2e-7: 2^n · e^r with |r| ≤ ln 2 / 2, e^r by its series to the seventh
 * power. Below -87 it is 0.
 */
INLINE floats exponential(floats x) {
    const float rounder = 0x1.8p23f;
    floats n = x * 1.44269504f + rounder - rounder;
    floats r = multiply_add(n, splat(-0x1.62e4p-1f), x);
    r = multiply_add(n, splat(-1.42860677e-6f), r);
    floats series = splat(1.0f / 5040);
    series = multiply_add(series, r, splat(1.0f / 720));
    series = multiply_add(series, r, splat(1.0f / 120));
    series = multiply_add(series, r, splat(1.0f / 24));
    series = multiply_add(series, r, splat(1.0f / 6));
    series = multiply_add(series, r, splat(0.5f));
    series = multiply_add(series, r, splat(1));
    series = multiply_add(series, r, splat(1));
    ints bits = (ints)series + (__builtin_convertvector(n, ints) << 23);
    return (floats)(bits & (ints)(x > -87.0f));
}

#endif
