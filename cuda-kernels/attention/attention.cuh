// Attention of the rows of a pass over a paged key-value cache (Op.Attention).
//
//     out[r, h] = sum over visible keys i of softmax_i(ln 2 * scale * q[r, h] . k[i]) v[i]
//
// Entry points, by the type of the cache, of which each has a file, and stored_dim:
//     attention_{f16,bf16,q8_0}_{16,32,48,64,80,96,128,256}
//         (out, q, pages, positions, rows, committed, paths, lengths, partials, arrivals,
//          layer, heads, kv_heads, head_dim, out_type, path_stride, pool, window, chunks, scale)
//
// q [rows, heads, head_dim] f32; out likewise, of out_type 0 f32, 1 f16, 2 bf16; pages and layer as in cache.cuh, with the rows of
// this pass appended; positions [rows], rows [1], committed [1] int. Query head h uses key-value head h / (heads / kv_heads).
// path_stride 0: a causal pass; row r attends to slots 0 to *committed + r. Otherwise a tree pass of at most path_stride rows: row r
// attends to slots below *committed and the rows paths[r * path_stride + 0 .. lengths[r]), see tree.cu. window > 0: only of these whose
// position is above positions[r] - window (a committed slot holds the position of its number).
// pool: rows of shared memory that hold all of a tree's own keys, path_stride and a stage; 0 if they do not fit, see below.
// Scratch: partials [kv_heads, max query rows, chunks, stored_dim + 8] f32, where chunks = slots / 256 rounded up and max query rows = max
// rows * heads / kv_heads; arrivals [query blocks, kv_heads] int, zero before the first launch and left zero by each.
// Launch: grid (query blocks, kv_heads, chunks), block 32 * warps, warps 1 to 16 (8 for 256), one block a (16 * warps) query rows; dynamic
// shared memory of 16 * warps rows of (stored_dim + 8) * 2 bytes and behind them the largest of: the ring (see Ring); 2 * pool
// rows; for trees without a pool 32 * warps rows. Compute capability 8.0.
//
// A query row is a query head of a row; those of a key-value head are packed, 16 a warp, so that its keys are read once for 256 of
// them. Keys come in steps of 32 and chunks of 256, by their number among those a row may see: the slot for committed ones, on from
// there the place in the row's path. In a tree these differ from row to row: so the stages of 64 slots (32 for 256) before the last
// committed one are shared by all query rows, and of the rest, which lies in shared memory as a pool, each row gathers its own keys by the
// addresses it gives ldmatrix. So a row has the same bits in a tree, in a chain and alone.
// Without a pool a warp copies the 32 keys of a step for one row after the other: any tree fits, and costs more copies.
// Softmax is online within a chunk, in f32 and powers of two; the last block of its query rows to arrive merges the chunks in their order.
// Queries and probabilities are rounded to the type that products are computed in: bf16 for that, f16 for the others. Elements of
// q8_0 are rounded to f16.
#pragma once

#include "cache.cuh"
#include "tensor_core.cuh"

constexpr int STEP_KEYS = 32;
constexpr int CHUNK_KEYS = 256;

// Slots that are copied and awaited together.
template <int DIM> constexpr int STAGE = DIM > 128 ? 32 : 64;

struct Operands {
    void* out;
    const float* q;
    const char* const* pages;
    const int* positions;
    const int* rows;
    const int* committed;
    const int* paths;
    const int* lengths;
    float* partials;
    int* arrivals;
    int layer;
    int heads;
    int kv_heads;
    int head_dim;
    int out_type;
    int path_stride;
    int pool;
    int window;
    int chunks;
    float scale;
};

// What a warp keeps for its 16 query rows; a lane has those of query rows lane / 4 and lane / 4 + 8.
template <int DIM> struct Accumulator {
    float out[DIM / 8][4] = {};
};

// Of each lane, for its two query rows: the running maximum of the scores, and the running sum of their weights. In shared memory, to spare
// registers.
struct Softmax {
    float running_max[2][512];
    float running_sum[2][512];
};

// The rows of shared memory that a lane addresses for a step: for the keys of the scores, and of the sums over values.
struct StepRows {
    int keys[2];
    int values[2];
};

// An operand in which only the query rows that take part are not zero.
__device__ __forceinline__ void mask(unsigned (&a)[4], bool with_first, bool with_second) {
    a[0] = with_first ? a[0] : 0;
    a[1] = with_second ? a[1] : 0;
    a[2] = with_first ? a[2] : 0;
    a[3] = with_second ? a[3] : 0;
}

// Adds the scores of 32 keys; with_first and with_second say whether query rows lane / 4 and lane / 4 + 8 take part.
template <int DIM, typename T>
__device__ __forceinline__ void add_scores(float (&scores)[4][4], const T* queries, const T* keys, const StepRows& shared_rows,
        bool with_first, bool with_second) {
    constexpr int STRIDE = DIM + 8;
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int dim = 0; dim < DIM; dim += 16) {
        unsigned a[4];
        load_matrices(a, queries + lane % 16 * STRIDE + dim + lane / 16 * 8);
        mask(a, with_first, with_second);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            unsigned b[4];
            load_matrices(b, keys + shared_rows.keys[half] * STRIDE + dim + lane / 8 % 2 * 8);
            multiply<T>(scores[2 * half], a, b[0], b[1]);
            multiply<T>(scores[2 * half + 1], a, b[2], b[3]);
        }
    }
}

// Probabilities from scores, which are scaled and masked; what was summed up before is rescaled to the new maximum.
template <int DIM> __device__ __forceinline__ void soften(Accumulator<DIM>& sums, Softmax& softmax, float (&scores)[4][4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float before = softmax.running_max[half][threadIdx.x];
        float running_max = before;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            running_max = fmaxf(running_max, fmaxf(scores[j][2 * half], scores[j][2 * half + 1]));
        }
        running_max = fmaxf(running_max, __shfl_xor_sync(0xffffffffu, running_max, 1));
        running_max = fmaxf(running_max, __shfl_xor_sync(0xffffffffu, running_max, 2));
        const float base = running_max == -INFINITY ? 0.0f : running_max; // nothing is visible yet
        const float rescale = exp2f(before - base);
        softmax.running_max[half][threadIdx.x] = running_max;
        float running_sum = 0.0f;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            scores[j][2 * half] = exp2f(scores[j][2 * half] - base);
            scores[j][2 * half + 1] = exp2f(scores[j][2 * half + 1] - base);
            running_sum += scores[j][2 * half] + scores[j][2 * half + 1];
        }
        softmax.running_sum[half][threadIdx.x] = softmax.running_sum[half][threadIdx.x] * rescale + running_sum;
#pragma unroll
        for (int d = 0; d < DIM / 8; d++) {
            sums.out[d][2 * half] *= rescale;
            sums.out[d][2 * half + 1] *= rescale;
        }
    }
}

// Adds the values of 32 keys, weighted by probabilities.
template <int DIM, typename T>
__device__ __forceinline__ void add_values(Accumulator<DIM>& sums, const unsigned (&probabilities)[2][4], const T* values,
        const StepRows& shared_rows, bool with_first, bool with_second) {
    constexpr int STRIDE = DIM + 8;
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned a[4] = {probabilities[half][0], probabilities[half][1], probabilities[half][2], probabilities[half][3]};
        mask(a, with_first, with_second);
#pragma unroll
        for (int dim = 0; dim < DIM; dim += 16) {
            unsigned b[4];
            load_matrices_transposed(b, values + shared_rows.values[half] * STRIDE + dim + lane / 16 * 8);
            multiply<T>(sums.out[dim / 8], a, b[0], b[1]);
            multiply<T>(sums.out[dim / 8 + 1], a, b[2], b[3]);
        }
    }
}

// Probabilities as operands of the product with values.
template <typename T> __device__ __forceinline__ void pack(unsigned (&a)[2][4], const float (&scores)[4][4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const float(&s)[4] = scores[2 * half + j];
            a[half][2 * j] = pair_of<T>(s[0], s[1]);
            a[half][2 * j + 1] = pair_of<T>(s[2], s[3]);
        }
    }
}

// Writes 16 bytes to shared memory at once; a plain assignment may become four writes, whose banks are the same.
__device__ __forceinline__ void store_shared(void* to, uint4 words) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(to)), "r"(words.x), "r"(words.y), "r"(words.z),
                 "r"(words.w)
                 : "memory");
}

// Eight elements of a slot in bytes, as f16.
__device__ __forceinline__ uint4 widen(uint2 codes, f16 scale) {
    // The byte code + 128 in the mantissa of 1024 is 1152 + code, which leaves code, exactly.
    const __half2 scales = {scale, scale};
    const __half2 offset = {__ushort_as_half(0x6480), __ushort_as_half(0x6480)};
    const auto pair = [&](unsigned bytes, unsigned select) {
        const unsigned bits = __byte_perm(bytes ^ 0x80808080u, 0x64646464u, select);
        const __half2 elements = __hmul2(__hsub2(reinterpret_cast<const __half2&>(bits), offset), scales);
        return reinterpret_cast<const unsigned&>(elements);
    };
    return {pair(codes.x, 0x4140), pair(codes.x, 0x4342), pair(codes.y, 0x4140), pair(codes.y, 0x4342)};
}

// Copies eight elements of a slot to shared memory, zeros for slot -1. tile: bytes of a page before the head's tile. To be awaited.
template <typename KV, int DIM>
__device__ __forceinline__ void copy_chunk(typename Stored<KV>::OPERAND* to, const Operands& op, int tile, int slot, int chunk) {
    if constexpr (Stored<KV>::ELEMENT_BYTES == 2) {
        const void* from = op.q;
        if (slot >= 0) {
            from = op.pages[slot / PAGE_SLOTS] + tile + (slot % PAGE_SLOTS * DIM + chunk * 8) * 2;
        }
        copy_async(to, from, slot >= 0);
    } else {
        uint4 elements = {};
        if (slot >= 0) {
            const char* from = op.pages[slot / PAGE_SLOTS] + tile;
            const f16* scales = reinterpret_cast<const f16*>(from + PAGE_SLOTS * DIM) + slot % PAGE_SLOTS * Stored<KV>::scales(DIM);
            elements = widen(*reinterpret_cast<const uint2*>(from + slot % PAGE_SLOTS * DIM + chunk * 8), scales[chunk / 4]);
        }
        store_shared(to, elements);
    }
}

// Does something with the places of count slots, eight elements each: work(slot, chunk). Eight neighbouring threads have 64 elements of
// a slot, or where slots are no multiple of that, the same place in eight slots, for which the count is rounded up: all banks.
template <int DIM, typename WORK> __device__ __forceinline__ void each_chunk(int thread, int threads, int count, WORK work) {
    constexpr int CHUNKS = DIM / 8;
#pragma unroll 1
    for (int i = thread; i < (CHUNKS % 8 == 0 ? count : (count + 7) / 8 * 8) * CHUNKS; i += threads) {
        if constexpr (CHUNKS % 8 == 0) {
            work(i / CHUNKS, i % CHUNKS);
        } else {
            work(i / (8 * CHUNKS) * 8 + i % 8, i / 8 % CHUNKS);
        }
    }
}

// Stages of slots that are the same for all query rows, one in use and the next under way. Of 16 bits: two stages of keys and values. Of
// bytes: a stage as operands, made from one of two as they are stored: [2][keys, values] slots, and behind these their scales.
template <typename KV, int DIM> struct Ring {
    using T = typename Stored<KV>::OPERAND;
    static constexpr int SLOTS = STAGE<DIM>;
    static constexpr int STRIDE = DIM + 8;
    static constexpr int SCALES = Stored<KV>::scales(DIM);
    static constexpr int ELEMENTS_BYTES = SLOTS * DIM;
    static constexpr int SCALES_BYTES = SLOTS * SCALES * 2;

    T* memory;

    __device__ __forceinline__ char* stored(int stage, int part) const {
        return reinterpret_cast<char*>(memory + 2 * SLOTS * STRIDE) + (stage % 2 * 2 + part) * (ELEMENTS_BYTES + SCALES_BYTES);
    }

    // Begins to copy a stage of keys (part 0) or values (1); slots at or beyond end, read anew each time to spare a register, become
    // zeros.
    __device__ __forceinline__ void copy(const Operands& op, int tile, int part, int stage, const int& end) const {
        if constexpr (Stored<KV>::ELEMENT_BYTES == 2) {
            T* to = memory + (stage % 2 * 2 + part) * SLOTS * STRIDE;
            each_chunk<DIM>(threadIdx.x, blockDim.x, SLOTS, [&](int place, int chunk) {
                const int slot = stage * SLOTS + place;
                copy_chunk<KV, DIM>(to + place * STRIDE + chunk * 8, op, tile, slot < end ? slot : -1, chunk);
            });
        } else {
            const int slot = stage * SLOTS;
            const char* from = op.pages[slot / PAGE_SLOTS] + tile;
            const char* scales = from + PAGE_SLOTS * DIM + slot % PAGE_SLOTS * SCALES * 2;
            from += slot % PAGE_SLOTS * DIM;
            char* to = stored(stage, part);
#pragma unroll 1
            for (int byte = threadIdx.x * 16; byte < ELEMENTS_BYTES + SCALES_BYTES; byte += blockDim.x * 16) {
                const bool is_element = byte < ELEMENTS_BYTES;
                const int place = is_element ? byte / DIM : (byte - ELEMENTS_BYTES) / (SCALES * 2);
                copy_async(to + byte, is_element ? from + byte : scales + byte - ELEMENTS_BYTES, slot + place < end);
            }
        }
    }

    // Keys of a stage that has come, and behind them its values; all threads take part.
    __device__ __forceinline__ const T* take(int stage) const {
        if constexpr (Stored<KV>::ELEMENT_BYTES == 2) {
            return memory + stage % 2 * 2 * SLOTS * STRIDE;
        } else {
#pragma unroll 1
            for (int part = 0; part < 2; part++) {
                const char* from = stored(stage, part);
                each_chunk<DIM>(threadIdx.x, blockDim.x, SLOTS, [&](int place, int chunk) {
                    const f16* scales = reinterpret_cast<const f16*>(from + ELEMENTS_BYTES) + place * SCALES;
                    store_shared(memory + (part * SLOTS + place) * STRIDE + chunk * 8,
                            widen(*reinterpret_cast<const uint2*>(from + place * DIM + chunk * 8), scales[chunk / 4]));
                });
            }
            __syncthreads();
            return memory;
        }
    }
};

// The keys that any query row of this block may see.
struct KeyRange {
    int begin;
    int end;

    __device__ __forceinline__ int first_chunk() const {
        return begin / CHUNK_KEYS;
    }

    __device__ __forceinline__ int end_chunk() const {
        return (end + CHUNK_KEYS - 1) / CHUNK_KEYS;
    }
};

__device__ __forceinline__ KeyRange range_of(const Operands& op, int rows, int committed) {
    const int group = op.heads / op.kv_heads;
    const int block_query_rows = blockDim.x / 2;
    int first_row = 0;
    int end = 0;
    if (op.path_stride > 0) {
#pragma unroll 1
        for (int row = threadIdx.x % 32; row < rows; row += 32) {
            end = max(end, op.lengths[row]);
        }
        end = __reduce_max_sync(0xffffffffu, end);
    } else {
        first_row = blockIdx.x * block_query_rows / group;
        end = min((blockIdx.x * block_query_rows + block_query_rows - 1) / group + 1, rows);
    }
    return {op.window == 0 ? 0 : max(0, committed + first_row - op.window + 1), committed + end};
}

// Whether a row's window reaches back to a position.
__device__ __forceinline__ bool is_near(const Operands& op, int row, int position) {
    return op.window == 0 || position > op.positions[row] - op.window;
}

// Stores two neighbours; index is even.
__device__ __forceinline__ void store_pair(void* out, int type, long long index, float first, float second) {
    if (type == 0) {
        *reinterpret_cast<float2*>(static_cast<float*>(out) + index) = {first, second};
    } else if (type == 1) {
        *reinterpret_cast<unsigned*>(static_cast<f16*>(out) + index) = pair_of<f16>(first, second);
    } else {
        *reinterpret_cast<unsigned*>(static_cast<bf16*>(out) + index) = pair_of<bf16>(first, second);
    }
}

// Merges the chunks of a query row, by a warp: partial is that of the first, after which the others follow.
template <int DIM>
__device__ __forceinline__ void merge(const Operands& op, const float* partial, int chunks, long long out) {
    constexpr int PARTIAL = DIM + 8;
    const int lane = threadIdx.x % 32;
    float running_max = -INFINITY;
#pragma unroll 1
    for (int c = 0; c < chunks; c++) {
        running_max = fmaxf(running_max, partial[c * PARTIAL + DIM]);
    }
#pragma unroll 1
    for (int dim = 2 * lane; dim < op.head_dim; dim += 64) {
        float2 sum = {0.0f, 0.0f};
        float running_sum = 0.0f;
#pragma unroll 1
        for (int c = 0; c < chunks; c++) {
            const float2 about = *reinterpret_cast<const float2*>(partial + c * PARTIAL + DIM);
            const float2 part = *reinterpret_cast<const float2*>(partial + c * PARTIAL + dim);
            const float weight = exp2f(about.x - running_max);
            sum.x += part.x * weight;
            sum.y += part.y * weight;
            running_sum += about.y * weight;
        }
        store_pair(op.out, op.out_type, out + dim, sum.x / running_sum, sum.y / running_sum);
    }
}

template <typename KV, int DIM> __device__ __forceinline__ void attention(const Operands& op) {
    using T = typename Stored<KV>::OPERAND;
    constexpr int STRIDE = DIM + 8;
    constexpr int PARTIAL = DIM + 8;
    constexpr int SLOTS = STAGE<DIM>;
    extern __shared__ __align__(128) char shared[];
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    const int warps = blockDim.x / 32;
    const int head = blockIdx.y;
    const int group = op.heads / op.kv_heads;
    const int rows = *op.rows;
    const int committed = *op.committed;
    const int first_query_row = blockIdx.x * 16 * warps;
    const int query_rows = rows * group;
    if (first_query_row >= query_rows) {
        return;
    }

    const bool tree = op.path_stride > 0;
    const int chunk = blockIdx.z;
    const KeyRange range = range_of(op, rows, committed);
    if (chunk < range.first_chunk() || chunk >= range.end_chunk()) {
        return;
    }

    // Queries of this block's query rows.
    T* queries = reinterpret_cast<T*>(shared);
    T* key_memory = queries + 16 * warps * STRIDE;
#pragma unroll 1
    for (int i = threadIdx.x; i < 16 * warps * DIM; i += blockDim.x) {
        const int query_row = first_query_row + i / DIM;
        const int dim = i % DIM;
        const bool there = query_row < query_rows && dim < op.head_dim;
        const long long from = (static_cast<long long>(query_row / group) * op.heads + head * group + query_row % group) * op.head_dim
                + dim;
        queries[i / DIM * STRIDE + dim] = narrow<T>(there ? op.q[from] : 0.0f);
    }

    // What would take registers all the way.
    __shared__ KeyRange kept;
    __shared__ int kept_rows;
    __shared__ int kept_committed;
    if (threadIdx.x == 0) {
        kept = range;
        kept_rows = rows;
        kept_committed = committed;
    }
    // Row of each query row, the number of rows if there is none, and the number of keys up to the last that it attends to.
    __shared__ int2 about[256];
    if (threadIdx.x < 16 * warps) {
        const int query_row = first_query_row + threadIdx.x;
        const int row = query_row / group;
        about[threadIdx.x] = query_row < query_rows ? make_int2(row, tree ? committed + op.lengths[row] : committed + row + 1)
                                          : make_int2(rows, 0);
    }
    const int2* own = about + warp * 16 + lane / 4;
    __syncthreads();

    Accumulator<DIM> sums;
    __shared__ Softmax softmax;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        softmax.running_max[half][threadIdx.x] = -INFINITY;
        softmax.running_sum[half][threadIdx.x] = 0.0f;
    }
    const auto first_stage = [&] {
        return max(static_cast<int>(blockIdx.z) * CHUNK_KEYS, kept.begin) / SLOTS;
    };
    const auto end_stage = [&] {
        return (min((static_cast<int>(blockIdx.z) + 1) * CHUNK_KEYS, kept.end) + SLOTS - 1) / SLOTS;
    };
    const int shared_end = tree ? min(end_stage(), committed / SLOTS) : end_stage();
    // Bytes of a page before this head's keys (part 0) or values (1).
    const auto tile = [&](int part) {
        return op.layer + (part * op.kv_heads + static_cast<int>(blockIdx.y)) * tile_bytes<KV>(DIM);
    };

    // Stages whose keys are the same for all query rows.
    const Ring<KV, DIM> ring = {key_memory};
    const auto copy_stage = [&](int stage) {
        if (stage < shared_end) {
            ring.copy(op, tile(0), 0, stage, kept.end);
            ring.copy(op, tile(1), 1, stage, kept.end);
        }
        commit_copies();
    };
    copy_stage(first_stage());
#pragma unroll 1
    for (int stage = first_stage(); stage < shared_end; stage++) {
        copy_stage(stage + 1);
        wait_for_copies<1>();
        __syncthreads();
        const T* keys = ring.take(stage);
#pragma unroll 1
        for (int step = 0; step < SLOTS; step += STEP_KEYS) {
            StepRows at;
#pragma unroll
            for (int half = 0; half < 2; half++) {
                at.keys[half] = step + half * 16 + lane / 16 * 8 + lane % 8;
                at.values[half] = step + half * 16 + lane % 16;
            }
            float scores[4][4] = {};
            add_scores<DIM>(scores, queries + warp * 16 * STRIDE, keys, at, true, true);
#pragma unroll
            for (int j = 0; j < 4; j++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = stage * SLOTS + step + j * 8 + lane % 4 * 2 + i % 2;
                    scores[j][i] = key < own[i / 2 * 8].y && is_near(op, own[i / 2 * 8].x, key) ? scores[j][i] * op.scale : -INFINITY;
                }
            }
            soften(sums, softmax, scores);
            unsigned probabilities[2][4];
            pack<T>(probabilities, scores);
            add_values(sums, probabilities, keys + SLOTS * STRIDE, at, true, true);
        }
        __syncthreads(); // before another stage is copied here
    }

    // The rest of a tree's keys: each row has its own.
    const int tail = kept_committed / SLOTS * SLOTS;
    if (op.path_stride > 0 && end_stage() * SLOTS > tail) {
        wait_for_copies<0>();
        __syncthreads();
        // The pool, or this warp's 32 keys or values of a step.
        const T* keys = key_memory + (op.pool > 0 ? 0 : warp * STEP_KEYS * STRIDE);
        const T* values = key_memory + (op.pool > 0 ? op.pool : warp * STEP_KEYS) * STRIDE;
        if (op.pool > 0) {
            each_chunk<DIM>(threadIdx.x, blockDim.x, kept_committed + kept_rows - tail, [&](int place, int chunk) {
                const int slot = tail + place < kept_committed + kept_rows ? tail + place : -1;
                T* to = key_memory + place * STRIDE + chunk * 8;
                copy_chunk<KV, DIM>(to, op, tile(0), slot, chunk);
                copy_chunk<KV, DIM>(to + op.pool * STRIDE, op, tile(1), slot, chunk);
            });
            commit_copies();
            wait_for_copies<0>();
            __syncthreads();
        }
        // Slot of a row's key of that number, -1 if it has none.
        const auto slot_of = [&](int row, int key) {
            return key < kept_committed ? key
                    : key - kept_committed < op.lengths[row] ? kept_committed + op.paths[row * op.path_stride + key - kept_committed] : -1;
        };
        // Row of the pool, or without one this lane's own.
        const auto pool_row_of = [&](int row, int first, int place) {
            return op.pool > 0 ? max(slot_of(row, first + place) - tail, 0) : place;
        };
        const auto gather = [&](int part, int row, int first) {
            if (op.pool == 0) {
                __syncwarp(); // what lies there is read no more
                each_chunk<DIM>(lane, 32, STEP_KEYS, [&](int place, int chunk) {
                    copy_chunk<KV, DIM>(key_memory + (warp * STEP_KEYS + place) * STRIDE + chunk * 8, op, tile(part),
                            slot_of(row, first + place), chunk);
                });
                commit_copies();
                wait_for_copies<0>();
                __syncwarp();
            }
        };
#pragma unroll 1
        for (int first = max(first_stage() * SLOTS, tail); first < end_stage() * SLOTS; first += STEP_KEYS) {
            // Keys that are all committed are those of every row.
            const bool common = first + STEP_KEYS <= kept_committed;
            const int first_row = about[warp * 16].x;
            const int end_row = min(common ? first_row + 1 : about[warp * 16 + 15].x + 1, kept_rows);
            float scores[4][4] = {};
#pragma unroll 1
            for (int row = first_row; row < end_row; row++) {
                gather(0, row, first);
                StepRows at;
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    at.keys[half] = pool_row_of(row, first, half * 16 + lane / 16 * 8 + lane % 8);
                }
                add_scores<DIM>(scores, queries + warp * 16 * STRIDE, keys, at, common || row == own[0].x, common || row == own[8].x);
            }
#pragma unroll
            for (int j = 0; j < 4; j++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = first + j * 8 + lane % 4 * 2 + i % 2;
                    bool attends = key < own[i / 2 * 8].y;
                    if (attends && op.window > 0) {
                        const int row = own[i / 2 * 8].x;
                        attends = is_near(op, row, key < kept_committed ? key
                                : op.positions[op.paths[row * op.path_stride + key - kept_committed]]);
                    }
                    scores[j][i] = attends ? scores[j][i] * op.scale : -INFINITY;
                }
            }
            soften(sums, softmax, scores);
            unsigned probabilities[2][4];
            pack<T>(probabilities, scores);
#pragma unroll 1
            for (int row = first_row; row < end_row; row++) {
                gather(1, row, first);
                StepRows at;
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    at.values[half] = pool_row_of(row, first, half * 16 + lane % 16);
                }
                add_values(sums, probabilities, values, at, common || row == own[0].x, common || row == own[8].x);
            }
        }
    }

    // This chunk's part of each query row: the whole result, if there is no other.
    const KeyRange merged = kept;
    const int active_chunks = merged.end_chunk() - merged.first_chunk();
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float running_sum = softmax.running_sum[half][threadIdx.x];
        running_sum += __shfl_xor_sync(0xffffffffu, running_sum, 1);
        running_sum += __shfl_xor_sync(0xffffffffu, running_sum, 2);
        const int row = own[8 * half].x;
        if (row >= kept_rows) {
            continue;
        }
        const int query_row = first_query_row + warp * 16 + lane / 4 + 8 * half;
        if (active_chunks > 1) {
            float* partial = op.partials
                    + ((static_cast<long long>(head) * (16ll * warps * gridDim.x) + query_row) * op.chunks + chunk) * PARTIAL
                    + lane % 4 * 2;
#pragma unroll
            for (int d = 0; d < DIM / 8; d++) {
                *reinterpret_cast<float2*>(partial + 8 * d) = {sums.out[d][2 * half], sums.out[d][2 * half + 1]};
            }
            if (lane % 4 == 0) {
                *reinterpret_cast<float2*>(partial + DIM) = {softmax.running_max[half][threadIdx.x], running_sum};
            }
        } else {
            const long long out = (static_cast<long long>(row) * (op.heads - group) + head * group + query_row) * op.head_dim
                    + lane % 4 * 2;
#pragma unroll
            for (int d = 0; d < DIM / 8; d++) {
                if (8 * d + lane % 4 * 2 < op.head_dim) {
                    store_pair(op.out, op.out_type, out + 8 * d, sums.out[d][2 * half] / running_sum,
                            sums.out[d][2 * half + 1] / running_sum);
                }
            }
        }
    }
    if (active_chunks == 1) {
        return;
    }

    // The last block of these query rows merges.
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
        int* arrived = op.arrivals + blockIdx.x * op.kv_heads + head;
        __threadfence();
        last = atomicAdd(arrived, 1) == active_chunks - 1;
        if (last) {
            *arrived = 0;
        }
        __threadfence();
    }
    __syncthreads();
    if (!last) {
        return;
    }
#pragma unroll 1
    for (int query_row = first_query_row + warp; query_row < min(first_query_row + 16 * warps, kept_rows * group); query_row += warps) {
        merge<DIM>(op, op.partials
                + ((static_cast<long long>(head) * (16ll * warps * gridDim.x) + query_row) * op.chunks + merged.first_chunk()) * PARTIAL,
                active_chunks, (static_cast<long long>(query_row / group) * op.heads + head * group + query_row % group) * op.head_dim);
    }
}

#define ATTENTION_KERNEL(KV, DIM, THREADS)                                                                                         \
    extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_##KV##_##DIM(void* out, const float* q,                       \
            const char* const* pages, const int* positions, const int* rows, const int* committed, const int* paths,               \
            const int* lengths, float* partials, int* arrivals, int layer, int heads, int kv_heads, int head_dim, int out_type,    \
            int path_stride, int pool, int window, int chunks, float scale) {                                                      \
        attention<KV, DIM>({out, q, pages, positions, rows, committed, paths, lengths, partials, arrivals, layer, heads, kv_heads, \
                head_dim, out_type, path_stride, pool, window, chunks, scale});                                                    \
    }

#define ATTENTION_KERNELS(KV)                                                                                                      \
    ATTENTION_KERNEL(KV, 16, 512)                                                                                                  \
    ATTENTION_KERNEL(KV, 32, 512)                                                                                                  \
    ATTENTION_KERNEL(KV, 48, 512)                                                                                                  \
    ATTENTION_KERNEL(KV, 64, 512)                                                                                                  \
    ATTENTION_KERNEL(KV, 80, 512)                                                                                                  \
    ATTENTION_KERNEL(KV, 96, 512)                                                                                                  \
    ATTENTION_KERNEL(KV, 128, 512)                                                                                                 \
    ATTENTION_KERNEL(KV, 256, 256)
