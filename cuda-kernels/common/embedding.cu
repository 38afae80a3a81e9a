// Rows of a table by number (Op.Embed, Op.SelectRows).
//
//     out[r, i] = table[ids[r], i], or given[r, i] where ids[r] is -1
//
// Entry points (the type is the table's; out is f32):
//     embedding_gather_{f32,f16,bf16}  (out, error, table, given, ids, rows, vocabulary, width)
//
// out [rows, width], table [vocabulary, width], given [rows, width] f32 or null, ids [rows] int, rows [1] int, error [1] int. Addresses
// are multiples of 16. An id that the table has not, -1 too if no rows are given, sets bit 0 of *error and gives a row of zeros; nothing
// outside the table is read.
// Launch: grid (max rows), block(width) threads = min(256, width / 4 rounded up to a multiple of 32), no dynamic shared memory,
// compute capability 8.0. Widths that are multiples of 4 are read four at a time, others element by element.

#include "elements.cuh"

// Widens a row; zeros for none.
template <typename T, int SIZE> __device__ __forceinline__ void copy(float* out, const T* row, int width) {
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

template <typename T> __device__ __forceinline__ void copy(float* out, const T* row, int width) {
    if (width % 4 == 0) {
        copy<T, 4>(out, row, width);
    } else {
        copy<T, 1>(out, row, width);
    }
}

template <typename T>
__device__ __forceinline__ void gather(float* out, int* error, const T* table, const float* given, const int* ids, const int* rows,
        int vocabulary, int width) {
    if (blockIdx.x >= *rows) {
        return;
    }
    const int id = ids[blockIdx.x];
    out += static_cast<long long>(blockIdx.x) * width;
    if (id == -1 && given != nullptr) {
        copy(out, given + static_cast<long long>(blockIdx.x) * width, width);
        return;
    }
    const bool known = 0 <= id && id < vocabulary;
    if (!known && threadIdx.x == 0) {
        atomicOr(error, 1);
    }
    copy(out, known ? table + static_cast<long long>(id) * width : static_cast<const T*>(nullptr), width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_f32(float* out, int* error, const float* table, const float* given, const int* ids, const int* rows, int vocabulary,
        int width) {
    gather(out, error, table, given, ids, rows, vocabulary, width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_f16(float* out, int* error, const f16* table, const float* given, const int* ids, const int* rows, int vocabulary,
        int width) {
    gather(out, error, table, given, ids, rows, vocabulary, width);
}

extern "C" __global__ void __launch_bounds__(256)
embedding_gather_bf16(float* out, int* error, const bf16* table, const float* given, const int* ids, const int* rows, int vocabulary,
        int width) {
    gather(out, error, table, given, ids, rows, vocabulary, width);
}
