// Rows of the key-value cache (Op.AppendKv, and the moves after verification), laid out as cache.cuh says.
//
// Entry points, by the type of the cache:
//     kv_append_{f16,bf16,q8_0}               of KvAppendArguments
//     kv_rope_append_{split,interleaved}_{f16,bf16,q8_0}  of RopeAppendArguments
//         Op.Rope of queries and keys, then Op.AppendKv, of rows [heads + 2 kv_heads, head_dim] that hold all three
//     kv_move                                 (pages, from, to, count, kv_heads, line_bytes, scale_bytes)
//
// Row r goes to its slot in the pages of segments[row_segments[r]] (segment.cuh), rounded to nearest even; for q8_0 as DType.Q8_0 has it: the
// scale is a 127th of the largest element, bytes are rounded with the scale before that becomes f16, halves away from zero. from, to
// [count] and count [1] int: slot from[i] is copied to slot to[i] in every layer, in rising order of i; to[i] <= from[i] rising.
// line_bytes: of the elements of a line, scale_bytes: of its scales. Addresses are multiples of 16, head_dim is even and at most 256.
// Launch: append: grid (max rows, kv_heads / 4 rounded up), rope and append: grid (max rows, (heads + 2 kv_heads) / 4 rounded up),
// both block(head_dim / 2) threads = rounded up to a multiple of 32; move: grid (2 * layers, kv_heads), block (line_bytes / 16 +
// scale_bytes / 2) rounded up to a multiple of 32. No dynamic shared memory, compute capability 8.0.

#include "cache.cuh"
#include "rotation.cuh"
#include "segment.cuh"

struct KvAppendArguments {
    const float* k;          // [rows, kv_heads, head_dim], rows at their stride
    const float* v;          // likewise
    const Segment* segments; // of the pass
    const int* row_segments; // [rows]: the number of each row's segment
    const int* rows;         // [1]: how many there are
    int layer;               // bytes of a page before it
    int kv_heads;
    int head_dim;
    int stored_dim;
    int k_stride;            // elements from row to row
    int v_stride;
};

struct RopeAppendArguments {
    float* q;                         // [rows, heads, head_dim]
    const float* qkv;                 // [rows, heads + 2 kv_heads, head_dim]
    const int* positions;             // [rows]
    const float* inverse_frequencies; // [pairs]
    const Segment* segments;          // of the pass
    const int* row_segments;          // [rows]: the number of each row's segment
    const int* rows;                  // [1]: how many there are
    int layer;                        // bytes of a page before it
    int heads;
    int kv_heads;
    int head_dim;
    int stored_dim;
    int pairs;
    float factor;
};

constexpr int HEADS_A_BLOCK = 4;
constexpr int MAX_DIM = 256;

// Heads of a row on their way to the cache.
struct alignas(8) Lines {
    float elements[HEADS_A_BLOCK][MAX_DIM];
};

// Writes a line that is in shared memory to a tile, by all threads of the block. All of it is there.
template <typename KV>
__device__ __forceinline__ void store_line(char* tile, int slot, const float* line, int head_dim, int stored_dim) {
    const int number = slot % PAGE_SLOTS;
    if constexpr (Stored<KV>::ELEMENT_BYTES == 2) {
        KV* to = reinterpret_cast<KV*>(tile) + number * stored_dim;
#pragma unroll 1
        for (int i = threadIdx.x; i < head_dim / 2; i += blockDim.x) {
            const float2 pair = reinterpret_cast<const float2*>(line)[i];
            reinterpret_cast<Pack<KV, 2>*>(to)[i] = {narrow<KV>(pair.x), narrow<KV>(pair.y)};
        }
    } else {
        // What f16 cannot hold becomes about its largest number, here as everywhere: 127 of the scale stay finite.
        constexpr float MAX = 127 * 515.0f;
        const int scales = Stored<KV>::scales(stored_dim);
        const int lane = threadIdx.x % 32;
#pragma unroll 1
        for (int block = threadIdx.x / 32; block * SCALED < head_dim; block += blockDim.x / 32) {
            const int i = block * SCALED + lane;
            const float element = i < head_dim ? fminf(fmaxf(line[i], -MAX), MAX) : 0.0f;
            const float largest = __uint_as_float(__reduce_max_sync(0xffffffffu, __float_as_uint(fabsf(element))));
            const float scale = largest / 127.0f;
            const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
            if (i < head_dim) {
                reinterpret_cast<signed char*>(tile)[number * stored_dim + i] = static_cast<signed char>(roundf(element * inverse));
            }
            if (lane == 0) {
                reinterpret_cast<f16*>(tile + PAGE_SLOTS * stored_dim)[number * scales + block] = narrow<f16>(scale);
            }
        }
    }
}

// The tile that holds a slot of a head: of keys, or of values with kv_heads added to the head.
template <typename KV>
__device__ __forceinline__ char* tile_of(char* const* pages, int layer, int slot, int head, int stored_dim) {
    return pages[slot / PAGE_SLOTS] + layer + head * tile_bytes<KV>(stored_dim);
}

template <typename KV> __device__ __forceinline__ void append(const KvAppendArguments& arguments) {
    const long long row = blockIdx.x;
    if (row >= *arguments.rows) {
        return;
    }
    const int kv_heads = arguments.kv_heads;
    const int head_dim = arguments.head_dim;
    const Segment& segment = arguments.segments[arguments.row_segments[row]];
    const int slot = segment.slot_of_row(static_cast<int>(row) - segment.first_row);
    if (slot < 0) {
        return;
    }
    const int first_head = blockIdx.y * HEADS_A_BLOCK;
    const int heads = min(HEADS_A_BLOCK, kv_heads - first_head);
    __shared__ Lines lines;
#pragma unroll 1
    for (int part = 0; part < 2; part++) {
        const float* from = part == 0 ? arguments.k + row * arguments.k_stride : arguments.v + row * arguments.v_stride;
#pragma unroll 1
        for (int i = threadIdx.x; i < heads * head_dim / 2; i += blockDim.x) {
            const int head = 2 * i / head_dim;
            *reinterpret_cast<float2*>(&lines.elements[head][2 * i % head_dim]) =
                    reinterpret_cast<const float2*>(from + first_head * head_dim)[i];
        }
        __syncthreads();
#pragma unroll 1
        for (int head = 0; head < heads; head++) {
            store_line<KV>(tile_of<KV>(segment.pages, arguments.layer, slot, part * kv_heads + first_head + head, arguments.stored_dim),
                    slot, lines.elements[head], head_dim, arguments.stored_dim);
        }
        __syncthreads();
    }
}

template <typename PAIRING>
__device__ __forceinline__ void rotate(float* to, const float* from, Rotation by, int i, int pairs) {
    if (i < pairs) {
        PAIRING::store(to, i, pairs, turn(PAIRING::load(from, i, pairs), by));
    } else {
        // the elements beyond the pairs, two a thread too
        reinterpret_cast<float2*>(to)[i] = reinterpret_cast<const float2*>(from)[i];
    }
}

template <typename PAIRING, typename KV> __device__ __forceinline__ void rope_append(const RopeAppendArguments& arguments) {
    const long long row = blockIdx.x;
    if (row >= *arguments.rows) {
        return;
    }
    const int heads = arguments.heads;
    const int kv_heads = arguments.kv_heads;
    const int head_dim = arguments.head_dim;
    const int pairs = arguments.pairs;
    const int all_heads = heads + 2 * kv_heads;
    const int first_head = blockIdx.y * HEADS_A_BLOCK;
    const int end_head = min(first_head + HEADS_A_BLOCK, all_heads);
    const Segment& segment = arguments.segments[arguments.row_segments[row]];
    const int slot = segment.slot_of_row(static_cast<int>(row) - segment.first_row);
    __shared__ Lines lines;
    const int i = threadIdx.x;
    if (i < head_dim / 2) {
        Rotation by = {1.0f, 0.0f};
        if (i < pairs && first_head < heads + kv_heads) {
            by = rotation(arguments.positions[row], arguments.inverse_frequencies[i], arguments.factor);
        }
#pragma unroll 1
        for (int head = first_head; head < end_head; head++) {
            const float* from = arguments.qkv + (row * all_heads + head) * head_dim;
            if (head < heads) {
                rotate<PAIRING>(arguments.q + (row * heads + head) * head_dim, from, by, i, pairs);
            } else {
                rotate<PAIRING>(lines.elements[head - first_head], from, by, i, head < heads + kv_heads ? pairs : 0);
            }
        }
    }
    __syncthreads();
    if (slot < 0) {
        return;
    }
#pragma unroll 1
    for (int head = max(first_head, heads); head < end_head; head++) {
        store_line<KV>(tile_of<KV>(segment.pages, arguments.layer, slot, head - heads, arguments.stored_dim), slot,
                lines.elements[head - first_head], head_dim, arguments.stored_dim);
    }
}

#define KV_KERNELS(KV)                                                                                                             \
    extern "C" __global__ void __launch_bounds__(128) kv_append_##KV(const KvAppendArguments arguments) {                          \
        append<KV>(arguments);                                                                                                     \
    }                                                                                                                              \
    ROPE_KERNEL(KV, split, Split)                                                                                                  \
    ROPE_KERNEL(KV, interleaved, Interleaved)

#define ROPE_KERNEL(KV, NAME, PAIRING)                                                                                             \
    extern "C" __global__ void __launch_bounds__(128) kv_rope_append_##NAME##_##KV(const RopeAppendArguments arguments) {          \
        rope_append<PAIRING, KV>(arguments);                                                                                       \
    }

KV_KERNELS(f16)
KV_KERNELS(bf16)
KV_KERNELS(q8_0)

extern "C" __global__ void __launch_bounds__(128)
kv_move(char* const* pages, const int* from, const int* to, const int* count, int kv_heads, int line_bytes, int scale_bytes) {
    const int chunks = line_bytes / 16;
    const int thread = threadIdx.x;
    if (thread >= chunks + scale_bytes / 2) {
        return;
    }
    // keys and values of all layers, one tile after the other
    const long long tile = (static_cast<long long>(blockIdx.x) * kv_heads + blockIdx.y) * PAGE_SLOTS * (line_bytes + scale_bytes);
#pragma unroll 1
    for (int i = 0; i < *count; i++) {
        const char* source = pages[from[i] / PAGE_SLOTS] + tile;
        char* target = pages[to[i] / PAGE_SLOTS] + tile;
        const int source_line = from[i] % PAGE_SLOTS;
        const int target_line = to[i] % PAGE_SLOTS;
        if (thread < chunks) {
            *reinterpret_cast<uint4*>(target + target_line * line_bytes + thread * 16) =
                    *reinterpret_cast<const uint4*>(source + source_line * line_bytes + thread * 16);
        } else {
            const int scale = PAGE_SLOTS * line_bytes + (thread - chunks) * 2;
            *reinterpret_cast<short*>(target + scale + target_line * scale_bytes) =
                    *reinterpret_cast<const short*>(source + scale + source_line * scale_bytes);
        }
    }
}
