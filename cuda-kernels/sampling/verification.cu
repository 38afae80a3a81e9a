// Sampling the token after each row of a pass, and walking the pass's tree by the tokens sampled.
//
// Entry points:
//     verification_adjust_f32
//         (adjusted, logits, request, lists, tokens, positions, paths, lengths, rows, vocabulary, stride)
//     verification_sample_f32
//         (ids, margins, truncations, logits, request, tokens, positions, paths, lengths, rows, vocabulary, stride, adjusted, room)
//     verification_walk
//         (result, ids, margins, tokens, paths, lengths, committed, rows, capacity, stride)
//     verification_rejection_sampling_f32
//         (result, ids, margins, truncations, logits, request, tokens, positions, paths, lengths, committed, rows, draft_distributions,
//          left, vocabulary, capacity, stride, adjusted)
//     verification_advance
//         (result, request, lists, tokens, positions, committed, ids, margins, capacity)
//
// logits [rows, vocabulary], unchanged in the end; ids [rows] int, margins [rows] f32, by how much the largest logit exceeds the second;
// truncations [rows], request and draft_distributions as below; tokens and positions [rows] int, of the rows; rows and committed [1] int.
// paths [rows, stride] and lengths [rows] int are what tree_paths makes, or null in a chain, where each row continues the one before. left
// is scratch, [vocabulary rounded up to a multiple of 4] of 64 bits. lists [*] int are what the request has of any length, as it says where:
// biases, counts and masks. Where it has any, sample and rejection_sampling read the logits that adjust has written, [rows, vocabulary],
// and `adjusted` is 1: they penalise nothing.
// result ints: accepted, moves, 0, 0, then, of capacity each, accepted rows; tokens sampled along the path, one more; their margins, f32;
// slots that the accepted rows are to be moved from, and to.
// Advance makes of a pass of one row the one that reads the token sampled: token, position, committed, recent tokens and counts, for which
// there must be room, unless lists is null. It writes token and margin behind those in the result, whose first number counts them.
// Launch: adjust grid (slices of 4096 logits, max rows), block 256; sample grid (1, max rows), block 1024; walk grid 1, block 256;
// rejection_sampling grid 1, block 1024; advance grid 1, block 256; compute capability 8.0. Addresses are multiples of 16. `room` is 1 if
// sample has dynamic shared memory for the weights of a row, 4 bytes each and up to a multiple of 16, else 0 and it has none.
// On compute capability 9.0 and later those of verification_cluster.90.cu sample, by eight blocks.
//
// Adjust is what Sampler.java does to logits before it looks for the largest, to the bit: bias, the repetition penalty, what a token was
// generated costs it, in this order, and minus infinity for those not allowed. A block has a slice of a row and does of the lists, which
// are sorted, what falls into it.
//
// How a row is sampled says row_sampling.cuh, and how a tree is walked where rows were sampled rejection_sampling.cuh.

#include "elements.cuh"
#include "keys.cuh"
#include "sampling_request.cuh"
#include "row_sampling.cuh"
#include "tree_walk.cuh"
#include "rejection_sampling.cuh"

constexpr int WALKERS = 256;
constexpr int ADJUSTERS = 256;
constexpr int SLICE = 4096; // logits that a block adjusts
constexpr int ADVANCERS = 256;

// An entry of a list, by rising token.
struct Bias {
    int token;
    float bias;
};

struct Count {
    int token;
    int count;
};

// The first entry of a list whose token is not below one.
template <typename Entry> __device__ __forceinline__ int place_of(const Entry* list, int size, int token) {
    int low = 0;
    int high = size;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (list[middle].token < token) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Calls use(entry) for each entry of a list whose token lies in a part of the vocabulary, one thread each.
template <typename Entry, typename F>
__device__ __forceinline__ void each_within(const Entry* list, int size, int from, int to, F use) {
#pragma unroll 1
    for (int i = place_of(list, size, from) + threadIdx.x; i < size && list[i].token < to; i += blockDim.x) {
        use(list[i]);
    }
}

// What was generated in the pass itself, up to a row.
struct GeneratedPath {
    Path path;
    const int* tokens;
    int first; // of its rows, along the path

    __device__ __forceinline__ GeneratedPath(Path path, const int* tokens, const int* positions, int prompt_length)
        : path(path), tokens(tokens), first(0) {
        while (first < path.length && positions[path[first]] < prompt_length) {
            first++;
        }
    }

    __device__ __forceinline__ int token(int index) const {
        return tokens[path[index]];
    }

    // How often a token is among the rows before one.
    __device__ __forceinline__ int occurrences(int token_sought, int before) const {
        int count = 0;
#pragma unroll 1
        for (int i = first; i < before; i++) {
            count += token(i) == token_sought;
        }
        return count;
    }
};

// Takes from logits what it costs a token to have been generated.
__device__ __forceinline__ void penalise_generated(float* logits, const SamplingRequest* request, const Count* counts, GeneratedPath path,
        int from, int to) {
    const auto penalise = [&](int token, int count) {
        const float penalty = __fadd_rn(__fmul_rn(request->frequency_penalty, static_cast<float>(count)), request->presence_penalty);
        logits[token] = __fadd_rn(logits[token], -penalty);
    };
    const int length = path.path.length;
    each_within(counts, request->counts, from, to,
            [&](Count entry) { penalise(entry.token, entry.count + path.occurrences(entry.token, length)); });
#pragma unroll 1
    for (int i = path.first + threadIdx.x; i < length; i += blockDim.x) {
        const int token = path.token(i);
        if (token < from || token >= to || path.occurrences(token, i) > 0) {
            continue;
        }
        const int place = place_of(counts, request->counts, token);
        if (place == request->counts || counts[place].token != token) {
            penalise(token, path.occurrences(token, length));
        }
    }
}

// Copies a part of a row, with minus infinity for tokens that its mask does not allow.
template <int SIZE> __device__ __forceinline__ void copy_allowed(float* adjusted, const float* logits, const int* mask, int from, int to) {
#pragma unroll 1
    for (int id = from + threadIdx.x * SIZE; id < to; id += ADJUSTERS * SIZE) {
        Pack<float, SIZE> values = *reinterpret_cast<const Pack<float, SIZE>*>(logits + id);
        const int allowed = mask == nullptr ? -1 : mask[id / 32] >> id % 32;
#pragma unroll
        for (int i = 0; i < SIZE; i++) {
            values.elements[i] = (allowed >> i & 1) != 0 ? values.elements[i] : -INFINITY;
        }
        *reinterpret_cast<Pack<float, SIZE>*>(adjusted + id) = values;
    }
}

extern "C" __global__ void __launch_bounds__(ADJUSTERS)
verification_adjust_f32(float* adjusted, const float* logits, const SamplingRequest* request, const int* lists, const int* tokens,
        const int* positions, const int* paths, const int* lengths, const int* rows, int vocabulary, int stride) {
    __shared__ Window window;
    const int row = blockIdx.y;
    if (row >= *rows) {
        return;
    }
    const int from = blockIdx.x * SLICE;
    const int to = min(from + SLICE, vocabulary);
    adjusted += static_cast<long long>(row) * vocabulary;
    logits += static_cast<long long>(row) * vocabulary;
    const int first_mask = request->first_mask < 0 ? -1 : lists[request->first_mask + row];
    const int* mask = first_mask < 0 ? nullptr : lists + first_mask;
    if (vocabulary % 4 == 0) {
        copy_allowed<4>(adjusted, logits, mask, from, to);
    } else {
        copy_allowed<1>(adjusted, logits, mask, from, to);
    }
    __syncthreads();
    each_within(reinterpret_cast<const Bias*>(lists + request->first_bias), request->biases, from, to,
            [&](Bias entry) { adjusted[entry.token] = __fadd_rn(adjusted[entry.token], entry.bias); });
    __syncthreads();
    const Path path(paths, lengths, stride, row);
    const Penalty penalty(window, adjusted, request, tokens, path, from, to);
    if (request->counts_tokens()) {
        penalise_generated(adjusted, request, reinterpret_cast<const Count*>(lists + request->first_count),
                GeneratedPath(path, tokens, positions, request->prompt_length), from, to);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1)
verification_sample_f32(int* ids, float* margins, Truncation* truncations, float* logits, const SamplingRequest* request,
        const int* tokens, const int* positions, const int* paths, const int* lengths, const int* rows, int vocabulary, int stride,
        int adjusted, int room) {
    extern __shared__ __align__(16) unsigned char weights[];
    const int row = blockIdx.y;
    if (row < *rows) {
        sample_row<1>(ids + row, margins + row, truncations + row, logits + static_cast<long long>(row) * vocabulary, request, tokens,
                positions[row] + 1, Path(paths, lengths, stride, row), vocabulary, adjusted != 0,
                room != 0 ? reinterpret_cast<Pack<float, 4>*>(weights) : nullptr);
    }
}

extern "C" __global__ void __launch_bounds__(WALKERS)
verification_walk(int* result, const int* ids, const float* margins, const int* tokens, const int* paths, const int* lengths,
        const int* committed, const int* rows, int capacity, int stride) {
    __shared__ int next;
    walk(next, true, result, margins, tokens, paths, lengths, committed, *rows, capacity, stride,
            [&](int row) { return Emitted{ids[row], -1}; });
}

extern "C" __global__ void __launch_bounds__(THREADS, 1)
verification_rejection_sampling_f32(int* result, const int* ids, const float* margins, const Truncation* truncations,
        float* logits, const SamplingRequest* request, const int* tokens, const int* positions, const int* paths, const int* lengths,
        const int* committed, const int* rows, DraftDistributions* draft_distributions, Key* scratch, int vocabulary, int capacity,
        int stride, int adjusted) {
    rejection_sampling<1>(result, ids, margins, truncations, logits, request, tokens, positions, paths, lengths, committed, *rows,
            draft_distributions, scratch, vocabulary, capacity, stride, adjusted != 0);
}

// Counts a token once more; there must be room for it. By a whole block.
__device__ __forceinline__ void count_token(Count* counts, int& size, int token) {
    const int before = size;
    const int place = place_of(counts, before, token);
    const bool is_new = place == before || counts[place].token != token;
    __syncthreads();
    if (is_new) {
#pragma unroll 1
        for (int end = before; end > place; end -= blockDim.x) { // a block's worth of the larger ones at a time, the last first
            const int i = end - 1 - static_cast<int>(threadIdx.x);
            const Count moved = i >= place ? counts[i] : Count{};
            __syncthreads();
            if (i >= place) {
                counts[i + 1] = moved;
            }
            __syncthreads();
        }
    }
    if (threadIdx.x == 0) {
        counts[place] = {token, is_new ? 1 : counts[place].count + 1};
        size = before + is_new;
    }
}

extern "C" __global__ void __launch_bounds__(ADVANCERS)
verification_advance(int* result, SamplingRequest* request, int* lists, int* tokens, int* positions, int* committed, const int* ids,
        const float* margins, int capacity) {
    const int recent = request->recent_tokens;
    const int from = threadIdx.x + (recent == WINDOW);
    const int kept = threadIdx.x < WINDOW && from < recent ? request->recent[from] : tokens[0];
    if (lists != nullptr && request->counts_tokens() && positions[0] >= request->prompt_length) {
        count_token(reinterpret_cast<Count*>(lists + request->first_count), request->counts, tokens[0]);
    }
    __syncthreads();
    if (threadIdx.x < min(recent + 1, WINDOW)) {
        request->recent[threadIdx.x] = kept;
    }
    if (threadIdx.x == 0) {
        const int sampled = result[0];
        result[4 + capacity + sampled] = ids[0];
        result[4 + 2 * capacity + sampled] = __float_as_int(margins[0]);
        result[0] = sampled + 1;
        request->recent_tokens = min(recent + 1, WINDOW);
        tokens[0] = ids[0];
        positions[0]++;
        (*committed)++;
    }
}
