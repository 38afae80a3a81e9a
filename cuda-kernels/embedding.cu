// Rows of a table by number (Op.Embed).
//
//     out[r, i] = table[ids[r], i]
//
// Entry points (the first type is the table's, the second that of out):
//     embedding_gather_{f32,bf16}_{f32,bf16}  (out, error, table, ids, vocabulary, width)
//
// out [rows, width], table [vocabulary, width], ids [rows] int, error [1] int. Addresses are multiples of 16. An id that the
// table has not sets bit 0 of *error and gives a row of zeros; nothing outside the table is read.
// Launch: grid (rows), block(width) threads = min(256, width / 8 rounded up to a multiple of 32), no dynamic shared memory, compute
// capability 8.0. Widths that are multiples of an access are read by such, others element by element.

#include "elements.cuh"

template <typename FROM, typename TO, int SIZE>
__device__ __forceinline__ void gather(TO* out, const FROM* row, int width) {
#pragma unroll 1
    for (int i = threadIdx.x * SIZE; i < width; i += blockDim.x * SIZE) {
        Pack<FROM, SIZE> in = {};
        if (row != nullptr) {
            in = *reinterpret_cast<const Pack<FROM, SIZE>*>(row + i);
        }
        Pack<TO, SIZE> result;
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            result.elements[j] = narrow<TO>(widen(in.elements[j]));
        }
        *reinterpret_cast<Pack<TO, SIZE>*>(out + i) = result;
    }
}

template <typename FROM, typename TO>
__device__ __forceinline__ void gather(TO* out, int* error, const FROM* table, const int* ids, int vocabulary, int width) {
    constexpr int SIZE = PACK<FROM> < PACK<TO> ? PACK<FROM> : PACK<TO>;
    const int id = ids[blockIdx.x];
    const bool known = 0 <= id && id < vocabulary;
    if (!known && threadIdx.x == 0) {
        atomicOr(error, 1);
    }
    const FROM* row = known ? table + static_cast<long long>(id) * width : nullptr;
    out += static_cast<long long>(blockIdx.x) * width;
    if (width % SIZE == 0) {
        gather<FROM, TO, SIZE>(out, row, width);
    } else {
        gather<FROM, TO, 1>(out, row, width);
    }
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_f32_f32(float* out, int* error, const float* table, const int* ids, int vocabulary, int width) {
    gather(out, error, table, ids, vocabulary, width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_f32_bf16(bf16* out, int* error, const float* table, const int* ids, int vocabulary, int width) {
    gather(out, error, table, ids, vocabulary, width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_bf16_f32(float* out, int* error, const bf16* table, const int* ids, int vocabulary, int width) {
    gather(out, error, table, ids, vocabulary, width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_bf16_bf16(bf16* out, int* error, const bf16* table, const int* ids, int vocabulary, int width) {
    gather(out, error, table, ids, vocabulary, width);
}
