// Root-mean-square normalisation of groups of elements: whole rows, or the heads of a row (Op.RmsNorm).
//
//     out[r, g, i] = in[r, g, i] / sqrt(mean over j of in[r, g, j]^2 + epsilon) * gain[i]
//
// Entry points (the type is that of out; the rest is f32), of NormArguments:
//     norm_rms_{f32,f16,bf16}
//     norm_rms_add_{f32,f16,bf16}  first sum = in + residual, then the norm of sum: a sum and Op.RmsNorm in one
//
// Group g of row r of in, residual and sum begins at r * in_stride + g * width, of out at r * out_stride + g * width. Strides are
// multiples of 4 elements and addresses of 16 bytes. out may be in where types and strides agree, sum may be residual or in.
// Launch: grid (max rows, groups a row), block(width) threads = min(1024, width / 4 rounded up to a multiple of 32), no dynamic
// shared memory, compute capability 8.0. The block depends on the width alone, so a row has the same bits whatever rows there are
// beside it.
// The sum of squares is f32: each thread over its elements in rising order, then reduce.cuh's trees. Widths that are multiples of
// 4 are read by 16 bytes, others element by element. NaN and infinities spread over their group as in the formula. Any epsilon of
// 0 or more; groups of zeros with epsilon 0 give NaN.
// The row is read twice, the second time from L1.

#include "norm.cuh"

struct NormArguments {
    void* out;             // [rows, groups, width] of the kernel's type
    float* sum;            // [rows, groups, width], null if nothing is added
    const float* in;       // [rows, groups, width]
    const float* residual; // [rows, groups, width], null if nothing is added
    const float* gain;     // [width]
    const int* rows;       // [1]: how many there are
    int width;             // elements of a group
    int in_stride;         // elements from row to row
    int out_stride;
    float epsilon;
};

constexpr int MAX_THREADS = 1024;

// One group by one block. SIZE elements an access; ADD whether there is a residual.
template <typename T, int SIZE, bool ADD>
__device__ __forceinline__ void rms(T* out, float* sum, const float* in, const float* residual, const float* gain,
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

template <typename T, bool ADD> __device__ __forceinline__ void rms_of_group(const NormArguments& arguments) {
    const long long row = blockIdx.x;
    if (row >= *arguments.rows) {
        return;
    }
    const int width = arguments.width;
    const long long group = static_cast<long long>(blockIdx.y) * width;
    T* out = static_cast<T*>(arguments.out) + row * arguments.out_stride + group;
    const float* in = arguments.in + row * arguments.in_stride + group;
    float* sum = ADD ? arguments.sum + row * arguments.in_stride + group : nullptr;
    const float* residual = ADD ? arguments.residual + row * arguments.in_stride + group : nullptr;
    if (width % 4 == 0) {
        rms<T, 4, ADD>(out, sum, in, residual, arguments.gain, width, arguments.epsilon);
    } else {
        rms<T, 1, ADD>(out, sum, in, residual, arguments.gain, width, arguments.epsilon);
    }
}

#define NORM_KERNELS(T)                                                                                                            \
    extern "C" __global__ void __launch_bounds__(MAX_THREADS) norm_rms_##T(const NormArguments arguments) {                        \
        rms_of_group<T, false>(arguments);                                                                                         \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__(MAX_THREADS) norm_rms_add_##T(const NormArguments arguments) {                    \
        rms_of_group<T, true>(arguments);                                                                                          \
    }

NORM_KERNELS(f32)
NORM_KERNELS(f16)
NORM_KERNELS(bf16)
