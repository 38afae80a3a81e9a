// Reductions over a warp and over a block, in a fixed order: the same bits at every launch.
#pragma once

constexpr unsigned FULL_WARP = 0xffffffffu;

// The sum over the 32 lanes of a converged warp; all lanes hold it. Pairs at distance 16, 8, 4, 2, 1.
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(FULL_WARP, value, distance);
    }
    return value;
}

// The largest over the 32 lanes of a converged warp; all lanes hold it.
__device__ __forceinline__ unsigned long long warp_max(unsigned long long value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        value = max(value, __shfl_xor_sync(FULL_WARP, value, distance));
    }
    return value;
}

// The sum over a block of whole warps, at most 32; all threads hold it. Once a kernel: there is no barrier after its last read.
__device__ __forceinline__ float block_sum(float value) {
    __shared__ float sums[32];
    const int lane = threadIdx.x % 32;
    value = warp_sum(value);
    if (lane == 0) {
        sums[threadIdx.x / 32] = value;
    }
    __syncthreads();
    return warp_sum(lane < blockDim.x / 32 ? sums[lane] : 0.0f);
}
