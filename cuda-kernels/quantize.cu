// Rows of activations in 8 bits (plan.Activations), for matmul_s8.cu.
//
//     scale[r] = most / 127, code[r, k] = in[r, k] * (127 / most) to the nearest even, most = max over k of |in[r, k]|
//
// Entry point: quantize_rows_s8 (codes, scales, counts, places, outliers, in, rows, width, threshold)
//
// in [rows, width] f32, rows [1] int, width a multiple of 8; codes [rows, units * 64] s8 with units = width / 64 rounded up, codes beyond
// the width 0; scales [rows] f32. Addresses are multiples of 16.
// Elements of a magnitude of threshold or more are outliers: they do not count for the largest, their codes are 0, and they are listed:
// counts [rows] int, places [rows, width] int, outliers [rows, width] f32. counts may be 0, for none; then threshold is infinity.
// A row whose largest is below 2^-120 has scale 0 and codes 0; one with anything not finite scale NaN, codes 0 and no outliers. All
// of that is rounded as f32, so codes are those of quantize.RowCodes.
// Codes lie as matmul_s8.cu reads them: of each 16 inputs in turn 2 t, 2 t + 8, 2 t + 1 and 2 t + 9, t from 0 to 3.
// Launch: grid (most rows), block 256, no dynamic shared memory, compute capability 8.0.
// A block reads a row twice, the second time from L1. Outliers are listed in an order that depends on the width alone.

#include "elements.cuh"
#include "reduce.cuh"

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;
constexpr unsigned INFINITE = 0x7f800000u; // bits of the least magnitude that is not finite
constexpr float LEAST = 0x1p-120f;

// Of four inputs that lie together as codes.
struct Four {
    float x[4];

    // Zeros beyond the width.
    __device__ __forceinline__ Four(const float* row, int number, int width) {
        const int input = number / 4 * 16 + number % 4 * 2;
        const float2 none = {0.0f, 0.0f};
        const float2 low = input < width ? *reinterpret_cast<const float2*>(row + input) : none;
        const float2 high = input + 8 < width ? *reinterpret_cast<const float2*>(row + input + 8) : none;
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

extern "C" __global__ void __launch_bounds__(THREADS)
quantize_rows_s8(signed char* codes, float* scales, int* counts, int* places, float* outliers, const float* in, const int* rows,
        int width, float threshold) {
    __shared__ unsigned warp_most[WARPS];
    __shared__ int warp_counts[WARPS];
    const long long row = blockIdx.x;
    if (row >= *rows) {
        return;
    }
    const int words = (width + 63) / 64 * 16; // of four codes
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    const int first = words * warp / WARPS; // the words of this warp
    const int end = words * (warp + 1) / WARPS;
    in += row * width;

    unsigned most = 0;
    int count = 0;
#pragma unroll 1
    for (int number = first + lane; number < end; number += 32) {
        const Four four(in, number, width);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float magnitude = fabsf(four.x[i]);
            const bool outlier = magnitude >= threshold && __float_as_uint(magnitude) < INFINITE;
            count += outlier;
            most = max(most, outlier ? 0u : __float_as_uint(magnitude)); // rises with the magnitude, NaN above all
        }
    }
    most = static_cast<unsigned>(warp_max(most));
    count = static_cast<int>(warp_sum(static_cast<float>(count))); // exact: less than 2^24
    if (lane == 0) {
        warp_most[warp] = most;
        warp_counts[warp] = count;
    }
    __syncthreads();
    int total = 0;
    int next = 0; // place of this warp's first outlier in the list
#pragma unroll
    for (int i = 0; i < WARPS; i++) {
        most = max(most, warp_most[i]);
        next += i < warp ? warp_counts[i] : 0;
        total += warp_counts[i];
    }
    const bool finite = most < INFINITE;
    const float largest = __uint_as_float(most);
    const bool counted = finite && largest >= LEAST;
    const float inverse = counted ? 127.0f / largest : 0.0f;
    if (threadIdx.x == 0) {
        scales[row] = counted ? largest / 127.0f : finite ? 0.0f : __uint_as_float(0x7fc00000u);
        if (counts != nullptr) {
            counts[row] = finite ? total : 0;
        }
    }
#pragma unroll 1
    for (int start = first; start < end; start += 32) {
        const int number = start + lane;
        const Four four(in, number < end ? number : words, width); // behind the end all are 0
        unsigned word = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const bool outlier = finite && fabsf(four.x[i]) >= threshold;
            const int code = counted && !outlier ? __float2int_rn(__fmul_rn(four.x[i], inverse)) : 0;
            word |= (code & 0xff) << 8 * i;
            const unsigned found = __ballot_sync(FULL_WARP, outlier);
            if (outlier && counts != nullptr) {
                const long long at = row * width + next + __popc(found & ((1u << lane) - 1));
                places[at] = Four::place(number, i);
                outliers[at] = four.x[i];
            }
            next += __popc(found);
        }
        if (number < end) {
            reinterpret_cast<unsigned*>(codes)[row * words + number] = word;
        }
    }
}
