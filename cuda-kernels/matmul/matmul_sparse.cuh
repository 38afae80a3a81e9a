// The formats of weights of which two of every four are kept, see matmul_sparse.cu.
#pragma once

#include "matmul_weight_tiles.cuh"

struct Sparse : WeightTileFormat {
    using Element = f16;
    static constexpr int bytes = 512 + 64;
    static constexpr bool is_sparse = true;

    uint4 values;
    unsigned places;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        values = reinterpret_cast<const uint4*>(weight_tile)[threadIdx.x % 32];
        places = reinterpret_cast<const unsigned short*>(weight_tile + 512)[threadIdx.x % 32];
    }

    __device__ __forceinline__ void fragments(int step, unsigned& first, unsigned& second) const {
        first = step == 0 ? values.x : values.z;
        second = step == 0 ? values.y : values.w;
    }

    // sums += a * b: 16 x 8 from 16 x 32, of which half is kept, and 32 x 8.
    template <int LANES>
    __device__ __forceinline__ static void multiply(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[4], unsigned places) {
        asm("mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
            "{%8, %9, %10, %11}, {%0, %1, %2, %3}, %12, %13;"
            : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(places), "n"(LANES));
    }
};

struct SparseInt8 : Sparse {
    static constexpr int bytes = 256 + 64;
    static constexpr bool has_row_scale = true;

    uint2 codes;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        codes = reinterpret_cast<const uint2*>(weight_tile)[threadIdx.x % 32];
        places = reinterpret_cast<const unsigned short*>(weight_tile + 256)[threadIdx.x % 32];
    }

    // 1024 and two bytes, in the bits of two f16, less 1152.
    __device__ __forceinline__ static unsigned less(unsigned pair) {
        unsigned result;
        asm("add.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(pair), "r"(0xe480e480u));
        return result;
    }

    __device__ __forceinline__ void fragments(int step, unsigned& first, unsigned& second) const {
        const unsigned word = step == 0 ? codes.x : codes.y;
        first = less(bytes_by<0x4140, 0x64646464u>(word));
        second = less(bytes_by<0x4342, 0x64646464u>(word));
    }
};
