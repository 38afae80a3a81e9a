// Rotary position embedding (Op.Rope): pairs of elements of each head are turned by an angle that grows with the position.
//
//     angle = f32(position) * inverse_frequency[i]
//     out[a] = in[a] * cos - in[b] * sin
//     out[b] = in[a] * sin + in[b] * cos        cos and sin of the angle, times factor
//
// Entry points, of RopeArguments:
//     rope_split        pair i is elements a = i and b = i + pairs of a head
//     rope_interleaved  pair i is elements a = 2i and b = 2i + 1
//
// 2 pairs <= head_dim, which is even; elements beyond the pairs are copied. out may be in. Addresses are multiples of 16.
// Launch: grid (max rows, heads / 4 rounded up), block(pairs) threads = min(256, pairs rounded up to a multiple of 32), no dynamic
// shared memory, compute capability 8.0.
// Four heads share a sine and cosine, see rotation.cuh.

#include "elements.cuh"
#include "rotation.cuh"

struct RopeArguments {
    float* out;                       // [rows, heads, head_dim]
    const float* in;                  // [rows, heads, head_dim]
    const int* positions;             // [rows]
    const float* inverse_frequencies; // [pairs]
    const int* rows;                  // [1]: how many there are
    int heads;
    int head_dim;
    int pairs;
    float factor;
};

constexpr int HEADS_A_BLOCK = 4;

template <typename PAIRING> __device__ __forceinline__ void rotate(const RopeArguments& arguments) {
    const int row = blockIdx.x;
    if (row >= *arguments.rows) {
        return;
    }
    float* out = arguments.out;
    const float* in = arguments.in;
    const int heads = arguments.heads;
    const int head_dim = arguments.head_dim;
    const int pairs = arguments.pairs;
    const int position = arguments.positions[row];
    const int first_head = blockIdx.y * HEADS_A_BLOCK;
    const int end_head = min(first_head + HEADS_A_BLOCK, heads);
    const long long first = (static_cast<long long>(row) * heads + first_head) * head_dim;

#pragma unroll 1
    for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
        const Rotation by = rotation(position, arguments.inverse_frequencies[i], arguments.factor);
        long long head = first;
#pragma unroll 1
        for (int h = first_head; h < end_head; h++, head += head_dim) {
            PAIRING::store(out + head, i, pairs, turn(PAIRING::load(in + head, i, pairs), by));
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

extern "C" __global__ void __launch_bounds__(256) rope_split(const RopeArguments arguments) {
    rotate<Split>(arguments);
}

extern "C" __global__ void __launch_bounds__(256) rope_interleaved(const RopeArguments arguments) {
    rotate<Interleaved>(arguments);
}
