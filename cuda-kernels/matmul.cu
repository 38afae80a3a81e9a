// Matrix products of bf16 with tensor cores (Op.MatMul).
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n])
//
// Entry points (the last type is that of out):
//     matmul_bf16_{128x128,16x128}_{f32,bf16}  (out, in, weight, bias, rows, outputs, inputs)
//
// out [rows, outputs], in [rows, inputs] bf16, weight [outputs, inputs] bf16, bias [outputs] f32 or 0 for none. inputs is a
// multiple of 8; any rows and outputs. Addresses are multiples of 16. out overlaps nothing.
// A block computes a tile of out: 128 rows (many rows, such as a prompt) or 16 (decoding) by 128 outputs.
// Launch: grid (rows / tile rows rounded up, outputs / 128 rounded up), block 256 or 128, 64 or 36 KiB of dynamic shared memory,
// compute capability 8.0. Neighbouring blocks share a strip of the weight.
// Products are exact, sums f32 in steps of 16 inputs in rising order: both tiles, and a row beside any others, have the same bits.
//
// Both operands stream through four stages of shared memory by cp.async, 32 inputs a stage. A row of a stage is 64 bytes, its
// 16-byte chunk c is kept at c ^ (row / 2 % 4): the eight rows that ldmatrix reads at a time then lie in all 32 banks.

#include "elements.cuh"

constexpr int TILE_OUTPUTS = 128;
constexpr int TILE_INPUTS = 32; // a stage
constexpr int STAGES = 4;
constexpr int CHUNK = 8; // elements of 16 bytes
constexpr int ROW_CHUNKS = TILE_INPUTS / CHUNK;

// Index of the first element of a chunk in a stage.
__device__ __forceinline__ int swizzled(int row, int chunk) {
    return (row * ROW_CHUNKS + (chunk ^ (row / 2 % ROW_CHUNKS))) * CHUNK;
}

__device__ __forceinline__ unsigned shared_address(const bf16* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Copies 16 bytes, or writes zeros if not there.
__device__ __forceinline__ void copy_async(bf16* to, const bf16* from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(there ? 16 : 0)
                 : "memory");
}

__device__ __forceinline__ void commit_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until all but the newest PENDING groups of copies are there.
template <int PENDING> __device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Four matrices of 8 x 8; lanes 8 i to 8 i + 7 give the rows of matrix i.
__device__ __forceinline__ void load_matrices(unsigned (&matrices)[4], const bf16* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// sums += a * b for 16 rows, 8 outputs, 16 inputs.
__device__ __forceinline__ void multiply(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Starts the copies of ROWS rows by TILE_INPUTS inputs; rows and inputs that are not there become zeros.
template <int ROWS, int THREADS>
__device__ __forceinline__ void copy_tile(bf16* stage, const bf16* matrix, int first_row, int rows, int first_input, int inputs) {
#pragma unroll
    for (int i = 0; i < (ROWS * ROW_CHUNKS + THREADS - 1) / THREADS; i++) {
        const int number = i * THREADS + threadIdx.x;
        const int row = number / ROW_CHUNKS;
        const int chunk = number % ROW_CHUNKS;
        const int input = first_input + chunk * CHUNK;
        const bool there = first_row + row < rows && input < inputs;
        if (ROWS * ROW_CHUNKS % THREADS == 0 || row < ROWS) {
            copy_async(stage + swizzled(row, chunk),
                    there ? matrix + static_cast<long long>(first_row + row) * inputs + input : matrix, there);
        }
    }
}

template <typename T>
__device__ __forceinline__ void store_pair(T* out, float first, float second, bool pairs, bool has_second) {
    if (pairs) {
        *reinterpret_cast<Pack<T, 2>*>(out) = {narrow<T>(first), narrow<T>(second)};
    } else {
        out[0] = narrow<T>(first);
        if (has_second) {
            out[1] = narrow<T>(second);
        }
    }
}

// WARPS_DOWN x WARPS_ACROSS warps, each of which computes (TILE_ROWS / WARPS_DOWN) rows by (TILE_OUTPUTS / WARPS_ACROSS) outputs.
template <int TILE_ROWS, int WARPS_DOWN, int WARPS_ACROSS, typename T>
__device__ __forceinline__ void matmul(T* out, const bf16* in, const bf16* weight, const float* bias, int rows, int outputs,
        int inputs) {
    constexpr int THREADS = WARPS_DOWN * WARPS_ACROSS * 32;
    constexpr int WARP_ROWS = TILE_ROWS / WARPS_DOWN;
    constexpr int WARP_OUTPUTS = TILE_OUTPUTS / WARPS_ACROSS;
    constexpr int DOWN = WARP_ROWS / 16;
    constexpr int ACROSS = WARP_OUTPUTS / 8;
    constexpr int IN_STAGE = TILE_ROWS * TILE_INPUTS;
    constexpr int STAGE = IN_STAGE + TILE_OUTPUTS * TILE_INPUTS;
    static_assert(ACROSS % 2 == 0, "ldmatrix brings the weights of 16 outputs");
    extern __shared__ __align__(128) bf16 stages[];

    const int first_row = blockIdx.x * TILE_ROWS;
    const int first_output = blockIdx.y * TILE_OUTPUTS;
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;
    const int warp_row = warp / WARPS_ACROSS * WARP_ROWS;
    const int warp_output = warp % WARPS_ACROSS * WARP_OUTPUTS;
    const int steps = (inputs + TILE_INPUTS - 1) / TILE_INPUTS;

    const auto copy_step = [&](int step) {
        if (step < steps) {
            bf16* stage = stages + step % STAGES * STAGE;
            copy_tile<TILE_ROWS, THREADS>(stage, in, first_row, rows, step * TILE_INPUTS, inputs);
            copy_tile<TILE_OUTPUTS, THREADS>(stage + IN_STAGE, weight, first_output, outputs, step * TILE_INPUTS, inputs);
        }
        commit_copies(); // an empty group too, so that the count of those pending is always the same
    };

    float sums[DOWN][ACROSS][4] = {};
#pragma unroll
    for (int step = 0; step < STAGES - 1; step++) {
        copy_step(step);
    }

#pragma unroll 1
    for (int step = 0; step < steps; step++) {
        wait_for_copies<STAGES - 2>();
        __syncthreads();              // this step's stage is there for all, and all have read the one before
        copy_step(step + STAGES - 1); // into the stage before
        const bf16* in_stage = stages + step % STAGES * STAGE;
        const bf16* weight_stage = in_stage + IN_STAGE;
#pragma unroll
        for (int chunk = 0; chunk < ROW_CHUNKS; chunk += 2) {
            unsigned a[DOWN][4];
#pragma unroll
            for (int i = 0; i < DOWN; i++) {
                // rows 0-7 and 8-15 of the first eight inputs, then of the second eight
                load_matrices(a[i], in_stage + swizzled(warp_row + i * 16 + lane % 16, chunk + lane / 16));
            }
            unsigned b[ACROSS / 2][4];
#pragma unroll
            for (int j = 0; j < ACROSS / 2; j++) {
                // both halves of the inputs of outputs 0-7, then of outputs 8-15
                load_matrices(b[j], weight_stage + swizzled(warp_output + j * 16 + lane / 16 * 8 + lane % 8, chunk + lane / 8 % 2));
            }
#pragma unroll
            for (int i = 0; i < DOWN; i++) {
#pragma unroll
                for (int j = 0; j < ACROSS; j++) {
                    multiply(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
                }
            }
        }
    }

    const bool pairs = outputs % 2 == 0;
#pragma unroll
    for (int j = 0; j < ACROSS; j++) {
        const int output = first_output + warp_output + j * 8 + lane % 4 * 2;
        if (output >= outputs) {
            continue;
        }
        const bool has_second = output + 1 < outputs;
        const float bias0 = bias == nullptr ? 0.0f : bias[output];
        const float bias1 = bias == nullptr || !has_second ? 0.0f : bias[output + 1];
#pragma unroll
        for (int i = 0; i < DOWN; i++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = first_row + warp_row + i * 16 + half * 8 + lane / 4;
                if (row < rows) {
                    store_pair(out + static_cast<long long>(row) * outputs + output, sums[i][j][half * 2] + bias0,
                            sums[i][j][half * 2 + 1] + bias1, pairs, has_second);
                }
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
matmul_bf16_128x128_f32(float* out, const bf16* in, const bf16* weight, const float* bias, int rows, int outputs, int inputs) {
    matmul<128, 2, 4>(out, in, weight, bias, rows, outputs, inputs);
}

extern "C" __global__ void __launch_bounds__(256)
matmul_bf16_128x128_bf16(bf16* out, const bf16* in, const bf16* weight, const float* bias, int rows, int outputs, int inputs) {
    matmul<128, 2, 4>(out, in, weight, bias, rows, outputs, inputs);
}

extern "C" __global__ void __launch_bounds__(128)
matmul_bf16_16x128_f32(float* out, const bf16* in, const bf16* weight, const float* bias, int rows, int outputs, int inputs) {
    matmul<16, 1, 4>(out, in, weight, bias, rows, outputs, inputs);
}

extern "C" __global__ void __launch_bounds__(128)
matmul_bf16_16x128_bf16(bf16* out, const bf16* in, const bf16* weight, const float* bias, int rows, int outputs, int inputs) {
    matmul<16, 1, 4>(out, in, weight, bias, rows, outputs, inputs);
}
