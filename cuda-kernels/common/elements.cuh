// Elements as they are stored, f32, f16 or bf16, one by one or in packs; computed with in f32.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

using f32 = float;
using f16 = __half;
using bf16 = __nv_bfloat16;

__device__ __forceinline__ float widen(float value) {
    return value;
}

__device__ __forceinline__ float widen(f16 value) {
    return __half2float(value);
}

__device__ __forceinline__ float widen(bf16 value) {
    return __bfloat162float(value);
}

// Rounds to nearest even. What f16 cannot hold becomes its largest number: activations are to stay finite.
template <typename T> __device__ __forceinline__ T narrow(float value);

template <> __device__ __forceinline__ float narrow<float>(float value) {
    return value;
}

template <> __device__ __forceinline__ f16 narrow<f16>(float value) {
    constexpr float MOST = 65504.0f;
    return __float2half_rn(value > MOST ? MOST : value < -MOST ? -MOST : value);
}

template <> __device__ __forceinline__ bf16 narrow<bf16>(float value) {
    return __float2bfloat16_rn(value);
}

// SIZE neighbours, read and written by accesses of up to 16 bytes: their address is a multiple of those.
template <typename T, int SIZE> struct alignas(SIZE * sizeof(T) < 16 ? SIZE * sizeof(T) : 16) Pack {
    T elements[SIZE];
};

// Elements of a 16-byte access.
template <typename T> constexpr int PACK = 16 / sizeof(T);
