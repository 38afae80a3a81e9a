// The largest logits of each row.
//
// Entry points:
//     sampling_top_k_f32  (ids, values, arrived, lists, logits, rows, vocabulary, k)
//
// logits [rows, vocabulary], rows [1] int; ids int and values f32 [rows, k] with 1 <= k <= 64 and k <= vocabulary, largest first.
// Among equals the lowest id comes first; -0 equals +0 and is given as +0; NaN counts as minus infinity and is given as such.
// Scratch: arrived [rows] int, zero before the first launch and left zero by each; lists [rows, slices, 64] of 8 bytes.
// Addresses are multiples of 16.
// Launch: grid (slices, max rows), block 256, no dynamic shared memory, compute capability 8.0. Any number of slices gives the same
// result: keys are unique, so neither order nor grouping matters. 4096 logits a slice fill the device best.
// Each block reduces its slice of the row; the last to arrive completes the row, so one launch does all.
// Logits are read once; a warp looks at 32 keys at a time and inserts only if one of them is among its best so far.

#include "elements.cuh"
#include "keys.cuh"
#include "reduce.cuh"

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;
constexpr int LIST = 64; // keys a warp keeps

struct Slice {
    int begin;
    int end;
};

// This block's part of the row; begins at a multiple of 4.
__device__ __forceinline__ Slice slice_of(int vocabulary) {
    const long long length = ((vocabulary - 1) / static_cast<int>(gridDim.x) / 4 + 1) * 4LL;
    const long long begin = blockIdx.x * length;
    return {static_cast<int>(min(begin, static_cast<long long>(vocabulary))),
            static_cast<int>(min(begin + length, static_cast<long long>(vocabulary)))};
}

// Whether this is the last block of its row. What blocks wrote before is seen by the last one after. One thread a block calls it.
__device__ __forceinline__ bool is_last(unsigned* arrived) {
    __threadfence();
    const bool last = atomicAdd(arrived, 1) == gridDim.x - 1;
    __threadfence();
    return last;
}

// Falling order from a bitonic sequence over the lanes of a warp.
__device__ __forceinline__ Key merge_falling(Key key) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        const Key other = __shfl_xor_sync(FULL_WARP, key, distance);
        key = (lane & distance) == 0 ? max(key, other) : min(key, other);
    }
    return key;
}

// Rising order over the lanes of a warp, by a bitonic network.
__device__ __forceinline__ Key sort_rising(Key key) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int size = 2; size <= 32; size *= 2) {
#pragma unroll
        for (int distance = size / 2; distance > 0; distance /= 2) {
            const Key other = __shfl_xor_sync(FULL_WARP, key, distance);
            key = ((lane & distance) == 0) == ((lane & size) == 0) ? min(key, other) : max(key, other);
        }
    }
    return key;
}

// The 64 largest keys that a warp has seen, falling: lane i holds number i and number 32 + i.
struct TopList {
    Key high = 0;
    Key low = 0;

    // The smallest of the first k.
    __device__ __forceinline__ Key threshold(int k) const {
        return k <= 32 ? __shfl_sync(FULL_WARP, high, k - 1) : __shfl_sync(FULL_WARP, low, k - 33);
    }

    // Takes one key of each lane; does nothing if none belongs to the first k.
    __device__ __forceinline__ void insert(Key key, int k) {
        if (__any_sync(FULL_WARP, key > threshold(k))) {
            low = merge_falling(max(low, sort_rising(key)));
            const Key reversed = __shfl_xor_sync(FULL_WARP, low, 31);
            low = merge_falling(min(high, reversed));
            high = merge_falling(max(high, reversed));
        }
    }

    __device__ __forceinline__ void insert(const Key* list, int k) {
        insert(list[threadIdx.x % 32], k);
        insert(list[32 + threadIdx.x % 32], k);
    }

    __device__ __forceinline__ void store(Key* list) const {
        list[threadIdx.x % 32] = high;
        list[32 + threadIdx.x % 32] = low;
    }
};

template <int SIZE>
__device__ __forceinline__ TopList top_of(const float* logits, Slice slice, int k) {
    TopList top;
    const int lane = threadIdx.x % 32;
#pragma unroll 1
    for (int start = slice.begin + threadIdx.x / 32 * (32 * SIZE); start < slice.end; start += THREADS * SIZE) {
        const int i = start + lane * SIZE;
        Pack<float, SIZE> values = {};
        if (i < slice.end) {
            values = *reinterpret_cast<const Pack<float, SIZE>*>(logits + i);
        }
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            top.insert(i < slice.end ? key_of(values.elements[j], i + j) : 0, k);
        }
    }
    return top;
}

extern "C" __global__ void __launch_bounds__(THREADS)
sampling_top_k_f32(int* ids, float* values, unsigned* arrived, Key* lists, const float* logits, const int* rows, int vocabulary,
        int k) {
    __shared__ Key shared[WARPS][LIST];
    if (blockIdx.y >= *rows) {
        return;
    }
    logits += static_cast<long long>(blockIdx.y) * vocabulary;
    arrived += blockIdx.y;
    lists += static_cast<long long>(blockIdx.y) * gridDim.x * LIST;
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    const Slice slice = slice_of(vocabulary);
    TopList top = vocabulary % 4 == 0 ? top_of<4>(logits, slice, k) : top_of<1>(logits, slice, k);
    top.store(shared[warp]);
    __syncthreads();
    if (warp > 0) {
        return;
    }
#pragma unroll 1
    for (int other = 1; other < WARPS; other++) {
        top.insert(shared[other], k);
    }
    top.store(lists + static_cast<long long>(blockIdx.x) * LIST);
    __syncwarp();
    const bool last = lane == 0 && is_last(arrived);
    if (!__any_sync(FULL_WARP, last)) {
        return;
    }
#pragma unroll 1
    for (int other = 0; other < gridDim.x; other++) {
        if (other != blockIdx.x) {
            top.insert(lists + static_cast<long long>(other) * LIST, k);
        }
    }
    const long long out = static_cast<long long>(blockIdx.y) * k + lane;
    if (lane < k) {
        ids[out] = id_of(top.high);
        values[out] = value_of(top.high);
    }
    if (32 + lane < k) {
        ids[out + 32] = id_of(top.low);
        values[out + 32] = value_of(top.low);
    }
    if (lane == 0) {
        *arrived = 0;
    }
}
