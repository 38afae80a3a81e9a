// Root-mean-square normalisation of rows (Op.RmsNorm, alone or after a sum), the result in 8 bits: norm.cu and quantize.cu in one.
//
//     out[r, i] = in[r, i] / sqrt(mean over j of in[r, j]^2 + epsilon) * gain[i], then codes and scales of out as in quantize.cu
//
// Entry points, of QuantizedNormArguments:
//     norm_rms_s8
//     norm_rms_add_s8  first sum = in + residual, then the norm of sum
//
// codes to outliers and threshold as in quantize.cu; width is a multiple of 8, addresses of 16. sum may be residual or in.
// Launch: grid (max rows), block(width) threads as norm.cu, no dynamic shared memory, compute capability 8.0.
// The row is read three times, the last two from L1. It has the bits that both kernels give it one after the other.

#include "norm.cuh"
#include "quantize.cuh"

struct QuantizedNormArguments {
    signed char* codes;    // [rows, width rounded up to 64]
    float* scales;         // [rows]
    int* counts;           // [rows], null if outliers are not kept
    int* places;           // [rows, width], likewise
    float* outliers;       // [rows, width], likewise
    float* sum;            // [rows, width], null if nothing is added
    const float* in;       // [rows, width]
    const float* residual; // [rows, width], null if nothing is added
    const float* gain;     // [width]
    const int* rows;       // [1]: how many there are
    int width;
    float epsilon;
    float threshold;
};

constexpr int MAX_THREADS = 1024;

template <bool ADD> __device__ __forceinline__ void rms_quantized(const QuantizedNormArguments& arguments) {
    const long long row = blockIdx.x;
    if (row >= *arguments.rows) {
        return;
    }
    const int width = arguments.width;
    const float* in = arguments.in + row * width;
    float* sum = ADD ? arguments.sum + row * width : nullptr;
    const float* residual = ADD ? arguments.residual + row * width : nullptr;
    // behind its barrier all of sum is there
    const float scale = rms_scale<4, ADD>(sum, in, residual, width, arguments.epsilon);
    const float* normalised = ADD ? sum : in;
    const QuantizedRows to = {arguments.codes, arguments.scales, arguments.counts, arguments.places, arguments.outliers};
    quantize_row(to, row, width, arguments.threshold, [&](int input) {
        const float2 x = *reinterpret_cast<const float2*>(normalised + input);
        const float2 gains = *reinterpret_cast<const float2*>(arguments.gain + input);
        return float2{x.x * scale * gains.x, x.y * scale * gains.y};
    });
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS) norm_rms_s8(const QuantizedNormArguments arguments) {
    rms_quantized<false>(arguments);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS) norm_rms_add_s8(const QuantizedNormArguments arguments) {
    rms_quantized<true>(arguments);
}
