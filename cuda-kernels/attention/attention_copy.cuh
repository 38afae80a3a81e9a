// How keys and values come into shared memory as operands: by stages that all query rows share, or by single slots.
#pragma once

#include "cache.cuh"
#include "tensor_core.cuh"

// Writes 16 bytes to shared memory at once; a plain assignment may become four writes, whose banks are the same.
__device__ __forceinline__ void store_shared(void* to, uint4 words) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(to)), "r"(words.x), "r"(words.y), "r"(words.z),
                 "r"(words.w)
                 : "memory");
}

// Eight elements of a slot in bytes, as f16.
__device__ __forceinline__ uint4 widen(uint2 codes, f16 scale) {
    // The byte code + 128 in the mantissa of 1024 is 1152 + code, which leaves code, exactly.
    const __half2 scales = {scale, scale};
    const __half2 offset = {__ushort_as_half(0x6480), __ushort_as_half(0x6480)};
    const auto pair = [&](unsigned bytes, unsigned select) {
        const unsigned bits = __byte_perm(bytes ^ 0x80808080u, 0x64646464u, select);
        const __half2 elements = __hmul2(__hsub2(reinterpret_cast<const __half2&>(bits), offset), scales);
        return reinterpret_cast<const unsigned&>(elements);
    };
    return {pair(codes.x, 0x4140), pair(codes.x, 0x4342), pair(codes.y, 0x4140), pair(codes.y, 0x4342)};
}

// Copies eight elements of a line to shared memory, zeros where there is none. tile: of the line. To be awaited.
template <typename KV, int DIM>
__device__ __forceinline__ void copy_piece(typename Stored<KV>::OPERAND* to, const char* tile, int line, int piece, bool there) {
    if constexpr (Stored<KV>::ELEMENT_BYTES == 2) {
        copy_async(to, tile + (line * DIM + piece * 8) * 2, there);
    } else {
        uint4 elements = {};
        if (there) {
            const f16* scales = reinterpret_cast<const f16*>(tile + PAGE_SLOTS * DIM) + line * Stored<KV>::scales(DIM);
            elements = widen(*reinterpret_cast<const uint2*>(tile + line * DIM + piece * 8), scales[piece / 4]);
        }
        store_shared(to, elements);
    }
}

// Does something with the places of count slots, eight elements each: work(slot, piece). Eight neighbouring threads have 64 elements of
// a slot, or where slots are no multiple of that, the same place in eight slots, for which the count is rounded up: all banks.
template <int DIM, typename WORK> __device__ __forceinline__ void each_piece(int thread, int threads, int count, WORK work) {
    constexpr int PIECES = DIM / 8;
#pragma unroll 1
    for (int i = thread; i < (PIECES % 8 == 0 ? count : (count + 7) / 8 * 8) * PIECES; i += threads) {
        if constexpr (PIECES % 8 == 0) {
            work(i / PIECES, i % PIECES);
        } else {
            work(i / (8 * PIECES) * 8 + i % 8, i / 8 % PIECES);
        }
    }
}

// Stages of slots that are the same for all query rows, one in use and the next under way. Of 16 bits: two stages of keys and values. Of
// bytes: a stage as operands, made from one of two as they are stored: [2][keys, values] slots, and behind these their scales. A stage
// lies in one page.
template <typename KV, int DIM> struct Ring {
    using T = typename Stored<KV>::OPERAND;
    static constexpr int STRIDE = DIM + 8;
    static constexpr int SCALES = Stored<KV>::scales(DIM);

    T* memory;
    int slots; // of a stage

    __device__ __forceinline__ char* stored(int stage, int part) const {
        return reinterpret_cast<char*>(memory + 2 * slots * STRIDE) + (stage % 2 * 2 + part) * slots * (DIM + SCALES * 2);
    }

    // Begins to copy a stage of keys (part 0) or values (1) from a tile; slots at or beyond end, read anew each time to spare a register,
    // become zeros.
    __device__ __forceinline__ void copy(const char* tile, int part, int stage, const int& end) const {
        const int first = stage * slots;
        if constexpr (Stored<KV>::ELEMENT_BYTES == 2) {
            T* to = memory + (stage % 2 * 2 + part) * slots * STRIDE;
            each_piece<DIM>(threadIdx.x, blockDim.x, slots, [&](int place, int piece) {
                copy_piece<KV, DIM>(to + place * STRIDE + piece * 8, tile, first % PAGE_SLOTS + place, piece, first + place < end);
            });
        } else {
            const char* scales = tile + PAGE_SLOTS * DIM + first % PAGE_SLOTS * SCALES * 2;
            const char* from = tile + first % PAGE_SLOTS * DIM;
            const int element_bytes = slots * DIM;
            char* to = stored(stage, part);
#pragma unroll 1
            for (int byte = threadIdx.x * 16; byte < element_bytes + slots * SCALES * 2; byte += blockDim.x * 16) {
                const bool is_element = byte < element_bytes;
                const int place = is_element ? byte / DIM : (byte - element_bytes) / (SCALES * 2);
                copy_async(to + byte, is_element ? from + byte : scales + byte - element_bytes, first + place < end);
            }
        }
    }

    // Keys of a stage that has come, and behind them its values; all threads take part.
    __device__ __forceinline__ const T* take(int stage) const {
        if constexpr (Stored<KV>::ELEMENT_BYTES == 2) {
            return memory + stage % 2 * 2 * slots * STRIDE;
        } else {
#pragma unroll 1
            for (int part = 0; part < 2; part++) {
                const char* from = stored(stage, part);
                each_piece<DIM>(threadIdx.x, blockDim.x, slots, [&](int place, int piece) {
                    const f16* scales = reinterpret_cast<const f16*>(from + slots * DIM) + place * SCALES;
                    store_shared(memory + (part * slots + place) * STRIDE + piece * 8,
                            widen(*reinterpret_cast<const uint2*>(from + place * DIM + piece * 8), scales[piece / 4]));
                });
            }
            __syncthreads();
            return memory;
        }
    }
};
