// Root-mean-square normalisation of rows (Op.RmsNorm, alone or after a sum), the result in 8 bits: norm.cu and quantize.cu in one.
//
//     out[r, i] = in[r, i] / sqrt(mean over j of in[r, j]^2 + epsilon) * gain[i], then codes and scales of out as in quantize.cu
//
// Entry points:
//     norm_rms_s8      (codes, scales, counts, places, outliers, in, gain, rows, width, epsilon, threshold)
//     norm_rms_add_s8  (codes, scales, counts, places, outliers, sum, in, residual, gain, rows, width, epsilon, threshold)
//         first sum = in + residual, then the norm of sum
//
// codes to outliers and threshold as in quantize.cu; in, sum and residual [rows, width] f32, gain [width] f32, rows [1] int; width is a
// multiple of 8, addresses of 16. sum may be residual or in.
// Launch: grid (max rows), block(width) threads as norm.cu, no dynamic shared memory, compute capability 8.0.
// The row is read three times, the last two from L1. It has the bits that both kernels give it one after the other.

#include "norm.cuh"
#include "quantize.cuh"

constexpr int MAX_THREADS = 1024;

template <bool ADD>
__device__ __forceinline__ void rms_quantized(const QuantizedRows& to, float* sum, const float* in, const float* residual,
        const float* gain, const int* rows, int width, float epsilon, float threshold) {
    const long long row = blockIdx.x;
    if (row >= *rows) {
        return;
    }
    in += row * width;
    if constexpr (ADD) {
        sum += row * width;
        residual += row * width;
    }
    const float scale = rms_scale<4, ADD>(sum, in, residual, width, epsilon); // behind its barrier all of sum is there
    const float* normalised = ADD ? sum : in;
    quantize_row(to, row, width, threshold, [&](int input) {
        const float2 x = *reinterpret_cast<const float2*>(normalised + input);
        const float2 gains = *reinterpret_cast<const float2*>(gain + input);
        return float2{x.x * scale * gains.x, x.y * scale * gains.y};
    });
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS)
norm_rms_s8(signed char* codes, float* scales, int* counts, int* places, float* outliers, const float* in, const float* gain,
        const int* rows, int width, float epsilon, float threshold) {
    rms_quantized<false>({codes, scales, counts, places, outliers}, nullptr, in, nullptr, gain, rows, width, epsilon, threshold);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS)
norm_rms_add_s8(signed char* codes, float* scales, int* counts, int* places, float* outliers, float* sum, const float* in,
        const float* residual, const float* gain, const int* rows, int width, float epsilon, float threshold) {
    rms_quantized<true>({codes, scales, counts, places, outliers}, sum, in, residual, gain, rows, width, epsilon, threshold);
}
