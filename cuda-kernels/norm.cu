// Root-mean-square normalisation of groups of elements: whole rows, or the heads of a row (Op.RmsNorm).
//
//     out[g, i] = in[g, i] / sqrt(mean over j of in[g, j]^2 + epsilon) * gain[i]
//
// Entry points (f32 or bf16 is the type of in, out, residual and sum; the gain is f32):
//     norm_rms_{f32,bf16}      (out, in, gain, width, epsilon)
//     norm_rms_add_{f32,bf16}  (out, sum, in, residual, gain, width, epsilon)
//         first sum = in + residual, rounded to its type, then the norm of sum: Op.Add and Op.RmsNorm in one
//
// out, sum, in, residual [groups, width], gain [width]; rows follow each other, addresses are multiples of 16. out may be in, and
// sum may be residual or in.
// Launch: grid (groups), block(width) threads = min(1024, width / 8 rounded up to a multiple of 32), no dynamic shared memory,
// compute capability 8.0. The block depends on the width alone, so a row has the same bits whatever rows there are beside it.
// The sum of squares is f32: each thread over its elements in rising order, then reduce.cuh's trees. Widths that are multiples of
// a 16-byte access are read by such, others element by element. NaN and infinities spread over their group as in the formula.
// Any epsilon of 0 or more; groups of zeros with epsilon 0 give NaN.
// The row is read twice, the second time from L1.

#include "elements.cuh"
#include "reduce.cuh"

constexpr int MAX_THREADS = 1024;

// One group by one block. SIZE elements an access; ADD whether there is a residual.
template <typename T, int SIZE, bool ADD>
__device__ __forceinline__ void rms(T* out, T* sum, const T* in, const T* residual, const float* __restrict__ gain, int width,
        float epsilon) {
    using Elements = Pack<T, SIZE>;
    using Gains = Pack<float, SIZE>;
    const long long group = static_cast<long long>(blockIdx.x) * width;
    const int step = blockDim.x * SIZE;
    const int first = threadIdx.x * SIZE;

    float squares = 0.0f;
#pragma unroll 1
    for (int i = first; i < width; i += step) {
        Elements x = *reinterpret_cast<const Elements*>(in + group + i);
        if constexpr (ADD) {
            const Elements added = *reinterpret_cast<const Elements*>(residual + group + i);
#pragma unroll
            for (int j = 0; j < SIZE; j++) {
                x.elements[j] = narrow<T>(widen(x.elements[j]) + widen(added.elements[j]));
            }
            *reinterpret_cast<Elements*>(sum + group + i) = x;
        }
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            const float value = widen(x.elements[j]);
            squares = fmaf(value, value, squares);
        }
    }

    const float scale = rsqrtf(block_sum(squares) / width + epsilon);
    const T* normalised = ADD ? sum : in;
#pragma unroll 1
    for (int i = first; i < width; i += step) {
        const Elements x = *reinterpret_cast<const Elements*>(normalised + group + i);
        const Gains gains = *reinterpret_cast<const Gains*>(gain + i);
        Elements y;
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            y.elements[j] = narrow<T>(widen(x.elements[j]) * scale * gains.elements[j]);
        }
        *reinterpret_cast<Elements*>(out + group + i) = y;
    }
}

template <typename T, bool ADD>
__device__ __forceinline__ void rms_any_width(T* out, T* sum, const T* in, const T* residual, const float* gain, int width,
        float epsilon) {
    if (width % PACK<T> == 0) {
        rms<T, PACK<T>, ADD>(out, sum, in, residual, gain, width, epsilon);
    } else {
        rms<T, 1, ADD>(out, sum, in, residual, gain, width, epsilon);
    }
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS)
norm_rms_f32(float* out, const float* in, const float* gain, int width, float epsilon) {
    rms_any_width<float, false>(out, nullptr, in, nullptr, gain, width, epsilon);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS)
norm_rms_bf16(bf16* out, const bf16* in, const float* gain, int width, float epsilon) {
    rms_any_width<bf16, false>(out, nullptr, in, nullptr, gain, width, epsilon);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS)
norm_rms_add_f32(float* out, float* sum, const float* in, const float* residual, const float* gain, int width, float epsilon) {
    rms_any_width<float, true>(out, sum, in, residual, gain, width, epsilon);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS)
norm_rms_add_bf16(bf16* out, bf16* sum, const bf16* in, const bf16* residual, const float* gain, int width, float epsilon) {
    rms_any_width<bf16, true>(out, sum, in, residual, gain, width, epsilon);
}
