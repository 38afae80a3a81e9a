// How keys and values are stored. A cache is pages of 64 slots, anywhere in memory:
//
//     pages [slots / 64 rounded up]: addresses of the pages; slot s is line s % 64 of page s / 64
//     a page: for each layer the keys [kv_heads], then the values [kv_heads], each a tile of 64 lines of stored_dim elements
//
// stored_dim is head_dim rounded up to a multiple of 16; what is beyond head_dim stays zero. A tile of f16 or bf16 is its lines. A
// tile of q8_0 is its lines of signed bytes, and behind them for each line an f16 scale for each 32 elements, the last of which may be
// fewer: an element is byte * scale. A layer is known by the bytes before it in a page.
#pragma once

#include "elements.cuh"

constexpr int PAGE_SLOTS = 64;
constexpr int SCALED = 32;

struct q8_0 {};

// What is stored as KV is computed with as OPERAND.
template <typename KV> struct Stored {
    using OPERAND = KV;
    static constexpr int ELEMENT_BYTES = 2;

    static __device__ __forceinline__ constexpr int scales(int) {
        return 0;
    }
};

template <> struct Stored<q8_0> {
    using OPERAND = f16;
    static constexpr int ELEMENT_BYTES = 1;

    static __device__ __forceinline__ constexpr int scales(int dim) {
        return (dim + SCALED - 1) / SCALED;
    }
};

// Bytes of a line, without its scales.
template <typename KV> __device__ __forceinline__ constexpr int line_bytes(int dim) {
    return dim * Stored<KV>::ELEMENT_BYTES;
}

template <typename KV> __device__ __forceinline__ constexpr int tile_bytes(int dim) {
    return PAGE_SLOTS * (line_bytes<KV>(dim) + 2 * Stored<KV>::scales(dim));
}
