// Root-mean-square normalisation of groups of elements: whole rows, or the heads of a row (Op.RmsNorm).
//
//     out[r, g, i] = in[r, g, i] / sqrt(mean over j of in[r, g, j]^2 + epsilon) * gain[i]
//
// Entry points (the type is that of out; the rest is f32):
//     norm_rms_{f32,f16,bf16}      (out, in, gain, rows, width, in_stride, out_stride, epsilon)
//     norm_rms_add_{f32,f16,bf16}  (out, sum, in, residual, gain, rows, width, in_stride, out_stride, epsilon)
//         first sum = in + residual, then the norm of sum: a sum and Op.RmsNorm in one
//
// rows [1] int: how many rows there are. Group g of row r of in, residual and sum begins at r * in_stride + g * width, of out at
// r * out_stride + g * width. gain [width]. Strides are multiples of 4 elements and addresses of 16 bytes. out may be in where
// types and strides agree, sum may be residual or in.
// Launch: grid (max rows, groups a row), block(width) threads = min(1024, width / 4 rounded up to a multiple of 32), no dynamic
// shared memory, compute capability 8.0. The block depends on the width alone, so a row has the same bits whatever rows there are
// beside it.
// The sum of squares is f32: each thread over its elements in rising order, then reduce.cuh's trees. Widths that are multiples of
// 4 are read by 16 bytes, others element by element. NaN and infinities spread over their group as in the formula. Any epsilon of
// 0 or more; groups of zeros with epsilon 0 give NaN.
// The row is read twice, the second time from L1.

#include "norm.cuh"

constexpr int MAX_THREADS = 1024;

// One group by one block. SIZE elements an access; ADD whether there is a residual.
template <typename T, int SIZE, bool ADD>
__device__ __forceinline__ void rms(T* out, float* sum, const float* in, const float* residual, const float* __restrict__ gain,
        int width, float epsilon) {
    using Elements = Pack<float, SIZE>;
    const int step = blockDim.x * SIZE;
    const int first = threadIdx.x * SIZE;
    const float scale = rms_scale<SIZE, ADD>(sum, in, residual, width, epsilon);
    const float* normalised = ADD ? sum : in;
#pragma unroll 1
    for (int i = first; i < width; i += step) {
        const Elements x = *reinterpret_cast<const Elements*>(normalised + i);
        const Elements gains = *reinterpret_cast<const Elements*>(gain + i);
        Pack<T, SIZE> y;
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            y.elements[j] = narrow<T>(x.elements[j] * scale * gains.elements[j]);
        }
        *reinterpret_cast<Pack<T, SIZE>*>(out + i) = y;
    }
}

template <typename T, bool ADD>
__device__ __forceinline__ void rms_of_group(T* out, float* sum, const float* in, const float* residual, const float* gain,
        const int* rows, int width, int in_stride, int out_stride, float epsilon) {
    const long long row = blockIdx.x;
    if (row >= *rows) {
        return;
    }
    const long long group = static_cast<long long>(blockIdx.y) * width;
    out += row * out_stride + group;
    in += row * in_stride + group;
    if constexpr (ADD) {
        sum += row * in_stride + group;
        residual += row * in_stride + group;
    }
    if (width % 4 == 0) {
        rms<T, 4, ADD>(out, sum, in, residual, gain, width, epsilon);
    } else {
        rms<T, 1, ADD>(out, sum, in, residual, gain, width, epsilon);
    }
}

#define NORM_KERNELS(T)                                                                                                            \
    extern "C" __global__ void __launch_bounds__(MAX_THREADS)                                                                      \
    norm_rms_##T(T* out, const float* in, const float* gain, const int* rows, int width, int in_stride, int out_stride,            \
            float epsilon) {                                                                                                       \
        rms_of_group<T, false>(out, nullptr, in, nullptr, gain, rows, width, in_stride, out_stride, epsilon);                      \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__(MAX_THREADS)                                                                      \
    norm_rms_add_##T(T* out, float* sum, const float* in, const float* residual, const float* gain, const int* rows, int width,    \
            int in_stride, int out_stride, float epsilon) {                                                                        \
        rms_of_group<T, true>(out, sum, in, residual, gain, rows, width, in_stride, out_stride, epsilon);                          \
    }

NORM_KERNELS(f32)
NORM_KERNELS(f16)
NORM_KERNELS(bf16)
