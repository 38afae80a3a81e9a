// Walking a pass's tree by the tokens sampled after its rows.
#pragma once

#include "sampling_request.cuh"

// What a walk emits after a row, and the row below that it has accepted for it; -1 if that is any that carries the token.
struct Emitted {
    int token;
    int row;
};

// Walks from the first row on, as emit(row) says, and notes the way if it is to. By a whole block.
template <typename F>
__device__ __forceinline__ void walk(int& next, bool notes, int* result, const float* margins, const int* tokens, const int* paths, const int* lengths,
        const int* committed, int rows, int capacity, int stride, F emit) {
    int* accepted_rows = result + 4;
    int* sampled = accepted_rows + capacity;
    float* sampled_margins = reinterpret_cast<float*>(sampled + capacity);
    int* from = sampled + 2 * capacity;
    int* to = from + capacity;
    int accepted = 0;
    int moves = 0;
    int row = 0;
#pragma unroll 1
    while (true) {
        const Emitted emitted = emit(row);
        if (threadIdx.x == 0) {
            next = emitted.row >= 0 ? emitted.row : rows;
        }
        if (notes && threadIdx.x == 0) {
            sampled[accepted] = emitted.token;
            sampled_margins[accepted] = margins[row];
        }
        __syncthreads();
        if (emitted.row < 0) {
#pragma unroll 1
            for (int other = row + 1 + threadIdx.x; other < rows; other += blockDim.x) {
                if (tokens[other] == emitted.token && Path(paths, lengths, stride, other).parent() == row) {
                    atomicMin(&next, other);
                }
            }
        }
        __syncthreads();
        row = next;
        if (row == rows) {
            break;
        }
        __syncthreads();
        if (notes && threadIdx.x == 0) {
            accepted_rows[accepted] = row;
            if (row != accepted + 1) {
                from[moves] = *committed + row;
                to[moves] = *committed + accepted + 1;
            }
        }
        moves += row != accepted + 1;
        accepted++;
    }
    if (notes && threadIdx.x == 0) {
        result[0] = accepted;
        result[1] = moves;
        result[2] = 0;
        result[3] = 0;
    }
}
