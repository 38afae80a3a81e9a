// The blocks that share a row of logits: one alone, or a cluster (compute capability 9.0 and later). What they find out together, all
// threads of all of them hold: everything here is called by all threads, in the same order.
//
// Words for the others are written into their shared memory, and read there after a barrier of the cluster, a few hundred cycles.
// Sums are of whole numbers, so the number of blocks changes no bit.
#pragma once

#include "keys.cuh"
#include "reduce.cuh"
#include "thread_block_cluster.cuh"

constexpr int THREADS = 1024; // of a block
constexpr int WARPS = THREADS / 32;
constexpr int BINS = THREADS;

// What the threads of a block share.
template <int BLOCKS> struct TeamMemory {
    Key bins[BINS];          // of this block
    Key totals[BINS];        // of all blocks
    Key said[2][BLOCKS][2];  // two words of each block, by turns so that nobody writes what another still reads
    Key warps[WARPS];
    Key seconds[WARPS];
    Key above;
    Key inside;
    int bin;
};

// Where sums over bins, from the last one down, reach what is wanted.
struct Cut {
    int bin;    // -1 if they do not
    Key above;  // of the bins behind it
    Key inside; // of itself
};

template <int BLOCKS> struct Team {
    TeamMemory<BLOCKS>& memory;
    int rank = 0; // of this block
    int turn = 0;

    __device__ __forceinline__ explicit Team(TeamMemory<BLOCKS>& memory) : memory(memory) {
        if constexpr (BLOCKS > 1) {
            rank = static_cast<int>(cluster_rank());
            meet_in_cluster(); // all run, and may be written to
        }
    }

    __device__ __forceinline__ void meet() const {
        if constexpr (BLOCKS > 1) {
            meet_in_cluster();
        } else {
            __syncthreads();
        }
    }

    // combine() of what each thread has.
    template <typename F> __device__ __forceinline__ Key reduce(Key value, F combine) {
        const auto reduce_warp = [&] {
#pragma unroll
            for (int distance = 16; distance > 0; distance /= 2) {
                value = combine(value, __shfl_xor_sync(FULL_WARP, value, distance));
            }
        };
        reduce_warp();
        __syncthreads();
        if (threadIdx.x % 32 == 0) {
            memory.warps[threadIdx.x / 32] = value;
        }
        __syncthreads();
        value = memory.warps[threadIdx.x % 32];
        reduce_warp();
        if constexpr (BLOCKS > 1) {
            const Key(*said)[2] = tell(value, 0);
            value = said[0][0];
#pragma unroll
            for (int block = 1; block < BLOCKS; block++) {
                value = combine(value, said[block][0]);
            }
        }
        return value;
    }

    __device__ __forceinline__ Key sum(Key value) {
        return reduce(value, [](Key a, Key b) { return a + b; });
    }

    // The two largest keys of all.
    __device__ __forceinline__ void largest(Key& best, Key& second) {
        const auto merge = [&](Key other, Key other_second) {
            second = max(min(best, other), max(second, other_second));
            best = max(best, other);
        };
        const auto merge_warp = [&] {
#pragma unroll
            for (int distance = 16; distance > 0; distance /= 2) {
                const Key other = __shfl_xor_sync(FULL_WARP, best, distance);
                merge(other, __shfl_xor_sync(FULL_WARP, second, distance));
            }
        };
        merge_warp();
        if (threadIdx.x % 32 == 0) {
            memory.warps[threadIdx.x / 32] = best;
            memory.seconds[threadIdx.x / 32] = second;
        }
        __syncthreads();
        best = memory.warps[threadIdx.x % 32];
        second = memory.seconds[threadIdx.x % 32];
        merge_warp();
        if constexpr (BLOCKS > 1) {
            const Key(*said)[2] = tell(best, second);
            best = 0;
            second = 0;
#pragma unroll
            for (int block = 0; block < BLOCKS; block++) {
                merge(said[block][0], said[block][1]);
            }
        }
    }

    // Empties the bins.
    __device__ __forceinline__ void clear_bins() const {
        memory.bins[threadIdx.x] = 0;
        __syncthreads();
        if (threadIdx.x == 0) {
            memory.bin = -1;
        }
    }

    // Adds what the lanes of a warp have to bins; a lane with nothing has an amount of 0. Lanes add up beforehand what is for one bin, as
    // long as that is much: additions to one place come one after the other. Amounts are below 2^41.
    __device__ __forceinline__ void add(int bin, Key amount) const {
        constexpr int MANY = 4;
        constexpr unsigned LOW_BITS = (1u << 20) - 1;
        const unsigned low = static_cast<unsigned>(amount) & LOW_BITS;
        const unsigned high = static_cast<unsigned>(amount >> 20);
        unsigned left = __ballot_sync(FULL_WARP, amount != 0);
#pragma unroll 1
        while (left != 0) {
            const int first = __ffs(left) - 1;
            const int first_bin = __shfl_sync(FULL_WARP, bin, first);
            const bool alike = amount != 0 && bin == first_bin;
            const unsigned together = __ballot_sync(FULL_WARP, alike);
            if (__popc(together) < MANY) {
                break;
            }
            const Key sum = static_cast<Key>(__reduce_add_sync(FULL_WARP, alike ? high : 0)) << 20;
            const Key rest = __reduce_add_sync(FULL_WARP, alike ? low : 0);
            if (threadIdx.x % 32 == first) {
                add_alone(bin, sum + rest);
            }
            left &= ~together;
        }
        if ((left >> threadIdx.x % 32 & 1) != 0) {
            add_alone(bin, amount);
        }
    }

    // Where the bins of all blocks together reach what is wanted, from the last one down.
    __device__ __forceinline__ Cut cut(Key wanted) const {
        meet();
        const Key* totals = memory.bins;
        if constexpr (BLOCKS > 1) {
            add_up_bins();
            totals = memory.totals;
        }
        const int bin = BINS - 1 - static_cast<int>(threadIdx.x);
        const Key own = totals[bin];
        const Key sum = sums_up_to(own);
        if (sum >= wanted && sum - own < wanted) {
            memory.bin = bin;
            memory.above = sum - own;
            memory.inside = own;
        }
        __syncthreads();
        return {memory.bin, memory.above, memory.inside};
    }

private:
    // What each block has to tell the others.
    __device__ __forceinline__ const Key (*tell(Key first, Key second))[2] {
        Key(*said)[2] = memory.said[turn];
        turn ^= 1;
        if (threadIdx.x < BLOCKS) {
            store_in_block(&said[rank][0], threadIdx.x, first);
            store_in_block(&said[rank][1], threadIdx.x, second);
        }
        meet_in_cluster();
        return said;
    }

    // As two words: shared memory adds 32 bits by itself, but 64 by trying until nobody came between.
    __device__ __forceinline__ void add_alone(int bin, Key amount) const {
        unsigned* words = reinterpret_cast<unsigned*>(&memory.bins[bin]);
        const unsigned low = static_cast<unsigned>(amount);
        const unsigned before = atomicAdd(&words[0], low);
        const unsigned high = static_cast<unsigned>(amount >> 32) + (before + low < low);
        if (high != 0) {
            atomicAdd(&words[1], high);
        }
    }

    // A block adds up its share of the bins and tells all. Neighbouring lanes read a bin of different blocks.
    __device__ __forceinline__ void add_up_bins() const {
        const int bin = rank * (BINS / BLOCKS) + static_cast<int>(threadIdx.x) / BLOCKS;
        const int block = static_cast<int>(threadIdx.x) % BLOCKS;
        Key sum = load_from_block(&memory.bins[bin], block);
#pragma unroll
        for (int distance = BLOCKS / 2; distance > 0; distance /= 2) {
            sum += __shfl_xor_sync(FULL_WARP, sum, distance);
        }
        store_in_block(&memory.totals[bin], block, sum);
        meet_in_cluster();
    }

    // Sums up to this thread's value, itself included, over the block.
    __device__ __forceinline__ Key sums_up_to(Key value) const {
        const int lane = threadIdx.x % 32;
        const auto scan = [lane](Key sum) {
#pragma unroll
            for (int distance = 1; distance < 32; distance *= 2) {
                const Key other = __shfl_up_sync(FULL_WARP, sum, distance);
                sum += lane >= distance ? other : 0;
            }
            return sum;
        };
        value = scan(value);
        if (lane == 31) {
            memory.warps[threadIdx.x / 32] = value;
        }
        __syncthreads();
        const Key warps = scan(memory.warps[lane]);
        const Key before = __shfl_sync(FULL_WARP, warps, max(static_cast<int>(threadIdx.x) / 32 - 1, 0));
        return value + (threadIdx.x < 32 ? 0 : before);
    }
};
