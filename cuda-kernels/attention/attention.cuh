// Attention of the rows of a pass over paged key-value caches (Op.Attention): of one sequence or of many, each a segment of the pass.
//
//     out[r, h] = sum over visible keys i of softmax_i(ln 2 * scale * q[r, h] . k[i]) v[i]
//
// Entry points, of AttentionArguments, by the type of the cache and stored_dim, of which each has a file:
//     attention_{f16,bf16,q8_0}_{16,32,48,64,80,96,128,256}       of 16 query rows a warp
//     attention_few_{f16,bf16,q8_0}_{16,32,48,64,80,96,128,256}   of 16 query rows a block of four warps
//
// The rows of the pass lie segment by segment. Pages are as in cache.cuh, with the rows of this pass appended. Query head h uses key-value
// head h / (heads / kv_heads).
// A causal segment: row r of it attends to slots 0 to committed + r. A tree: to slots below committed and the segment's rows
// paths[(first_row + r) * path_stride + 0 .. lengths[first_row + r]), see tree.cu. Ranges: to the slots of its part of ranges,
// [from, to) in their order, where -1 stands for the slots of the segment's own rows; there is no window then. window > 0: only of
// these whose position is above positions[first_row + r] - window (a committed slot holds the position of its number).
// Scratch: vectors are at least 2 * rows * heads; arrivals are zero before the first launch and left zero by each, and a segment has a query
// block for each (16 * warps) of its query rows, (16) of few.
// Launch: any grid, best of as many blocks as run at a time: each takes every gridDim.x-th item of work (attention_work.cuh). Block of
// 32 * warps, warps 1 to 16 (8 for 256), 4 of few. Compute capability 8.0. Dynamic shared memory: 16 rows of queries for each warp, or for
// all of few, of (stored_dim + 8) * 2 bytes; copy_bytes for the largest of the ring (attention_copy.cuh) of stages of `stage` slots, 32
// or 64, of 2 * pool rows as long, for trees without a pool of 32 * warps rows, and of 16 * stored_dim bytes a warp; of few, stage * 64
// bytes for scores; if span_in_shared, stored_dim + 8 f32 for each query row. pool: rows that hold all of a tree's own keys, the largest
// tree and a stage; 0 if they do not fit.
//
// A query row is a query head of a row; those of a key-value head are packed, so that its keys are read once for up to 256 of them. Keys
// are taken in steps of 32, by their number among those a row may see: the slot for committed ones, on from there the place in
// the row's path. In a tree these differ from row to row: so stages before the last committed slots are shared by all query rows, and of the
// rest, which lies in shared memory as a pool, each row gathers its own keys by the addresses it gives ldmatrix. So a row has the same bits
// in a tree, in a chain and alone. Without a pool a warp copies the 32 keys of a step for one row after the other: any tree fits, and
// costs more copies.
// Softmax is online within a chunk, in f32 and powers of two; chunks and spans are folded as attention_work.cuh says: by the block that
// has neighbours, and where there are several runs by the last block of the query rows to arrive.
// Queries and probabilities are rounded to the type that products are computed in: bf16 for that, f16 for the others. Elements of
// q8_0 are rounded to f16.
#pragma once

#include "attention_copy.cuh"
#include "attention_merge.cuh"
#include "attention_tile.cuh"
#include "attention_work.cuh"
#include <climits>

struct AttentionArguments {
    void* out;                // [rows, heads, head_dim] of out_type
    const float* q;           // [rows, heads, head_dim]
    const int* positions;     // [rows]
    const int* rows;          // [1]: how many there are
    const Segment* segments;  // [segment_count], see segment.cuh
    const int* segment_count; // [1]
    const int2* ranges;       // of all segments
    const int* paths;         // [rows, path_stride], null without a tree
    const int* lengths;       // [rows], null without a tree
    float* partials;          // [vectors, stored_dim + 8]
    int* arrivals;            // [query blocks, kv_heads]
    int layer;                // bytes of a page before it
    int heads;
    int kv_heads;
    int head_dim;
    int out_type;             // 0 f32, 1 f16, 2 bf16
    int path_stride;
    int window;               // 0 for all
    int vectors;
    int stage;                // slots of a stage
    int pool;
    int copy_bytes;
    int span_in_shared;
    float scale;
};

extern __shared__ __align__(128) char shared[];

// A block at its work. TEAM: warps for 16 query rows.
template <typename KV, int DIM, int TEAM> struct Attention {
    using T = typename Stored<KV>::OPERAND;
    using Sums = Accumulator<DIM, TEAM>;
    static constexpr int STRIDE = DIM + 8;
    static constexpr int PARTIAL = DIM + PARTIAL_EXTRA;
    static constexpr int THREADS = TEAM > 1 ? 32 * TEAM : DIM > 128 ? 256 : 512;

    struct Shared {
        int item; // number of the work, here to spare a register
        Work work;
        int places; // of a query row's partials
        int slot; // one that has a page
        // Of the segment's rows; a path by the number of its key.
        const int* positions;
        const int* paths;
        const int* lengths;
        bool is_last;
        Softmax<THREADS> softmax;
        // Row of the segment of each query row, the number of its rows if there is none, and the number of keys up to the last that it
        // attends to.
        int2 about[THREADS / 2 / TEAM];
        int slots[PAGE_SLOTS]; // of a stage of ranges, -1 behind the last
        // Number of each query row among those of the pass, which is that of its output.
        int vectors[THREADS / 2 / TEAM];
    };

    // The running maxima and sums of a lane's query rows, once a chunk is done.
    struct Result {
        float running_max[2];
        float running_sum[2];
    };

    const AttentionArguments& op;
    Shared& block;

    __device__ __forceinline__ static int warp() {
        return threadIdx.x / 32;
    }

    // The first of this warp's query rows, of the block's.
    __device__ __forceinline__ static int warp_query_row() {
        return warp() / TEAM * WARP_QUERY_ROWS;
    }

    __device__ __forceinline__ static int query_rows() {
        return blockDim.x / 2 / TEAM;
    }

    __device__ __forceinline__ static T* queries() {
        return reinterpret_cast<T*>(shared);
    }

    __device__ __forceinline__ static T* copies() {
        return queries() + query_rows() * STRIDE;
    }

    __device__ __forceinline__ float4* exchanged() const {
        return reinterpret_cast<float4*>(reinterpret_cast<char*>(copies()) + op.copy_bytes);
    }

    __device__ __forceinline__ float* spans() const {
        return reinterpret_cast<float*>(exchanged() + (TEAM > 1 ? op.stage * 4 : 0));
    }

    __device__ __forceinline__ int group() const {
        return op.heads / op.kv_heads;
    }

    __device__ __forceinline__ float* partials_of(int query_row) const {
        return op.partials + static_cast<long long>(block.vectors[query_row]) * (block.places * PARTIAL);
    }

    // Where a query row's span is kept while more chunks of it follow.
    __device__ __forceinline__ float* span_of(int query_row) const {
        const int run = block.work.run;
        return op.span_in_shared ? spans() + query_row * PARTIAL
                                 : partials_of(query_row) + (run == 0 ? SPAN_PLACE : block.work.runs.place(run)) * PARTIAL;
    }

    // Whether this lane's query row of a half is one.
    __device__ __forceinline__ bool is_there(int half) const {
        return block.about[warp_query_row() + lane_id() / 4 + 8 * half].x < block.work.segment.rows;
    }

    // The tile of this block's keys (part 0) or values (1) in a page.
    __device__ __forceinline__ const char* tile(const char* page, int part) const {
        return page + op.layer + (part * op.kv_heads + block.work.head) * tile_bytes<KV>(DIM);
    }

    __device__ __forceinline__ const char* page_of(int slot) const {
        return block.work.segment.pages[slot / PAGE_SLOTS];
    }

    // Whether a row's window reaches back to a position.
    __device__ __forceinline__ bool is_near(int row, int position) const {
        return op.window == 0 || position > block.positions[row] - op.window;
    }

    // The row of the segment that has a row's key of that number, which is not committed.
    __device__ __forceinline__ int path(int row, int key) const {
        return block.paths[row * op.path_stride + key];
    }

    // Takes up the block's item of work; false if there is none of that number.
    __device__ __forceinline__ bool begin() {
        if (threadIdx.x < 32) {
            __syncwarp();
            const bool is_over = block.item >= block.work.items;
            __syncwarp(); // before they are written anew
            if (is_over) {
                if (lane_id() == 0) {
                    block.work.found = false;
                }
            } else {
                const int places = max(SPAN_PLACE + 1, op.vectors / max(1, *op.rows * op.heads));
                find(block.work, block.item, op.segments, *op.segment_count, op.kv_heads, group(), op.window, places, query_rows());
                if (lane_id() == 0) {
                    block.places = places;
                }
            }
            __syncwarp();
            if (block.work.found) {
                if (lane_id() == 0) {
                    const Segment& segment = block.work.segment;
                    block.slot = segment.mask == RANGES ? ranged_slot(0) : segment.committed;
                    block.positions = op.positions + segment.first_row;
                    block.paths = op.paths + static_cast<long long>(segment.first_row) * op.path_stride - segment.committed;
                    block.lengths = op.lengths + segment.first_row;
                }
                __syncwarp();
                find_keys();
            }
        }
        __syncthreads();
        if (!block.work.found) {
            return false;
        }
        find_query_rows();
        __syncthreads();
        stage_queries();
        forget();
        __syncthreads();
        return true;
    }

    // Brings the query rows to shared memory. A warp stores 16 bytes of each of eight rows at a time, which are in different banks.
    __device__ __forceinline__ void stage_queries() const {
#pragma unroll 1
        for (int i = threadIdx.x; i < query_rows() * (DIM / 2); i += blockDim.x) {
            const int query_row = i / (4 * DIM) * 8 + i / 4 % 8;
            const int dim = i % (4 * DIM) / 32 * 8 + i % 4 * 2;
            float2 pair = {0.0f, 0.0f};
            if (block.about[query_row].x < block.work.segment.rows && dim < op.head_dim) {
                pair = *reinterpret_cast<const float2*>(op.q + static_cast<long long>(block.vectors[query_row]) * op.head_dim + dim);
            }
            *reinterpret_cast<unsigned*>(queries() + query_row * STRIDE + dim) = pair_of<T>(pair.x, pair.y);
        }
    }

    __device__ __forceinline__ void find_query_rows() {
        const Work& work = block.work;
        const Segment& segment = work.segment;
        if (static_cast<int>(threadIdx.x) < query_rows()) {
            const int query_row = work.first_query_row + static_cast<int>(threadIdx.x);
            const int row = query_row / group();
            int2 about = {segment.rows, 0};
            if (row < segment.rows) {
                about = {row, segment.mask == RANGES ? segment.keys
                                      : segment.committed + (segment.mask == TREE ? block.lengths[row] : row + 1)};
            }
            block.about[threadIdx.x] = about;
            block.vectors[threadIdx.x] = (segment.first_row + row) * op.heads + work.head * group() + query_row % group();
        }
    }

    // Which keys of the run the query rows may see, by the first warp.
    __device__ __forceinline__ void find_keys() {
        Work& work = block.work;
        const Segment& segment = work.segment;
        int first_row = 0;
        int rows_seen = 0;
        if (segment.mask == TREE) {
#pragma unroll 1
            for (int row = lane_id(); row < segment.rows; row += 32) {
                rows_seen = max(rows_seen, block.lengths[row]);
            }
            rows_seen = __reduce_max_sync(0xffffffffu, rows_seen);
        } else if (segment.mask == RANGES) {
            rows_seen = segment.keys - segment.committed;
        } else {
            first_row = work.first_query_row / group();
            rows_seen = min((work.first_query_row + query_rows() - 1) / group() + 1, segment.rows);
        }
        if (lane_id() == 0) {
            const int begin = op.window == 0 ? 0 : max(0, segment.committed + first_row - op.window + 1);
            work.begin = max(begin, chunk_begin(work.runs.begin(work.run)));
            work.end = min(segment.committed + rows_seen, chunk_begin(work.runs.begin(work.run + 1)));
        }
    }

    // Begins a chunk.
    __device__ __forceinline__ void forget() {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            block.softmax.running_max[half][threadIdx.x] = -INFINITY;
            block.softmax.running_sum[half][threadIdx.x] = 0.0f;
        }
    }

    // Scales scores of keys from first on, and takes those that a query row does not attend to for minus infinity.
    template <bool OWN, int TILES> __device__ __forceinline__ void limit(float (&scores)[TILES][4], int first) const {
        const int lane = lane_id();
        const int2* own = block.about + warp_query_row() + lane / 4;
#pragma unroll
        for (int j = 0; j < TILES; j++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int key = first + j * 8 + lane % 4 * 2 + i % 2;
                const int row = own[i / 2 * 8].x;
                bool attends = key < own[i / 2 * 8].y;
                if (OWN && attends && op.window > 0 && key >= block.work.segment.committed) {
                    attends = is_near(row, block.positions[path(row, key)]);
                } else {
                    attends = attends && is_near(row, key);
                }
                scores[j][i] = attends ? scores[j][i] * op.scale : -INFINITY;
            }
        }
    }

    // Scores of a team's stage, of which each warp computes those of 16 keys.
    __device__ __forceinline__ void exchange(const float (&scores)[2][4]) const {
#pragma unroll
        for (int j = 0; j < 2; j++) {
            exchanged()[(2 * warp() + j) * 32 + lane_id()] = {scores[j][0], scores[j][1], scores[j][2], scores[j][3]};
        }
    }

    __device__ __forceinline__ void take_exchanged(float (&scores)[4][4], int step) const {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float4 tile = exchanged()[(step / 8 + j) * 32 + lane_id()];
            scores[j][0] = tile.x;
            scores[j][1] = tile.y;
            scores[j][2] = tile.z;
            scores[j][3] = tile.w;
        }
    }

    // Adds a stage whose keys are the same for all query rows, and behind which its values lie.
    __device__ __forceinline__ void add_common(Sums& sums, const T* keys, int first) {
        const T* own = queries() + warp_query_row() * STRIDE;
        if constexpr (TEAM > 1) {
            const int place = warp() * 16;
            if (place < op.stage) {
                const int lane = lane_id();
                const int rows[1] = {place + lane / 16 * 8 + lane % 8};
                float scores[2][4] = {};
                add_scores<DIM, 1>(scores, own, keys, rows, true, true);
                limit<false>(scores, first + place);
                exchange(scores);
            }
            __syncthreads();
        }
#pragma unroll 1
        for (int step = 0; step < op.stage; step += STEP_KEYS) {
            float scores[4][4] = {};
            if constexpr (TEAM > 1) {
                take_exchanged(scores, step);
            } else {
                const int lane = lane_id();
                const int place = step + lane / 16 * 8 + lane % 8;
                const int rows[2] = {place, place + 16};
                add_scores<DIM, 2>(scores, own, keys, rows, true, true);
                limit<false>(scores, first + step);
            }
            soften(sums, block.softmax, scores);
            unsigned probabilities[2][4];
            pack<T>(probabilities, scores);
            const int place = step + lane_id() % 16;
            const int rows[2] = {place, place + 16};
            add_values(sums, probabilities, keys + op.stage * STRIDE, rows, true, true);
        }
    }

    // The first slot of those that are not in stages that all query rows share.
    __device__ __forceinline__ int tail() const {
        return block.work.segment.committed / op.stage * op.stage;
    }

    // Slot of a row's key of that number, -1 if it has none.
    __device__ __forceinline__ int slot_of(int row, int key) const {
        const int committed = block.work.segment.committed;
        return key < committed ? key
                : key - committed < block.lengths[row] ? committed + path(row, key) : -1;
    }

    __device__ __forceinline__ void copy_slot(T* to, int part, int slot, int piece) const {
        const int there = slot < 0 ? block.slot : slot;
        copy_piece<KV, DIM>(to, tile(page_of(there), part), there % PAGE_SLOTS, piece, slot >= 0);
    }

    // Slot of a key by its number, where the segment attends to ranges.
    __device__ __forceinline__ int ranged_slot(int key) const {
        const Segment& segment = block.work.segment;
#pragma unroll 1
        for (int i = 0; i < segment.ranges; i++) {
            const int2 bounds = op.ranges[segment.first_range + i];
            const int from = bounds.x < 0 ? segment.first_slot : bounds.x; // the segment's own rows
            const int length = bounds.x < 0 ? segment.rows : bounds.y - bounds.x;
            if (key < length) {
                return from + key;
            }
            key -= length;
        }
        return -1;
    }

    // Whether slots are to be brought to shared memory one by one, for this stage or from it on.
    __device__ __forceinline__ bool is_filled(int stage) const {
        return block.work.segment.mask == RANGES ? stage < end_stage()
                : stage < end_stage() && stage == max(block.work.begin / op.stage, common_end_stage());
    }

    // Brings slots to shared memory, keys and behind them values: of a stage of ranges, or into the pool all of the tail.
    __device__ __forceinline__ void fill(int stage) {
        wait_for_copies<0>();
        __syncthreads();
        const Segment& segment = block.work.segment;
        const bool is_ranged = segment.mask == RANGES;
        if (!is_ranged && op.pool == 0) {
            return;
        }
        if (is_ranged && static_cast<int>(threadIdx.x) < op.stage) {
            block.slots[threadIdx.x] = ranged_slot(stage * op.stage + static_cast<int>(threadIdx.x));
        }
        __syncthreads();
        const int count = is_ranged ? op.stage : segment.committed + segment.rows - tail();
#pragma unroll 1
        for (int part = 0; part < 2; part++) {
            each_piece<DIM>(threadIdx.x, blockDim.x, count, [&](int place, int piece) {
                const int slot = place >= count ? -1 : is_ranged ? block.slots[place] : tail() + place;
                copy_slot(copies() + (part * (is_ranged ? op.stage : op.pool) + place) * STRIDE + piece * 8, part, slot, piece);
            });
        }
        commit_copies();
        wait_for_copies<0>();
        __syncthreads();
    }

    // Without a pool: brings keys (part 0) or values (1) of a row to this warp's shared memory.
    __device__ __forceinline__ void gather(int part, int row, int first, int count) const {
        if (op.pool > 0) {
            return;
        }
        __syncwarp(); // what lies there is read no more
        each_piece<DIM>(lane_id(), 32, count, [&](int place, int piece) {
            copy_slot(copies() + (warp() * STEP_KEYS + place) * STRIDE + piece * 8, part, slot_of(row, first + place), piece);
        });
        commit_copies();
        wait_for_copies<0>();
        __syncwarp();
    }

    // Row of the pool, or without one of this warp's memory, that has a row's key of number first + place.
    __device__ __forceinline__ int pool_row_of(int row, int first, int place) const {
        return op.pool > 0 ? max(slot_of(row, first + place) - tail(), 0) : place;
    }

    // Does something for each row of this warp whose keys from first on are its own: once for all where they are committed.
    // work(row, whether lane / 4 has it, whether lane / 4 + 8 has it).
    template <typename WORK> __device__ __forceinline__ void each_row(int first, int count, WORK work) const {
        const int2* own = block.about + warp_query_row();
        const auto is_common = [&] { return first + count <= block.work.segment.committed; };
        const auto is_behind = [&](int row) {
            return row >= block.work.segment.rows || (row > own[0].x && (is_common() || row > own[WARP_QUERY_ROWS - 1].x));
        };
        // Read anew each time, to spare registers.
#pragma unroll 1
        for (int row = own[0].x; !is_behind(row); row++) {
            const int2* lane_own = own + lane_id() / 4;
            work(row, is_common() || row == lane_own[0].x, is_common() || row == lane_own[8].x);
        }
    }

    // Scores of 16 keys a half, from the tail.
    template <int HALVES> __device__ __forceinline__ void add_own_scores(float (&scores)[2 * HALVES][4], int first) const {
        const T* keys = copies() + (op.pool > 0 ? 0 : warp() * STEP_KEYS * STRIDE);
        each_row(first, 16 * HALVES, [&](int row, bool with_first, bool with_second) {
            gather(0, row, first, 16 * HALVES);
            const int lane = lane_id();
            int rows[HALVES];
#pragma unroll
            for (int half = 0; half < HALVES; half++) {
                rows[half] = pool_row_of(row, first, half * 16 + lane / 16 * 8 + lane % 8);
            }
            add_scores<DIM, HALVES>(scores, queries() + warp_query_row() * STRIDE, keys, rows, with_first, with_second);
        });
        limit<true>(scores, first);
    }

    // Adds a stage of a tree's tail, in which each row has its own keys.
    __device__ __forceinline__ void add_own(Sums& sums, int first) {
        if constexpr (TEAM > 1) {
            if (warp() * 16 < op.stage) {
                float scores[2][4] = {};
                add_own_scores<1>(scores, first + warp() * 16);
                exchange(scores);
            }
            __syncthreads();
        }
        const T* values = copies() + (op.pool > 0 ? op.pool : warp() * STEP_KEYS) * STRIDE;
#pragma unroll 1
        for (int step = first; step < first + op.stage; step += STEP_KEYS) {
            float scores[4][4] = {};
            if constexpr (TEAM > 1) {
                take_exchanged(scores, step - first);
            } else {
                add_own_scores<2>(scores, step);
            }
            soften(sums, block.softmax, scores);
            unsigned probabilities[2][4];
            pack<T>(probabilities, scores);
            each_row(step, STEP_KEYS, [&](int row, bool with_first, bool with_second) {
                gather(1, row, step, STEP_KEYS);
                const int place = lane_id() % 16;
                const int rows[2] = {pool_row_of(row, step, place), pool_row_of(row, step, place + 16)};
                add_values(sums, probabilities, values, rows, with_first, with_second);
            });
        }
        if constexpr (TEAM > 1) {
            __syncthreads(); // before other scores are exchanged
        }
    }

    // Does something with each pair of this lane's sums: work(half, the pair's first dimension, its elements).
    template <typename WORK> static __device__ __forceinline__ void each_pair(Sums& sums, int half, WORK work) {
        const int first = lane_id() % 4 * 2;
#pragma unroll
        for (int tile = 0; tile < 2 * Sums::PAIRS; tile++) {
            const int dim = Sums::dim(tile / 2) + tile % 2 * 8 + first;
            if (DIM / 16 % TEAM == 0 || dim < DIM) {
                work(dim, sums.out[tile][2 * half], sums.out[tile][2 * half + 1]);
            }
        }
    }

    // Folds what was kept of a query row to the left of what was computed.
    __device__ __forceinline__ void fold(Sums& sums, Result& result, int half, const float* left) const {
        const float2 about = *reinterpret_cast<const float2*>(left + DIM + lane_id() % 4 * 2);
        if (about.x == -INFINITY) {
            return;
        }
        const Fold fold = Fold::of(about.x, result.running_max[half]);
        result.running_max[half] = fold.running_max;
        result.running_sum[half] = fold(about.y, result.running_sum[half]);
        each_pair(sums, half, [&](int dim, float& first, float& second) {
            const float2 pair = *reinterpret_cast<const float2*>(left + dim);
            first = fold(pair.x, first);
            second = fold(pair.y, second);
        });
    }

    __device__ __forceinline__ void keep(Sums& sums, const Result& result, int half, float* to) const {
        each_pair(sums, half, [&](int dim, float first, float second) { *reinterpret_cast<float2*>(to + dim) = {first, second}; });
        if (warp() % TEAM == 0) {
            *reinterpret_cast<float2*>(to + DIM + lane_id() % 4 * 2) = {result.running_max[half], result.running_sum[half]};
        }
    }

    // Ends a chunk: joins it with what the run has of its span, and a span that ends with what it has of those before. What the run has then
    // is kept for the next chunk, or where none follows stays in sums.
    __device__ __forceinline__ Result end_chunk(Sums& sums, int chunk, bool follows) const {
        const int first_chunk = chunk_of(block.work.begin);
        const bool span_ends = !follows || (chunk + 1) % SPAN_CHUNKS == 0;
        Result result;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = block.softmax.running_sum[half][threadIdx.x];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            result.running_max[half] = block.softmax.running_max[half][threadIdx.x];
            result.running_sum[half] = sum;
            if (!is_there(half)) {
                continue;
            }
            const int query_row = warp_query_row() + lane_id() / 4 + 8 * half;
#pragma unroll 1
            for (int level = 0; level < 2; level++) {
                if (level == 0 ? chunk > first_chunk && chunk % SPAN_CHUNKS != 0
                               : span_ends && chunk / SPAN_CHUNKS > first_chunk / SPAN_CHUNKS) {
                    fold(sums, result, half, level == 0 ? span_of(query_row) : partials_of(query_row));
                }
            }
            if (TEAM == 1 && follows) {
                keep(sums, result, half, span_ends ? partials_of(query_row) : span_of(query_row));
            }
        }
        if (TEAM > 1) {
            __syncthreads(); // before maxima and sums that another warp may still read are written over, here or by leave
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int query_row = warp_query_row() + lane_id() / 4 + 8 * half;
                if (follows && is_there(half)) {
                    keep(sums, result, half, span_ends ? partials_of(query_row) : span_of(query_row));
                }
            }
        }
        return result;
    }

    // The stage behind the last key.
    __device__ __forceinline__ int end_stage() const {
        return (block.work.end + op.stage - 1) / op.stage;
    }

    // The stage behind the last that all query rows share.
    __device__ __forceinline__ int common_end_stage() const {
        return block.work.segment.mask == TREE ? min(end_stage(), tail() / op.stage) : end_stage();
    }

    // Begins to copy a stage, if there is one; ranges are not copied ahead.
    __device__ __forceinline__ void copy(const Ring<KV, DIM>& ring, int stage) const {
        if (stage < common_end_stage() && block.work.segment.mask != RANGES) {
            const char* page = page_of(stage * op.stage);
            ring.copy(tile(page, 0), 0, stage, block.work.end);
            ring.copy(tile(page, 1), 1, stage, block.work.end);
        }
        commit_copies();
    }

    // What the run adds up to, of each query row.
    __device__ __forceinline__ Result add_keys(Sums& sums) {
        const Ring<KV, DIM> ring = {copies(), op.stage};
        int stage = block.work.begin / op.stage;
        copy(ring, stage);
#pragma unroll 1
        for (;;) {
            if (is_filled(stage)) {
                fill(stage);
            }
            if (stage < common_end_stage()) {
                const T* keys = copies();
                if (block.work.segment.mask != RANGES) {
                    copy(ring, stage + 1);
                    wait_for_copies<1>();
                    __syncthreads();
                    keys = ring.take(stage);
                }
                add_common(sums, keys, stage * op.stage);
                __syncthreads(); // before another stage is copied here
            } else if (stage < end_stage()) {
                add_own(sums, stage * op.stage);
            }
            const int chunk = chunk_of(stage * op.stage);
            stage++;
            const bool follows = stage < end_stage();
            if (!follows || chunk_of(stage * op.stage) > chunk) {
                const Result result = end_chunk(sums, chunk, follows);
                if (!follows) {
                    wait_for_copies<0>();
                    return result;
                }
                forget();
                sums = {};
            }
        }
    }

    // Writes the results of query rows whose keys are one run.
    __device__ __forceinline__ void write(Sums& sums, const Result& result) const {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            if (is_there(half)) {
                const long long out = static_cast<long long>(block.vectors[warp_query_row() + lane_id() / 4 + 8 * half]) * op.head_dim;
                const float scale = __frcp_rn(result.running_sum[half]);
                each_pair(sums, half, [&](int dim, float first, float second) {
                    if (dim < op.head_dim) {
                        store_pair(op.out, op.out_type, out + dim, first * scale, second * scale);
                    }
                });
            }
        }
    }

    // Leaves what the run has to the last block of these query rows; true if this is it.
    __device__ __forceinline__ bool leave(Sums& sums, const Result& result) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            if (is_there(half)) {
                keep(sums, result, half, partials_of(warp_query_row() + lane_id() / 4 + 8 * half)
                        + block.work.runs.place(block.work.run) * PARTIAL);
            }
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            int* arrived = op.arrivals + block.work.arrival;
            __threadfence();
            block.is_last = atomicAdd(arrived, 1) == block.work.runs.count - 1;
            if (block.is_last) {
                *arrived = 0;
            }
            __threadfence();
        }
        __syncthreads();
        return block.is_last;
    }

    // Merges the runs of the block's query rows and writes the results, a query row a warp.
    __device__ __forceinline__ void merge_runs() const {
        const int warps = blockDim.x / 32;
        const int capacity = op.copy_bytes / warps / (DIM * 4);
        float* staging = reinterpret_cast<float*>(copies()) + warp() * capacity * DIM;
        const int there = min(query_rows(), block.work.segment.rows * group() - block.work.first_query_row);
#pragma unroll 1
        for (int query_row = warp(); query_row < there; query_row += warps) {
            const Joined<DIM> joined = merge<DIM>(partials_of(query_row), block.work.runs, staging, capacity);
            const long long out = static_cast<long long>(block.vectors[query_row]) * op.head_dim;
#pragma unroll
            for (int piece = 0; piece < Joined<DIM>::PIECES; piece++) {
                const float4& sums = joined.sums[piece];
                const float scale = __frcp_rn(joined.running_sum);
                const int dim = 128 * piece + 4 * lane_id();
                if (dim < op.head_dim) {
                    store_pair(op.out, op.out_type, out + dim, sums.x * scale, sums.y * scale);
                }
                if (dim + 2 < op.head_dim) {
                    store_pair(op.out, op.out_type, out + dim + 2, sums.z * scale, sums.w * scale);
                }
            }
        }
    }

    __device__ __forceinline__ void attend() {
        if (threadIdx.x == 0) {
            block.item = blockIdx.x;
            block.work.items = INT_MAX;
        }
#pragma unroll 1
        while (begin()) {
            Sums sums;
            const Result result = add_keys(sums);
            if (block.work.runs.count == 1) {
                write(sums, result);
            } else if (leave(sums, result)) {
                merge_runs();
            }
            __syncthreads(); // before another item is found
            if (threadIdx.x == 0) {
                block.item += gridDim.x;
            }
        }
    }
};

#define ATTENTION_KERNEL(NAME, KV, DIM, TEAM)                                                                                      \
    extern "C" __global__ void __launch_bounds__((Attention<KV, DIM, TEAM>::THREADS), 1)                                           \
    NAME##_##KV##_##DIM(const AttentionArguments arguments) {                                                                      \
        __shared__ Attention<KV, DIM, TEAM>::Shared block;                                                                         \
        Attention<KV, DIM, TEAM>{arguments, block}.attend();                                                                       \
    }

#define ATTENTION_KERNELS_OF(KV, DIM)                                                                                              \
    ATTENTION_KERNEL(attention, KV, DIM, 1)                                                                                        \
    ATTENTION_KERNEL(attention_few, KV, DIM, 4)

#define ATTENTION_KERNELS(DIM)                                                                                                     \
    ATTENTION_KERNELS_OF(f16, DIM)                                                                                                 \
    ATTENTION_KERNELS_OF(bf16, DIM)                                                                                                \
    ATTENTION_KERNELS_OF(q8_0, DIM)
