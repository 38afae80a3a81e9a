// Matrix products of prompts (Op.MatMul, alone or with SwiGLU) on compute capability 9.0: those of matmul.cu, by products of four
// warps.
//
// Entry points, of MatmulArguments:
//     matmul_{f16,bf16}_{128x128,128x256}w
//     matmul_swiglu_{f16,bf16}_{128x128,128x256}w
//
// Launch: grid (max rows / 128, weight rows / tile outputs, both rounded up), 384 threads, dynamic shared memory as MatmulKernels has it.
// Sums are f32, 16 inputs at a time in rising order as those of matmul.cu. Whether a device adds the 16 alike in both is not said
// anywhere: TileComparison compares before a pass takes these. Stages hold rows of both operands, see prompt_tile.cuh.

#include "prompt_tile.cuh"

// Of the warps that multiply: each has 16 rows of the tile and all its outputs.
template <int OUTPUTS, int STAGES> struct Prompt {
    static constexpr int rows = 128;
    static constexpr int outputs = OUTPUTS;
    static constexpr int stages = STAGES;
    static constexpr int warps_across = 1;
    static constexpr int warp_rows = 16;
    static constexpr int warp_outputs = OUTPUTS;
    static constexpr int stage_bytes = (rows + outputs) * ROW_BYTES;
};

// Calls store(sums) in the warps that multiply.
template <typename TILE, typename T, typename STORE>
__device__ __forceinline__ void multiply_tile(const MatmulArguments& arguments, int rows, int weight_rows, STORE store) {
    extern __shared__ __align__(1024) unsigned char shared[];
    if (blockIdx.x * TILE::rows >= rows) {
        return;
    }
    const T* in = static_cast<const T*>(arguments.in);
    const T* weight = static_cast<const T*>(arguments.weight);
    const int inputs = arguments.inputs;
    const unsigned stages = shared_address(shared);
    const StageBarriers<TILE::stages> barriers = {stages + TILE::stages * TILE::stage_bytes};
    const int steps = (inputs + STAGE_INPUTS - 1) / STAGE_INPUTS;
    barriers.init();
    if (threadIdx.x >= MULTIPLIERS) {
        feed_stages(barriers, steps, [&](int step, int number) {
            const unsigned stage = stages + number * TILE::stage_bytes;
            feed_rows<TILE::rows>(stage, in, blockIdx.x * TILE::rows, rows, step * STAGE_INPUTS, inputs);
            feed_rows<TILE::outputs>(stage + TILE::rows * ROW_BYTES, weight, blockIdx.y * TILE::outputs, weight_rows,
                    step * STAGE_INPUTS, inputs);
        });
        return;
    }
    Sums<TILE> sums = {};
    use_stages(barriers, steps, [&](int number) {
        const unsigned stage = stages + number * TILE::stage_bytes;
        const unsigned long long a = swizzled_matrix(stage + threadIdx.x / 128 * 64 * ROW_BYTES);
        const unsigned long long b = swizzled_matrix(stage + TILE::rows * ROW_BYTES);
        begin_products();
#pragma unroll
        for (int i = 0; i < STAGE_INPUTS / 16; i++) {
            multiply_together<T>(sums[0], a + 2 * i, b + 2 * i);
        }
        commit_products();
        wait_for_products(sums[0]); // the other four warps' products run on
    });
    store(sums);
}

template <typename TILE, typename T> __device__ __forceinline__ void matmul(const MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    multiply_tile<TILE, T>(arguments, rows, arguments.outputs, [&](const Sums<TILE>& sums) {
        store_sums<TILE>(sums, static_cast<float*>(arguments.out), arguments.bias, rows, arguments.outputs);
    });
}

template <typename TILE, typename T> __device__ __forceinline__ void matmul_swiglu(const MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    multiply_tile<TILE, T>(arguments, rows, 2 * arguments.outputs, [&](const Sums<TILE>& sums) {
        store_swiglu<TILE>(sums, static_cast<T*>(arguments.out), rows, arguments.outputs);
    });
}

#define MATMUL_KERNELS(T, NAME, TILE)                                                                                              \
    extern "C" __global__ void __launch_bounds__(MULTIPLIERS + FEEDERS, 1)                                                         \
    matmul_##T##_##NAME(const MatmulArguments arguments) {                                                                         \
        matmul<TILE, T>(arguments);                                                                                                \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__(MULTIPLIERS + FEEDERS, 1)                                                         \
    matmul_swiglu_##T##_##NAME(const MatmulArguments arguments) {                                                                  \
        matmul_swiglu<TILE, T>(arguments);                                                                                         \
    }

using Narrow = Prompt<128, 6>;
using Full = Prompt<256, 4>;

MATMUL_KERNELS(f16, 128x128w, Narrow)
MATMUL_KERNELS(f16, 128x256w, Full)
MATMUL_KERNELS(bf16, 128x128w, Narrow)
MATMUL_KERNELS(bf16, 128x256w, Full)
