// Matrix products of prompts (Op.MatMul, alone or with Op.SwiGlu) on compute capability 9.0: those of matmul.cu, by products of four
// warps.
//
// Entry points, with the operands of matmul.cu:
//     matmul_{f16,bf16}_{128x128,128x256}w         (out, in, weight, bias, rows, outputs, inputs)
//     matmul_swiglu_{f16,bf16}_{128x128,128x256}w  (out, in, weight, rows, outputs, inputs)
//
// Launch: grid (most rows / 128, weight rows / tile outputs, both rounded up), 384 threads, dynamic shared memory as MatmulKernels has it.
// Sums are f32, 16 inputs at a time in rising order as those of matmul.cu. Whether a device adds the 16 alike in both is not said
// anywhere: PromptTiles compares before it lets a pass take these.
//
// Eight warps multiply, four to 64 rows, whose sums stay in registers; four more feed them: stages of 64 inputs by cp.async into rows of
// 128 bytes, of which the 16-byte chunk c is kept at c ^ (row % 8), as the tensor cores read them. A stage is full when each of the four
// has waited for its copies and fenced them, and empty when each of the eight has waited for its products.

#include "matmul.cuh"
#include "wgmma.cuh"

constexpr int FEEDERS = 4 * 32;

// Of the warps that multiply: each has 16 rows of the tile and all its outputs.
template <int OUTPUTS, int STAGES> struct Prompt {
    static constexpr int rows = 128;
    static constexpr int outputs = OUTPUTS;
    static constexpr int inputs = 64;
    static constexpr int stages = STAGES;
    static constexpr int warps_across = 1;
    static constexpr int warp_rows = 16;
    static constexpr int warp_outputs = OUTPUTS;
    static constexpr int multipliers = rows / warp_rows * 32;
    static constexpr int threads = multipliers + FEEDERS;
    static constexpr int stage_bytes = (rows + outputs) * inputs * 2;
};

// Starts the copies of a feeder's part of COUNT rows; rows and inputs that are not there become zeros.
template <int COUNT, typename T>
__device__ __forceinline__ void feed_rows(unsigned stage, const T* matrix, int first_row, int rows, int first_input, int inputs) {
    const int feeder = threadIdx.x % FEEDERS;
    const int chunk = feeder % 8;
    const int input = first_input + chunk * CHUNK;
#pragma unroll
    for (int i = 0; i < COUNT * 8 / FEEDERS; i++) {
        const int row = i * (FEEDERS / 8) + feeder / 8;
        const bool there = first_row + row < rows && input < inputs;
        copy_async(stage + row * 128 + (chunk ^ row % 8) * 16,
                there ? matrix + static_cast<long long>(first_row + row) * inputs + input : matrix, there);
    }
}

template <typename TILE, typename T>
__device__ __forceinline__ void feed(unsigned stages, unsigned full, unsigned empty, const T* in, const T* weight, int rows,
        int weight_rows, int inputs) {
    constexpr int AHEAD = TILE::stages - 1; // stages whose copies may run
    const int steps = (inputs + TILE::inputs - 1) / TILE::inputs;
#pragma unroll 1
    for (int step = 0; step < steps + AHEAD; step++) {
        if (step < steps) {
            const int number = step % TILE::stages;
            const unsigned stage = stages + number * TILE::stage_bytes;
            wait_for(empty + 8 * number, step / TILE::stages % 2 ^ 1); // the phase before the first counts as ended
            feed_rows<TILE::rows>(stage, in, blockIdx.x * TILE::rows, rows, step * TILE::inputs, inputs);
            feed_rows<TILE::outputs>(stage + TILE::rows * 128, weight, blockIdx.y * TILE::outputs, weight_rows, step * TILE::inputs,
                    inputs);
        }
        commit_copies(); // an empty group too, so that the count of those pending is always the same
        if (step >= AHEAD) {
            wait_for_copies<AHEAD>();
            fence_for_tensor_cores();
            __syncwarp();
            if (threadIdx.x % 32 == 0) {
                arrive(full + 8 * ((step - AHEAD) % TILE::stages));
            }
        }
    }
}

template <typename TILE, typename T>
__device__ __forceinline__ void multiply_stages(Sums<TILE>& sums, unsigned stages, unsigned full, unsigned empty, int inputs) {
    const int steps = (inputs + TILE::inputs - 1) / TILE::inputs;
    const int first_row = threadIdx.x / 128 * 64;
#pragma unroll 1
    for (int step = 0; step < steps; step++) {
        const int number = step % TILE::stages;
        const unsigned stage = stages + number * TILE::stage_bytes;
        const unsigned long long a = swizzled_matrix(stage + first_row * 128);
        const unsigned long long b = swizzled_matrix(stage + TILE::rows * 128);
        wait_for(full + 8 * number, step / TILE::stages % 2);
        begin_products();
#pragma unroll
        for (int i = 0; i < TILE::inputs / 16; i++) {
            multiply_together<T>(sums[0], a + 2 * i, b + 2 * i);
        }
        commit_products();
        wait_for_products(sums[0]); // the other four warps' products run on
        if (threadIdx.x % 32 == 0) {
            arrive(empty + 8 * number);
        }
    }
}

// Calls store(sums) in the warps that multiply.
template <typename TILE, typename T, typename STORE>
__device__ __forceinline__ void multiply_tile(const T* in, const T* weight, int rows, int weight_rows, int inputs, STORE store) {
    extern __shared__ __align__(1024) unsigned char shared[];
    const unsigned stages = shared_address(shared);
    const unsigned full = stages + TILE::stages * TILE::stage_bytes;
    const unsigned empty = full + 8 * TILE::stages;
    if (blockIdx.x * TILE::rows >= rows) {
        return;
    }
    if (threadIdx.x == 0) {
#pragma unroll
        for (int i = 0; i < TILE::stages; i++) {
            init_barrier(full + 8 * i, FEEDERS / 32);
            init_barrier(empty + 8 * i, TILE::multipliers / 32);
        }
    }
    __syncthreads();
    if (threadIdx.x >= TILE::multipliers) {
        feed<TILE>(stages, full, empty, in, weight, rows, weight_rows, inputs);
    } else {
        Sums<TILE> sums = {};
        multiply_stages<TILE, T>(sums, stages, full, empty, inputs);
        store(sums);
    }
}

#define MATMUL_KERNELS(T, NAME, TILE)                                                                                                 \
    extern "C" __global__ void __launch_bounds__(TILE::threads, 1) matmul_##T##_##NAME(float* out, const T* in, const T* weight,      \
            const float* bias, const int* row_count, int outputs, int inputs) {                                                       \
        const int rows = *row_count;                                                                                                  \
        multiply_tile<TILE>(in, weight, rows, outputs, inputs,                                                                        \
                [&](const Sums<TILE>& sums) { store_sums<TILE>(sums, out, bias, rows, outputs); });                                   \
    }                                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(TILE::threads, 1) matmul_swiglu_##T##_##NAME(T* out, const T* in, const T* weight,   \
            const int* row_count, int outputs, int inputs) {                                                                          \
        const int rows = *row_count;                                                                                                  \
        multiply_tile<TILE>(in, weight, rows, 2 * outputs, inputs,                                                                    \
                [&](const Sums<TILE>& sums) { store_swiglu<TILE>(sums, out, rows, outputs); });                                       \
    }

using Narrow = Prompt<128, 6>;
using Full = Prompt<256, 4>;

MATMUL_KERNELS(f16, 128x128w, Narrow)
MATMUL_KERNELS(f16, 128x256w, Full)
MATMUL_KERNELS(bf16, 128x128w, Narrow)
MATMUL_KERNELS(bf16, 128x256w, Full)
