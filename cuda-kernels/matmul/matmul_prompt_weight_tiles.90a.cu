// Matrix products of prompts with weights in blocks of codes and scales on compute capability 9.0: those of matmul_quantized.cu, by products
// of four warps.
//
// Entry points, of MatmulArguments:
//     matmul_{int8,q8_0,q4_0,nf4,fp4}_128x128w
//     matmul_swiglu_{int8,q8_0,q4_0,nf4,fp4}_128x128w
//
// Launch: as matmul_prompt.90a.cu. A tile has 128 rows and 128 outputs. Weights are the operand of 64 rows and come from registers: each
// warp makes bf16 of the codes of its 16 outputs, two weight tiles; activations are the one of 128 columns, in swizzled rows of shared
// memory. Sums and scales follow each other as in matmul_quantized.cu: the inputs that share a scale are summed first.

#include "prompt_tile.cuh"
#include "matmul_quantized.cuh"

// Of the warps that multiply: each has 16 outputs of the tile and all its rows.
template <typename FORMAT> struct PromptWeightTiles {
    static constexpr int rows = 128;
    static constexpr int outputs = 128;
    static constexpr int stages = 6;
    static constexpr int warps_across = 8;
    static constexpr int warp_rows = rows;
    static constexpr int warp_outputs = 16;
    static constexpr int stage_rows_bytes = rows * ROW_BYTES;
    static constexpr int stage_weight_bytes = outputs / 8 * FORMAT::bytes;
};

// Starts the copies of a feeder's part of the weight tiles of a step.
template <typename TILE, typename FORMAT>
__device__ __forceinline__ void feed_weight_tiles(unsigned stage, const unsigned char* weight, int weight_rows, int step,
        int weight_tiles) {
    constexpr int PIECES = FORMAT::bytes / 16; // of a weight tile
    constexpr int COUNT = TILE::outputs / 8 * PIECES;
    const int feeder = threadIdx.x % FEEDERS;
#pragma unroll
    for (int i = 0; i < (COUNT + FEEDERS - 1) / FEEDERS; i++) {
        const int number = i * FEEDERS + feeder;
        if (COUNT % FEEDERS == 0 || number < COUNT) {
            const int group = blockIdx.y * (TILE::outputs / 8) + number / PIECES;
            const bool there = group * 8 < weight_rows;
            copy_async(stage + number * 16,
                    there ? weight + group * group_bytes<FORMAT>(weight_tiles) + step * FORMAT::bytes + number % PIECES * 16 : weight,
                    there);
        }
    }
}

// Adds the products of a stage, whose rows are the matrix `in`.
template <typename FORMAT>
__device__ __forceinline__ void multiply_stage(float (&sums)[16][4], const FORMAT& upper, const FORMAT& lower, unsigned long long in,
        unsigned table) {
    constexpr int BLOCK = FORMAT::block == 0 ? STAGE_INPUTS : FORMAT::block;
#pragma unroll
    for (int number = 0; number < STAGE_INPUTS / BLOCK; number++) {
        unsigned a[BLOCK / 16][4];
#pragma unroll
        for (int part = 0; part < BLOCK / 16; part++) {
            upper.fragments(number * (BLOCK / 16) + part, table, a[part][0], a[part][2]);
            lower.fragments(number * (BLOCK / 16) + part, table, a[part][1], a[part][3]);
        }
        const unsigned long long b = in + number * (BLOCK / 16) * 2;
        if constexpr (FORMAT::block == 0) {
            begin_products();
#pragma unroll
            for (int part = 0; part < BLOCK / 16; part++) {
                multiply_together(sums, a[part], b + part * 2);
            }
            commit_products();
            wait_for_products(sums);
        } else {
            float product[16][4];
            begin_products();
            multiply_first_together(product, a[0], b);
#pragma unroll
            for (int part = 1; part < BLOCK / 16; part++) {
                multiply_together(product, a[part], b + part * 2);
            }
            commit_products();
            wait_for_products(product);
#pragma unroll
            for (int n = 0; n < 16; n++) {
                add_scaled(sums[n], upper.scale(number), lower.scale(number), product[n]);
            }
        }
    }
}

// Calls store(sums) in the warps that multiply.
template <typename FORMAT, typename STORE>
__device__ __forceinline__ void multiply_tile(const MatmulArguments& arguments, int rows, int weight_rows, STORE store) {
    using TILE = PromptWeightTiles<FORMAT>;
    extern __shared__ __align__(1024) unsigned char shared[];
    if (blockIdx.x * TILE::rows >= rows) {
        return;
    }
    const bf16* in = static_cast<const bf16*>(arguments.in);
    const unsigned char* weight = static_cast<const unsigned char*>(arguments.weight);
    const int inputs = arguments.inputs;
    const unsigned in_stages = shared_address(shared);
    const int weight_stages = TILE::stages * TILE::stage_rows_bytes; // from there
    const StageBarriers<TILE::stages> barriers = {in_stages + weight_stages + TILE::stages * TILE::stage_weight_bytes};
    const int weight_tiles = (inputs + WEIGHT_TILE_INPUTS - 1) / WEIGHT_TILE_INPUTS;
    unsigned table = 0;
    if constexpr (FORMAT::has_table) {
        FORMAT::template fill<MULTIPLIERS + FEEDERS>(table_memory<FORMAT>()); // seen after the barrier that follows
        table = shared_address(table_memory<FORMAT>()) + threadIdx.x % BANKS * sizeof(unsigned);
    }
    barriers.init();
    if (threadIdx.x >= MULTIPLIERS) {
        leave_registers();
        feed_stages(barriers, weight_tiles, [&](int step, int number) {
            feed_rows<TILE::rows>(in_stages + number * TILE::stage_rows_bytes, in, blockIdx.x * TILE::rows, rows, step * STAGE_INPUTS,
                    inputs);
            feed_weight_tiles<TILE, FORMAT>(in_stages + weight_stages + number * TILE::stage_weight_bytes, weight, weight_rows, step,
                    weight_tiles);
        });
        return;
    }
    take_registers();
    WeightTileSums<TILE> sums = {};
    use_stages(barriers, weight_tiles, [&](int number) {
        const unsigned char* own = shared + weight_stages + number * TILE::stage_weight_bytes + threadIdx.x / 32 * (2 * FORMAT::bytes);
        FORMAT upper;
        FORMAT lower;
        upper.load(own);
        lower.load(own + FORMAT::bytes);
        multiply_stage(sums[0], upper, lower, swizzled_matrix(in_stages + number * TILE::stage_rows_bytes), table);
    });
    if constexpr (FORMAT::has_row_scale) {
        scale_sums<TILE, FORMAT>(sums, weight, weight_rows, weight_tiles);
    }
    store(sums);
}

template <typename FORMAT> __device__ __forceinline__ void matmul(const MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    multiply_tile<FORMAT>(arguments, rows, arguments.outputs, [&](const WeightTileSums<PromptWeightTiles<FORMAT>>& sums) {
        store_weight_tiles<PromptWeightTiles<FORMAT>>(sums, static_cast<float*>(arguments.out), arguments.bias, rows, arguments.outputs);
    });
}

template <typename FORMAT> __device__ __forceinline__ void matmul_swiglu(const MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    multiply_tile<FORMAT>(arguments, rows, 2 * arguments.outputs, [&](const WeightTileSums<PromptWeightTiles<FORMAT>>& sums) {
        store_weight_tiles_swiglu<PromptWeightTiles<FORMAT>>(sums, static_cast<bf16*>(arguments.out), rows, arguments.outputs);
    });
}

#define MATMUL_KERNELS_OF_FOUR(FORMAT, TYPE)                                                                                       \
    extern "C" __global__ void __launch_bounds__(MULTIPLIERS + FEEDERS, 1)                                                         \
    matmul_##TYPE##_128x128w(const MatmulArguments arguments) {                                                                    \
        matmul<FORMAT>(arguments);                                                                                                 \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__(MULTIPLIERS + FEEDERS, 1)                                                         \
    matmul_swiglu_##TYPE##_128x128w(const MatmulArguments arguments) {                                                             \
        matmul_swiglu<FORMAT>(arguments);                                                                                          \
    }

MATMUL_KERNELS_OF_FOUR(INT8, int8)
MATMUL_KERNELS_OF_FOUR(Q8_0, q8_0)
MATMUL_KERNELS_OF_FOUR(Q4_0, q4_0)
MATMUL_KERNELS_OF_FOUR(NF4, nf4)
MATMUL_KERNELS_OF_FOUR(FP4, fp4)
