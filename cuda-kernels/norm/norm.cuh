// The root of the mean square: what norm.cu and norm_s8.cu share.
#pragma once

#include "elements.cuh"
#include "reduce.cuh"

// What the elements of a group are multiplied with, by one block. SIZE elements an access; ADD whether there is a residual, then
// sum = in + residual is written and counts.
template <int SIZE, bool ADD>
__device__ __forceinline__ float rms_scale(float* sum, const float* in, const float* residual, int width, float epsilon) {
    using Elements = Pack<float, SIZE>;
    const int step = blockDim.x * SIZE;
    const int first = threadIdx.x * SIZE;

    float squares = 0.0f;
#pragma unroll 1
    for (int i = first; i < width; i += step) {
        Elements x = *reinterpret_cast<const Elements*>(in + i);
        if constexpr (ADD) {
            const Elements added = *reinterpret_cast<const Elements*>(residual + i);
#pragma unroll
            for (int j = 0; j < SIZE; j++) {
                x.elements[j] += added.elements[j];
            }
            *reinterpret_cast<Elements*>(sum + i) = x;
        }
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            squares = fmaf(x.elements[j], x.elements[j], squares);
        }
    }

    return rsqrtf(block_sum(squares) / width + epsilon);
}
