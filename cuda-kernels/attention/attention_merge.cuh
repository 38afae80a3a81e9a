// Merges what blocks have computed of a query row.
#pragma once

#include "attention_tile.cuh"
#include "attention_work.cuh"

// What one warp joins of one query row, in registers: four dimensions a lane and piece.
template <int DIM> struct Joined {
    static constexpr int PIECES = (DIM + 127) / 128;

    float running_max = -INFINITY;
    float running_sum = 0.0f;
    float4 sums[PIECES] = {};

    // Folds what is to the right of it.
    __device__ __forceinline__ void add(const Joined& right) {
        if (right.running_max == -INFINITY) {
            return;
        }
        if (running_max == -INFINITY) {
            *this = right;
            return;
        }
        const Fold fold = Fold::of(running_max, right.running_max);
        running_max = fold.running_max;
        running_sum = fold(running_sum, right.running_sum);
#pragma unroll
        for (int piece = 0; piece < PIECES; piece++) {
            float4& sum = sums[piece];
            const float4& other = right.sums[piece];
            sum = {fold(sum.x, other.x), fold(sum.y, other.y), fold(sum.z, other.z), fold(sum.w, other.w)};
        }
    }
};

// Merges the runs of a query row, by a warp. partials: its places; staging: shared memory of this warp for capacity vectors of DIM floats,
// at least 4. All vectors of a group, and the maxima and sums of its up to 32 runs, are under way together: a group is one trip to memory.
template <int DIM>
__device__ __forceinline__ Joined<DIM> merge(const float* partials, const Runs& runs, float* staging, int capacity) {
    constexpr int PARTIAL = DIM + PARTIAL_EXTRA;
    const int lane = threadIdx.x % 32;
    const int group = capacity >= 32 ? 32 : capacity;
    Joined<DIM> total;
    Joined<DIM> span;
#pragma unroll 1
    for (int first = 0; first < runs.count; first += group) {
        const int count = min(group, runs.count - first);
        __syncwarp(); // what lies there is read no more
#pragma unroll 1
        for (int i = lane; i < count * (DIM / 4); i += 32) {
            copy_async(staging + i * 4, partials + runs.place(first + i / (DIM / 4)) * PARTIAL + i % (DIM / 4) * 4, true);
        }
        commit_copies();
        float2 about = {-INFINITY, 0.0f};
        if (lane < count) {
            about = __ldcg(reinterpret_cast<const float2*>(partials + runs.place(first + lane) * PARTIAL + DIM));
        }
        wait_for_copies<0>();
        __syncwarp();
#pragma unroll 1
        for (int i = 0; i < count; i++) {
            if (runs.first_spans > 0 || (runs.first_chunk + first + i) % SPAN_CHUNKS == 0) {
                total.add(span);
                span = {};
            }
            Joined<DIM> run;
            run.running_max = __shfl_sync(0xffffffffu, about.x, i);
            run.running_sum = __shfl_sync(0xffffffffu, about.y, i);
#pragma unroll
            for (int piece = 0; piece < Joined<DIM>::PIECES; piece++) {
                const int dim = 128 * piece + 4 * lane;
                if (dim < DIM) {
                    run.sums[piece] = *reinterpret_cast<const float4*>(staging + i * DIM + dim);
                }
            }
            span.add(run);
        }
    }
    total.add(span);
    return total;
}
