// Sampling the token after a row, Sampler.java to the bit: an exponential race (the Gumbel-max trick) among what top-k, top-p and min-p
// leave of the weights e^((logit - largest) / temperature). Sums are of weights in units of 2^-40, whole numbers, and so do not depend on
// their order.
//
// Each block of a team has a part of the row. It reads its logits once and makes weights of them, which stay in shared memory if there is
// room; else each sweep reads the logits again, which stay in L2, and computes the weights anew. Sweeps: one for the largest logit, one for
// the weights, for top-k and for top-p up to 6 each, by 10 bits of the rank at a time, mostly 2 or 3, one for the mass that top-p is of, and
// one for the race.
#pragma once

#include "elements.cuh"
#include "counter_random.cuh"
#include "portable_math.cuh"
#include "row_team.cuh"
#include "sampling_request.cuh"

constexpr float LARGEST_MARGIN = 0x1.fffffep127f;
constexpr unsigned LAST_ID = 0x3fffffff;

// What sample leaves of a row: the weights to keep, those of this rank and up, unless its token is certain.
struct alignas(16) Truncation {
    unsigned long long lowest;
    float largest;
    int certain;
};

// The rank of a weight: the larger the better; 60 bits.
__device__ __forceinline__ Key rank_of(float weight, int id) {
    return static_cast<Key>(__float_as_uint(weight)) << 30 | (LAST_ID - id);
}

__device__ __forceinline__ Key units_of(float weight) {
    return static_cast<Key>(__fmul_rn(weight, 0x1p40f));
}

// The weights of a block's part of a row, in groups of four neighbours. A thread looks at the same groups in every sweep, so those that it
// keeps are its own.
struct Weights {
    const float* logits; // of the whole row
    int vocabulary;
    int begin;            // of the groups of this block
    int end;
    Pack<float, 4>* held; // in shared memory, of group `begin` and up, or null
    float temperature;
    float largest = 0;
    Key lowest = 0; // rank of those that count, where they are not held

    __device__ __forceinline__ Weights(const float* logits, int vocabulary, float temperature, int rank, int blocks, Pack<float, 4>* held)
        : logits(logits), vocabulary(vocabulary), held(held), temperature(temperature) {
        const int groups = (vocabulary + 3) / 4;
        const int share = (groups + blocks - 1) / blocks;
        begin = min(rank * share, groups);
        end = min(begin + share, groups);
    }

    // The ids of this block's part.
    __device__ __forceinline__ int first_id() const {
        return min(4 * begin, vocabulary);
    }

    __device__ __forceinline__ int end_id() const {
        return min(4 * end, vocabulary);
    }

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

    __device__ __forceinline__ float weight(float logit) const {
        return portable_exp(__fdiv_rn(__fadd_rn(logit, -largest), temperature));
    }

    // The largest logits of this thread, as keys. Leaves the logits where the weights will be.
    __device__ __forceinline__ void largest_logits(Key& best, Key& second) const {
#pragma unroll 1
        for (int group = begin + threadIdx.x; group < end; group += THREADS) {
            const Pack<float, 4> values = logits_of(group);
            if (held != nullptr) {
                held[group - begin] = values;
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const Key key = key_of(values.elements[i], 4 * group + i);
                second = max(second, min(best, key));
                best = max(best, key);
            }
        }
    }

    // Makes weights of the logits; the largest is known.
    __device__ __forceinline__ void hold() const {
#pragma unroll 1
        for (int group = begin + threadIdx.x; group < end && held != nullptr; group += THREADS) {
            Pack<float, 4> values = held[group - begin];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                values.elements[i] = weight(values.elements[i]);
            }
            held[group - begin] = values;
        }
    }

    // The weights of a group that count; 0 for the others.
    __device__ __forceinline__ Pack<float, 4> at(int group) const {
        if (held != nullptr) {
            return held[group - begin];
        }
        Pack<float, 4> values = logits_of(group);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            values.elements[i] = weight(values.elements[i]);
        }
        return lowest == 0 ? values : kept(values, group, lowest, 0);
    }

    // Those of a group from a rank on, and of `min_weight` on; 0 for the others.
    static __device__ __forceinline__ Pack<float, 4> kept(Pack<float, 4> weights, int group, Key rank, float min_weight) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float own = weights.elements[i];
            weights.elements[i] = own >= min_weight && rank_of(own, 4 * group + i) >= rank ? own : 0;
        }
        return weights;
    }

    // Calls use(weight, id) for what counts, 0 where nothing does, by whole warps.
    template <typename F> __device__ __forceinline__ void each(F use) const {
#pragma unroll 1
        for (int start = begin; start < end; start += THREADS) {
            const int group = start + static_cast<int>(threadIdx.x);
            Pack<float, 4> weights = {};
            if (group < end) {
                weights = at(group);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                use(weights.elements[i], 4 * group + i);
            }
        }
    }

    // Lets those below a rank count no more; gives what this thread's others weigh.
    __device__ __forceinline__ Key truncate(Key rank) {
        Key mass = 0;
#pragma unroll 1
        for (int group = begin + threadIdx.x; group < end; group += THREADS) {
            const Pack<float, 4> weights = kept(at(group), group, rank, 0);
            if (held != nullptr) {
                held[group - begin] = weights;
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                mass += units_of(weights.elements[i]);
            }
        }
        lowest = rank;
        return mass;
    }
};

// The rank from which on the amounts of the weights make `wanted`, or one below it that no weight lies between; 0 if all together do not.
// amount(weight) does not fall with the weight, and is 0 for 0.
template <int BLOCKS, typename F>
__device__ __forceinline__ Key cutoff(Team<BLOCKS>& team, const Weights& weights, Key wanted, F amount) {
    constexpr int BITS = 10;
    constexpr unsigned BIN = BINS - 1;
    static_assert(1 << BITS == BINS, "a digit");
    unsigned bits = 0; // of the last weight wanted, those found so far
#pragma unroll 1
    for (int shift = 2 * BITS; shift >= 0; shift -= BITS) {
        team.clear_bins();
        weights.each([&](float weight, int) {
            const unsigned own = __float_as_uint(weight) >> shift;
            team.add(own & BIN, own >> BITS == bits ? amount(weight) : 0);
        });
        const Cut cut = team.cut(wanted);
        if (cut.bin < 0) {
            return 0;
        }
        bits = bits << BITS | cut.bin;
        wanted -= cut.above;
        // The whole bin is wanted if what would be left over is less than its smallest.
        if (cut.inside - wanted < amount(__uint_as_float(bits << shift))) {
            return static_cast<Key>(bits << shift) << 30;
        }
    }
    unsigned place = 0; // among those of this very weight, the first ids being last
#pragma unroll 1
    for (int shift = 2 * BITS; shift >= 0; shift -= BITS) {
        team.clear_bins();
        weights.each([&](float weight, int id) {
            const unsigned own = (LAST_ID - id) >> shift;
            team.add(own & BIN, __float_as_uint(weight) == bits && own >> BITS == place ? amount(weight) : 0);
        });
        const Cut cut = team.cut(wanted);
        place = place << BITS | cut.bin;
        wanted -= cut.above;
        if (cut.inside - wanted < amount(__uint_as_float(bits))) {
            return static_cast<Key>(bits) << 30 | place << shift;
        }
    }
    return static_cast<Key>(bits) << 30 | place;
}

// Lowest rank that top-k and top-p leave.
template <int BLOCKS>
__device__ __forceinline__ Key lowest_rank(Team<BLOCKS>& team, Weights& weights, int top_k, double top_p) {
    Key lowest = 0;
    if (top_k > 0 && top_k < weights.vocabulary) {
        lowest = cutoff(team, weights, top_k, [](float weight) { return static_cast<Key>(weight > 0); });
    }
    if (top_p < 1) {
        const Key mass = team.sum(weights.truncate(lowest));
        const double wanted = ceil(__dmul_rn(top_p, __ll2double_rn(static_cast<long long>(mass))));
        lowest = max(lowest, cutoff(team, weights, static_cast<Key>(wanted), [](float weight) { return units_of(weight); }));
    }
    return lowest;
}

// The first arrival of the race at a position: weights_of(group) are those of four neighbours, 0 for who takes no part.
template <int BLOCKS, typename F>
__device__ __forceinline__ int exponential_race(Team<BLOCKS>& team, int begin, int end, RandomSource source, int position, F weights_of) {
    Key winner = ~Key{0};
#pragma unroll 1
    for (int group = begin + threadIdx.x; group < end; group += THREADS) {
        const Pack<float, 4> weights = weights_of(group);
        if (fmaxf(fmaxf(weights.elements[0], weights.elements[1]), fmaxf(weights.elements[2], weights.elements[3])) == 0) {
            continue;
        }
        const Random4 random = random_of(source, position, group);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (weights.elements[i] > 0) {
                const float time = __fdiv_rn(portable_exponential(random.bits[i]), weights.elements[i]);
                winner = min(winner, static_cast<Key>(__float_as_uint(time)) << 32 | (4 * group + i));
            }
        }
    }
    return static_cast<int>(team.reduce(winner, [](Key a, Key b) { return min(a, b); }));
}

// Samples the token after a row, by a team. Results are those of the row alone; logits those of all rows. room is this block's, for its
// part of the weights, or null.
template <int BLOCKS>
__device__ __forceinline__ void sample_row(int* id, float* margin, Truncation* truncation, float* logits, const SamplingRequest* request,
        const int* tokens, int position, Path path, int vocabulary, bool adjusted, Pack<float, 4>* room) {
    __shared__ TeamMemory<BLOCKS> memory;
    __shared__ Window window;
    Team<BLOCKS> team(memory);
    Weights weights(logits, vocabulary, request->temperature, team.rank, BLOCKS, room);
    const Penalty penalty(window, logits, request, tokens, path, weights.first_id(), adjusted ? weights.first_id() : weights.end_id());
    Key best = 0;
    Key second = 0;
    weights.largest_logits(best, second);
    team.largest(best, second);
    const float largest = value_of(best);
    weights.largest = largest;
    Truncation found{0, largest, !(weights.temperature > 0 && isfinite(largest))};
    int token = id_of(best);
    if (!found.certain) {
        weights.hold();
        found.lowest = lowest_rank(team, weights, request->top_k, request->top_p);
        token = exponential_race(team, weights.begin, weights.end, request->random(), position,
                [&](int group) { return Weights::kept(weights.at(group), group, found.lowest, request->min_p); });
    }
    if (team.rank == 0 && threadIdx.x == 0) {
        const float ahead = largest - (second == 0 ? -INFINITY : value_of(second));
        *id = token;
        *margin = isfinite(largest) ? fminf(ahead, LARGEST_MARGIN) : ahead;
        *truncation = found;
    }
    penalty.undo(window, logits);
}
