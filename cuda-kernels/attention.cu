// Attention of the rows of a pass over a paged key-value cache (Op.Attention).
//
//     out[r, h] = sum over visible keys i of softmax_i(ln 2 * scale * q[r, h] . k[i]) v[i]
//
// Entry points, by stored_dim:
//     attention_f16_{16,32,48,64,80,96,128,256}
//         (out, q, keys, values, pages, positions, rows, committed, paths, lengths, partials, arrivals,
//          heads, kv_heads, head_dim, out_type, path_stride, pool, window, chunks, scale)
//
// q [rows, heads, head_dim] f32; out likewise, of out_type 0 f32, 1 f16, 2 bf16; keys, values and pages as in kv.cu, with the rows
// of this pass appended; positions [rows], rows [1], committed [1] int. Query head h uses key-value head h / (heads / kv_heads).
// path_stride 0: a causal pass; row r sees slots 0 to *committed + r. Otherwise a tree pass of at most pool - 64 rows: row r sees
// slots below *committed and the rows paths[r * path_stride + 0 .. lengths[r]), see tree.cu. window > 0: only of these whose position
// is above positions[r] - window (a committed slot holds the position of its number).
// Scratch: partials [kv_heads, most lines, chunks, stored_dim + 8] f32, where chunks = slots / 256 rounded up and most lines = most
// rows * heads / kv_heads; arrivals [line blocks, kv_heads] int, zero before the first launch and left zero by each.
// Launch: grid (line blocks, kv_heads, chunks), block 32 * warps, warps 1 to 16 (8 for 256), one block a (16 * warps) lines; dynamic
// shared memory ((16 * warps) + 2 * max(pool, 128)) * (stored_dim + 8) * 2 bytes; compute capability 8.0.
//
// A line is a query head of a row; the lines of a key-value head are packed, 16 a warp, so that its keys are read once for 256 of
// them. Keys come in steps of 32 and chunks of 256, by their number among those a row may see: the slot for committed ones, on from
// there the place in the row's path. In a tree these differ from row to row: so the pages before the last committed one are shared
// by all lines, and of the rest, which lies in shared memory as a pool, each row gathers its own keys by the addresses it gives
// ldmatrix. So a row has the same bits in a tree, in a chain and alone.
// Softmax is online within a chunk, in f32 and powers of two; the last block of its lines to arrive merges the chunks in their order.
// Queries and probabilities are rounded to f16.

#include "tensor_core.cuh"

constexpr int PAGE_SLOTS = 64;
constexpr int STEP_KEYS = 32;
constexpr int CHUNK_PAGES = 4;
constexpr int CHUNK_KEYS = CHUNK_PAGES * PAGE_SLOTS;

struct Operands {
    void* out;
    const float* q;
    const f16* keys;
    const f16* values;
    const int* pages;
    const int* positions;
    const int* rows;
    const int* committed;
    const int* paths;
    const int* lengths;
    float* partials;
    int* arrivals;
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

// What a warp keeps for its 16 lines; a lane has those of lines lane / 4 and lane / 4 + 8.
template <int DIM> struct Accumulator {
    float out[DIM / 8][4] = {};
};

// Of each lane, for its two lines: the largest score, and the mass of its keys. In shared memory, to spare registers.
struct Softmax {
    float most[2][512];
    float mass[2][512];
};

// The lines of shared memory that a lane addresses for a step: for the keys of the scores, and of the sums over values.
struct StepLines {
    int keys[2];
    int values[2];
};

// An operand in which only the lines that take part are not zero.
__device__ __forceinline__ void mask(unsigned (&a)[4], bool with_first, bool with_second) {
    a[0] = with_first ? a[0] : 0;
    a[1] = with_second ? a[1] : 0;
    a[2] = with_first ? a[2] : 0;
    a[3] = with_second ? a[3] : 0;
}

// Adds the scores of 32 keys; with_first and with_second say whether lines lane / 4 and lane / 4 + 8 take part.
template <int DIM>
__device__ __forceinline__ void add_scores(float (&scores)[4][4], const f16* queries, const f16* keys, const StepLines& lines,
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
            load_matrices(b, keys + lines.keys[half] * STRIDE + dim + lane / 8 % 2 * 8);
            multiply<f16>(scores[2 * half], a, b[0], b[1]);
            multiply<f16>(scores[2 * half + 1], a, b[2], b[3]);
        }
    }
}

// Probabilities from scores, which are scaled and masked; what was summed up before is rescaled to the new maximum.
template <int DIM> __device__ __forceinline__ void soften(Accumulator<DIM>& sums, Softmax& softmax, float (&scores)[4][4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float before = softmax.most[half][threadIdx.x];
        float most = before;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            most = fmaxf(most, fmaxf(scores[j][2 * half], scores[j][2 * half + 1]));
        }
        most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
        most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
        const float base = most == -INFINITY ? 0.0f : most; // nothing is visible yet
        const float rescale = exp2f(before - base);
        softmax.most[half][threadIdx.x] = most;
        float mass = 0.0f;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            scores[j][2 * half] = exp2f(scores[j][2 * half] - base);
            scores[j][2 * half + 1] = exp2f(scores[j][2 * half + 1] - base);
            mass += scores[j][2 * half] + scores[j][2 * half + 1];
        }
        softmax.mass[half][threadIdx.x] = softmax.mass[half][threadIdx.x] * rescale + mass;
#pragma unroll
        for (int d = 0; d < DIM / 8; d++) {
            sums.out[d][2 * half] *= rescale;
            sums.out[d][2 * half + 1] *= rescale;
        }
    }
}

// Adds the values of 32 keys, weighted by probabilities.
template <int DIM>
__device__ __forceinline__ void add_values(Accumulator<DIM>& sums, const unsigned (&probabilities)[2][4], const f16* values,
        const StepLines& lines, bool with_first, bool with_second) {
    constexpr int STRIDE = DIM + 8;
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned a[4] = {probabilities[half][0], probabilities[half][1], probabilities[half][2], probabilities[half][3]};
        mask(a, with_first, with_second);
#pragma unroll
        for (int dim = 0; dim < DIM; dim += 16) {
            unsigned b[4];
            load_matrices_transposed(b, values + lines.values[half] * STRIDE + dim + lane / 16 * 8);
            multiply<f16>(sums.out[dim / 8], a, b[0], b[1]);
            multiply<f16>(sums.out[dim / 8 + 1], a, b[2], b[3]);
        }
    }
}

// Probabilities as operands of the product with values.
__device__ __forceinline__ void pack(unsigned (&a)[2][4], const float (&scores)[4][4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const float(&s)[4] = scores[2 * half + j];
            a[half][2 * j] = pair_of<f16>(s[0], s[1]);
            a[half][2 * j + 1] = pair_of<f16>(s[2], s[3]);
        }
    }
}

// Copies lines of a head to shared memory; those at or beyond end become zeros. Eight neighbouring threads write to all banks: 64
// elements of a line, or where lines are no multiple of that, the same place in eight lines, for which the count is rounded up.
template <int DIM>
__device__ __forceinline__ void copy_lines(f16* to, const f16* cache, const Operands& op, int head, int first_slot, int count, int end) {
    constexpr int STRIDE = DIM + 8;
    constexpr int CHUNKS = DIM / 8;
#pragma unroll 1
    for (int i = threadIdx.x; i < (CHUNKS % 8 == 0 ? count : (count + 7) / 8 * 8) * CHUNKS; i += blockDim.x) {
        const int line = CHUNKS % 8 == 0 ? i / CHUNKS : i / (8 * CHUNKS) * 8 + i % 8;
        const int chunk = CHUNKS % 8 == 0 ? i % CHUNKS : i / 8 % CHUNKS;
        const int slot = first_slot + line;
        const bool there = slot < end;
        const f16* from = cache;
        if (there) {
            from += ((static_cast<long long>(op.pages[slot / PAGE_SLOTS]) * op.kv_heads + head) * PAGE_SLOTS + slot % PAGE_SLOTS) * DIM
                    + chunk * 8;
        }
        copy_async(to + line * STRIDE + chunk * 8, from, there);
    }
}

// The keys that any line of this block may see.
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
    const int block_lines = blockDim.x / 2;
    int first_row = 0;
    int end = 0;
    if (op.path_stride > 0) {
#pragma unroll 1
        for (int row = threadIdx.x % 32; row < rows; row += 32) {
            end = max(end, op.lengths[row]);
        }
        end = __reduce_max_sync(0xffffffffu, end);
    } else {
        first_row = blockIdx.x * block_lines / group;
        end = min((blockIdx.x * block_lines + block_lines - 1) / group + 1, rows);
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

// Merges the chunks of a line, by a warp: partial is that of the first, after which the others follow.
template <int DIM>
__device__ __forceinline__ void merge(const Operands& op, const float* partial, int chunks, long long out) {
    constexpr int PARTIAL = DIM + 8;
    const int lane = threadIdx.x % 32;
    float most = -INFINITY;
#pragma unroll 1
    for (int c = 0; c < chunks; c++) {
        most = fmaxf(most, partial[c * PARTIAL + DIM]);
    }
#pragma unroll 1
    for (int dim = 2 * lane; dim < op.head_dim; dim += 64) {
        float2 sum = {0.0f, 0.0f};
        float mass = 0.0f;
#pragma unroll 1
        for (int c = 0; c < chunks; c++) {
            const float2 about = *reinterpret_cast<const float2*>(partial + c * PARTIAL + DIM);
            const float2 part = *reinterpret_cast<const float2*>(partial + c * PARTIAL + dim);
            const float weight = exp2f(about.x - most);
            sum.x += part.x * weight;
            sum.y += part.y * weight;
            mass += about.y * weight;
        }
        store_pair(op.out, op.out_type, out + dim, sum.x / mass, sum.y / mass);
    }
}

template <int DIM> __device__ __forceinline__ void attention(const Operands& op) {
    constexpr int STRIDE = DIM + 8;
    constexpr int PARTIAL = DIM + 8;
    extern __shared__ __align__(128) f16 shared[];
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    const int warps = blockDim.x / 32;
    const int head = blockIdx.y;
    const int group = op.heads / op.kv_heads;
    const int rows = *op.rows;
    const int committed = *op.committed;
    const int first_line = blockIdx.x * 16 * warps;
    const int lines = rows * group;
    if (first_line >= lines) {
        return;
    }

    const bool tree = op.path_stride > 0;
    const int chunk = blockIdx.z;
    const KeyRange range = range_of(op, rows, committed);
    if (chunk < range.first_chunk() || chunk >= range.end_chunk()) {
        return;
    }

    // Queries of this block's lines.
    f16* queries = shared;
    f16* stages = shared + 16 * warps * STRIDE;
#pragma unroll 1
    for (int i = threadIdx.x; i < 16 * warps * DIM; i += blockDim.x) {
        const int line = first_line + i / DIM;
        const int dim = i % DIM;
        const bool there = line < lines && dim < op.head_dim;
        const long long from = (static_cast<long long>(line / group) * op.heads + head * group + line % group) * op.head_dim + dim;
        queries[i / DIM * STRIDE + dim] = narrow<f16>(there ? op.q[from] : 0.0f);
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
    // Row of each line, the number of rows if there is none, and the number of keys up to the last that it sees.
    __shared__ int2 about[256];
    if (threadIdx.x < 16 * warps) {
        const int line = first_line + threadIdx.x;
        const int row = line / group;
        about[threadIdx.x] = line < lines ? make_int2(row, tree ? committed + op.lengths[row] : committed + row + 1)
                                          : make_int2(rows, 0);
    }
    const int2* own = about + warp * 16 + lane / 4;
    __syncthreads();

    Accumulator<DIM> sums;
    __shared__ Softmax softmax;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        softmax.most[half][threadIdx.x] = -INFINITY;
        softmax.mass[half][threadIdx.x] = 0.0f;
    }
    const int first_page = max(chunk * CHUNK_PAGES, range.begin / PAGE_SLOTS);
    const int end_page = min((chunk + 1) * CHUNK_PAGES, (range.end + PAGE_SLOTS - 1) / PAGE_SLOTS);
    const int shared_end = tree ? min(end_page, committed / PAGE_SLOTS) : end_page;

    // Pages whose keys are the same for all lines: a ring of two.
    const auto copy_page = [&](int page) {
        if (page < shared_end) {
            f16* stage = stages + page % 2 * 2 * PAGE_SLOTS * STRIDE;
            copy_lines<DIM>(stage, op.keys, op, head, page * PAGE_SLOTS, PAGE_SLOTS, kept.end);
            copy_lines<DIM>(stage + PAGE_SLOTS * STRIDE, op.values, op, head, page * PAGE_SLOTS, PAGE_SLOTS, kept.end);
        }
        commit_copies();
    };
    copy_page(first_page);
#pragma unroll 1
    for (int page = first_page; page < shared_end; page++) {
        copy_page(page + 1);
        wait_for_copies<1>();
        __syncthreads();
        const f16* stage = stages + page % 2 * 2 * PAGE_SLOTS * STRIDE;
#pragma unroll 1
        for (int step = 0; step < PAGE_SLOTS; step += STEP_KEYS) {
            StepLines at;
#pragma unroll
            for (int half = 0; half < 2; half++) {
                at.keys[half] = step + half * 16 + lane / 16 * 8 + lane % 8;
                at.values[half] = step + half * 16 + lane % 16;
            }
            float scores[4][4] = {};
            add_scores<DIM>(scores, queries + warp * 16 * STRIDE, stage, at, true, true);
#pragma unroll
            for (int j = 0; j < 4; j++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = page * PAGE_SLOTS + step + j * 8 + lane % 4 * 2 + i % 2;
                    scores[j][i] = key < own[i / 2 * 8].y && is_near(op, own[i / 2 * 8].x, key) ? scores[j][i] * op.scale : -INFINITY;
                }
            }
            soften(sums, softmax, scores);
            unsigned probabilities[2][4];
            pack(probabilities, scores);
            add_values(sums, probabilities, stage + PAGE_SLOTS * STRIDE, at, true, true);
        }
        __syncthreads(); // before the next page but one is copied here
    }

    // The rest of a tree's keys: each row has its own.
    const int tail = kept_committed / PAGE_SLOTS * PAGE_SLOTS;
    if (tree && end_page * PAGE_SLOTS > tail) {
        f16* pool_values = stages + op.pool * STRIDE;
        wait_for_copies<0>();
        __syncthreads();
        copy_lines<DIM>(stages, op.keys, op, head, tail, kept_committed + kept_rows - tail, kept_committed + kept_rows);
        copy_lines<DIM>(pool_values, op.values, op, head, tail, kept_committed + kept_rows - tail, kept_committed + kept_rows);
        commit_copies();
        wait_for_copies<0>();
        __syncthreads();
        const int warp_end_row = min(about[warp * 16 + 15].x + 1, kept_rows);
        // Line of the pool that holds a row's key of that number.
        const auto pool_line = [&](int row, int key) {
            return key < kept_committed ? key - tail
                    : key - kept_committed < op.lengths[row] ? kept_committed - tail + op.paths[row * op.path_stride + key - kept_committed] : 0;
        };
#pragma unroll 1
        for (int first = max(first_page * PAGE_SLOTS, tail); first < end_page * PAGE_SLOTS; first += STEP_KEYS) {
            float scores[4][4] = {};
#pragma unroll 1
            for (int row = about[warp * 16].x; row < warp_end_row; row++) {
                StepLines at;
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    at.keys[half] = pool_line(row, first + half * 16 + lane / 16 * 8 + lane % 8);
                }
                add_scores<DIM>(scores, queries + warp * 16 * STRIDE, stages, at, row == own[0].x, row == own[8].x);
            }
#pragma unroll
            for (int j = 0; j < 4; j++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = first + j * 8 + lane % 4 * 2 + i % 2;
                    bool sees = key < own[i / 2 * 8].y;
                    if (sees && op.window > 0) {
                        const int row = own[i / 2 * 8].x;
                        sees = is_near(op, row, key < kept_committed ? key
                                : op.positions[op.paths[row * op.path_stride + key - kept_committed]]);
                    }
                    scores[j][i] = sees ? scores[j][i] * op.scale : -INFINITY;
                }
            }
            soften(sums, softmax, scores);
            unsigned probabilities[2][4];
            pack(probabilities, scores);
#pragma unroll 1
            for (int row = about[warp * 16].x; row < warp_end_row; row++) {
                StepLines at;
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    at.values[half] = pool_line(row, first + half * 16 + lane % 16);
                }
                add_values(sums, probabilities, pool_values, at, row == own[0].x, row == own[8].x);
            }
        }
    }

    // This chunk's part of each line: the whole result, if there is no other.
    const KeyRange merged = kept;
    const int active_chunks = merged.end_chunk() - merged.first_chunk();
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float mass = softmax.mass[half][threadIdx.x];
        mass += __shfl_xor_sync(0xffffffffu, mass, 1);
        mass += __shfl_xor_sync(0xffffffffu, mass, 2);
        const int row = own[8 * half].x;
        if (row >= kept_rows) {
            continue;
        }
        const int line = first_line + warp * 16 + lane / 4 + 8 * half;
        if (active_chunks > 1) {
            float* partial = op.partials
                    + ((static_cast<long long>(head) * (16ll * warps * gridDim.x) + line) * op.chunks + chunk) * PARTIAL + lane % 4 * 2;
#pragma unroll
            for (int d = 0; d < DIM / 8; d++) {
                *reinterpret_cast<float2*>(partial + 8 * d) = {sums.out[d][2 * half], sums.out[d][2 * half + 1]};
            }
            if (lane % 4 == 0) {
                *reinterpret_cast<float2*>(partial + DIM) = {softmax.most[half][threadIdx.x], mass};
            }
        } else {
            const long long out = (static_cast<long long>(row) * (op.heads - group) + head * group + line) * op.head_dim + lane % 4 * 2;
#pragma unroll
            for (int d = 0; d < DIM / 8; d++) {
                if (8 * d + lane % 4 * 2 < op.head_dim) {
                    store_pair(op.out, op.out_type, out + 8 * d, sums.out[d][2 * half] / mass, sums.out[d][2 * half + 1] / mass);
                }
            }
        }
    }
    if (active_chunks == 1) {
        return;
    }

    // The last block of these lines merges.
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
    for (int line = first_line + warp; line < min(first_line + 16 * warps, kept_rows * group); line += warps) {
        merge<DIM>(op, op.partials
                + ((static_cast<long long>(head) * (16ll * warps * gridDim.x) + line) * op.chunks + merged.first_chunk()) * PARTIAL,
                active_chunks, (static_cast<long long>(line / group) * op.heads + head * group + line % group) * op.head_dim);
    }
}

#define ATTENTION_KERNEL(DIM, THREADS)                                                                                             \
    extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_f16_##DIM(void* out, const float* q, const f16* keys,          \
            const f16* values, const int* pages, const int* positions, const int* rows, const int* committed, const int* paths,    \
            const int* lengths, float* partials, int* arrivals, int heads, int kv_heads, int head_dim, int out_type,               \
            int path_stride, int pool, int window, int chunks, float scale) {                                                      \
        attention<DIM>({out, q, keys, values, pages, positions, rows, committed, paths, lengths, partials, arrivals, heads,        \
                kv_heads, head_dim, out_type, path_stride, pool, window, chunks, scale});                                          \
    }

ATTENTION_KERNEL(16, 512)
ATTENTION_KERNEL(32, 512)
ATTENTION_KERNEL(48, 512)
ATTENTION_KERNEL(64, 512)
ATTENTION_KERNEL(80, 512)
ATTENTION_KERNEL(96, 512)
ATTENTION_KERNEL(128, 512)
ATTENTION_KERNEL(256, 256)
