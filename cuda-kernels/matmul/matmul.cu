// Matrix products (Op.MatMul, alone or with SwiGLU).
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n])
//     swiglu: out[r, n] = g / (1 + exp(-g)) * u, g and u the sums for rows n of the gate and of the up weight
//
// Entry points (f16 or bf16 is the type of in and weight, and of out in swiglu; out is f32 else), of MatmulArguments:
//     matmul_{f16,bf16}_{16x32,16x128,64x64,128x128}
//     matmul_swiglu_{f16,bf16}_{16x32,16x128,64x64,128x128}
//     matmul_f32_{16x32,64x64}                               all f32
//
// For swiglu weight has rows in groups of eight: eight of the gate, the same eight of up, and so on; outputs is a multiple of 8. inputs is
// a multiple of 8, but any for f32. Any rows and outputs. Addresses are multiples of 16. out overlaps nothing.
// A block computes a tile of out, named rows x outputs: few rows as in decoding, and where that leaves a block for every
// multiprocessor those of 128 outputs, so that fewer blocks read the same rows; a tree; a prompt. Of swiglu a tile has half as many
// outputs.
// Launch: grid (max rows / tile rows, weight rows / tile outputs, both rounded up), threads and dynamic shared memory as
// MatmulKernels has them, compute capability 8.0. Neighbouring blocks share a strip of the weight.
// Products are exact and sums f32, 16 inputs at a time in rising order (f32: one at a time): every tile, and a row beside any others,
// gives the same bits.
//
// Both operands stream through a ring of stages in shared memory by cp.async. The eight rows that ldmatrix reads at a time lie in all
// 32 banks: long rows are followed by 16 bytes of padding, of rows of 64 bytes the 16-byte chunk c is kept at c ^ (row / 2 % 4).

#include "matmul_dense.cuh"

using Few = Tile<16, 32, 128, 6, 1, 2>;
using Wide = Tile<16, 128, 64, 4, 1, 8>;
using Some = Tile<64, 64, 64, 4, 2, 2>;
using Many = Tile<128, 128, 32, 4, 2, 4>;

MATMUL_KERNELS(f16, 16x32, Few, (Few::threads))
MATMUL_KERNELS(f16, 16x128, Wide, (Wide::threads))
MATMUL_KERNELS(f16, 64x64, Some, (Some::threads))
MATMUL_KERNELS(f16, 128x128, Many, (Many::threads))
MATMUL_KERNELS(bf16, 16x32, Few, (Few::threads))
MATMUL_KERNELS(bf16, 16x128, Wide, (Wide::threads))
MATMUL_KERNELS(bf16, 64x64, Some, (Some::threads))
MATMUL_KERNELS(bf16, 128x128, Many, (Many::threads))

// f32 without tensor cores: for models of that type, which are small. 256 threads, each ROWS x OUTPUTS / 256 sums.
template <int ROWS, int OUTPUTS> __device__ __forceinline__ void matmul_f32(const MatmulArguments& arguments) {
    constexpr int THREADS = 256;
    constexpr int INPUTS = 32;
    constexpr int COLUMNS = OUTPUTS < 32 ? OUTPUTS : 32; // threads beside each other
    constexpr int DOWN = THREADS / COLUMNS;
    constexpr int THREAD_ROWS = ROWS / DOWN;
    constexpr int THREAD_OUTPUTS = OUTPUTS / COLUMNS;
    __shared__ float in_tile[ROWS][INPUTS];
    __shared__ float weight_tile[OUTPUTS][INPUTS + 1];
    float* out = static_cast<float*>(arguments.out);
    const float* in = static_cast<const float*>(arguments.in);
    const float* weight = static_cast<const float*>(arguments.weight);
    const float* bias = arguments.bias;
    const int outputs = arguments.outputs;
    const int inputs = arguments.inputs;
    const int rows = *arguments.rows;
    const int first_row = blockIdx.x * ROWS;
    const int first_output = blockIdx.y * OUTPUTS;
    if (first_row >= rows) {
        return;
    }
    const int column = threadIdx.x % COLUMNS;
    const int line = threadIdx.x / COLUMNS;
    float sums[THREAD_ROWS][THREAD_OUTPUTS] = {};
#pragma unroll 1
    for (int first = 0; first < inputs; first += INPUTS) {
        __syncthreads();
        for (int i = threadIdx.x; i < (ROWS + OUTPUTS) * INPUTS; i += THREADS) {
            const int k = i % INPUTS;
            const int row = i / INPUTS;
            if (row < ROWS) {
                const bool there = first_row + row < rows && first + k < inputs;
                in_tile[row][k] = there ? in[static_cast<long long>(first_row + row) * inputs + first + k] : 0.0f;
            } else {
                const int output = first_output + row - ROWS;
                const bool there = output < outputs && first + k < inputs;
                weight_tile[row - ROWS][k] = there ? weight[static_cast<long long>(output) * inputs + first + k] : 0.0f;
            }
        }
        __syncthreads();
#pragma unroll 4
        for (int k = 0; k < INPUTS; k++) {
#pragma unroll
            for (int j = 0; j < THREAD_OUTPUTS; j++) {
                const float w = weight_tile[column + j * COLUMNS][k];
#pragma unroll
                for (int i = 0; i < THREAD_ROWS; i++) {
                    sums[i][j] = fmaf(in_tile[line + i * DOWN][k], w, sums[i][j]);
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i++) {
        const int row = first_row + line + i * DOWN;
#pragma unroll
        for (int j = 0; j < THREAD_OUTPUTS; j++) {
            const int output = first_output + column + j * COLUMNS;
            if (row < rows && output < outputs) {
                out[static_cast<long long>(row) * outputs + output] = sums[i][j] + (bias == nullptr ? 0.0f : bias[output]);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) matmul_f32_16x32(const MatmulArguments arguments) {
    matmul_f32<16, 32>(arguments);
}

extern "C" __global__ void __launch_bounds__(256) matmul_f32_64x64(const MatmulArguments arguments) {
    matmul_f32<64, 64>(arguments);
}
