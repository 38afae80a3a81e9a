/*
 * Vectors of 16 lanes for every instruction set. Kernels are written once over these; the compiler splits a vector where the
 * machine's are shorter. Compiled with -DGATUN_ISA=name and that instruction set's flags.
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

typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));
typedef uint32_t words __attribute__((vector_size(64)));
typedef uint16_t halves __attribute__((vector_size(32)));
typedef uint8_t bytes __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

/* Accumulators a kernel may keep in registers: outputs in steps of 16, and rows, of a tile of a matrix product. */
#if defined(__AVX512F__)
#define TILE_VECTORS 2
#define TILE_ROWS 6
#else
#define TILE_VECTORS 1
#define TILE_ROWS 4
#endif

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
    ints bits_a;
    ints bits_b;
    memcpy(&bits_a, &a, sizeof a);
    memcpy(&bits_b, &b, sizeof b);
    bits_a = (mask & bits_a) | (~mask & bits_b);
    memcpy(&a, &bits_a, sizeof a);
    return a;
}

INLINE floats larger(floats a, floats b) {
    return choose(a > b, a, b);
}

typedef int8_t codes __attribute__((vector_size(16)));

/* Sum of the lanes, in a fixed order. */
INLINE float sum_of(floats value) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps((__m512)value);
#else
    float sum = 0;
    for (int lane = 0; lane < GATUN_LANES; lane++) {
        sum += value[lane];
    }
    return sum;
#endif
}

INLINE int32_t sum_of_ints(ints value) {
#if defined(__AVX512F__)
    return _mm512_reduce_add_epi32((__m512i)value);
#else
    int32_t sum = 0;
    for (int lane = 0; lane < GATUN_LANES; lane++) {
        sum += value[lane];
    }
    return sum;
#endif
}

/* The largest lane. */
INLINE float largest_of(floats value) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps((__m512)value);
#else
    float largest = value[0];
    for (int lane = 1; lane < GATUN_LANES; lane++) {
        largest = value[lane] > largest ? value[lane] : largest;
    }
    return largest;
#endif
}

/* Lanes from -128 to 127 as bytes. */
INLINE codes to_codes(ints value) {
#if defined(__AVX512F__)
    return (codes)_mm512_cvtepi32_epi8((__m512i)value);
#else
    return __builtin_convertvector(value, codes);
#endif
}

/* The nearest whole numbers, ties to even; a product that is given is rounded before. */
INLINE ints nearest(floats value) {
#if defined(__AVX512F__)
    return (ints)_mm512_cvtps_epi32((__m512)value);
#else
    ints result;
#if defined(__AVX2__)
    for (int i = 0; i < 2; i++) {
        __m256 part;
        memcpy(&part, (const float *)&value + 8 * i, sizeof part);
        __m256i rounded = _mm256_cvtps_epi32(part);
        memcpy((int32_t *)&result + 8 * i, &rounded, sizeof rounded);
    }
#elif defined(__aarch64__)
    for (int i = 0; i < 4; i++) {
        int32x4_t rounded = vcvtnq_s32_f32(vld1q_f32((const float *)&value + 4 * i));
        memcpy((int32_t *)&result + 4 * i, &rounded, sizeof rounded);
    }
#else
    for (int lane = 0; lane < GATUN_LANES; lane++) {
        result[lane] = (int32_t)lrintf(value[lane]);
    }
#endif
    return result;
#endif
}

INLINE floats to_floats(ints value) {
    return __builtin_convertvector(value, floats);
}

/* 16 bytes as numbers. */
INLINE floats from_codes(const int8_t *source) {
    codes value;
    memcpy(&value, source, sizeof value);
    return to_floats(__builtin_convertvector(value, ints));
}

INLINE floats from_halves(const uint16_t *source) {
#if defined(__AVX512F__)
    return (floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)source));
#elif defined(__F16C__)
    union {
        __m256 parts[2];
        floats whole;
    } value;
    value.parts[0] = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)source));
    value.parts[1] = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(source + 8)));
    return value.whole;
#elif defined(__aarch64__)
    floats value;
    for (int i = 0; i < 4; i++) {
        float32x4_t part = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(source + 4 * i)));
        memcpy((float *)&value + 4 * i, &part, sizeof part);
    }
    return value;
#else
    float value[16];
    gatun_decode(GATUN_F16, (const uint8_t *)source, value, 16);
    return load(value);
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
    _mm_storeu_si128((__m128i *)target, _mm256_cvtps_ph(_mm256_loadu_ps(source), _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(target + 8), _mm256_cvtps_ph(_mm256_loadu_ps(source + 8), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__aarch64__)
    for (int i = 0; i < 4; i++) {
        vst1_u16(target + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(source + 4 * i))));
    }
#else
    gatun_round_to_halves(target, source, 16);
#endif
}

INLINE words load_16_bits(const uint16_t *source) {
#if defined(__AVX512F__)
    return (words)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)source));
#else
    halves raw;
    memcpy(&raw, source, sizeof raw);
    return __builtin_convertvector(raw, words);
#endif
}

INLINE floats from_bfloats(const uint16_t *source) {
    words bits = load_16_bits(source) << 16;
    floats value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE ints splat_int(int32_t value) {
    return value - (ints){0};
}

INLINE bytes load_bytes(const uint8_t *source) {
    bytes value;
    memcpy(&value, source, sizeof value);
    return value;
}

/* 16 bytes, four times. */
INLINE bytes repeat_bytes(const void *source) {
#if defined(__AVX512F__)
    return (bytes)_mm512_broadcast_i32x4(_mm_loadu_si128(source));
#else
    bytes value;
    for (int i = 0; i < 4; i++) {
        memcpy((uint8_t *)&value + 16 * i, source, 16);
    }
    return value;
#endif
}

#if defined(__AVX2__)
/* A vector as AVX2 takes it. */
union two_vectors {
    __m256i parts[2];
    floats numbers;
    ints whole;
    bytes raw;
};
#endif

/* Byte i: entry indices[i], below 16, of the 16 bytes that `table` repeats. */
INLINE bytes look_up(bytes table, bytes indices) {
#if defined(__AVX512F__)
    return (bytes)_mm512_shuffle_epi8((__m512i)table, (__m512i)indices);
#elif defined(__AVX2__)
    union two_vectors entries = {.raw = table};
    union two_vectors result = {.raw = indices};
    for (int half = 0; half < 2; half++) {
        result.parts[half] = _mm256_shuffle_epi8(entries.parts[half], result.parts[half]);
    }
    return result.raw;
#elif defined(__aarch64__)
    for (int i = 0; i < 4; i++) {
        uint8_t *part = (uint8_t *)&indices + 16 * i;
        vst1q_u8(part, vqtbl1q_u8(vld1q_u8((const uint8_t *)&table), vld1q_u8(part)));
    }
    return indices;
#else
    bytes result;
    for (int i = 0; i < 64; i++) {
        result[i] = table[indices[i]];
    }
    return result;
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
#else
INLINE words aim(words places, const int offset, const int period) {
    (void)offset;
    (void)period;
    return places;
}

INLINE floats pick(const float *sixteen, words aimed, const int offset, const int period) {
    floats table;
    for (int i = 0; i < GATUN_LANES; i += period) {
        memcpy((float *)&table + i, sixteen + offset, sizeof(float) * (size_t)period);
    }
#if defined(__AVX2__)
    union two_vectors entries = {.numbers = table};
    union two_vectors result = {.whole = (ints)aimed};
    for (int half = 0; half < 2; half++) {
        __m256i index = result.parts[half];
        __m256 low = _mm256_permutevar8x32_ps(_mm256_castsi256_ps(entries.parts[0]), index);
        __m256 high = _mm256_permutevar8x32_ps(_mm256_castsi256_ps(entries.parts[1]), index);
        __m256 low_4 = _mm256_permutevar_ps(_mm256_castsi256_ps(entries.parts[0]), index);
        __m256 low_16 = _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
        result.parts[half] = _mm256_castps_si256(period == 4 ? low_4 : period == 8 ? low : low_16);
    }
    return result.numbers;
#else
    floats result;
    for (int lane = 0; lane < GATUN_LANES; lane++) {
        result[lane] = table[aimed[lane] & (unsigned)(period - 1)];
    }
    return result;
#endif
}
#endif

/*
 * Lane i: sum + Σ_j weight[4 i + j] · activation[j], j = 0..3, exact. dot_unsigned takes weights below 128. dot_8_bits takes
 * weights stored plus 128 and leaves that out of the sum, together with start_8_bits: a machine that multiplies unsigned by
 * signed starts its sums at -128 · Σ activation, the others at 0.
 *
 * dot_picked takes signed weights and activations of which each lane has its own, from lift(). On a machine that multiplies
 * unsigned by signed these are more by 128; what that adds to a sum, the same for all rows, add_lift collects.
 */
#if defined(__AVX512VNNI__)
INLINE ints dot_8_bits(ints sum, bytes weights, const int8_t *activations) {
    int32_t four;
    memcpy(&four, activations, 4);
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, _mm512_set1_epi32(four));
}

INLINE ints dot_unsigned(ints sum, bytes weights, const int8_t *activations) {
    return dot_8_bits(sum, weights, activations);
}

INLINE bytes lift(bytes activations) {
    return activations ^ 0x80;
}

INLINE ints dot_picked(ints sum, bytes weights, bytes activations) {
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)activations, (__m512i)weights);
}

INLINE ints add_lift(ints lifted, bytes weights) {
    return (ints)_mm512_dpbusd_epi32((__m512i)lifted, _mm512_set1_epi8((char)0x80), (__m512i)weights);
}
#elif defined(__AVX2__)
INLINE ints dot_unsigned(ints sum, bytes weights, const int8_t *activations) {
    int32_t four;
    memcpy(&four, activations, 4);
    union two_vectors w = {.raw = weights};
    union two_vectors result;
    for (int half = 0; half < 2; half++) {
        __m256i pairs = _mm256_maddubs_epi16(w.parts[half], _mm256_set1_epi32(four));
        result.parts[half] = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
    return sum + result.whole;
}

/* |w| · (sign of w given to x) fits 16 bits in pairs, w · x with unsigned w would not. */
INLINE ints dot_picked(ints sum, bytes weights, bytes activations) {
    union two_vectors w = {.raw = weights};
    union two_vectors x = {.raw = activations};
    union two_vectors result;
    for (int half = 0; half < 2; half++) {
        __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w.parts[half]), _mm256_sign_epi8(x.parts[half], w.parts[half]));
        result.parts[half] = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
    return sum + result.whole;
}

INLINE ints dot_8_bits(ints sum, bytes weights, const int8_t *activations) {
    int32_t four;
    memcpy(&four, activations, 4);
    return dot_picked(sum, weights ^ 0x80, (bytes)splat_int(four));
}
#elif defined(__ARM_FEATURE_DOTPROD)
INLINE ints dot_picked(ints sum, bytes weights, bytes activations) {
    int8_t w[64];
    int8_t x[64];
    int32_t result[16];
    memcpy(w, &weights, sizeof w);
    memcpy(x, &activations, sizeof x);
    memcpy(result, &sum, sizeof result);
    for (int i = 0; i < 4; i++) {
        vst1q_s32(result + 4 * i, vdotq_s32(vld1q_s32(result + 4 * i), vld1q_s8(w + 16 * i), vld1q_s8(x + 16 * i)));
    }
    memcpy(&sum, result, sizeof sum);
    return sum;
}

INLINE ints dot_unsigned(ints sum, bytes weights, const int8_t *activations) {
    int32_t four;
    memcpy(&four, activations, 4);
    return dot_picked(sum, weights, (bytes)splat_int(four));
}

INLINE ints dot_8_bits(ints sum, bytes weights, const int8_t *activations) {
    return dot_unsigned(sum, weights ^ 0x80, activations);
}
#else
INLINE ints dot_picked(ints sum, bytes weights, bytes activations) {
    for (int lane = 0; lane < 16; lane++) {
        for (int j = 0; j < 4; j++) {
            sum[lane] += (int8_t)weights[4 * lane + j] * (int8_t)activations[4 * lane + j];
        }
    }
    return sum;
}

INLINE ints dot_unsigned(ints sum, bytes weights, const int8_t *activations) {
    for (int lane = 0; lane < 16; lane++) {
        for (int j = 0; j < 4; j++) {
            sum[lane] += (int32_t)weights[4 * lane + j] * activations[j];
        }
    }
    return sum;
}

INLINE ints dot_8_bits(ints sum, bytes weights, const int8_t *activations) {
    return dot_unsigned(sum, weights, activations);
}
#endif

INLINE ints start_8_bits(int32_t sum_of_activations) {
#if defined(__AVX2__) && !defined(__AVX512VNNI__) || defined(__ARM_FEATURE_DOTPROD)
    (void)sum_of_activations;
    return splat_int(0);
#else
    return splat_int(-128 * sum_of_activations);
#endif
}

#if !defined(__AVX512VNNI__)
INLINE bytes lift(bytes activations) {
    return activations;
}

INLINE ints add_lift(ints lifted, bytes weights) {
    (void)weights;
    return lifted;
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
    ints bits;
    memcpy(&bits, &series, sizeof bits);
    bits += __builtin_convertvector(n, ints) << 23;
    bits &= (ints)(x > -87.0f);
    floats result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

#endif
