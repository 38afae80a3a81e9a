// What the products of matrices share: tiles, how rows of the input come to shared memory, and how sums are written.
#pragma once

#include "tensor_core.cuh"

// What kernels of matrix products take; elements are of the kernel's types.
struct MatmulArguments {
    void* out;          // [rows, outputs]
    const void* in;     // [rows, inputs]
    const void* weight; // [outputs, inputs], of swiglu [2 outputs, inputs], by rows or in tiles
    const float* bias;  // [outputs], or null; of swiglu null
    const int* rows;    // [1]: how many there are
    int outputs;
    int inputs;
};

constexpr int CHUNK = 8; // elements of 16 bytes

// ROWS x OUTPUTS by DOWN x ACROSS warps, INPUTS a stage. Tiles beside each other form clusters of CLUSTER blocks.
template <int ROWS, int OUTPUTS, int INPUTS, int STAGES, int DOWN, int ACROSS, int CLUSTER = 1> struct Tile {
    static constexpr int rows = ROWS;
    static constexpr int outputs = OUTPUTS;
    static constexpr int inputs = INPUTS;
    static constexpr int stages = STAGES;
    static constexpr int cluster = CLUSTER;
    static constexpr int threads = DOWN * ACROSS * 32;
    static constexpr int warps_across = ACROSS;
    static constexpr int warp_rows = ROWS / DOWN;
    static constexpr int warp_outputs = OUTPUTS / ACROSS;
    static constexpr bool padded = INPUTS > 32;
    static constexpr int stride = INPUTS + (padded ? CHUNK : 0); // elements from row to row of a stage
    static_assert(warp_rows % 8 == 0 && warp_outputs % 16 == 0 && INPUTS % 32 == 0, "whole products");

    // Index of a chunk's first element.
    static __device__ __forceinline__ int at(int row, int chunk) {
        return row * stride + (padded ? chunk : chunk ^ row / 2 % 4) * CHUNK;
    }
};

// Starts the copies of COUNT rows; rows and inputs that are not there become zeros.
template <typename TILE, int COUNT, typename T>
__device__ __forceinline__ void copy_rows(T* stage, const T* matrix, int first_row, int rows, int first_input, int inputs) {
    constexpr int ROW_CHUNKS = TILE::inputs / CHUNK;
#pragma unroll
    for (int i = 0; i < (COUNT * ROW_CHUNKS + TILE::threads - 1) / TILE::threads; i++) {
        const int number = i * TILE::threads + threadIdx.x;
        if (COUNT * ROW_CHUNKS % TILE::threads != 0 && number >= COUNT * ROW_CHUNKS) {
            break;
        }
        const int row = number / ROW_CHUNKS;
        const int chunk = number % ROW_CHUNKS;
        const int input = first_input + chunk * CHUNK;
        const bool there = first_row + row < rows && input < inputs;
        copy_async(stage + TILE::at(row, chunk),
                there ? matrix + static_cast<long long>(first_row + row) * inputs + input : matrix, there);
    }
}

// The sums of this warp: [16 rows][8 outputs][of a lane].
template <typename TILE> using Sums = float[TILE::warp_rows / 16][TILE::warp_outputs / 8][4];

// How the rows of the input come to the stages, which begin with them: each block copies its own. Blocks that form clusters share them,
// see cluster.cuh.
template <typename TILE, typename T, int CLUSTER = TILE::cluster> struct StageRows {
    static_assert(CLUSTER == 1, "a block alone");

    const T* in;
    int first_row;
    int rows;
    int inputs;
    unsigned char* stages;
    int stage_bytes;

    __device__ __forceinline__ StageRows(const T* in, int first_row, int rows, int inputs, unsigned char* stages, int stage_bytes)
        : in(in), first_row(first_row), rows(rows), inputs(inputs), stages(stages), stage_bytes(stage_bytes) {}

    // Starts the copies of a step that belong to the group of its weights.
    __device__ __forceinline__ void copy(int step) const {
        copy_rows<TILE, TILE::rows>(reinterpret_cast<T*>(stages + step % TILE::stages * stage_bytes), in, first_row, rows,
                step * TILE::inputs, inputs);
    }

    // Before the first step; before the barrier of a step; after it; after the last step.
    __device__ __forceinline__ void begin() const {}
    __device__ __forceinline__ void await(int) const {}
    __device__ __forceinline__ void proceed(int) const {}
    __device__ __forceinline__ void end() const {}
};

// Streams the inputs of a tile through a ring of stages: copy(step, stage) starts the copies of the weights of a step into a stage,
// use(stage) reads one that is there.
template <typename TILE, typename ROWS, typename COPY, typename USE>
__device__ __forceinline__ void for_stages(int inputs, ROWS rows, COPY copy, USE use) {
    const int steps = (inputs + TILE::inputs - 1) / TILE::inputs;
    const auto copy_step = [&](int step) {
        if (step < steps) {
            rows.copy(step);
            copy(step, step % TILE::stages);
        }
        commit_copies(); // an empty group too, so that the count of those pending is always the same
    };

    rows.begin();
#pragma unroll
    for (int step = 0; step < TILE::stages - 1; step++) {
        copy_step(step);
    }

#pragma unroll 1
    for (int step = 0; step < steps; step++) {
        wait_for_copies<TILE::stages - 2>();
        rows.await(step);
        __syncthreads();                    // this step's stage is there for all, and all have read the one before
        copy_step(step + TILE::stages - 1); // into the stage before
        rows.proceed(step);
        use(step % TILE::stages);
    }
    rows.end();
}

// Calls store(row, i, half) for each row of the tile that is there: i and half say which sums are its.
template <typename TILE, typename STORE> __device__ __forceinline__ void for_rows(int rows, STORE store) {
    const int warp_row = threadIdx.x / 32 / TILE::warps_across * TILE::warp_rows;
#pragma unroll
    for (int i = 0; i < TILE::warp_rows / 16; i++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = blockIdx.x * TILE::rows + warp_row + i * 16 + half * 8 + threadIdx.x % 32 / 4;
            if (row < rows) {
                store(row, i, half);
            }
        }
    }
}

// First weight row of this warp's outputs.
template <typename TILE> __device__ __forceinline__ int first_weight_row() {
    return blockIdx.y * TILE::outputs + threadIdx.x / 32 % TILE::warps_across * TILE::warp_outputs;
}

// Writes the sums of a tile, and what is to be added to each output.
template <typename TILE>
__device__ __forceinline__ void store_sums(const Sums<TILE>& sums, float* out, const float* bias, int rows, int outputs) {
    const bool pairs = outputs % 2 == 0;
#pragma unroll
    for (int j = 0; j < TILE::warp_outputs / 8; j++) {
        const int output = first_weight_row<TILE>() + j * 8 + threadIdx.x % 4 * 2;
        if (output >= outputs) {
            continue;
        }
        const bool has_second = output + 1 < outputs;
        const float bias0 = bias == nullptr ? 0.0f : bias[output];
        const float bias1 = bias == nullptr || !has_second ? 0.0f : bias[output + 1];
        for_rows<TILE>(rows, [&](int row, int i, int half) {
            float* to = out + static_cast<long long>(row) * outputs + output;
            const float2 result = {sums[i][j][half * 2] + bias0, sums[i][j][half * 2 + 1] + bias1};
            if (pairs) {
                *reinterpret_cast<float2*>(to) = result;
            } else {
                to[0] = result.x;
                if (has_second) {
                    to[1] = result.y;
                }
            }
        });
    }
}

__device__ __forceinline__ float swiglu(float gate, float up) {
    return gate / (1.0f + expf(-gate)) * up;
}

// Writes g / (1 + exp(-g)) * u for the sums of a tile whose outputs are by turns eight of g and eight of u.
template <typename TILE, typename T>
__device__ __forceinline__ void store_swiglu(const Sums<TILE>& sums, T* out, int rows, int outputs) {
#pragma unroll
    for (int j = 0; j < TILE::warp_outputs / 8; j += 2) {
        const int output = first_weight_row<TILE>() / 2 + j * 4 + threadIdx.x % 4 * 2;
        if (output >= outputs) {
            continue;
        }
        for_rows<TILE>(rows, [&](int row, int i, int half) {
            *reinterpret_cast<unsigned*>(out + static_cast<long long>(row) * outputs + output) =
                    pair_of<T>(swiglu(sums[i][j][half * 2], sums[i][j + 1][half * 2]),
                            swiglu(sums[i][j][half * 2 + 1], sums[i][j + 1][half * 2 + 1]));
        });
    }
}
