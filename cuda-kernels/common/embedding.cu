// Rows of a table by number (Op.Embed, Op.SelectRows).
//
//     out[r, i] = table[ids[r], i], or given[r, i] where ids[r] is -1
//
// Entry points (the type is the table's; out is f32), of EmbeddingArguments:
//     embedding_gather_{f32,f16,bf16}
//
// Addresses are multiples of 16. An id that the table has not, -1 too if no rows are given, sets bit 0 of *error and gives a row of zeros;
// nothing outside the table is read.
// Launch: grid (max rows), block(width) threads = min(256, width / 4 rounded up to a multiple of 32), no dynamic shared memory,
// compute capability 8.0. Widths that are multiples of 4 are read four at a time, others element by element.

#include "elements.cuh"

struct EmbeddingArguments {
    float* out;         // [rows, width]
    int* error;         // [1]
    const void* table;  // [vocabulary, width] of the kernel's type
    const float* given; // [rows, width], or null
    const int* ids;     // [rows]
    const int* rows;    // [1]: how many there are
    int vocabulary;
    int width;
};

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

template <typename T> __device__ __forceinline__ void gather(const EmbeddingArguments& arguments) {
    if (blockIdx.x >= *arguments.rows) {
        return;
    }
    const T* table = static_cast<const T*>(arguments.table);
    const int width = arguments.width;
    const int id = arguments.ids[blockIdx.x];
    float* out = arguments.out + static_cast<long long>(blockIdx.x) * width;
    if (id == -1 && arguments.given != nullptr) {
        copy(out, arguments.given + static_cast<long long>(blockIdx.x) * width, width);
        return;
    }
    const bool known = 0 <= id && id < arguments.vocabulary;
    if (!known && threadIdx.x == 0) {
        atomicOr(arguments.error, 1);
    }
    copy(out, known ? table + static_cast<long long>(id) * width : static_cast<const T*>(nullptr), width);
}

extern "C" __global__ void __launch_bounds__(256) embedding_gather_f32(const EmbeddingArguments arguments) {
    gather<float>(arguments);
}

extern "C" __global__ void __launch_bounds__(256) embedding_gather_f16(const EmbeddingArguments arguments) {
    gather<f16>(arguments);
}

extern "C" __global__ void __launch_bounds__(256) embedding_gather_bf16(const EmbeddingArguments arguments) {
    gather<bf16>(arguments);
}
