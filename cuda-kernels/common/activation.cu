// Gated activations, sums and roundings, element by element (Op.Elementwise).
//
//     swiglu: out[i] = a[i] / (1 + exp(-a[i])) * b[i]        a is the gate, b is up
//     add:    out[i] = a[i] + b[i]
//     round:  out[i] = a[i]
//
// Entry points (the type is that of out; a and b are f32), of ActivationArguments:
//     activation_swiglu_{f32,f16,bf16}, activation_add_f32, activation_round_{f16,bf16}
//
// Addresses are multiples of 16. out may be a or b where it is f32.
// Launch: grid (max rows * width / 1024, rounded up), block 256, no dynamic shared memory, compute capability 8.0.
// Computed in f32. A gate of minus infinity gives NaN, as the formula does.
// Bound by bandwidth: three accesses an element.

#include "elements.cuh"

struct ActivationArguments {
    void* out;       // [rows, width] of the kernel's type
    const float* a;  // [rows, width]
    const float* b;  // [rows, width], null to round
    const int* rows; // [1]: how many there are
    int width;
};

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
__device__ __forceinline__ void map(const ActivationArguments& arguments, const float* b) {
    T* out = static_cast<T*>(arguments.out);
    const float* a = arguments.a;
    const long long count = static_cast<long long>(*arguments.rows) * arguments.width;
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

extern "C" __global__ void __launch_bounds__(THREADS) activation_swiglu_f32(const ActivationArguments arguments) {
    map<float, SwiGlu>(arguments, arguments.b);
}

extern "C" __global__ void __launch_bounds__(THREADS) activation_swiglu_f16(const ActivationArguments arguments) {
    map<f16, SwiGlu>(arguments, arguments.b);
}

extern "C" __global__ void __launch_bounds__(THREADS) activation_swiglu_bf16(const ActivationArguments arguments) {
    map<bf16, SwiGlu>(arguments, arguments.b);
}

extern "C" __global__ void __launch_bounds__(THREADS) activation_add_f32(const ActivationArguments arguments) {
    map<float, Sum>(arguments, arguments.b);
}

extern "C" __global__ void __launch_bounds__(THREADS) activation_round_f16(const ActivationArguments arguments) {
    map<f16, First>(arguments, arguments.a);
}

extern "C" __global__ void __launch_bounds__(THREADS) activation_round_bf16(const ActivationArguments arguments) {
    map<bf16, First>(arguments, arguments.a);
}
