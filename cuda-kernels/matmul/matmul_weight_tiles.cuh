// Products with a weight in tiles: what formats of weights share. A format is a type with
//
//     bytes           of a weight tile, 8 outputs x 64 inputs
//     Element         of the activations
//     block           inputs that share a scale, 16, 32 or 64; 0 if none do
//     has_row_scale   whether all inputs of an output share a scale
//     is_sparse       whether two of every four weights are kept, and multiplied by a sparse mma
//     is_in_order     whether a lane's weights are 16 inputs that follow each other, of which a step takes four
//     has_table, has_minimum
//     load(weight_tile)  reads what is this lane's
//     fragments(...)     two pairs of bf16, of 16 inputs of a weight tile
//     scale(i)           of this lane's output and block i of the weight tile
//     minimum(i)         likewise, if it has one: what is added to each weight
//
// (of those that it has no use for a format may have none).
//
// The weight is the operand of 16 rows of mma, two weight tiles at a time, and rows of activations are the one of 8. A lane's weights, and
// its sums, are all of the same two outputs, so that it needs one scale a weight tile.

#pragma once

#include "matmul.cuh"

constexpr int WEIGHT_TILE_INPUTS = 64;
constexpr int TABLE_ENTRIES = 256;
constexpr int BANKS = 32;

// The sums of this warp: [16 outputs][8 rows][of a lane: two rows of an output, then of the one eight further].
template <typename TILE> using WeightTileSums = float[TILE::warp_outputs / 16][TILE::warp_rows / 8][4];

// A tile of the same outputs for at most 8 rows.
template <typename TILE>
using HalfTile = Tile<8, TILE::outputs, TILE::inputs, TILE::stages, 1, TILE::warps_across, TILE::cluster>;

// (a & MASK) | bits.
template <unsigned MASK> __device__ __forceinline__ unsigned and_or(unsigned a, unsigned bits) {
    unsigned result;
    asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(result) : "r"(a), "n"(MASK), "r"(bits));
    return result;
}

template <unsigned MASK, unsigned BITS> __device__ __forceinline__ unsigned and_or(unsigned a) {
    unsigned result;
    asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(result) : "r"(a), "n"(MASK), "n"(BITS));
    return result;
}

// Bytes of a, from 0 on, and of b, from 4 on, by four numbers of 4 bits.
template <int NUMBERS> __device__ __forceinline__ unsigned bytes_by(unsigned a, unsigned b) {
    unsigned result;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "n"(NUMBERS));
    return result;
}

template <int NUMBERS, unsigned B> __device__ __forceinline__ float float_by(unsigned a) {
    float result;
    asm("prmt.b32 %0, %1, %2, %3;" : "=f"(result) : "r"(a), "n"(B), "n"(NUMBERS));
    return result;
}

template <int NUMBERS, unsigned B> __device__ __forceinline__ unsigned bytes_by(unsigned a) {
    unsigned result;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "n"(B), "n"(NUMBERS));
    return result;
}

// Sums of two pairs of bf16.
__device__ __forceinline__ unsigned add_pairs(unsigned a, unsigned b) {
    unsigned result;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(0x3f803f80u), "r"(b));
    return result;
}

// The whole numbers of the bits MASK, below 128, plus `less`, a pair of bf16 that is 128 below what is wanted. 0x4300 are the bits
// of 128, whose last bit stands for 1.
template <unsigned MASK> __device__ __forceinline__ unsigned integers(unsigned bits, unsigned less) {
    return add_pairs(and_or<MASK, 0x43004300u>(bits), less);
}

// The signed bytes 0 and 2 of a word: 128 and the low 7 bits, less 128, or 256 where the high bit is set.
__device__ __forceinline__ unsigned bytes_of(unsigned word) {
    return integers<0x007f007fu>(word, and_or<0x00800080u, 0xc300c300u>(word));
}

// product = a * b.
__device__ __forceinline__ void multiply_first(float (&product)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
        : "=f"(product[0]), "=f"(product[1]), "=f"(product[2]), "=f"(product[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(0.0f));
}

// What most formats are like.
struct WeightTileFormat {
    using Element = bf16;
    static constexpr int block = 0;
    static constexpr bool has_row_scale = false;
    static constexpr bool is_sparse = false;
    static constexpr bool is_in_order = false;
    static constexpr bool has_table = false;
    static constexpr bool has_minimum = false;
};

// Bytes of the weight tiles of 8 outputs, and behind them of the scales of outputs that have one for all inputs.
template <typename FORMAT> __device__ __forceinline__ long long group_bytes(int weight_tiles) {
    return static_cast<long long>(weight_tiles) * FORMAT::bytes + (FORMAT::has_row_scale ? 8 * sizeof(float) : 0);
}

// What a thread copies of the weight tiles of each stage: pieces of 16 bytes; of those that are not there come zeros.
template <typename TILE, typename FORMAT> struct WeightTileCopies {
    static constexpr int STAGE_WEIGHT_TILES = TILE::inputs / WEIGHT_TILE_INPUTS;
    static constexpr int RUN = STAGE_WEIGHT_TILES * FORMAT::bytes / 16; // pieces of eight outputs
    static constexpr int COUNT = TILE::outputs / 8 * RUN;
    static constexpr int PIECES = (COUNT + TILE::threads - 1) / TILE::threads;

    const unsigned char* first; // weight tile of the tile
    int offsets[PIECES];        // of the first stage's from there
    int left[PIECES];           // pieces of the row of weight tiles from there on

    __device__ __forceinline__ WeightTileCopies(const unsigned char* weight, int weight_rows, int weight_tiles)
        : first(weight + blockIdx.y * (TILE::outputs / 8) * group_bytes<FORMAT>(weight_tiles)) {
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
            const int number = i * TILE::threads + threadIdx.x;
            const int group = number / RUN;
            offsets[i] = group * static_cast<int>(group_bytes<FORMAT>(weight_tiles)) + number % RUN * 16;
            left[i] = blockIdx.y * TILE::outputs + group * 8 < weight_rows ? weight_tiles * (FORMAT::bytes / 16) - number % RUN : 0;
        }
    }

    __device__ __forceinline__ void start(unsigned stage, int step) const {
#pragma unroll
        for (int i = 0; i < PIECES; i++) {
            const int number = i * TILE::threads + threadIdx.x;
            if ((i + 1) * TILE::threads <= COUNT || number < COUNT) {
                const bool there = step * RUN < left[i];
                copy_async(stage + number * 16, first + (there ? offsets[i] + step * (RUN * 16) : 0), there);
            }
        }
    }
};

// Reads the operands of SPAN inputs from `input` on: [16 inputs][8 rows].
template <typename TILE, int SPAN>
__device__ __forceinline__ void load_rows(unsigned (&parts)[SPAN / 16][TILE::warp_rows / 8][2], unsigned stage, int first_row,
        int input) {
    static_assert(TILE::padded, "chunks of a row follow each other");
    const int lane = threadIdx.x % 32;
    const int row = first_row + lane % (TILE::warp_rows == 8 ? 8 : 16);
    const unsigned from = stage + (row * TILE::stride + lane / (TILE::warp_rows == 8 ? 8 : 16) * CHUNK) * 2; // this lane's
#pragma unroll
    for (int i = 0; i < SPAN / 32 * TILE::warp_rows / 8; i++) {
        unsigned matrices[4];
        if constexpr (TILE::warp_rows == 8) { // 32 inputs of 8 rows
            load_matrices(matrices, from + (input + i * 32) * 2);
            parts[i * 2][0][0] = matrices[0];
            parts[i * 2][0][1] = matrices[1];
            parts[i * 2 + 1][0][0] = matrices[2];
            parts[i * 2 + 1][0][1] = matrices[3];
        } else { // 16 inputs of 16 rows
            constexpr int PAIRS = TILE::warp_rows / 16;
            const int part = i / PAIRS;
            const int pair = i % PAIRS;
            load_matrices(matrices, from + (pair * 16 * TILE::stride + input + part * 16) * 2);
            parts[part][pair * 2][0] = matrices[0];
            parts[part][pair * 2 + 1][0] = matrices[1];
            parts[part][pair * 2][1] = matrices[2];
            parts[part][pair * 2 + 1][1] = matrices[3];
        }
    }
}

// The same for weights in order: of inputs 16 t on, for lane t of four, eight from `input` on; a step takes four.
template <typename TILE>
__device__ __forceinline__ void load_rows_in_order(unsigned (&parts)[2][TILE::warp_rows / 8][2], const unsigned char* stage,
        int first_row, int input) {
    const int lane = threadIdx.x % 32;
    const unsigned char* from = stage + ((first_row + lane / 4) * TILE::stride + lane % 4 * 16 + input) * 2;
#pragma unroll
    for (int n = 0; n < TILE::warp_rows / 8; n++) {
        const uint4 inputs = *reinterpret_cast<const uint4*>(from + n * 8 * TILE::stride * 2);
        parts[0][n][0] = inputs.x;
        parts[0][n][1] = inputs.y;
        parts[1][n][0] = inputs.z;
        parts[1][n][1] = inputs.w;
    }
}

// sums += scale * product, of the scales of a lane's two outputs.
__device__ __forceinline__ void add_scaled(float (&sums)[4], float scale0, float scale1, const float (&product)[4]) {
    sums[0] = fmaf(scale0, product[0], sums[0]);
    sums[1] = fmaf(scale0, product[1], sums[1]);
    sums[2] = fmaf(scale1, product[2], sums[2]);
    sums[3] = fmaf(scale1, product[3], sums[3]);
}

// Adds the products of SPAN inputs, from input `first` of a weight tile on.
template <typename TILE, typename FORMAT, int SPAN>
__device__ __forceinline__ void multiply_weight_tiles(WeightTileSums<TILE>& sums, const FORMAT (&weights)[TILE::warp_outputs / 8],
        const unsigned (&in)[SPAN / 16][TILE::warp_rows / 8][2], int first, unsigned table) {
    constexpr int BLOCK = FORMAT::block == 0 ? 16 : FORMAT::block;
    constexpr int EIGHTS = TILE::warp_rows / 8;
#pragma unroll
    for (int start = 0; start < SPAN; start += BLOCK) {
        const int number = (first + start) / BLOCK;
        float totals[EIGHTS][4];
        if constexpr (FORMAT::has_minimum) {
            const unsigned ones[4] = {0x3f803f80u, 0x3f803f80u, 0x3f803f80u, 0x3f803f80u};
#pragma unroll
            for (int n = 0; n < EIGHTS; n++) {
                multiply_first(totals[n], ones, in[start / 16][n]);
#pragma unroll
                for (int part = 1; part < BLOCK / 16; part++) {
                    multiply<bf16>(totals[n], ones, in[start / 16 + part][n][0], in[start / 16 + part][n][1]);
                }
            }
        }
#pragma unroll
        for (int j = 0; j < TILE::warp_outputs / 16; j++) {
            const FORMAT& upper = weights[2 * j];
            const FORMAT& lower = weights[2 * j + 1];
            unsigned a[BLOCK / 16][4];
#pragma unroll
            for (int part = 0; part < BLOCK / 16; part++) {
                upper.fragments((first + start) / 16 + part, table, a[part][0], a[part][2]);
                lower.fragments((first + start) / 16 + part, table, a[part][1], a[part][3]);
            }
#pragma unroll
            for (int n = 0; n < EIGHTS; n++) {
                if constexpr (FORMAT::block == 0) {
                    multiply<typename FORMAT::Element>(sums[j][n], a[0], in[start / 16][n][0], in[start / 16][n][1]);
                } else {
                    float product[4];
                    multiply_first(product, a[0], in[start / 16][n]);
#pragma unroll
                    for (int part = 1; part < BLOCK / 16; part++) {
                        multiply<bf16>(product, a[part], in[start / 16 + part][n][0], in[start / 16 + part][n][1]);
                    }
                    add_scaled(sums[j][n], upper.scale(number), lower.scale(number), product);
                    if constexpr (FORMAT::has_minimum) {
                        const float all[4] = {totals[n][0], totals[n][1], totals[n][0], totals[n][1]};
                        add_scaled(sums[j][n], upper.minimum(number), lower.minimum(number), all);
                    }
                }
            }
        }
    }
}

// The same of a sparse format, for 32 inputs; the places of those of both steps of a weight tile are in one word.
template <typename TILE, typename FORMAT>
__device__ __forceinline__ void multiply_sparse_weight_tiles(WeightTileSums<TILE>& sums, const FORMAT (&weights)[TILE::warp_outputs / 8],
        const unsigned (&in)[2][TILE::warp_rows / 8][2], int step) {
#pragma unroll
    for (int j = 0; j < TILE::warp_outputs / 16; j++) {
        const FORMAT& upper = weights[2 * j];
        const FORMAT& lower = weights[2 * j + 1];
        unsigned a[4];
        upper.fragments(step, a[0], a[2]);
        lower.fragments(step, a[1], a[3]);
        const unsigned places = bytes_by<0x5410>(upper.places, lower.places);
#pragma unroll
        for (int n = 0; n < TILE::warp_rows / 8; n++) {
            const unsigned b[4] = {in[0][n][0], in[0][n][1], in[1][n][0], in[1][n][1]};
            if (step == 0) {
                FORMAT::template multiply<0>(sums[j][n], a, b, places);
            } else {
                FORMAT::template multiply<1>(sums[j][n], a, b, places);
            }
        }
    }
}

// Room for a format's table.
template <typename FORMAT> __device__ __forceinline__ unsigned* table_memory() {
    __shared__ unsigned entries[TABLE_ENTRIES * BANKS];
    return entries;
}

// Multiplies sums with the scales of their outputs.
template <typename TILE, typename FORMAT>
__device__ __forceinline__ void scale_sums(WeightTileSums<TILE>& sums, const unsigned char* weight, int weight_rows, int weight_tiles) {
#pragma unroll
    for (int j = 0; j < TILE::warp_outputs / 16; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int output = first_weight_row<TILE>() + j * 16 + half * 8 + threadIdx.x % 32 / 4;
            const float* scales = reinterpret_cast<const float*>(
                    weight + output / 8 * group_bytes<FORMAT>(weight_tiles) + static_cast<long long>(weight_tiles) * FORMAT::bytes);
            const float scale = output < weight_rows ? scales[output % 8] : 0.0f;
#pragma unroll
            for (int n = 0; n < TILE::warp_rows / 8; n++) {
                sums[j][n][half * 2] *= scale;
                sums[j][n][half * 2 + 1] *= scale;
            }
        }
    }
}

template <typename TILE, typename FORMAT>
__device__ __forceinline__ void accumulate(WeightTileSums<TILE>& sums, const typename FORMAT::Element* in, const unsigned char* weight,
        int rows, int weight_rows, int inputs) {
    using T = typename FORMAT::Element;
    constexpr int SPAN = FORMAT::block == 64 ? 64 : 32;
    constexpr int STAGE_WEIGHT_TILES = TILE::inputs / WEIGHT_TILE_INPUTS;
    constexpr int IN_BYTES = TILE::rows * TILE::stride * sizeof(T);
    constexpr int STAGE_BYTES = IN_BYTES + TILE::outputs / 8 * STAGE_WEIGHT_TILES * FORMAT::bytes;
    extern __shared__ __align__(128) unsigned char shared[];
    unsigned table = 0;
    if constexpr (FORMAT::has_table) {
        FORMAT::template fill<TILE::threads>(table_memory<FORMAT>()); // seen after the barrier of the first step
        table = shared_address(table_memory<FORMAT>()) + threadIdx.x % BANKS * sizeof(unsigned);
    }
    const int first_row = blockIdx.x * TILE::rows;
    const int warp = threadIdx.x / 32;
    const int warp_row = warp / TILE::warps_across * TILE::warp_rows;
    const int warp_group = warp % TILE::warps_across * (TILE::warp_outputs / 8);
    const int weight_tiles = (inputs + WEIGHT_TILE_INPUTS - 1) / WEIGHT_TILE_INPUTS;

    const WeightTileCopies<TILE, FORMAT> copies(weight, weight_rows, weight_tiles);

    StageRows<TILE, T> in_rows(in, first_row, rows, inputs, shared, STAGE_BYTES);
    const auto copy = [&](int step, int number) { copies.start(shared_address(shared + number * STAGE_BYTES + IN_BYTES), step); };
    for_stages<TILE>(inputs, in_rows, copy, [&](int number) {
        const unsigned char* stage = shared + number * STAGE_BYTES;
// many warps and large weight tiles want few registers
#pragma unroll(TILE::warps_across > 2 || FORMAT::bytes > 400 ? 1 : STAGE_WEIGHT_TILES)
        for (int weight_tile = 0; weight_tile < STAGE_WEIGHT_TILES; weight_tile++) {
            FORMAT weights[TILE::warp_outputs / 8];
#pragma unroll
            for (int j = 0; j < TILE::warp_outputs / 8; j++) {
                weights[j].load(stage + IN_BYTES + ((warp_group + j) * STAGE_WEIGHT_TILES + weight_tile) * FORMAT::bytes);
            }
#pragma unroll
            for (int first = 0; first < WEIGHT_TILE_INPUTS; first += SPAN) {
                unsigned parts[SPAN / 16][TILE::warp_rows / 8][2];
                if constexpr (FORMAT::is_in_order) {
                    load_rows_in_order<TILE>(parts, stage, warp_row, weight_tile * WEIGHT_TILE_INPUTS + first / 4);
                } else {
                    load_rows<TILE, SPAN>(parts, shared_address(stage), warp_row, weight_tile * WEIGHT_TILE_INPUTS + first);
                }
                if constexpr (FORMAT::is_sparse) {
                    multiply_sparse_weight_tiles<TILE, FORMAT>(sums, weights, parts, first / SPAN);
                } else {
                    multiply_weight_tiles<TILE, FORMAT, SPAN>(sums, weights, parts, first, table);
                }
            }
        }
    });
    if constexpr (FORMAT::has_row_scale) {
        scale_sums<TILE, FORMAT>(sums, weight, weight_rows, weight_tiles);
    }
}

// Calls store(row, n, i) for each row of the tile that is there: n and i say which sums are its.
template <typename TILE, typename STORE> __device__ __forceinline__ void for_row_sums(int rows, STORE store) {
    const int first_row = blockIdx.x * TILE::rows + threadIdx.x / 32 / TILE::warps_across * TILE::warp_rows + threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < TILE::warp_rows / 8; n++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            if (first_row + n * 8 + i < rows) {
                store(first_row + n * 8 + i, n, i);
            }
        }
    }
}

template <typename TILE>
__device__ __forceinline__ void store_weight_tiles(const WeightTileSums<TILE>& sums, float* out, const float* bias, int rows, int outputs) {
#pragma unroll
    for (int j = 0; j < TILE::warp_outputs / 16; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int output = first_weight_row<TILE>() + j * 16 + half * 8 + threadIdx.x % 32 / 4;
            if (output < outputs) {
                const float added = bias == nullptr ? 0.0f : bias[output];
                for_row_sums<TILE>(rows, [&](int row, int n, int i) {
                    out[static_cast<long long>(row) * outputs + output] = sums[j][n][half * 2 + i] + added;
                });
            }
        }
    }
}

template <typename TILE, typename T>
__device__ __forceinline__ void store_weight_tiles_swiglu(const WeightTileSums<TILE>& sums, T* out, int rows, int outputs) {
#pragma unroll
    for (int j = 0; j < TILE::warp_outputs / 16; j++) {
        const int output = first_weight_row<TILE>() / 2 + j * 8 + threadIdx.x % 32 / 4;
        if (output < outputs) {
            for_row_sums<TILE>(rows, [&](int row, int n, int i) {
                out[static_cast<long long>(row) * outputs + output] = narrow<T>(swiglu(sums[j][n][i], sums[j][n][2 + i]));
            });
        }
    }
}

template <typename TILE, typename FORMAT> __device__ __forceinline__ void matmul(const MatmulArguments& arguments) {
    using Element = typename FORMAT::Element;
    const int rows = *arguments.rows;
    if constexpr (TILE::rows == 16) {
        if (rows <= 8) {
            matmul<HalfTile<TILE>, FORMAT>(arguments);
            return;
        }
    }
    if (blockIdx.x * TILE::rows < rows) {
        WeightTileSums<TILE> sums = {};
        accumulate<TILE, FORMAT>(sums, static_cast<const Element*>(arguments.in), static_cast<const unsigned char*>(arguments.weight), rows,
                arguments.outputs, arguments.inputs);
        store_weight_tiles<TILE>(sums, static_cast<float*>(arguments.out), arguments.bias, rows, arguments.outputs);
    }
}

template <typename TILE, typename FORMAT> __device__ __forceinline__ void matmul_swiglu(const MatmulArguments& arguments) {
    using Element = typename FORMAT::Element;
    const int rows = *arguments.rows;
    if constexpr (TILE::rows == 16) {
        if (rows <= 8) {
            matmul_swiglu<HalfTile<TILE>, FORMAT>(arguments);
            return;
        }
    }
    if (blockIdx.x * TILE::rows < rows) {
        WeightTileSums<TILE> sums = {};
        accumulate<TILE, FORMAT>(sums, static_cast<const Element*>(arguments.in), static_cast<const unsigned char*>(arguments.weight), rows,
                2 * arguments.outputs, arguments.inputs);
        store_weight_tiles_swiglu<TILE>(sums, static_cast<Element*>(arguments.out), rows, arguments.outputs);
    }
}

using Few = Tile<16, 32, 128, 6, 1, 2>;
using Wide = Tile<16, 128, 128, 4, 1, 8>;
using Some = Tile<64, 64, 64, 4, 2, 2>;
template <typename FORMAT> using Many = Tile<128, 128, 64, FORMAT::has_table ? 2 : 3, 2, 4>; // a table takes the room of a stage

#define MATMUL_KERNEL(FORMAT, TYPE, NAME, TILE, BOUNDS)                                                                            \
    extern "C" __global__ void __launch_bounds__ BOUNDS matmul_##TYPE##_##NAME(const MatmulArguments arguments) {                  \
        matmul<TILE, FORMAT>(arguments);                                                                                           \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__ BOUNDS matmul_swiglu_##TYPE##_##NAME(const MatmulArguments arguments) {           \
        matmul_swiglu<TILE, FORMAT>(arguments);                                                                                    \
    }

#define MATMUL_KERNELS(FORMAT, TYPE)                                                                                               \
    MATMUL_KERNEL(FORMAT, TYPE, 16x32, Few, (Few::threads))                                                                        \
    MATMUL_KERNEL(FORMAT, TYPE, 16x128, Wide, (Wide::threads))                                                                     \
    MATMUL_KERNEL(FORMAT, TYPE, 64x64, Some, (Some::threads, FORMAT::has_table ? 3 : 2))                                           \
    MATMUL_KERNEL(FORMAT, TYPE, 128x128, Many<FORMAT>, (Many<FORMAT>::threads))
