// Formats of weights in blocks of codes and scales, see matmul_quantized.cu.
#pragma once

#include "matmul_weight_tiles.cuh"

constexpr unsigned NIBBLES = 0x000f000fu;
constexpr unsigned POWER = 0x4b000000u; // 2^23 as f32

// Of the scales of 64 inputs, two of f16.
__device__ __forceinline__ float half_of(__half2 scales, int half) {
    return half == 0 ? __low2float(scales) : __high2float(scales);
}

__device__ __forceinline__ unsigned word_of(const uint4& codes, int number) {
    return number == 0 ? codes.x : number == 1 ? codes.y : number == 2 ? codes.z : codes.w;
}

struct Q8_0 : WeightTileFormat {
    static constexpr int bytes = 512 + 32;
    static constexpr int block = 32;

    uint4 codes;
    __half2 scales;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint4*>(weight_tile)[threadIdx.x % 32];
        scales = reinterpret_cast<const __half2*>(weight_tile + 512)[threadIdx.x % 32 / 4];
    }

    // The weights of 16 inputs, the first or the second, third or fourth of the weight tile.
    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        const unsigned word = word_of(codes, step);
        first = bytes_of(word);
        second = bytes_of(word >> 8);
    }

    __device__ __forceinline__ float scale(int block) const {
        return half_of(scales, block);
    }
};

struct Q4_0 : WeightTileFormat {
    static constexpr int bytes = 256 + 32;
    static constexpr int block = 32;

    uint2 codes;
    __half2 scales;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint2*>(weight_tile)[threadIdx.x % 32];
        scales = reinterpret_cast<const __half2*>(weight_tile + 256)[threadIdx.x % 32 / 4];
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        constexpr unsigned LESS = 0xc308c308u; // -136
        const unsigned word = step < 2 ? codes.x : codes.y;
        first = integers<NIBBLES>(word >> step % 2 * 8, LESS);
        second = integers<NIBBLES>(word >> (step % 2 * 8 + 4), LESS);
    }

    __device__ __forceinline__ float scale(int block) const {
        return half_of(scales, block);
    }
};

struct Q4_K : WeightTileFormat {
    static constexpr int bytes = 256 + 64;
    static constexpr int block = 32;
    static constexpr bool has_minimum = true;

    uint2 codes;
    unsigned factors; // s, t, s, t
    float d;
    float d_less;
    float m;
    float m_less;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint2*>(weight_tile)[threadIdx.x % 32];
        const uint2 scales = reinterpret_cast<const uint2*>(weight_tile + 256)[threadIdx.x % 32 / 4];
        factors = scales.y;
        d = half_of(reinterpret_cast<const __half2&>(scales.x), 0);
        d_less = d * -0x1p23f;
        m = -half_of(reinterpret_cast<const __half2&>(scales.x), 1);
        m_less = m * -0x1p23f;
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        constexpr unsigned LESS = 0xc300c300u; // -128
        const unsigned word = step < 2 ? codes.x : codes.y;
        first = integers<NIBBLES>(word >> step % 2 * 8, LESS);
        second = integers<NIBBLES>(word >> (step % 2 * 8 + 4), LESS);
    }

    // A product with 2^23 and a byte, the bits of which are those of the byte, less that with 2^23: exact, as a conversion would be.
    __device__ __forceinline__ float scale(int block) const {
        return fmaf(d, block == 0 ? float_by<0x7540, POWER>(factors) : float_by<0x7542, POWER>(factors), d_less);
    }

    __device__ __forceinline__ float minimum(int block) const {
        return fmaf(m, block == 0 ? float_by<0x7541, POWER>(factors) : float_by<0x7543, POWER>(factors), m_less);
    }
};

struct Q6_K : WeightTileFormat {
    static constexpr int bytes = 384 + 64;
    static constexpr int block = 16;

    uint2 codes;
    unsigned high;
    unsigned factors; // 128 + s
    float d;
    float d_less;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint2*>(weight_tile)[threadIdx.x % 32];
        high = reinterpret_cast<const unsigned*>(weight_tile + 256)[threadIdx.x % 32];
        const uint2 scales = reinterpret_cast<const uint2*>(weight_tile + 384)[threadIdx.x % 32 / 4];
        factors = scales.x;
        const float whole = half_of(reinterpret_cast<const __half2&>(scales.y), 0);
        d = whole * 0x1p-8f;
        d_less = whole * -(0x1p15f + 128.0f);
    }

    __device__ __forceinline__ unsigned pair(int number) const {
        const unsigned word = number < 4 ? codes.x : codes.y;
        const unsigned above = number < 2 ? high << (4 - 2 * number) : high >> (2 * number - 4); // to bits 4 and 20
        return add_pairs(and_or<0x00300030u>(above, and_or<NIBBLES, 0x43004300u>(word >> number % 4 * 4)), 0xc320c320u); // -160
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        first = pair(step * 2);
        second = pair(step * 2 + 1);
    }

    // As in Q4_K, of 2^15 and a byte, times 2^8.
    __device__ __forceinline__ float scale(int block) const {
        return fmaf(d, block == 0 ? float_by<0x7504, POWER>(factors) : block == 1 ? float_by<0x7514, POWER>(factors)
                : block == 2 ? float_by<0x7524, POWER>(factors) : float_by<0x7534, POWER>(factors), d_less);
    }
};

__constant__ const float NF4_CODEBOOK[16] =
        {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
        -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
        0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

__constant__ const float FP4_CODEBOOK[16] = {0.0f, 0.0052083333f, 0.6666666667f, 1.0f, 0.3333333333f, 0.5f, 0.1666666667f, 0.25f, -0.0f,
        -0.0052083333f, -0.6666666667f, -1.0f, -0.3333333333f, -0.5f, -0.1666666667f, -0.25f};

template <bool NORMAL> struct Codebook : WeightTileFormat {
    static constexpr int bytes = 256 + 32;
    static constexpr int block = 64;
    static constexpr bool has_table = true;

    uint2 codes;
    float d;

    // Writes the pairs for all bytes, once in each bank: a quarter of a warp writes one entry.
    template <int THREADS> __device__ __forceinline__ static void fill(unsigned* table) {
        constexpr int LANES = 8;
#pragma unroll 4
        for (int entry = threadIdx.x / LANES; entry < TABLE_ENTRIES; entry += THREADS / LANES) {
            const unsigned pair = pair_of<bf16>(codebook(entry % 16), codebook(entry / 16));
            reinterpret_cast<uint4*>(table)[entry * LANES + threadIdx.x % LANES] = {pair, pair, pair, pair};
        }
    }

    __device__ __forceinline__ static float codebook(int code) {
        return NORMAL ? NF4_CODEBOOK[code] : FP4_CODEBOOK[code];
    }

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint2*>(weight_tile)[threadIdx.x % 32];
        d = reinterpret_cast<const float*>(weight_tile + 256)[threadIdx.x % 32 / 4];
    }

    // The table's entry for a byte of a word.
    __device__ __forceinline__ static unsigned entry(unsigned word, int number, unsigned table) {
        unsigned address;
        unsigned pair;
        asm("mad.lo.u32 %0, %1, %2, %3;" : "=r"(address) : "r"(__byte_perm(word, 0, 0x4440 + number)), "n"(BANKS * 4), "r"(table));
        asm("ld.shared.u32 %0, [%1];" : "=r"(pair) : "r"(address));
        return pair;
    }

    __device__ __forceinline__ void fragments(int step, unsigned table, unsigned& first, unsigned& second) const {
        const unsigned word = step < 2 ? codes.x : codes.y;
        first = entry(word, step % 2 * 2, table);
        second = entry(word, step % 2 * 2 + 1, table);
    }

    __device__ __forceinline__ float scale(int) const {
        return d;
    }
};

struct INT8 : WeightTileFormat {
    static constexpr int bytes = 512;
    static constexpr bool has_row_scale = true;

    uint4 codes;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint4*>(weight_tile)[threadIdx.x % 32];
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        const unsigned word = word_of(codes, step);
        first = bytes_of(word);
        second = bytes_of(word >> 8);
    }
};

using NF4 = Codebook<true>;
using FP4 = Codebook<false>;
