// Sampling the token after each row of a pass, and walking the pass's tree by the tokens sampled.
//
// Entry points:
//     verification_sample_f32
//         (ids, margins, truncations, logits, settings, tokens, positions, paths, lengths, rows, vocabulary, stride)
//     verification_walk
//         (result, ids, margins, tokens, paths, lengths, committed, rows, capacity, stride)
//     verification_rejection_sampling_f32
//         (result, ids, margins, truncations, logits, settings, tokens, positions, paths, lengths, committed, rows, draft_distributions,
//          left, vocabulary, capacity, stride)
//     verification_advance
//         (result, settings, tokens, positions, committed, ids, margins, capacity)
//
// logits [rows, vocabulary], unchanged in the end; ids [rows] int, margins [rows] f32, by how much the largest logit exceeds the second;
// truncations [rows], settings and draft_distributions as below; tokens and positions [rows] int, of the rows; rows and committed [1] int.
// paths [rows, stride] and lengths [rows] int are what tree_paths makes, or null in a chain, where each row continues the one before. left
// is scratch, [vocabulary rounded up to a multiple of 4] of 64 bits.
// result ints: accepted, moves, 0, 0, then, of capacity each, accepted rows; tokens sampled along the path, one more; their margins, f32;
// slots that the accepted rows are to be moved from, and to.
// Advance makes of a pass of one row the one that reads the token sampled: token, position, committed and recent tokens. It writes token
// and margin behind those in the result, whose first number counts them.
// Launch: sample grid (max rows), block 1024; walk grid 1, block 256; rejection_sampling grid 1, block 1024; advance grid 1, block 64; no
// dynamic shared memory, compute capability 8.0. Addresses are multiples of 16.
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

struct Settings {
    unsigned long long seed;
    double top_p;
    float temperature;
    float min_p;
    float repetition_penalty;
    int top_k;
    int recent_tokens;
    int unused;
    int recent[WINDOW]; // the latest tokens before the pass, the last one last
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

// Penalises recent tokens in the logits of a row, in place; what was there can be put back.
struct Penalty {
    float* penalised = nullptr; // by this thread
    float kept = 0;

    __device__ __forceinline__ Penalty(Shared& shared, float* logits, const Settings* settings, const int* tokens, Path path,
            int vocabulary) {
        if (settings->repetition_penalty == 1) {
            return;
        }
        const int before = settings->recent_tokens;
        const int index = max(0, before + path.length - WINDOW) + threadIdx.x;
        if (threadIdx.x < WINDOW) {
            shared.window[threadIdx.x] = index < before ? settings->recent[index]
                    : index < before + path.length ? tokens[path[index - before]] : -1;
        }
        __syncthreads();
        if (threadIdx.x < WINDOW) {
            const int token = shared.window[threadIdx.x];
            bool first = token >= 0 && token < vocabulary;
            for (int i = 0; i < threadIdx.x; i++) {
                first = first && shared.window[i] != token;
            }
            if (first) {
                penalised = logits + token;
                kept = *penalised;
                *penalised = kept > 0 ? __fdiv_rn(kept, settings->repetition_penalty) : __fmul_rn(kept, settings->repetition_penalty);
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
__device__ __forceinline__ int exponential_race(Shared& shared, int groups, unsigned long long seed, int position, F weights_of) {
    Key winner = ~Key{0};
#pragma unroll 1
    for (int group = threadIdx.x; group < groups; group += THREADS) {
        const Pack<float, 4> weights = weights_of(group);
        const Random4 random = random_of(seed, position, group);
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

extern "C" __global__ void __launch_bounds__(THREADS, 1)
verification_sample_f32(int* ids, float* margins, Truncation* truncations, float* logits, const Settings* settings, const int* tokens,
        const int* positions, const int* paths, const int* lengths, const int* rows, int vocabulary, int stride) {
    __shared__ Shared shared;
    const int row = blockIdx.x;
    if (row >= *rows) {
        return;
    }
    logits += static_cast<long long>(row) * vocabulary;
    const Penalty penalty(shared, logits, settings, tokens, Path(paths, lengths, stride, row), vocabulary);
    Weights weights{logits, vocabulary, 0, settings->temperature};
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
        truncation.lowest = lowest_rank(shared, weights, settings->top_k, settings->top_p);
        id = exponential_race(shared, weights.groups(), settings->seed, positions[row] + 1,
                [&](int group) { return weights.kept(group, truncation.lowest, settings->min_p); });
    }
    if (threadIdx.x == 0) {
        ids[row] = id;
        margins[row] = weights.largest - (second == 0 ? -INFINITY : value_of(second));
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

    __device__ __forceinline__ int sample(Shared& shared, unsigned long long seed, int position) const {
        return exponential_race(shared, (vocabulary + 3) / 4, seed, position, [&](int group) {
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
        const Settings* settings,
        const int* tokens, const int* positions, const int* paths, const int* lengths, const int* committed, const int* rows,
        DraftDistributions* draft_distributions, Key* scratch, int vocabulary, int capacity, int stride) {
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
                const Penalty penalty(shared, own, settings, tokens, Path(paths, lengths, stride, row), vocabulary);
                const Truncation truncation = truncations[row];
                left.begin(shared, Weights{own, vocabulary, truncation.largest, settings->temperature}, truncation, settings->min_p,
                        ids[row]);
                penalty.undo();
                offered_mass = sample.mass;
            }
            const int token = tokens[sample.row];
            const double ratio = offered_mass > 0 ? __ddiv_rn(real(left.mass), real(offered_mass)) : 0;
            const Key wanted = left[token];
            const Key offered = share(sample.weight, ratio);
            const Random4 random = random_of(settings->seed, position, 0, Purpose::ACCEPTANCE, tested++);
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
        return Emitted{tested == 0 ? ids[row] : left.sample(shared, settings->seed, position), -1};
    });
}

extern "C" __global__ void __launch_bounds__(WINDOW)
verification_advance(int* result, Settings* settings, int* tokens, int* positions, int* committed, const int* ids, const float* margins,
        int capacity) {
    const int recent = settings->recent_tokens;
    const int from = threadIdx.x + (recent == WINDOW);
    const int kept = from < recent ? settings->recent[from] : tokens[0];
    __syncthreads();
    if (threadIdx.x < min(recent + 1, WINDOW)) {
        settings->recent[threadIdx.x] = kept;
    }
    if (threadIdx.x == 0) {
        const int sampled = result[0];
        result[4 + capacity + sampled] = ids[0];
        result[4 + 2 * capacity + sampled] = __float_as_int(margins[0]);
        result[0] = sampled + 1;
        settings->recent_tokens = min(recent + 1, WINDOW);
        tokens[0] = ids[0];
        positions[0]++;
        (*committed)++;
    }
}
