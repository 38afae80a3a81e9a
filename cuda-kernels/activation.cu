// Gated activations, element by element (Op.SwiGlu).
//
//     out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]
//
// Entry points (f32 or bf16 is the type of all three):
//     activation_swiglu_{f32,bf16}  (out, gate, up, count)
//
// out, gate, up [count]; addresses are multiples of 16. out may be gate or up.
// Launch: grid (count / (256 * elements of 16 bytes), rounded up), block 256, no dynamic shared memory, compute capability 8.0.
// Computed in f32. A gate of minus infinity gives NaN, as the formula does.
// Bound by bandwidth: three accesses an element.

#include "elements.cuh"

constexpr int THREADS = 256;

__device__ __forceinline__ float swiglu(float gate, float up) {
    return gate / (1.0f + expf(-gate)) * up;
}

template <typename T>
__device__ __forceinline__ void swiglu(T* out, const T* gate, const T* up, int count) {
    using Elements = Pack<T, PACK<T>>;
    const long long first = (static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x) * PACK<T>;
    if (first + PACK<T> <= count) {
        const Elements gates = *reinterpret_cast<const Elements*>(gate + first);
        const Elements ups = *reinterpret_cast<const Elements*>(up + first);
        Elements result;
#pragma unroll
        for (int j = 0; j < PACK<T>; j++) {
            result.elements[j] = narrow<T>(swiglu(widen(gates.elements[j]), widen(ups.elements[j])));
        }
        *reinterpret_cast<Elements*>(out + first) = result;
    } else {
#pragma unroll 1
        for (long long i = first; i < count; i++) {
            out[i] = narrow<T>(swiglu(widen(gate[i]), widen(up[i])));
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
activation_swiglu_f32(float* out, const float* gate, const float* up, int count) {
    swiglu(out, gate, up, count);
}

extern "C" __global__ void __launch_bounds__(THREADS)
activation_swiglu_bf16(bf16* out, const bf16* gate, const bf16* up, int count) {
    swiglu(out, gate, up, count);
}
