// How the attention of a pass is divided: keys into chunks and spans by their number alone, the chunks of a segment into runs, and runs
// among blocks.
//
// A chunk is 128 keys below key 8,192, and from there on a 32nd of the largest power of two that is not above its first key: 256 keys
// from 8,192 on, 512 from 16,384 on. A span is two chunks. The result of a query row is defined by them: the chunks of a span are
// folded from left to right, then the spans, both by Fold (attention_tile.cuh). So it does not matter who computes which chunk.
//
// A run is what one block computes of a block of query rows. Of a segment of few query rows each chunk is a run, so that many blocks work
// at a short context too; of more, which leave more behind and have work for more blocks, each span. Where scratch is too small for that,
// the first run holds as many spans as do not fit. A segment of many query rows that is no tree is one run.
#pragma once

#include "segment.cuh"

constexpr int CHUNK_KEYS = 128;
constexpr int CHUNKS_AN_OCTAVE = 32;
constexpr int FIRST_OCTAVE = 13; // the first power of two from which chunks grow
constexpr int FIRST_OCTAVE_CHUNK = (1 << FIRST_OCTAVE) / CHUNK_KEYS;
constexpr int SPAN_CHUNKS = 2;

// Query rows of a key-value head up to which each chunk may be a run.
constexpr int CHUNKED_QUERY_ROWS = 16;

// Query rows of a key-value head above which a segment is one run, if it is no tree.
constexpr int WALKED_QUERY_ROWS = 512;

// The place of a fold under way in a query row's partials, while that of all before it is in place 0.
constexpr int SPAN_PLACE = 1;

__device__ __forceinline__ int chunk_of(int key) {
    if (key < 1 << FIRST_OCTAVE) {
        return key / CHUNK_KEYS;
    }
    const int octave = 31 - __clz(key);
    return FIRST_OCTAVE_CHUNK + CHUNKS_AN_OCTAVE * (octave - FIRST_OCTAVE) + (key >> (octave - 5)) % CHUNKS_AN_OCTAVE;
}

// The first key of a chunk; a multiple of 128.
__device__ __forceinline__ int chunk_begin(int chunk) {
    if (chunk < FIRST_OCTAVE_CHUNK) {
        return chunk * CHUNK_KEYS;
    }
    const int octave = FIRST_OCTAVE + (chunk - FIRST_OCTAVE_CHUNK) / CHUNKS_AN_OCTAVE;
    return (CHUNKS_AN_OCTAVE + chunk % CHUNKS_AN_OCTAVE) << (octave - 5);
}

// How the keys of a segment are divided.
struct Runs {
    int first_chunk;
    int end_chunk;
    int count;
    int first_spans; // of the first run; 0 if each chunk is a run

    // The first chunk of a run; of run count, the end.
    __device__ __forceinline__ int begin(int run) const {
        if (first_spans == 0) {
            return first_chunk + run;
        }
        return run == 0 ? first_chunk : min(end_chunk, (first_chunk / SPAN_CHUNKS + first_spans + run - 1) * SPAN_CHUNKS);
    }

    // The place of a run among a query row's partials.
    __device__ __forceinline__ int place(int run) const {
        return first_spans == 0 || run == 0 ? run : run + 1;
    }
};

// @param places of a query row's partials, 2 at least
__device__ __forceinline__ Runs runs_of(const Segment& segment, int group, int window, int places) {
    const int begin = window == 0 ? 0 : max(0, segment.committed - window + 1);
    Runs runs = {chunk_of(begin), chunk_of(segment.key_count() - 1) + 1, 1, 0};
    const int spans = (runs.end_chunk + SPAN_CHUNKS - 1) / SPAN_CHUNKS - runs.first_chunk / SPAN_CHUNKS;
    if (segment.mask != TREE && segment.rows * group > WALKED_QUERY_ROWS) {
        runs.first_spans = spans;
    } else if (segment.rows * group <= CHUNKED_QUERY_ROWS && runs.end_chunk - runs.first_chunk <= places) {
        runs.count = runs.end_chunk - runs.first_chunk;
    } else {
        runs.count = min(spans, places - 1);
        runs.first_spans = spans - runs.count + 1;
    }
    return runs;
}

// A run of a block of query rows.
struct Work {
    Segment segment;
    Runs runs;
    int run;
    int head;            // of keys and values
    int first_query_row; // of the segment and that head
    int arrival;         // number of the query rows' block and head
    int begin;           // keys that any of the query rows may see, in this run
    int end;
    int items;           // that there are, or more where not all segments were looked at
    bool found;
};

// Finds the item of that number, by one warp, for the block: the segments' items lie one behind the other, and of a segment the last
// runs, which are the longest, come first.
__device__ __forceinline__ void find(Work& work, int item, const Segment* segments, int count, int kv_heads, int group, int window,
        int places, int block_query_rows) {
    const int lane = threadIdx.x % 32;
    int items_before = 0;
    int blocks_before = 0;
#pragma unroll 1
    for (int first = 0; first < count; first += 32) {
        Segment segment = {};
        Runs runs = {};
        int blocks = 0;
        int items = 0;
        if (first + lane < count) {
            segment = segments[first + lane];
            if (segment.rows > 0) {
                runs = runs_of(segment, group, window, places);
                blocks = (segment.rows * group + block_query_rows - 1) / block_query_rows;
                items = blocks * kv_heads * runs.count;
            }
        }
        int items_to = items;
        int blocks_to = blocks;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const int more_items = __shfl_up_sync(0xffffffffu, items_to, distance);
            const int more_blocks = __shfl_up_sync(0xffffffffu, blocks_to, distance);
            items_to += lane >= distance ? more_items : 0;
            blocks_to += lane >= distance ? more_blocks : 0;
        }
        const unsigned behind = __ballot_sync(0xffffffffu, item < items_before + items_to);
        if (behind != 0) {
            if (lane == __ffs(behind) - 1) {
                const int own = item - (items_before + items_to - items);
                const int block = blocks - 1 - own % blocks;
                work.segment = segment;
                work.runs = runs;
                work.run = runs.count - 1 - own / (blocks * kv_heads);
                work.head = own / blocks % kv_heads;
                work.first_query_row = block * block_query_rows;
                work.arrival = (blocks_before + blocks_to - blocks + block) * kv_heads + work.head;
                work.found = true;
            }
            if (lane == 31 && first + 32 >= count) {
                work.items = items_before + items_to;
            }
            return;
        }
        items_before += __shfl_sync(0xffffffffu, items_to, 31);
        blocks_before += __shfl_sync(0xffffffffu, blocks_to, 31);
    }
    if (lane == 0) {
        work.found = false;
    }
}
