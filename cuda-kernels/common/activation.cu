// Gated activations, sums and roundings, element by element (Op.Elementwise).
//
//     swiglu: out[i] = a[i] / (1 + exp(-a[i])) * b[i]        a is the gate, b is up
//     add:    out[i] = a[i] + b[i]
//     round:  out[i] = a[i]
//
// Entry points (the type is that of out; a and b are f32):
//     activation_swiglu_{f32,f16,bf16}, activation_add_f32  (out, a, b, rows, width)
//     activation_round_{f16,bf16}                           (out, a, rows, width)
//
// out, a, b [rows, width], rows [1] int; addresses are multiples of 16. out may be a or b where it is f32.
// Launch: grid (max rows * width / 1024, rounded up), block 256, no dynamic shared memory, compute capability 8.0.
// Computed in f32. A gate of minus infinity gives NaN, as the formula does.
// Bound by bandwidth: three accesses an element.

#include "elements.cuh"

constexpr int THREADS = 256;
constexpr int SIZE = 4; // elements a thread

struct SwiGlu {
    static __device__ __forceinline__ float of(float gate, float up) {
        return gate / (1.0f + expf(-gate)) * up;
    }
};

struct Sum {
    static __device__ __forceinline__ float of(float a, float b) {
        return a + b;
    }
};

struct First {
    static __device__ __forceinline__ float of(float a, float) {
        return a;
    }
};

template <typename T, typename OP>
__device__ __forceinline__ void map(T* out, const float* a, const float* b, const int* rows, int width) {
    const long long count = static_cast<long long>(*rows) * width;
    const long long first = (static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x) * SIZE;
    if (first + SIZE <= count) {
        const auto x = *reinterpret_cast<const Pack<float, SIZE>*>(a + first);
        const auto y = *reinterpret_cast<const Pack<float, SIZE>*>(b + first);
        Pack<T, SIZE> result;
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            result.elements[j] = narrow<T>(OP::of(x.elements[j], y.elements[j]));
        }
        *reinterpret_cast<Pack<T, SIZE>*>(out + first) = result;
    } else {
#pragma unroll 1
        for (long long i = first; i < count; i++) {
            out[i] = narrow<T>(OP::of(a[i], b[i]));
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
activation_swiglu_f32(float* out, const float* a, const float* b, const int* rows, int width) {
    map<float, SwiGlu>(out, a, b, rows, width);
}

extern "C" __global__ void __launch_bounds__(THREADS)
activation_swiglu_f16(f16* out, const float* a, const float* b, const int* rows, int width) {
    map<f16, SwiGlu>(out, a, b, rows, width);
}

extern "C" __global__ void __launch_bounds__(THREADS)
activation_swiglu_bf16(bf16* out, const float* a, const float* b, const int* rows, int width) {
    map<bf16, SwiGlu>(out, a, b, rows, width);
}

extern "C" __global__ void __launch_bounds__(THREADS)
activation_add_f32(float* out, const float* a, const float* b, const int* rows, int width) {
    map<float, Sum>(out, a, b, rows, width);
}

extern "C" __global__ void __launch_bounds__(THREADS) activation_round_f16(f16* out, const float* a, const int* rows, int width) {
    map<f16, First>(out, a, a, rows, width);
}

extern "C" __global__ void __launch_bounds__(THREADS) activation_round_bf16(bf16* out, const float* a, const int* rows, int width) {
    map<bf16, First>(out, a, a, rows, width);
}
