// Rotary position embedding (Op.Rope): pairs of elements of each head are turned by an angle that grows with the position.
//
//     angle = f32(position) * inverse_frequency[i]
//     out[a] = in[a] * cos - in[b] * sin
//     out[b] = in[a] * sin + in[b] * cos        cos and sin of the angle, times factor
//
// Entry points (f32 or bf16 is the type of in and out):
//     rope_split_{f32,bf16}        pair i is elements a = i and b = i + pairs of a head
//     rope_interleaved_{f32,bf16}  pair i is elements a = 2i and b = 2i + 1
//         (out, in, positions, inverse_frequencies, heads, head_dim, pairs, factor)
//
// out, in [rows, heads, head_dim], positions [rows] int, inverse_frequencies [pairs] f32, 2 pairs <= head_dim; elements beyond
// the pairs are copied. head_dim is even. out may be in. Addresses are multiples of 16.
// Launch: grid (rows, heads / 4 rounded up), block(pairs) threads = min(256, pairs rounded up to a multiple of 32), no dynamic
// shared memory, compute capability 8.0.
// The angle is rounded to f32 as the formula says and then reduced to a turn in f64, so that sine and cosine are right to 4e-7 at
// any position; four heads share them.

#include "elements.cuh"

constexpr int HEADS_A_BLOCK = 4;

enum class Pairing { SPLIT, INTERLEAVED };

struct Rotation {
    float cosine;
    float sine;
};

__device__ __forceinline__ Rotation rotation(int position, float inverse_frequency, float factor) {
    constexpr double TURNS_A_RADIAN = 0.15915494309189535;
    const float angle = static_cast<float>(position) * inverse_frequency;
    const double turns = static_cast<double>(angle) * TURNS_A_RADIAN;
    Rotation result;
    sincospif(static_cast<float>(2 * (turns - rint(turns))), &result.sine, &result.cosine);
    result.cosine *= factor;
    result.sine *= factor;
    return result;
}

template <typename T>
__device__ __forceinline__ Pack<T, 2> turn(Pack<T, 2> pair, Rotation by) {
    const float a = widen(pair.elements[0]);
    const float b = widen(pair.elements[1]);
    return {narrow<T>(a * by.cosine - b * by.sine), narrow<T>(a * by.sine + b * by.cosine)};
}

template <typename T, Pairing PAIRING>
__device__ __forceinline__ void rotate(T* out, const T* in, const int* positions, const float* inverse_frequencies, int heads,
        int head_dim, int pairs, float factor) {
    const int row = blockIdx.x;
    const int position = positions[row];
    const int first_head = blockIdx.y * HEADS_A_BLOCK;
    const int end_head = min(first_head + HEADS_A_BLOCK, heads);
    const long long first = (static_cast<long long>(row) * heads + first_head) * head_dim;

#pragma unroll 1
    for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
        const Rotation by = rotation(position, inverse_frequencies[i], factor);
        long long head = first;
#pragma unroll 1
        for (int h = first_head; h < end_head; h++, head += head_dim) {
            if constexpr (PAIRING == Pairing::SPLIT) {
                const Pack<T, 2> turned = turn<T>({in[head + i], in[head + i + pairs]}, by);
                out[head + i] = turned.elements[0];
                out[head + i + pairs] = turned.elements[1];
            } else {
                const auto pair = *reinterpret_cast<const Pack<T, 2>*>(in + head + 2 * i);
                *reinterpret_cast<Pack<T, 2>*>(out + head + 2 * i) = turn(pair, by);
            }
        }
    }

#pragma unroll 1
    for (int i = 2 * pairs + threadIdx.x; i < head_dim; i += blockDim.x) {
        long long head = first;
#pragma unroll 1
        for (int h = first_head; h < end_head; h++, head += head_dim) {
            out[head + i] = in[head + i];
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
rope_split_f32(float* out, const float* in, const int* positions, const float* inverse_frequencies, int heads, int head_dim,
        int pairs, float factor) {
    rotate<float, Pairing::SPLIT>(out, in, positions, inverse_frequencies, heads, head_dim, pairs, factor);
}

extern "C" __global__ void __launch_bounds__(256)
rope_split_bf16(bf16* out, const bf16* in, const int* positions, const float* inverse_frequencies, int heads, int head_dim,
        int pairs, float factor) {
    rotate<bf16, Pairing::SPLIT>(out, in, positions, inverse_frequencies, heads, head_dim, pairs, factor);
}

extern "C" __global__ void __launch_bounds__(256)
rope_interleaved_f32(float* out, const float* in, const int* positions, const float* inverse_frequencies, int heads, int head_dim,
        int pairs, float factor) {
    rotate<float, Pairing::INTERLEAVED>(out, in, positions, inverse_frequencies, heads, head_dim, pairs, factor);
}

extern "C" __global__ void __launch_bounds__(256)
rope_interleaved_bf16(bf16* out, const bf16* in, const int* positions, const float* inverse_frequencies, int heads, int head_dim,
        int pairs, float factor) {
    rotate<bf16, Pairing::INTERLEAVED>(out, in, positions, inverse_frequencies, heads, head_dim, pairs, factor);
}
