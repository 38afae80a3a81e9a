// Walking a pass's tree where rows were sampled themselves, RejectionSampling.java and TokenDistribution.java to the bit.
//
// At a row above sampled ones a team of blocks writes the target's distribution into scratch memory, as whole numbers, one sweep since
// sampling has left the truncations; takes from it the distribution of a rejected row, one sweep of that distribution's tokens; and holds
// the race of what is left, one more. Each block has a part of the vocabulary, and some of a distribution's tokens, wherever they lie. All
// blocks walk, and come to the same.
#pragma once

#include "row_sampling.cuh"
#include "tree_walk.cuh"

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

    // Begins with the distribution that a row's token is sampled from, which each block has a part of.
    template <int BLOCKS>
    __device__ __forceinline__ void begin(Team<BLOCKS>& team, const Weights& target, const Truncation& truncation, float min_p,
            int sampled) {
        const Key units = Key{1} << (62 - token_bits); // of a weight of 1
        Key sum = 0;
#pragma unroll 1
        for (int group = target.begin + threadIdx.x; group < target.end; group += THREADS) {
            const Pack<float, 4> kept = Weights::kept(target.at(group), group, truncation.lowest, min_p);
            Pack<Key, 4> whole;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float weight = !truncation.certain ? kept.elements[i] : 4 * group + i == sampled ? 1 : 0;
                whole.elements[i] = static_cast<Key>(__fmul_rn(weight, static_cast<float>(units)));
                sum += whole.elements[i];
            }
            weights[group] = whole;
        }
        mass = team.sum(sum);
    }

    // Takes a distribution away, and makes `removed` impossible in that if it is a token. Its tokens, each there once, lie anywhere: each
    // block takes some.
    template <int BLOCKS>
    __device__ __forceinline__ void subtract(Team<BLOCKS>& team, Key* distribution, int size, double ratio, int removed) {
        Key taken = 0;
#pragma unroll 1
        for (int i = team.rank * THREADS + threadIdx.x; i < size; i += BLOCKS * THREADS) {
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
        mass -= team.sum(taken);
    }

    template <int BLOCKS>
    __device__ __forceinline__ int sample(Team<BLOCKS>& team, int begin, int end, RandomSource source, int position) const {
        return exponential_race(team, begin, end, source, position, [&](int group) {
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

template <int BLOCKS>
__device__ __forceinline__ void rejection_sampling(int* result, const int* ids, const float* margins, const Truncation* truncations,
        float* logits, const SamplingRequest* request, const int* tokens, const int* positions, const int* paths, const int* lengths,
        const int* committed, int rows, DraftDistributions* draft_distributions, Key* scratch, int vocabulary, int capacity, int stride,
        bool adjusted) {
    constexpr double ROUNDING = 0x1p-23; // less than this share left means that two distributions are equal but for rounding
    __shared__ TeamMemory<BLOCKS> memory;
    __shared__ Window window;
    __shared__ int next;
    Team<BLOCKS> team(memory);
    Left left(scratch, vocabulary);
    const Weights part(nullptr, vocabulary, request->temperature, team.rank, BLOCKS, nullptr);
    walk(next, team.rank == 0, result, margins, tokens, paths, lengths, committed, rows, capacity, stride, [&](int row) {
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
                const Penalty penalty(window, own, request, tokens, Path(paths, lengths, stride, row), part.first_id(),
                        adjusted ? part.first_id() : part.end_id());
                const Truncation truncation = truncations[row];
                Weights target = part;
                target.logits = own;
                target.largest = truncation.largest;
                team.meet(); // everyone has read what was left below the row before
                left.begin(team, target, truncation, request->min_p, ids[row]);
                penalty.undo(window, own);
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
            team.meet(); // everyone has read what is wanted
            const Key before = left.mass;
            left.subtract(team, draft_distributions->distribution(sample), sample.size, ratio, sample.without_replacement ? token : -1);
            if (real(left.mass) <= __dmul_rn(ROUNDING, real(before))) {
                return Emitted{token, sample.row};
            }
            offered_mass -= sample.without_replacement ? min(offered_mass, sample.weight) : 0;
        }
        return Emitted{tested == 0 ? ids[row] : left.sample(team, part.begin, part.end, request->random(), position), -1};
    });
}
