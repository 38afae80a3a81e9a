// Barriers of clusters (compute capability 9.0), and copies to all blocks of one at once.
//
// Rows of the input that all blocks of a cluster need are read once: each block brings some of them, by bulk copies that write to the
// same place in every block. Each stage has two barriers a block: `full` counts the bytes that come, `empty` the blocks that have read
// what was there before. A stage is filled a step later than that of the weights, so that nobody waits for the slowest block at once.
#pragma once

#include "matmul.cuh"
#include "thread_block_cluster.cuh"

__device__ __forceinline__ void init_barrier(unsigned barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// Before meet_in_cluster, so that other blocks and copies find the barriers initialised.
__device__ __forceinline__ void publish_barriers() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Arrives at a barrier whose phase ends when these bytes have come.
__device__ __forceinline__ void expect_bytes(unsigned barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

// Arrives at the barrier that lies there in another block.
__device__ __forceinline__ void arrive_at_block(unsigned barrier, unsigned rank) {
    asm volatile("{ .reg .u32 there; mapa.shared::cluster.u32 there, %0, %1;\n\t"
                 "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [there]; }" ::"r"(barrier),
                 "r"(rank)
                 : "memory");
}

__device__ __forceinline__ bool has_ended(unsigned barrier, int parity) {
    unsigned ended;
    asm volatile("{ .reg .pred ended; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 ended, [%1], %2;\n\t"
                 "selp.u32 %0, 1, 0, ended; }"
                 : "=r"(ended)
                 : "r"(barrier), "r"(parity)
                 : "memory");
    return ended != 0;
}

// Waits for the end of a phase, by its number's last bit.
__device__ __forceinline__ void wait_for_phase(unsigned barrier, int phase) {
    while (!has_ended(barrier, phase % 2)) {
    }
}

// Copies a multiple of 16 bytes to the same place in all blocks of the cluster, where the barrier of each counts them.
__device__ __forceinline__ void copy_to_cluster(unsigned to, const void* from, int bytes, unsigned barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
                 "[%0], [%1], %2, [%3], %4;" ::"r"(to),
                 "l"(from), "r"(bytes), "r"(barrier), "h"(static_cast<unsigned short>((1 << CLUSTER_BLOCKS) - 1))
                 : "memory");
}

// Of a kernel: the tiles beside each other, down the outputs.
#define IN_CLUSTERS __cluster_dims__(1, CLUSTER_BLOCKS, 1)

// Rows of the input for all blocks of a cluster, whose tiles have the same rows.
template <typename TILE, typename T> struct StageRows<TILE, T, CLUSTER_BLOCKS> {
    static_assert(TILE::padded, "a row of a stage is one piece");
    static_assert(TILE::stages > 2, "a step in between");

    static constexpr int STAGES = TILE::stages;
    static constexpr int AHEAD = STAGES - 2;

    const T* in; // first row of the tile
    int rows;    // of the tile that are there
    int inputs;
    int steps;
    unsigned char* stages;
    int stage_bytes;
    unsigned full;  // [STAGES] barriers
    unsigned empty; // [STAGES] barriers

    __device__ __forceinline__ StageRows(const T* in, int first_row, int rows, int inputs, unsigned char* stages, int stage_bytes)
        : in(in + static_cast<long long>(first_row) * inputs), rows(min(rows - first_row, TILE::rows)), inputs(inputs),
          steps((inputs + TILE::inputs - 1) / TILE::inputs), stages(stages), stage_bytes(stage_bytes) {
        __shared__ __align__(8) unsigned long long barriers[2 * STAGES];
        full = shared_address(barriers);
        empty = shared_address(barriers + STAGES);
    }

    __device__ __forceinline__ void copy(int) const {}

    __device__ __forceinline__ void begin() const {
#pragma unroll 1
        for (int number = 0; number < STAGES; number++) {
            clear_beyond(number, TILE::inputs);
        }
        if (threadIdx.x == 0) {
            for (int number = 0; number < STAGES; number++) {
                init_barrier(full + number * 8, 1);
                init_barrier(empty + number * 8, CLUSTER_BLOCKS);
            }
            publish_barriers();
        }
        meet_in_cluster();
#pragma unroll 1
        for (int step = 0; step < AHEAD; step++) {
            bring(step);
        }
    }

    __device__ __forceinline__ void await(int step) const {
        wait_for_phase(full + step % STAGES * 8, step / STAGES);
    }

    // All have read the stage of the step before, which is handed back to all blocks if it is to be filled again; and all blocks have
    // handed back the stage before that, or will soon.
    __device__ __forceinline__ void proceed(int step) const {
        if (step > 0 && step - 1 + STAGES < steps && threadIdx.x < CLUSTER_BLOCKS) {
            arrive_at_block(empty + (step - 1) % STAGES * 8, threadIdx.x);
        }
        bring(step + AHEAD);
    }

    // No block ends whose memory others may still reach.
    __device__ __forceinline__ void end() const {
        meet_in_cluster();
    }

    // Starts the copies of this block's share of a step.
    __device__ __forceinline__ void bring(int step) const {
        if (step >= steps) {
            return;
        }
        const int number = step % STAGES;
        const int first = step * TILE::inputs;
        const int count = min(inputs - first, TILE::inputs);
        if (count < TILE::inputs) {
            clear_beyond(number, count);
        }
        if (threadIdx.x == 0) {
            const unsigned barrier = full + number * 8;
            if (step >= STAGES) {
                wait_for_phase(empty + number * 8, step / STAGES - 1);
            }
            expect_bytes(barrier, rows * count * static_cast<int>(sizeof(T)));
#pragma unroll 1
            for (int row = cluster_rank(); row < rows; row += CLUSTER_BLOCKS) {
                copy_to_cluster(shared_address(stages + number * stage_bytes) + row * TILE::stride * sizeof(T),
                        in + static_cast<long long>(row) * inputs + first, count * sizeof(T), barrier);
            }
        }
    }

    // Zeros for rows that are not there, and for inputs from `count` on.
    __device__ __forceinline__ void clear_beyond(int number, int count) const {
        constexpr int ROW_CHUNKS = TILE::inputs / CHUNK;
        T* stage = reinterpret_cast<T*>(stages + number * stage_bytes);
#pragma unroll 1
        for (int i = threadIdx.x; i < TILE::rows * ROW_CHUNKS; i += TILE::threads) {
            const int row = i / ROW_CHUNKS;
            const int chunk = i % ROW_CHUNKS;
            if (row >= rows || chunk * CHUNK >= count) {
                *reinterpret_cast<uint4*>(stage + TILE::at(row, chunk)) = uint4{0, 0, 0, 0};
            }
        }
    }
};
