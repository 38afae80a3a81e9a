// Sampling the token after each row of a pass, and walking the pass's tree by the tokens sampled.
//
// Entry points:
//     verification_adjust_f32
//         (adjusted, logits, request, lists, tokens, positions, paths, lengths, rows, vocabulary, stride)
//     verification_sample_f32
//         (ids, margins, truncations, logits, request, tokens, positions, paths, lengths, rows, vocabulary, stride, adjusted)
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
// Launch: adjust grid (slices of 4096 logits, max rows), block 256; sample grid (max rows), block 1024; walk grid 1, block 256;
// rejection_sampling grid 1, block 1024; advance grid 1, block 256; no dynamic shared memory, compute capability 8.0. Addresses are
// multiples of 16.
//
// Adjust is what Sampler.java does to logits before it looks for the largest, to the bit: bias, the repetition penalty, what a token was
// generated costs it, in this order, and minus infinity for those not allowed. A block has a slice of a row and does of the lists, which
// are sorted, what falls into it.
//
// Sample is Sampler.java to the bit: an exponential race (the Gumbel-max trick) among what top-k, top-p and min-p leave of the weights
// e^((logit - largest) / temperature). Sums are of weights in units of 2^-40, whole numbers, and so do not depend on their order. A block
// has a row and sweeps its logits, which stay in L2, once for the largest, once for the race, and for top-k and top-p up to 6 times each,
// by 10 bits of the keys at a time, mostly 2 or 3. All sweeps but the first recompute the weights.
//
// Rejection_sampling is the walk where rows were sampled themselves, RejectionSampling.java and TokenDistribution.java to the bit. At a row
// above sampled ones it writes the target's distribution into `left`, as whole numbers, one sweep since sample has left the truncations;
// takes from it the distribution of a rejected row, one sweep of that distribution's tokens; and holds the race of what is left, one more.
// Elsewhere it takes what sample has sampled.

#include "elements.cuh"
#include "keys.cuh"
#include "counter_random.cuh"
#include "portable_math.cuh"
#include "reduce.cuh"

constexpr int THREADS = 1024;
constexpr int WARPS = THREADS / 32;
constexpr int WINDOW = 64; // tokens that the repetition penalty looks at
constexpr int WALKERS = 256;
constexpr int ADJUSTERS = 256;
constexpr int SLICE = 4096; // logits that a block adjusts
constexpr int ADVANCERS = 256;
constexpr float LARGEST_MARGIN = 0x1.fffffep127f;

// How tokens are sampled, SamplingRequest.java. Lists begin so many 32 bits behind the head of the buffer.
struct SamplingRequest {
    unsigned long long seed;
    double top_p;
    float temperature;
    float min_p;
    float repetition_penalty;
    float frequency_penalty;
    float presence_penalty;
    int top_k;
    int stream;
    int prompt_length; // tokens from this position on were generated
    int biases;        // how many
    int first_bias;
    int counts; // distinct tokens generated before the pass
    int first_count;
    int first_mask; // of each row: where its mask begins, or -1; -1 if no row has one
    int recent_tokens;
    int unused[2];
    int recent[WINDOW]; // the latest tokens before the pass, the last one last

    __device__ __forceinline__ RandomSource random() const {
        return {seed, stream};
    }

    __device__ __forceinline__ bool counts_tokens() const {
        return frequency_penalty != 0 || presence_penalty != 0;
    }
};

// An entry of a list, by rising token.
struct Bias {
    int token;
    float bias;
};

struct Count {
    int token;
    int count;
};

// What sample leaves of a row: the weights to keep, those of this rank and up, unless its token is certain.
struct alignas(16) Truncation {
    unsigned long long lowest;
    float largest;
    int certain;
};

// A row sampled below another, and the distribution it was sampled from.
struct SampledDraft {
    int parent;
    int row;
    unsigned long long weight; // of its token
    unsigned long long mass;   // sum of all weights
    int first;                 // of the distribution's tokens, counted in 64 bits from the head of the buffer
    int size;
    int without_replacement;
    int unused;
};

// What was sampled: sampled drafts follow, then the tokens of their distributions, 64 bits each, a token below its weight.
struct DraftDistributions {
    int count;
    int unused;

    __device__ __forceinline__ const SampledDraft& operator[](int index) const {
        return reinterpret_cast<const SampledDraft*>(this + 1)[index];
    }

    __device__ __forceinline__ unsigned long long* distribution(const SampledDraft& sample) {
        return reinterpret_cast<unsigned long long*>(this) + sample.first;
    }
};

// What a row follows within the pass.
struct Path {
    const int* rows; // null in a chain
    int length;      // the row itself included

    __device__ __forceinline__ Path(const int* paths, const int* lengths, int stride, int row)
        : rows(paths == nullptr ? nullptr : paths + static_cast<long long>(row) * stride),
          length(paths == nullptr ? row + 1 : lengths[row]) {}

    __device__ __forceinline__ int operator[](int index) const {
        return rows == nullptr ? index : rows[index];
    }

    __device__ __forceinline__ int parent() const {
        return length < 2 ? -1 : (*this)[length - 2];
    }
};

// The rank of a weight: the larger the better; 60 bits.
__device__ __forceinline__ Key rank_of(float weight, int id) {
    return static_cast<Key>(__float_as_uint(weight)) << 30 | (0x3fffffffu - id);
}

// The weights of a row, four neighbours at a time.
struct Weights {
    const float* logits;
    int vocabulary;
    float largest;
    float temperature;

    // Minus infinity where there is no id.
    __device__ __forceinline__ Pack<float, 4> logits_of(int group) const {
        if (vocabulary % 4 == 0) {
            return *reinterpret_cast<const Pack<float, 4>*>(logits + 4 * group);
        }
        Pack<float, 4> values;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            values.elements[i] = 4 * group + i < vocabulary ? logits[4 * group + i] : -INFINITY;
        }
        return values;
    }

    __device__ __forceinline__ int groups() const {
        return (vocabulary + 3) / 4;
    }

    // Calls use(weight, id) for each id of this thread.
    template <typename F> __device__ __forceinline__ void each(F use) const {
#pragma unroll 1
        for (int group = threadIdx.x; group < groups(); group += THREADS) {
            const Pack<float, 4> values = logits_of(group);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if (4 * group + i < vocabulary) {
                    use(weight(values.elements[i]), 4 * group + i);
                }
            }
        }
    }

    // Those of a group from a rank on, and of `min_weight` on; 0 for the others.
    __device__ __forceinline__ Pack<float, 4> kept(int group, Key lowest, float min_weight) const {
        Pack<float, 4> values = logits_of(group);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float own = weight(values.elements[i]);
            values.elements[i] = own >= min_weight && rank_of(own, 4 * group + i) >= lowest ? own : 0;
        }
        return values;
    }

    __device__ __forceinline__ float weight(float logit) const {
        return portable_exp(__fdiv_rn(__fadd_rn(logit, -largest), temperature));
    }
};

__device__ __forceinline__ unsigned long long units_of(float weight) {
    return static_cast<unsigned long long>(__fmul_rn(weight, 0x1p40f));
}

// What the threads of the block share.
struct Shared {
    Key bins[1024];
    Key warps[WARPS];
    Key seconds[WARPS];
    Key bin;
    Key above;
    Key total;
    int window[WINDOW];
};

template <typename F> __device__ __forceinline__ Key block_reduce(Shared& shared, Key value, F combine) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        value = combine(value, __shfl_xor_sync(FULL_WARP, value, distance));
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        shared.warps[threadIdx.x / 32] = value;
    }
    __syncthreads();
    value = shared.warps[threadIdx.x % 32];
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        value = combine(value, __shfl_xor_sync(FULL_WARP, value, distance));
    }
    return value;
}

// The two largest keys of the block.
__device__ __forceinline__ void block_largest(Shared& shared, Key& best, Key& second) {
    const auto merge = [&] {
#pragma unroll
        for (int distance = 16; distance > 0; distance /= 2) {
            const Key other = __shfl_xor_sync(FULL_WARP, best, distance);
            const Key other_second = __shfl_xor_sync(FULL_WARP, second, distance);
            second = max(min(best, other), max(second, other_second));
            best = max(best, other);
        }
    };
    merge();
    if (threadIdx.x % 32 == 0) {
        shared.warps[threadIdx.x / 32] = best;
        shared.seconds[threadIdx.x / 32] = second;
    }
    __syncthreads();
    best = shared.warps[threadIdx.x % 32];
    second = shared.seconds[threadIdx.x % 32];
    merge();
}

// Sums up to this thread's value, itself included, over the block.
__device__ __forceinline__ Key block_sums(Shared& shared, Key value) {
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
    __syncthreads();
    if (lane == 31) {
        shared.warps[threadIdx.x / 32] = value;
    }
    __syncthreads();
    const Key warps = scan(shared.warps[lane]);
    const Key before = __shfl_sync(FULL_WARP, warps, max(static_cast<int>(threadIdx.x) / 32 - 1, 0));
    return value + (threadIdx.x < 32 ? 0 : before);
}

// The largest rank such that the amounts of the weights from it up make `wanted`, or one below it that no weight lies between.
// Only weights of rank `from` and up count. amount(weight) does not fall with the weight.
template <typename F>
__device__ __forceinline__ Key cutoff(Shared& shared, const Weights& weights, Key from, Key wanted, F amount) {
    Key prefix = 0;
    int shift = 60;
#pragma unroll 1
    while (shift > 0) {
        shift -= 10;
        shared.bins[threadIdx.x] = 0;
        __syncthreads();
        weights.each([&](float weight, int id) {
            const Key rank = rank_of(weight, id);
            if (rank >= from && rank >> shift >> 10 == prefix) {
                atomicAdd(&shared.bins[rank >> shift & 1023], amount(weight));
            }
        });
        __syncthreads();
        const Key own = shared.bins[1023 - threadIdx.x];
        const Key sum = block_sums(shared, own);
        if (sum >= wanted && sum - own < wanted) {
            shared.bin = 1023 - threadIdx.x;
            shared.above = sum - own;
            shared.total = own;
        }
        __syncthreads();
        prefix = prefix << 10 | shared.bin;
        wanted -= shared.above;
        // The whole bin is wanted if what would be left over is less than its smallest.
        if (shared.total - wanted < amount(__uint_as_float(static_cast<unsigned>(prefix << shift >> 30)))) {
            break;
        }
    }
    return prefix << shift;
}

// Lowest rank that top-k and top-p leave.
__device__ __forceinline__ Key lowest_rank(Shared& shared, const Weights& weights, int top_k, double top_p) {
    Key lowest = 0;
    if (top_k > 0 && top_k < weights.vocabulary) {
        lowest = cutoff(shared, weights, 0, top_k, [](float) { return Key{1}; });
    }
    if (top_p < 1) {
        Key mass = 0;
        weights.each([&](float weight, int id) { mass += rank_of(weight, id) >= lowest ? units_of(weight) : 0; });
        mass = block_reduce(shared, mass, [](Key a, Key b) { return a + b; });
        const double wanted = ceil(__dmul_rn(top_p, __ll2double_rn(static_cast<long long>(mass))));
        lowest = cutoff(shared, weights, lowest, static_cast<Key>(wanted), [](float weight) { return units_of(weight); });
    }
    return lowest;
}

// Penalises recent tokens in a part of the logits of a row, in place; what was there can be put back. Begins and ends with all threads
// of the block.
struct Penalty {
    float* penalised = nullptr; // by this thread
    float kept = 0;

    __device__ __forceinline__ Penalty(int* window, float* logits, const SamplingRequest* request, const int* tokens, Path path, int from,
            int to) {
        if (request->repetition_penalty == 1 || from == to) {
            return;
        }
        const int before = request->recent_tokens;
        const int index = max(0, before + path.length - WINDOW) + threadIdx.x;
        if (threadIdx.x < WINDOW) {
            window[threadIdx.x] = index < before ? request->recent[index]
                    : index < before + path.length ? tokens[path[index - before]] : -1;
        }
        __syncthreads();
        if (threadIdx.x < WINDOW) {
            const int token = window[threadIdx.x];
            bool first = token >= from && token < to;
            for (int i = 0; i < threadIdx.x; i++) {
                first = first && window[i] != token;
            }
            if (first) {
                penalised = logits + token;
                kept = *penalised;
                *penalised = kept > 0 ? __fdiv_rn(kept, request->repetition_penalty) : __fmul_rn(kept, request->repetition_penalty);
            }
        }
        __syncthreads();
    }

    __device__ __forceinline__ void undo() const {
        __syncthreads();
        if (penalised != nullptr) {
            *penalised = kept;
        }
    }
};

// The first arrival of the race at a position: weights_of(group) are those of four neighbours, 0 for who takes no part.
template <typename F>
__device__ __forceinline__ int exponential_race(Shared& shared, int groups, RandomSource source, int position, F weights_of) {
    Key winner = ~Key{0};
#pragma unroll 1
    for (int group = threadIdx.x; group < groups; group += THREADS) {
        const Pack<float, 4> weights = weights_of(group);
        const Random4 random = random_of(source, position, group);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (weights.elements[i] > 0) {
                const float time = __fdiv_rn(portable_exponential(random.bits[i]), weights.elements[i]);
                winner = min(winner, static_cast<Key>(__float_as_uint(time)) << 32 | (4 * group + i));
            }
        }
    }
    return static_cast<int>(block_reduce(shared, winner, [](Key a, Key b) { return min(a, b); }));
}

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
    __shared__ int window[WINDOW];
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
        int adjusted) {
    __shared__ Shared shared;
    const int row = blockIdx.x;
    if (row >= *rows) {
        return;
    }
    logits += static_cast<long long>(row) * vocabulary;
    const Penalty penalty(shared.window, logits, request, tokens, Path(paths, lengths, stride, row), 0, adjusted ? 0 : vocabulary);
    Weights weights{logits, vocabulary, 0, request->temperature};
    Key best = 0;
    Key second = 0;
#pragma unroll 1
    for (int group = threadIdx.x; group < weights.groups(); group += THREADS) {
        const Pack<float, 4> values = weights.logits_of(group);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const Key key = key_of(values.elements[i], 4 * group + i);
            second = max(second, min(best, key));
            best = max(best, key);
        }
    }
    block_largest(shared, best, second);
    weights.largest = value_of(best);
    int id = id_of(best);
    Truncation truncation{0, weights.largest, !(weights.temperature > 0 && isfinite(weights.largest))};
    if (!truncation.certain) {
        truncation.lowest = lowest_rank(shared, weights, request->top_k, request->top_p);
        id = exponential_race(shared, weights.groups(), request->random(), positions[row] + 1,
                [&](int group) { return weights.kept(group, truncation.lowest, request->min_p); });
    }
    if (threadIdx.x == 0) {
        ids[row] = id;
        const float margin = weights.largest - (second == 0 ? -INFINITY : value_of(second));
        margins[row] = isfinite(weights.largest) ? fminf(margin, LARGEST_MARGIN) : margin;
        truncations[row] = truncation;
    }
    penalty.undo();
}

// What a walk emits after a row, and the row below that it has accepted for it; -1 if that is any that carries the token.
struct Emitted {
    int token;
    int row;
};

// Walks from the first row on, as emit(row) says, and notes the way. By a whole block.
template <typename F>
__device__ __forceinline__ void walk(int& next, int* result, const float* margins, const int* tokens, const int* paths, const int* lengths,
        const int* committed, int rows, int capacity, int stride, F emit) {
    int* accepted_rows = result + 4;
    int* sampled = accepted_rows + capacity;
    float* sampled_margins = reinterpret_cast<float*>(sampled + capacity);
    int* from = sampled + 2 * capacity;
    int* to = from + capacity;
    int accepted = 0;
    int moves = 0;
    int row = 0;
#pragma unroll 1
    while (true) {
        const Emitted emitted = emit(row);
        if (threadIdx.x == 0) {
            sampled[accepted] = emitted.token;
            sampled_margins[accepted] = margins[row];
            next = emitted.row >= 0 ? emitted.row : rows;
        }
        __syncthreads();
        if (emitted.row < 0) {
#pragma unroll 1
            for (int other = row + 1 + threadIdx.x; other < rows; other += blockDim.x) {
                if (tokens[other] == emitted.token && Path(paths, lengths, stride, other).parent() == row) {
                    atomicMin(&next, other);
                }
            }
        }
        __syncthreads();
        row = next;
        if (row == rows) {
            break;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            accepted_rows[accepted] = row;
            if (row != accepted + 1) {
                from[moves] = *committed + row;
                to[moves] = *committed + accepted + 1;
            }
        }
        moves += row != accepted + 1;
        accepted++;
    }
    if (threadIdx.x == 0) {
        result[0] = accepted;
        result[1] = moves;
        result[2] = 0;
        result[3] = 0;
    }
}

extern "C" __global__ void __launch_bounds__(WALKERS)
verification_walk(int* result, const int* ids, const float* margins, const int* tokens, const int* paths, const int* lengths,
        const int* committed, const int* rows, int capacity, int stride) {
    __shared__ int next;
    walk(next, result, margins, tokens, paths, lengths, committed, *rows, capacity, stride,
            [&](int row) { return Emitted{ids[row], -1}; });
}

__device__ __forceinline__ double real(Key whole) {
    return __ll2double_rn(static_cast<long long>(whole));
}

// What a distribution's weight is in units of another, as many of whose make one of its own.
__device__ __forceinline__ Key share(Key weight, double ratio) {
    return static_cast<Key>(__double2ll_rn(__dmul_rn(real(weight), ratio)));
}

// What is left of the target's distribution below a row, while the rows sampled there are tested.
struct Left {
    Pack<Key, 4>* weights; // [groups]
    int vocabulary;
    int token_bits;
    Key mass;

    __device__ __forceinline__ Left(Key* weights, int vocabulary)
        : weights(reinterpret_cast<Pack<Key, 4>*>(weights)), vocabulary(vocabulary), token_bits(32 - __clz(vocabulary - 1)), mass(0) {}

    __device__ __forceinline__ Key& operator[](int token) const {
        return weights[token / 4].elements[token % 4];
    }

    // Begins with the distribution that a row's token is sampled from.
    __device__ __forceinline__ void begin(Shared& shared, const Weights& target, const Truncation& truncation, float min_p, int sampled) {
        const Key units = Key{1} << (62 - token_bits); // of a weight of 1
        Key sum = 0;
#pragma unroll 1
        for (int group = threadIdx.x; group < target.groups(); group += THREADS) {
            const Pack<float, 4> kept = target.kept(group, truncation.lowest, min_p);
            Pack<Key, 4> whole;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float weight = !truncation.certain ? kept.elements[i] : 4 * group + i == sampled ? 1 : 0;
                whole.elements[i] = static_cast<Key>(__fmul_rn(weight, static_cast<float>(units)));
                sum += whole.elements[i];
            }
            weights[group] = whole;
        }
        mass = block_reduce(shared, sum, [](Key a, Key b) { return a + b; });
    }

    // Takes a distribution away, and makes `removed` impossible in that if it is a token.
    __device__ __forceinline__ void subtract(Shared& shared, Key* distribution, int size, double ratio, int removed) {
        Key taken = 0;
#pragma unroll 1
        for (int i = threadIdx.x; i < size; i += THREADS) {
            const Key entry = distribution[i];
            const int token = static_cast<int>(entry & ((Key{1} << token_bits) - 1));
            if (token < vocabulary) {
                Key& weight = (*this)[token];
                const Key part = min(weight, share(entry >> token_bits, ratio));
                weight -= part;
                taken += part;
            }
            if (token == removed) {
                distribution[i] = token;
            }
        }
        mass -= block_reduce(shared, taken, [](Key a, Key b) { return a + b; });
    }

    __device__ __forceinline__ int sample(Shared& shared, RandomSource source, int position) const {
        return exponential_race(shared, (vocabulary + 3) / 4, source, position, [&](int group) {
            const Pack<Key, 4> whole = weights[group];
            Pack<float, 4> rounded;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                rounded.elements[i] = __ll2float_rn(static_cast<long long>(whole.elements[i]));
            }
            return rounded;
        });
    }
};

extern "C" __global__ void __launch_bounds__(THREADS, 1)
verification_rejection_sampling_f32(int* result, const int* ids, const float* margins, const Truncation* truncations, float* logits,
        const SamplingRequest* request, const int* tokens, const int* positions, const int* paths, const int* lengths, const int* committed,
        const int* rows, DraftDistributions* draft_distributions, Key* scratch, int vocabulary, int capacity, int stride, int adjusted) {
    constexpr double ROUNDING = 0x1p-23; // less than this share left means that two distributions are equal but for rounding
    __shared__ Shared shared;
    __shared__ int next;
    Left left(scratch, vocabulary);
    walk(next, result, margins, tokens, paths, lengths, committed, *rows, capacity, stride, [&](int row) {
        const int position = positions[row] + 1;
        int tested = 0;
        Key offered_mass = 0;
#pragma unroll 1
        for (int i = 0; i < draft_distributions->count; i++) {
            const SampledDraft& sample = (*draft_distributions)[i];
            if (sample.parent != row) {
                continue;
            }
            if (tested == 0) {
                float* own = logits + static_cast<long long>(row) * vocabulary;
                const Penalty penalty(shared.window, own, request, tokens, Path(paths, lengths, stride, row), 0,
                        adjusted ? 0 : vocabulary);
                const Truncation truncation = truncations[row];
                left.begin(shared, Weights{own, vocabulary, truncation.largest, request->temperature}, truncation, request->min_p,
                        ids[row]);
                penalty.undo();
                offered_mass = sample.mass;
            }
            const int token = tokens[sample.row];
            const double ratio = offered_mass > 0 ? __ddiv_rn(real(left.mass), real(offered_mass)) : 0;
            const Key wanted = left[token];
            const Key offered = share(sample.weight, ratio);
            const Random4 random = random_of(request->random(), position, 0, Purpose::ACCEPTANCE, tested++);
            const double uniform = __dmul_rn(__uint2double_rn(random.bits[0]), 0x1p-32);
            if (wanted >= offered || uniform < __ddiv_rn(real(wanted), real(offered))) {
                return Emitted{token, sample.row};
            }
            __syncthreads(); // everyone has read what is wanted
            const Key before = left.mass;
            left.subtract(shared, draft_distributions->distribution(sample), sample.size, ratio, sample.without_replacement ? token : -1);
            if (real(left.mass) <= __dmul_rn(ROUNDING, real(before))) {
                return Emitted{token, sample.row};
            }
            offered_mass -= sample.without_replacement ? min(offered_mass, sample.weight) : 0;
        }
        return Emitted{tested == 0 ? ids[row] : left.sample(shared, request->random(), position), -1};
    });
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
