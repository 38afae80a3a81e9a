// Matrix products with weights of which some of every 4, 8 or 16 are kept (Op.MatMul, alone or with SwiGLU), read as they are stored.
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n]), swiglu as in matmul.cu
//
// Entry points, of MatmulArguments and with tiles as in matmul.cu:
//     matmul_sparse_{1_4,2_8,4_8,1_16,2_16}_{16x32,16x128,64x64,128x128}
//     matmul_swiglu_sparse_{1_4,2_8,4_8,1_16,2_16}_{16x32,16x128,64x64,128x128}
//
// in is f16, out f32, or f16 in swiglu. inputs is a multiple of 64.
// Launch: as matmul.cu, with the dynamic shared memory that MatmulKernels has; compute capability 8.0.
// Products are exact and sums f32, 16 inputs at a time, of four runs of 16 in each 64 four inputs each: every tile, and a row beside any
// others, gives the same bits.
//
// The weight is kept in tiles of 8 outputs x 64 inputs as in matmul_quantized.cu, but lane 4 g + t has inputs 16 t to 16 t + 15 of output
// g, which are whole groups: the order of the inputs in mma is free as long as weights and activations have the same. A weight tile has the
// values that are kept, f16, for each lane in their order; then the places of them within their groups, as a stream of bits for each
// lane, the lowest first: 16 of its bits as two bytes, if it has as many, then 8 as one byte, then 4 as half a one.
//
// A lane expands what it has to pairs of f16 by shifts: an f16 by 16 times its distance from where the pair begins, which for all pairs
// but its own leaves nothing. Where two of a group are kept, a half of what says which bytes four inputs are made of is shifted so.

#include "matmul_weight_tiles.cuh"

template <int N, int M> struct SparseNM : WeightTileFormat {
    using Element = f16;
    static constexpr int lane_values = 16 / M * N;
    static constexpr int place_bits = M == 4 ? 2 : M == 8 ? 3 : 4;
    static constexpr int lane_bits = lane_values * place_bits;
    static constexpr int value_bytes = 32 * 2 * lane_values;
    static constexpr int bytes = value_bytes + 32 * lane_bits / 8;
    static constexpr bool is_in_order = true;
    static_assert(lane_bits < 32 && lane_bits % 4 == 0, "whole halves of bytes");

    unsigned values[(lane_values + 1) / 2];
    unsigned places;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        const int lane = threadIdx.x % 32;
        if constexpr (lane_values == 8) {
            const uint4 all = reinterpret_cast<const uint4*>(weight_tile)[lane];
            values[0] = all.x;
            values[1] = all.y;
            values[2] = all.z;
            values[3] = all.w;
        } else if constexpr (lane_values == 4) {
            const uint2 all = reinterpret_cast<const uint2*>(weight_tile)[lane];
            values[0] = all.x;
            values[1] = all.y;
        } else if constexpr (lane_values == 2) {
            values[0] = reinterpret_cast<const unsigned*>(weight_tile)[lane];
        } else {
            values[0] = reinterpret_cast<const unsigned short*>(weight_tile)[lane];
        }
        constexpr int PAIRS = lane_bits & 16;
        constexpr int BYTES = lane_bits & 8;
        const unsigned char* from = weight_tile + value_bytes;
        places = 0;
        if constexpr (PAIRS != 0) {
            places = reinterpret_cast<const unsigned short*>(from)[lane];
        }
        if constexpr (BYTES != 0) {
            places |= from[PAIRS * 4 + lane] << PAIRS;
        }
        if constexpr ((lane_bits & 4) != 0) {
            places |= (from[(PAIRS + BYTES) * 4 + lane / 2] >> lane % 2 * 4 & 15) << (PAIRS + BYTES);
        }
    }

    // a << by, 0 if that is 32 or more, or negative.
    __device__ __forceinline__ static unsigned shifted(unsigned a, int by) {
        unsigned result;
        asm("shl.b32 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(by));
        return result;
    }

    // How far a place is from the first input of a step in its group, times the bits of an input.
    __device__ __forceinline__ int distance(int number, int step, int bits) const {
        return static_cast<int>(places >> number * place_bits & (M - 1)) * bits - step * 4 * bits;
    }

    __device__ __forceinline__ static unsigned chosen(unsigned value, unsigned bytes) {
        unsigned result;
        asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(value), "n"(0), "r"(bytes));
        return result;
    }

    // Four inputs, two pairs.
    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        constexpr int STEPS = M / 4;
        if constexpr (N == 2) {
            constexpr unsigned NONE = 0x44444444u; // bytes of 0
            const int number = step / STEPS * N;
            const unsigned from = shifted(0x54, distance(number, step % STEPS, 8)) ^ shifted(0x76, distance(number + 1, step % STEPS, 8))
                    ^ NONE; // bytes 1 and 0, and 3 and 2
            first = chosen(values[number / 2], from);
            second = chosen(values[number / 2], from >> 16);
            return;
        }
        first = 0;
        second = 0;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const int number = step / STEPS * N + i;
            const unsigned value = number % 2 == 0 ? values[number / 2] & 0xffff : values[number / 2] >> 16;
            const int by = distance(number, step % STEPS, 16);
            first |= shifted(value, by);
            second |= shifted(value, by - 32);
        }
    }
};

using Sparse1Of4 = SparseNM<1, 4>;
using Sparse2Of8 = SparseNM<2, 8>;
using Sparse4Of8 = SparseNM<4, 8>;
using Sparse1Of16 = SparseNM<1, 16>;
using Sparse2Of16 = SparseNM<2, 16>;

MATMUL_KERNELS(Sparse1Of4, sparse_1_4)
MATMUL_KERNELS(Sparse2Of8, sparse_2_8)
MATMUL_KERNELS(Sparse4Of8, sparse_4_8)
MATMUL_KERNELS(Sparse1Of16, sparse_1_16)
MATMUL_KERNELS(Sparse2Of16, sparse_2_16)
