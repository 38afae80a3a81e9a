// Rows of a table by number (Op.Embed, Op.SelectRows).
//
//     out[r, i] = table[ids[r], i]
//
// Entry points (the type is the table's; out is f32):
//     embedding_gather_{f32,f16,bf16}  (out, error, table, ids, rows, vocabulary, width)
//
// out [rows, width], table [vocabulary, width], ids [rows] int, rows [1] int, error [1] int. Addresses are multiples of 16. An id
// that the table has not sets bit 0 of *error and gives a row of zeros; nothing outside the table is read.
// Launch: grid (max rows), block(width) threads = min(256, width / 4 rounded up to a multiple of 32), no dynamic shared memory,
// compute capability 8.0. Widths that are multiples of 4 are read four at a time, others element by element.

#include "elements.cuh"

template <typename T, int SIZE>
__device__ __forceinline__ void gather(float* out, const T* row, int width) {
#pragma unroll 1
    for (int i = threadIdx.x * SIZE; i < width; i += blockDim.x * SIZE) {
        Pack<T, SIZE> in = {};
        if (row != nullptr) {
            in = *reinterpret_cast<const Pack<T, SIZE>*>(row + i);
        }
        Pack<float, SIZE> result;
#pragma unroll
        for (int j = 0; j < SIZE; j++) {
            result.elements[j] = widen(in.elements[j]);
        }
        *reinterpret_cast<Pack<float, SIZE>*>(out + i) = result;
    }
}

template <typename T>
__device__ __forceinline__ void gather(float* out, int* error, const T* table, const int* ids, const int* rows, int vocabulary,
        int width) {
    if (blockIdx.x >= *rows) {
        return;
    }
    const int id = ids[blockIdx.x];
    const bool known = 0 <= id && id < vocabulary;
    if (!known && threadIdx.x == 0) {
        atomicOr(error, 1);
    }
    const T* row = known ? table + static_cast<long long>(id) * width : nullptr;
    out += static_cast<long long>(blockIdx.x) * width;
    if (width % 4 == 0) {
        gather<T, 4>(out, row, width);
    } else {
        gather<T, 1>(out, row, width);
    }
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_f32(float* out, int* error, const float* table, const int* ids, const int* rows, int vocabulary, int width) {
    gather(out, error, table, ids, rows, vocabulary, width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_f16(float* out, int* error, const f16* table, const int* ids, const int* rows, int vocabulary, int width) {
    gather(out, error, table, ids, rows, vocabulary, width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_bf16(float* out, int* error, const bf16* table, const int* ids, const int* rows, int vocabulary, int width) {
    gather(out, error, table, ids, rows, vocabulary, width);
}
