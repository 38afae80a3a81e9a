// How a block of twelve warps computes a tile of a prompt's product on compute capability 9.0: eight multiply, four to 64 rows of the one
// operand, and four feed them stages of 64 inputs in shared memory. A stage is full when each of the four has waited for its copies and
// fenced them, and empty when each of the eight has waited for its products.
//
// Rows that the tensor cores read themselves lie as they want them: 128 bytes a row, of which the 16-byte chunk c is kept at
// c ^ (row % 8).
#pragma once

#include "matmul.cuh"
#include "wgmma.cuh"

constexpr int FEEDERS = 4 * 32;
constexpr int MULTIPLIERS = 8 * 32;
constexpr int STAGE_INPUTS = 64;
constexpr int ROW_BYTES = STAGE_INPUTS * 2;

// Barriers of stages in shared memory.
template <int STAGES> struct StageBarriers {
    unsigned first; // full and empty of each stage by turns

    __device__ __forceinline__ unsigned full(int number) const {
        return first + number * 16;
    }

    __device__ __forceinline__ unsigned empty(int number) const {
        return first + number * 16 + 8;
    }

    // For all to see after it.
    __device__ __forceinline__ void init() const {
        if (threadIdx.x == 0) {
#pragma unroll
            for (int i = 0; i < STAGES; i++) {
                init_barrier(full(i), FEEDERS / 32);
                init_barrier(empty(i), MULTIPLIERS / 32);
            }
        }
        __syncthreads();
    }
};

// In the warps that feed, which need few registers: they leave theirs to those that multiply.
__device__ __forceinline__ void leave_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 56;");
}

__device__ __forceinline__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 224;");
}

// In the warps that feed: copy(step, number) starts this thread's copies of a step into a stage.
template <int STAGES, typename COPY>
__device__ __forceinline__ void feed_stages(const StageBarriers<STAGES>& barriers, int steps, COPY copy) {
    constexpr int AHEAD = STAGES - 1; // steps whose copies may run
#pragma unroll 1
    for (int step = 0; step < steps + AHEAD; step++) {
        if (step < steps) {
            wait_for(barriers.empty(step % STAGES), step / STAGES % 2 ^ 1); // the phase before the first counts as ended
            copy(step, step % STAGES);
        }
        commit_copies(); // an empty group too, so that the count of those pending is always the same
        if (step >= AHEAD) {
            wait_for_copies<AHEAD>();
            fence_for_tensor_cores();
            __syncwarp();
            if (threadIdx.x % 32 == 0) {
                arrive(barriers.full((step - AHEAD) % STAGES));
            }
        }
    }
}

// In the warps that multiply: use(number) reads a stage, and waits for its products.
template <int STAGES, typename USE>
__device__ __forceinline__ void use_stages(const StageBarriers<STAGES>& barriers, int steps, USE use) {
#pragma unroll 1
    for (int step = 0; step < steps; step++) {
        wait_for(barriers.full(step % STAGES), step / STAGES % 2);
        use(step % STAGES);
        __syncwarp();
        if (threadIdx.x % 32 == 0) {
            arrive(barriers.empty(step % STAGES));
        }
    }
}

// Starts the copies of a feeder's part of COUNT rows; rows and inputs that are not there become zeros.
template <int COUNT, typename T>
__device__ __forceinline__ void feed_rows(unsigned stage, const T* matrix, int first_row, int rows, int first_input, int inputs) {
    constexpr int ROW_CHUNKS = STAGE_INPUTS / CHUNK;
    const int feeder = threadIdx.x % FEEDERS;
    const int chunk = feeder % ROW_CHUNKS;
    const int input = first_input + chunk * CHUNK;
#pragma unroll
    for (int i = 0; i < COUNT * ROW_CHUNKS / FEEDERS; i++) {
        const int row = i * (FEEDERS / ROW_CHUNKS) + feeder / ROW_CHUNKS;
        const bool there = first_row + row < rows && input < inputs;
        copy_async(stage + row * ROW_BYTES + (chunk ^ row % 8) * 16,
                there ? matrix + static_cast<long long>(first_row + row) * inputs + input : matrix, there);
    }
}
