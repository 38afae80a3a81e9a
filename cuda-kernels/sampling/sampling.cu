// The largest logits of each row.
//
// Entry points:
//     sampling_top_k_f32           of TopKArguments
//     sampling_row_statistics_f32  of RowStatisticsArguments
//
// ids and values come the largest first, 1 <= k <= 64 and k <= vocabulary. Among equals the lowest id comes first; -0 equals +0 and is
// given as +0; NaN counts as minus infinity and is given as such.
// Scratch: arrived is zero before the first launch and left zero by each.
// Addresses are multiples of 16.
// Launch: grid (slices, max rows), block 256, no dynamic shared memory, compute capability 8.0. Any number of slices gives the same
// result: keys are unique, so neither order nor grouping matters. 4096 logits a slice fill the device best.
// Each block reduces its slice of the row; the last to arrive completes the row, so one launch does all.
// Row_statistics gives besides sums: the logarithm of the sum of e^x and the entropy of the softmax, -inf or inf and NaN where the largest is
// that; and chosen: the logits of the tokens in columns. Its slices are of 4096 logits at most, which its threads hold, so that they too are
// read once. Sums are over the lanes of a warp, then warps, then slices, in this order: the same bits whatever other rows there are.
// RowStatistics.java defines it.
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

struct TopKArguments {
    int* ids;            // [rows, k]
    float* values;       // [rows, k]
    unsigned* arrived;   // [rows], scratch
    Key* lists;          // [rows, slices, 64], scratch
    const float* logits; // [rows, vocabulary]
    const int* rows;     // [1]: how many there are
    int vocabulary;
    int k;
};

extern "C" __global__ void __launch_bounds__(THREADS) sampling_top_k_f32(const TopKArguments arguments) {
    __shared__ Key shared[WARPS][LIST];
    if (blockIdx.y >= *arguments.rows) {
        return;
    }
    const int vocabulary = arguments.vocabulary;
    const int k = arguments.k;
    const float* logits = arguments.logits + static_cast<long long>(blockIdx.y) * vocabulary;
    unsigned* arrived = arguments.arrived + blockIdx.y;
    Key* lists = arguments.lists + static_cast<long long>(blockIdx.y) * gridDim.x * LIST;
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
    __syncwarp(); // a vote orders nothing: all lanes see what the other blocks wrote, as the one that arrived does
#pragma unroll 1
    for (int other = 0; other < gridDim.x; other++) {
        if (other != blockIdx.x) {
            top.insert(lists + static_cast<long long>(other) * LIST, k);
        }
    }
    const long long out = static_cast<long long>(blockIdx.y) * k + lane;
    if (lane < k) {
        arguments.ids[out] = id_of(top.high);
        arguments.values[out] = value_of(top.high);
    }
    if (32 + lane < k) {
        arguments.ids[out + 32] = id_of(top.low);
        arguments.values[out + 32] = value_of(top.low);
    }
    if (lane == 0) {
        *arrived = 0;
    }
}

constexpr int HELD = 16; // logits of a slice that a thread has
static_assert(HELD * THREADS == 4096, "a slice");

// Sums over a part of a row: of e^(x - largest), and of these times x - largest.
struct alignas(16) Part {
    float largest;
    float sum;
    float weighted;
    float unused;
};

__device__ __forceinline__ Part both(Part a, Part b) {
    const float largest = fmaxf(a.largest, b.largest);
    if (isinf(largest)) {
        return {largest, 0, 0, 0};
    }
    const float below_a = a.largest - largest;
    const float below_b = b.largest - largest;
    const float factor_a = expf(below_a);
    const float factor_b = expf(below_b);
    const float weighted_a = isinf(below_a) ? 0 : factor_a * (a.weighted + below_a * a.sum);
    const float weighted_b = isinf(below_b) ? 0 : factor_b * (b.weighted + below_b * b.sum);
    return {largest, factor_a * a.sum + factor_b * b.sum, weighted_a + weighted_b, 0};
}

// The logits of a slice that a thread has, and where they are: SIZE neighbours at a time. Minus infinity behind the end.
template <int SIZE> struct Held {
    float logits[HELD];
    Slice slice;

    __device__ __forceinline__ Held(const float* row, Slice slice) : slice(slice) {
#pragma unroll
        for (int i = 0; i < HELD; i += SIZE) {
            Pack<float, SIZE> values = {};
            if (id(i) < slice.end) {
                values = *reinterpret_cast<const Pack<float, SIZE>*>(row + id(i));
            }
#pragma unroll
            for (int j = 0; j < SIZE; j++) {
                const bool is_number = id(i) < slice.end && !isnan(values.elements[j]);
                logits[i + j] = is_number ? values.elements[j] : -INFINITY;
            }
        }
    }

    __device__ __forceinline__ int id(int index) const {
        return slice.begin + (index / SIZE * THREADS + static_cast<int>(threadIdx.x)) * SIZE + index % SIZE;
    }

    // Of a warp; all lanes hold it.
    __device__ __forceinline__ Part part() const {
        float largest = -INFINITY;
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            largest = fmaxf(largest, logits[i]);
        }
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2) {
            largest = fmaxf(largest, __shfl_xor_sync(FULL_WARP, largest, distance));
        }
        float sum = 0;
        float weighted = 0;
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            const float below = logits[i] - largest;
            if (below > -INFINITY) {
                sum += expf(below);
                weighted += below * expf(below);
            }
        }
        return {largest, warp_sum(sum), warp_sum(weighted), 0};
    }

    // Leaves them where a loop can get at them.
    __device__ __forceinline__ void store(float* own) const {
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            own[i * THREADS] = logits[i];
        }
    }
};

// Describes a warp's part of a slice. own is room for HELD logits of this thread, THREADS apart.
template <int SIZE>
__device__ __forceinline__ void describe(const float* logits, Slice slice, int k, float* own, TopList& top, Part& part) {
    const Held<SIZE> held(logits, slice);
    held.store(own);
    part = held.part();
#pragma unroll 1
    for (int i = 0; i < HELD; i++) {
        top.insert(held.id(i) < slice.end ? key_of(own[i * THREADS], held.id(i)) : 0, k);
    }
}

struct RowStatisticsArguments {
    int* ids;            // [rows, k]
    float* values;       // [rows, k]
    float* sums;         // [rows, 2]
    float* chosen;       // [rows, chosen_count]
    unsigned* arrived;   // [rows], scratch
    Key* lists;          // [rows, slices, 64], scratch
    Part* parts;         // [rows, slices], scratch
    const float* logits; // [rows, vocabulary]
    const int* columns;  // [chosen_count]
    const int* rows;     // [1]: how many there are
    int vocabulary;
    int k;
    int chosen_count;
};

extern "C" __global__ void __launch_bounds__(THREADS) sampling_row_statistics_f32(const RowStatisticsArguments arguments) {
    __shared__ Key shared[WARPS][LIST];
    __shared__ Part shared_parts[WARPS];
    __shared__ float held[HELD * THREADS];
    if (blockIdx.y >= *arguments.rows) {
        return;
    }
    const int vocabulary = arguments.vocabulary;
    const int k = arguments.k;
    const float* logits = arguments.logits + static_cast<long long>(blockIdx.y) * vocabulary;
    Key* lists = arguments.lists + static_cast<long long>(blockIdx.y) * gridDim.x * LIST;
    Part* parts = arguments.parts + static_cast<long long>(blockIdx.y) * gridDim.x;
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    TopList top;
    Part part;
    if (vocabulary % 4 == 0) {
        describe<4>(logits, slice_of(vocabulary), k, held + threadIdx.x, top, part);
    } else {
        describe<1>(logits, slice_of(vocabulary), k, held + threadIdx.x, top, part);
    }
    top.store(shared[warp]);
    if (lane == 0) {
        shared_parts[warp] = part;
    }
    __syncthreads();
    if (warp > 0) {
        return;
    }
#pragma unroll 1
    for (int other = 1; other < WARPS; other++) {
        top.insert(shared[other], k);
        part = both(part, shared_parts[other]);
    }
    top.store(lists + static_cast<long long>(blockIdx.x) * LIST);
    if (lane == 0) {
        parts[blockIdx.x] = part;
    }
    __syncwarp();
    const bool last = lane == 0 && is_last(arguments.arrived + blockIdx.y);
    if (!__any_sync(FULL_WARP, last)) {
        return;
    }
    __syncwarp(); // a vote orders nothing: all lanes see what the other blocks wrote, as the one that arrived does
    part = parts[0];
#pragma unroll 1
    for (int other = 0; other < gridDim.x; other++) {
        if (other != blockIdx.x) {
            top.insert(lists + static_cast<long long>(other) * LIST, k);
        }
        part = other == 0 ? part : both(part, parts[other]);
    }
    const long long out = static_cast<long long>(blockIdx.y) * k + lane;
    if (lane < k) {
        arguments.ids[out] = id_of(top.high);
        arguments.values[out] = value_of(top.high);
    }
    if (32 + lane < k) {
        arguments.ids[out + 32] = id_of(top.low);
        arguments.values[out + 32] = value_of(top.low);
    }
#pragma unroll 1
    for (int i = lane; i < arguments.chosen_count; i += 32) {
        arguments.chosen[static_cast<long long>(blockIdx.y) * arguments.chosen_count + i] = logits[arguments.columns[i]];
    }
    if (lane == 0) {
        const float log_sum = logf(part.sum);
        arguments.sums[2 * blockIdx.y] = isinf(part.largest) ? part.largest : part.largest + log_sum;
        arguments.sums[2 * blockIdx.y + 1] = isinf(part.largest) ? __int_as_float(0x7fffffff) : log_sum - part.weighted / part.sum;
        arguments.arrived[blockIdx.y] = 0;
    }
}
