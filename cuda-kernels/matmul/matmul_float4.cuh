// Formats of weights that are 4-bit floating-point numbers, see matmul_float4.cu.
#pragma once

#include "matmul_weight_tiles.cuh"

template <int BLOCK, unsigned UPPER_BITS, unsigned ALWAYS_SET> struct Float4 : WeightTileFormat {
    static constexpr int blocks = WEIGHT_TILE_INPUTS / BLOCK;
    static constexpr int bytes = 256 + 8 * blocks;
    static constexpr bool has_row_scale = true;

    uint2 codes;
    unsigned upper; // bytes of the scales
    unsigned lower;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint2*>(weight_tile)[threadIdx.x % 32];
        unsigned scales;
        if constexpr (blocks == 4) {
            scales = reinterpret_cast<const unsigned*>(weight_tile + 256)[threadIdx.x % 32 / 4];
        } else {
            scales = reinterpret_cast<const unsigned short*>(weight_tile + 256)[threadIdx.x % 32 / 4];
        }
        upper = and_or<UPPER_BITS, ALWAYS_SET>(scales);
        lower = scales & ~UPPER_BITS;
    }

    __device__ __forceinline__ static unsigned tiny(unsigned word, int number) {
        constexpr unsigned BITS = 0x81c081c0u;
        return number == 0 ? word & BITS : number == 1 ? word << 3 & BITS : number == 2 ? word << 6 & BITS
                : and_or<0x80008000u>(word << 1, and_or<0x01800180u>(word >> 3, word >> 7 & 0x00400040u));
    }

    // a * b, of pairs of bf16.
    __device__ __forceinline__ static unsigned scaled(unsigned a, unsigned b) {
        unsigned result;
        asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(0x80008000u));
        return result;
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        const int block = step * 16 / BLOCK;
        const unsigned scale = block == 0 ? bytes_by<0x0404>(upper, lower) : block == 1 ? bytes_by<0x1515>(upper, lower)
                : block == 2 ? bytes_by<0x2626>(upper, lower) : bytes_by<0x3737>(upper, lower); // twice
        const unsigned word = step < 2 ? codes.x : codes.y;
        first = scaled(tiny(word, step % 2 * 2), scale);
        second = scaled(tiny(word, step % 2 * 2 + 1), scale);
    }
};

using MXFP4 = Float4<32, 0x7f7f7f7fu, 0>;
using NVFP4 = Float4<16, 0x0f0f0f0fu, 0x70707070u>;
