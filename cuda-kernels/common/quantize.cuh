// A row of activations in 8 bits: what quantize.cu and norm_s8.cu share.
#pragma once

#include "elements.cuh"
#include "reduce.cuh"

constexpr unsigned INFINITE = 0x7f800000u; // bits of the smallest magnitude that is not finite
constexpr float LEAST = 0x1p-120f;

// Where rows in 8 bits go, see quantize.cu.
struct QuantizedRows {
    signed char* codes;
    float* scales;
    int* counts;
    int* places;
    float* outliers;
};

// Four inputs that lie together as codes.
struct Four {
    float x[4];

    // Zeros beyond the width.
    template <typename PAIR> __device__ __forceinline__ Four(PAIR pair, int number, int width) {
        const int input = place(number, 0);
        const float2 none = {0.0f, 0.0f};
        const float2 low = input < width ? pair(input) : none;
        const float2 high = input + 8 < width ? pair(input + 8) : none;
        x[0] = low.x;
        x[1] = high.x;
        x[2] = low.y;
        x[3] = high.y;
    }

    // Which input element i is.
    static __device__ __forceinline__ int place(int number, int i) {
        return number / 4 * 16 + number % 4 * 2 + i % 2 * 8 + i / 2;
    }
};

// Rounds a row by a block of whole warps: pair(i) gives inputs i and i + 1 of it, i being even. Once a kernel: there is no barrier after
// the last read of shared memory.
template <typename PAIR>
__device__ __forceinline__ void quantize_row(const QuantizedRows& to, long long row, int width, float threshold, PAIR pair) {
    __shared__ unsigned warp_largest[32];
    __shared__ int warp_counts[32];
    const int words = (width + 63) / 64 * 16; // of four codes
    const int warps = blockDim.x / 32;
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    const int first = words * warp / warps; // the words of this warp
    const int end = words * (warp + 1) / warps;

    unsigned largest_bits = 0;
    int count = 0;
#pragma unroll 1
    for (int number = first + lane; number < end; number += 32) {
        const Four four(pair, number, width);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float magnitude = fabsf(four.x[i]);
            const bool outlier = magnitude >= threshold && __float_as_uint(magnitude) < INFINITE;
            count += outlier;
            largest_bits = max(largest_bits, outlier ? 0u : __float_as_uint(magnitude)); // rises with the magnitude, NaN above all
        }
    }
    largest_bits = static_cast<unsigned>(warp_max(largest_bits));
    count = static_cast<int>(warp_sum(static_cast<float>(count))); // exact: less than 2^24
    if (lane == 0) {
        warp_largest[warp] = largest_bits;
        warp_counts[warp] = count;
    }
    __syncthreads();
    int total = 0;
    int next = 0; // place of this warp's first outlier in the list
    for (int i = 0; i < warps; i++) {
        largest_bits = max(largest_bits, warp_largest[i]);
        next += i < warp ? warp_counts[i] : 0;
        total += warp_counts[i];
    }
    const bool finite = largest_bits < INFINITE;
    const float largest = __uint_as_float(largest_bits);
    const bool counted = finite && largest >= LEAST;
    const float inverse = counted ? 127.0f / largest : 0.0f;
    if (threadIdx.x == 0) {
        to.scales[row] = counted ? largest / 127.0f : finite ? 0.0f : __uint_as_float(0x7fc00000u);
        if (to.counts != nullptr) {
            to.counts[row] = finite ? total : 0;
        }
    }
#pragma unroll 1
    for (int start = first; start < end; start += 32) {
        const int number = start + lane;
        const Four four(pair, number < end ? number : words, width); // behind the end all are 0
        unsigned word = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const bool outlier = finite && fabsf(four.x[i]) >= threshold;
            const int code = counted && !outlier ? __float2int_rn(__fmul_rn(four.x[i], inverse)) : 0;
            word |= (code & 0xff) << 8 * i;
            const unsigned found = __ballot_sync(FULL_WARP, outlier);
            if (outlier && to.counts != nullptr) {
                const long long at = row * width + next + __popc(found & ((1u << lane) - 1));
                to.places[at] = Four::place(number, i);
                to.outliers[at] = four.x[i];
            }
            next += __popc(found);
        }
        if (number < end) {
            reinterpret_cast<unsigned*>(to.codes)[row * words + number] = word;
        }
    }
}
