// Products with a weight of f16 or bf16, by rows as it is stored: see matmul.cu.
#pragma once

#include "matmul.cuh"

template <typename TILE, typename T>
__device__ __forceinline__ void accumulate(Sums<TILE>& sums, const T* in, const T* weight, int rows, int weight_rows, int inputs) {
    static_assert(TILE::warp_rows % 16 == 0, "rows are the operand of 16");
    extern __shared__ __align__(128) unsigned char shared[];
    constexpr int STAGE = (TILE::rows + TILE::outputs) * TILE::stride;
    T* stages = reinterpret_cast<T*>(shared);
    const int first_row = blockIdx.x * TILE::rows;
    const int first_output = blockIdx.y * TILE::outputs;
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;
    const int warp_row = warp / TILE::warps_across * TILE::warp_rows;
    const int warp_output = warp % TILE::warps_across * TILE::warp_outputs;

    StageRows<TILE, T> in_rows(in, first_row, rows, inputs, shared, STAGE * sizeof(T));
    const auto copy = [&](int step, int number) {
        copy_rows<TILE, TILE::outputs>(stages + number * STAGE + TILE::rows * TILE::stride, weight, first_output, weight_rows,
                step * TILE::inputs, inputs);
    };
    for_stages<TILE>(inputs, in_rows, copy, [&](int number) {
        const T* in_stage = stages + number * STAGE;
        const T* weight_stage = in_stage + TILE::rows * TILE::stride;
#pragma unroll
        for (int input = 0; input < TILE::inputs; input += 16) {
            unsigned a[TILE::warp_rows / 16][4];
#pragma unroll
            for (int i = 0; i < TILE::warp_rows / 16; i++) {
                // rows 0-7 and 8-15 of the first eight inputs, then of the second eight
                load_matrices(a[i], in_stage + TILE::at(warp_row + i * 16 + lane % 16, input / CHUNK + lane / 16));
            }
#pragma unroll
            for (int j = 0; j < TILE::warp_outputs / 8; j += 2) {
                // both halves of the inputs of outputs 0-7, then of outputs 8-15
                unsigned b[4];
                load_matrices(b, weight_stage
                        + TILE::at(warp_output + j * 8 + lane / 16 * 8 + lane % 8, input / CHUNK + lane / 8 % 2));
#pragma unroll
                for (int i = 0; i < TILE::warp_rows / 16; i++) {
                    multiply<T>(sums[i][j], a[i], b[0], b[1]);
                    multiply<T>(sums[i][j + 1], a[i], b[2], b[3]);
                }
            }
        }
    });
}

template <typename TILE, typename T> __device__ __forceinline__ void matmul(const MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    if (blockIdx.x * TILE::rows < rows) {
        Sums<TILE> sums = {};
        accumulate<TILE>(sums, static_cast<const T*>(arguments.in), static_cast<const T*>(arguments.weight), rows, arguments.outputs,
                arguments.inputs);
        store_sums<TILE>(sums, static_cast<float*>(arguments.out), arguments.bias, rows, arguments.outputs);
    }
}

template <typename TILE, typename T> __device__ __forceinline__ void matmul_swiglu(const MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    if (blockIdx.x * TILE::rows < rows) {
        Sums<TILE> sums = {};
        accumulate<TILE>(sums, static_cast<const T*>(arguments.in), static_cast<const T*>(arguments.weight), rows, 2 * arguments.outputs,
                arguments.inputs);
        store_swiglu<TILE>(sums, static_cast<T*>(arguments.out), rows, arguments.outputs);
    }
}

#define MATMUL_KERNELS(T, NAME, TILE, BOUNDS)                                                                                      \
    extern "C" __global__ void __launch_bounds__ BOUNDS matmul_##T##_##NAME(const MatmulArguments arguments) {                     \
        matmul<TILE, T>(arguments);                                                                                                \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__ BOUNDS matmul_swiglu_##T##_##NAME(const MatmulArguments arguments) {              \
        matmul_swiglu<TILE, T>(arguments);                                                                                         \
    }
