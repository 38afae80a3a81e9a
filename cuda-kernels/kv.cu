// Rows of the key-value cache (Op.AppendKv, and the moves after verification).
//
// A layer's keys, and likewise its values, are pages [page, kv_heads, 64, stored_dim] f16; slot s is line s % 64 of page
// pages[s / 64]. stored_dim is head_dim rounded up to a multiple of 16; what is beyond head_dim stays zero.
//
// Entry points:
//     kv_append_f16                        (keys, values, k, v, pages, rows, committed, kv_heads, head_dim, stored_dim, k_stride,
//                                           v_stride)
//     kv_rope_append_{split,interleaved}_f16  (q, keys, values, qkv, positions, inverse_frequencies, pages, rows, committed, heads,
//                                           kv_heads, head_dim, stored_dim, pairs, factor)
//         Op.Rope of queries and keys, then Op.AppendKv, of rows [heads + 2 kv_heads, head_dim] that hold all three
//     kv_move_f16                          (keys, values, pages, from, to, count, layer_stride, kv_heads, stored_dim)
//
// k, v, qkv f32, rows at their strides; q [rows, heads, head_dim] f32; positions [rows] int, rows and committed [1] int: row r goes
// to slot *committed + r, rounded to nearest even. from, to [count] and count [1] int: slot from[i] is copied to slot to[i] in
// every layer, in rising order of i; to[i] <= from[i] rising. layer_stride is the distance of layers in elements.
// Addresses are multiples of 16, head_dim is even.
// Launch: append: grid (most rows, kv_heads / 4 rounded up), rope and append: grid (most rows, (heads + 2 kv_heads) / 4 rounded up),
// both block(head_dim / 2) threads = min(256, rounded up to a multiple of 32); move: grid (layers, kv_heads), block stored_dim / 8
// times two rounded up to a multiple of 32. No dynamic shared memory, compute capability 8.0.

#include "elements.cuh"
#include "rotation.cuh"

constexpr int PAGE_SLOTS = 64;
constexpr int HEADS_A_BLOCK = 4;

// Index of the first element of a head of a slot.
__device__ __forceinline__ long long line_of(const int* pages, int slot, int kv_heads, int head, int stored_dim) {
    return ((static_cast<long long>(pages[slot / PAGE_SLOTS]) * kv_heads + head) * PAGE_SLOTS + slot % PAGE_SLOTS) * stored_dim;
}

__device__ __forceinline__ void append(f16* to, const float* from, int head_dim) {
#pragma unroll 1
    for (int i = threadIdx.x; i < head_dim / 2; i += blockDim.x) {
        const float2 pair = reinterpret_cast<const float2*>(from)[i];
        reinterpret_cast<Pack<f16, 2>*>(to)[i] = {narrow<f16>(pair.x), narrow<f16>(pair.y)};
    }
}

extern "C" __global__ void __launch_bounds__(256)
kv_append_f16(f16* keys, f16* values, const float* k, const float* v, const int* pages, const int* rows, const int* committed,
        int kv_heads, int head_dim, int stored_dim, int k_stride, int v_stride) {
    const long long row = blockIdx.x;
    if (row >= *rows) {
        return;
    }
    const int end_head = min(static_cast<int>(blockIdx.y + 1) * HEADS_A_BLOCK, kv_heads);
#pragma unroll 1
    for (int head = blockIdx.y * HEADS_A_BLOCK; head < end_head; head++) {
        const long long line = line_of(pages, *committed + static_cast<int>(row), kv_heads, head, stored_dim);
        append(keys + line, k + row * k_stride + head * head_dim, head_dim);
        append(values + line, v + row * v_stride + head * head_dim, head_dim);
    }
}

template <typename PAIRING, typename T>
__device__ __forceinline__ void rotate(T* to, const float* from, Rotation by, int i, int head_dim, int pairs) {
    if (i < pairs) {
        PAIRING::store(to, i, pairs, turn(PAIRING::load(from, i, pairs), by));
    } else {
        // the elements beyond the pairs, two a thread too
        const float2 pair = reinterpret_cast<const float2*>(from)[i];
        reinterpret_cast<Pack<T, 2>*>(to)[i] = {narrow<T>(pair.x), narrow<T>(pair.y)};
    }
}

template <typename PAIRING>
__device__ __forceinline__ void rope_append(float* q, f16* keys, f16* values, const float* qkv, const int* positions,
        const float* inverse_frequencies, const int* pages, const int* rows, const int* committed, int heads, int kv_heads,
        int head_dim, int stored_dim, int pairs, float factor) {
    const long long row = blockIdx.x;
    if (row >= *rows) {
        return;
    }
    const int all_heads = heads + 2 * kv_heads;
    const int first_head = blockIdx.y * HEADS_A_BLOCK;
    const int end_head = min(first_head + HEADS_A_BLOCK, all_heads);
    const int slot = *committed + static_cast<int>(row);
#pragma unroll 1
    for (int i = threadIdx.x; i < head_dim / 2; i += blockDim.x) {
        Rotation by = {1.0f, 0.0f};
        if (i < pairs && first_head < heads + kv_heads) {
            by = rotation(positions[row], inverse_frequencies[i], factor);
        }
#pragma unroll 1
        for (int head = first_head; head < end_head; head++) {
            const float* from = qkv + (row * all_heads + head) * head_dim;
            if (head < heads) {
                rotate<PAIRING>(q + (row * heads + head) * head_dim, from, by, i, head_dim, pairs);
            } else if (head < heads + kv_heads) {
                rotate<PAIRING>(keys + line_of(pages, slot, kv_heads, head - heads, stored_dim), from, by, i, head_dim, pairs);
            } else {
                const float2 pair = reinterpret_cast<const float2*>(from)[i];
                f16* to = values + line_of(pages, slot, kv_heads, head - heads - kv_heads, stored_dim);
                reinterpret_cast<Pack<f16, 2>*>(to)[i] = {narrow<f16>(pair.x), narrow<f16>(pair.y)};
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
kv_rope_append_split_f16(float* q, f16* keys, f16* values, const float* qkv, const int* positions,
        const float* inverse_frequencies, const int* pages, const int* rows, const int* committed, int heads, int kv_heads,
        int head_dim, int stored_dim, int pairs, float factor) {
    rope_append<Split>(q, keys, values, qkv, positions, inverse_frequencies, pages, rows, committed, heads, kv_heads, head_dim,
            stored_dim, pairs, factor);
}

extern "C" __global__ void __launch_bounds__(256)
kv_rope_append_interleaved_f16(float* q, f16* keys, f16* values, const float* qkv, const int* positions,
        const float* inverse_frequencies, const int* pages, const int* rows, const int* committed, int heads, int kv_heads,
        int head_dim, int stored_dim, int pairs, float factor) {
    rope_append<Interleaved>(q, keys, values, qkv, positions, inverse_frequencies, pages, rows, committed, heads, kv_heads, head_dim,
            stored_dim, pairs, factor);
}

extern "C" __global__ void __launch_bounds__(256)
kv_move_f16(f16* keys, f16* values, const int* pages, const int* from, const int* to, const int* count,
        long long layer_stride, int kv_heads, int stored_dim) {
    using Line = Pack<f16, 8>;
    const int chunks = stored_dim / 8;
    const int chunk = threadIdx.x % chunks;
    if (threadIdx.x >= 2 * chunks) {
        return;
    }
    f16* cache = (threadIdx.x < chunks ? keys : values) + blockIdx.x * layer_stride + chunk * 8;
#pragma unroll 1
    for (int i = 0; i < *count; i++) {
        const long long source = line_of(pages, from[i], kv_heads, blockIdx.y, stored_dim);
        const long long target = line_of(pages, to[i], kv_heads, blockIdx.y, stored_dim);
        *reinterpret_cast<Line*>(cache + target) = *reinterpret_cast<const Line*>(cache + source);
    }
}
