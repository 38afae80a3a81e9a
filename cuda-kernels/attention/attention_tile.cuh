// The arithmetic of attention: scores, softmax and sums over values of the 16 query rows of a warp and 32 keys, and the fold of what was
// computed apart. A lane has query rows lane / 4 and lane / 4 + 8.
//
// TEAM warps have the same query rows: each has 16 dimensions in TEAM of the sums over values, all have the same softmax.
#pragma once

#include "tensor_core.cuh"

// As with a pointer, which takes two registers.
__device__ __forceinline__ void load_matrices_transposed(unsigned (&matrices)[4], unsigned row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(row)
                 : "memory");
}

// Number of the thread in its warp, read anew each time: what is derived from it takes no register meanwhile.
__device__ __forceinline__ int lane_id() {
    int lane;
    asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
    return lane;
}

constexpr int STEP_KEYS = 32;
constexpr int WARP_QUERY_ROWS = 16;

// Floats behind a query row's sums: each of four lanes writes running maximum and sum for itself, which fills a sector.
constexpr int PARTIAL_EXTRA = 8;

// What a warp keeps for its 16 query rows: sums over values, by tiles of eight dimensions.
template <int DIM, int TEAM> struct Accumulator {
    static constexpr int PAIRS = (DIM / 16 + TEAM - 1) / TEAM;

    float out[2 * PAIRS][4] = {};

    // The first dimension of a pair of tiles; those at or beyond DIM are nobody's.
    static __device__ __forceinline__ int dim(int pair) {
        return (pair * TEAM + static_cast<int>(threadIdx.x) / 32 % TEAM) * 16;
    }
};

// Of each lane, for its two query rows: the running maximum of the scores, and the running sum of their weights. In shared memory, to spare
// registers.
template <int THREADS> struct Softmax {
    float running_max[2][THREADS];
    float running_sum[2][THREADS];
};

// An operand in which only the query rows that take part are not zero.
__device__ __forceinline__ void mask(unsigned (&a)[4], bool with_first, bool with_second) {
    a[0] = with_first ? a[0] : 0;
    a[1] = with_second ? a[1] : 0;
    a[2] = with_first ? a[2] : 0;
    a[3] = with_second ? a[3] : 0;
}

// Adds the scores of 16 keys a half; rows: the row of shared memory that this lane addresses for a half, behind keys. with_first and
// with_second say whether query rows lane / 4 and lane / 4 + 8 take part.
template <int DIM, int HALVES, typename T>
__device__ __forceinline__ void add_scores(float (&scores)[2 * HALVES][4], const T* queries, const T* keys, const int (&rows)[HALVES],
        bool with_first, bool with_second) {
    constexpr int ROW_BYTES = (DIM + 8) * sizeof(T);
    const unsigned first_query = shared_address(queries);
    const unsigned first_key = shared_address(keys);
    const int lane = lane_id();
#pragma unroll
    for (int dim = 0; dim < DIM; dim += 16) {
        unsigned a[4];
        load_matrices(a, first_query + lane % 16 * ROW_BYTES + (dim + lane / 16 * 8) * 2);
        mask(a, with_first, with_second);
#pragma unroll
        for (int half = 0; half < HALVES; half++) {
            unsigned b[4];
            load_matrices(b, first_key + rows[half] * ROW_BYTES + (dim + lane / 8 % 2 * 8) * 2);
            multiply<T>(scores[2 * half], a, b[0], b[1]);
            multiply<T>(scores[2 * half + 1], a, b[2], b[3]);
        }
    }
}

// Probabilities from scores, which are scaled and masked; what was summed up before is rescaled to the new maximum.
template <int DIM, int TEAM, int THREADS>
__device__ __forceinline__ void soften(Accumulator<DIM, TEAM>& sums, Softmax<THREADS>& softmax, float (&scores)[4][4]) {
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
        for (int tile = 0; tile < 2 * Accumulator<DIM, TEAM>::PAIRS; tile++) {
            sums.out[tile][2 * half] *= rescale;
            sums.out[tile][2 * half + 1] *= rescale;
        }
    }
}

// Adds the values of 32 keys, weighted by probabilities; rows as in add_scores.
template <int DIM, int TEAM, typename T>
__device__ __forceinline__ void add_values(Accumulator<DIM, TEAM>& sums, const unsigned (&probabilities)[2][4], const T* values,
        const int (&rows)[2], bool with_first, bool with_second) {
    constexpr int ROW_BYTES = (DIM + 8) * sizeof(T);
    const unsigned first_value = shared_address(values);
    const int lane = lane_id();
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned a[4] = {probabilities[half][0], probabilities[half][1], probabilities[half][2], probabilities[half][3]};
        mask(a, with_first, with_second);
#pragma unroll
        for (int pair = 0; pair < Accumulator<DIM, TEAM>::PAIRS; pair++) {
            const int dim = Accumulator<DIM, TEAM>::dim(pair);
            if (DIM / 16 % TEAM == 0 || dim < DIM) {
                unsigned b[4];
                load_matrices_transposed(b, first_value + rows[half] * ROW_BYTES + (dim + lane / 16 * 8) * 2);
                multiply<T>(sums.out[2 * pair], a, b[0], b[1]);
                multiply<T>(sums.out[2 * pair + 1], a, b[2], b[3]);
            }
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

// The one formula by which what was computed of some keys is joined with what was computed of keys to their right: sums of both are scaled
// to the larger of their maxima. Of a query row that saw no key to the right, where sums are 0, this leaves what is to the left to the
// bit: 0 times -0 is -0, which changes no number. Where it saw none to the left, what is to the right is to be taken as it is.
struct Fold {
    float running_max;
    float left;
    float right;

    static __device__ __forceinline__ Fold of(float left_max, float right_max) {
        const float running_max = fmaxf(left_max, right_max);
        return {running_max, exp2f(left_max - running_max), right_max == -INFINITY ? -0.0f : exp2f(right_max - running_max)};
    }

    __device__ __forceinline__ float operator()(float left_sum, float right_sum) const {
        return __fmaf_rn(right_sum, right, __fmul_rn(left_sum, left));
    }
};

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
