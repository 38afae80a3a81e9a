// Sampling the token after each row of a pass, and walking the pass's tree where rows were sampled themselves, by clusters of eight blocks.
//
// Entry points, with the operands of verification.cu:
//     verification_sample_f32_cluster
//         (ids, margins, truncations, logits, request, tokens, positions, paths, lengths, rows, vocabulary, stride, adjusted, room)
//     verification_rejection_sampling_f32_cluster
//         (result, ids, margins, truncations, logits, request, tokens, positions, paths, lengths, committed, rows, draft_distributions,
//          left, vocabulary, capacity, stride, adjusted)
//
// Launch: sample grid (8, max rows), rejection_sampling grid 8, block 1024, compute capability 9.0. `room` is 1 if sample has dynamic shared
// memory for the weights of an eighth of a row: 16 bytes for each four logits, rounded up.

#include "rejection_sampling.cuh"

#define IN_CLUSTERS __cluster_dims__(CLUSTER_BLOCKS, 1, 1)

extern "C" __global__ void __launch_bounds__(THREADS, 1) IN_CLUSTERS
verification_sample_f32_cluster(int* ids, float* margins, Truncation* truncations, float* logits, const SamplingRequest* request,
        const int* tokens, const int* positions, const int* paths, const int* lengths, const int* rows, int vocabulary, int stride,
        int adjusted, int room) {
    extern __shared__ __align__(16) unsigned char weights[];
    const int row = blockIdx.y;
    if (row < *rows) {
        sample_row<CLUSTER_BLOCKS>(ids + row, margins + row, truncations + row, logits + static_cast<long long>(row) * vocabulary, request, tokens,
                positions[row] + 1, Path(paths, lengths, stride, row), vocabulary, adjusted != 0,
                room != 0 ? reinterpret_cast<Pack<float, 4>*>(weights) : nullptr);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) IN_CLUSTERS
verification_rejection_sampling_f32_cluster(int* result, const int* ids, const float* margins, const Truncation* truncations,
        float* logits, const SamplingRequest* request, const int* tokens, const int* positions, const int* paths, const int* lengths,
        const int* committed, const int* rows, DraftDistributions* draft_distributions, Key* scratch, int vocabulary, int capacity,
        int stride, int adjusted) {
    rejection_sampling<CLUSTER_BLOCKS>(result, ids, margins, truncations, logits, request, tokens, positions, paths, lengths, committed, *rows,
            draft_distributions, scratch, vocabulary, capacity, stride, adjusted != 0);
}
