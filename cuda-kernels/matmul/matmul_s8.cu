// Matrix products with INT8 weights and activations that are signed bytes too, with a scale for each row (Op.MatMul with
// ActivationQuantization.INT8 or INT8_OUTLIERS, alone or with SwiGLU), by the tensor cores' products of whole numbers.
//
//     out[r, n] = sum over k of code[r, k] * q[n, k] * (scale[r] * scale[n]) + sum over outliers of in[r, k] * (q[n, k] * scale[n])
//             (+ bias[n])
//     swiglu as in matmul.cu
//
// Entry points, of Int8MatmulArguments and with tiles as in matmul.cu:
//     matmul_s8_{16x32,16x128,64x64,128x128}
//     matmul_swiglu_s8_{16x32,16x128,64x64,128x128}
//
// Codes, scales, counts, places and outliers are as quantize.cu writes them, weight tiles as matmul_quantized.cu has those of int8. inputs
// is a multiple of 8, at most 2^17, so that sums are within 32 bits.
// Launch: as matmul.cu, with the dynamic shared memory that Int8Kernels has; compute capability 8.0.
//
// Sums of int8 products are exact, so their order does not matter; outliers are summed in f32 in the order of their list, weights read
// where they lie: every tile, and a row beside any others, gives the same bits. A row has few outliers; one of nothing else is computed
// right, and slowly.
//
// A word of a weight tile's codes, four inputs of an output, is a lane's operand as it is; the four are not neighbours, so codes of
// activations lie in the same order. To copies and ldmatrix they are pairs of bytes: a tile of 64 inputs has 128 codes.

#include "matmul_weight_tiles.cuh"

struct Int8MatmulArguments {
    float* out;                  // [rows, outputs]
    const signed char* codes;    // [rows, inputs rounded up to 64]
    const float* scales;         // [rows]
    const int* counts;           // [rows] of outliers, or null
    const int* places;           // [rows, inputs] of outliers, or null
    const float* outliers;       // [rows, inputs], or null
    const unsigned char* weight; // [outputs, inputs], of swiglu [2 outputs, inputs], in tiles
    const float* bias;           // [outputs], or null; of swiglu null
    const int* rows;             // [1]: how many there are
    int outputs;
    int inputs;
};

struct Codes : WeightTileFormat {
    static constexpr int bytes = 512;
    static constexpr bool has_row_scale = true;

    uint4 words;

    __device__ __forceinline__ void load(const unsigned char* weight_tile) {
        words = reinterpret_cast<const uint4*>(weight_tile)[threadIdx.x % 32];
    }
};

using Pair = unsigned short; // of codes
constexpr int WEIGHT_TILE_PAIRS = WEIGHT_TILE_INPUTS / 2;

// What a tile copies of the weight: its inputs are pairs.
template <typename TILE>
using CodeCopies = WeightTileCopies<
        Tile<TILE::rows, TILE::outputs, 2 * TILE::inputs, TILE::stages, TILE::threads / 32 / TILE::warps_across, TILE::warps_across>,
        Codes>;

template <typename TILE> using WholeSums = int[TILE::warp_outputs / 16][TILE::warp_rows / 8][4];

// sums += a * b: 16 x 8 from 16 x 32 and 32 x 8.
__device__ __forceinline__ void multiply_codes(int (&sums)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3,
        const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b[0]), "r"(b[1]));
}

template <typename TILE>
__device__ __forceinline__ void accumulate(WholeSums<TILE>& sums, const signed char* codes, const unsigned char* weight, int rows,
        int weight_rows, int weight_tiles) {
    constexpr int STAGE_WEIGHT_TILES = TILE::inputs / WEIGHT_TILE_PAIRS;
    constexpr int IN_BYTES = TILE::rows * TILE::stride * sizeof(Pair);
    constexpr int STAGE_BYTES = IN_BYTES + TILE::outputs / 8 * STAGE_WEIGHT_TILES * Codes::bytes;
    extern __shared__ __align__(128) unsigned char shared[];
    const int first_row = blockIdx.x * TILE::rows;
    const int warp = threadIdx.x / 32;
    const int warp_row = warp / TILE::warps_across * TILE::warp_rows;
    const int warp_group = warp % TILE::warps_across * (TILE::warp_outputs / 8);
    const Pair* pairs = reinterpret_cast<const Pair*>(codes);
    const CodeCopies<TILE> copies(weight, weight_rows, weight_tiles);

    const StageRows<TILE, Pair> in_rows(pairs, first_row, rows, weight_tiles * WEIGHT_TILE_PAIRS, shared, STAGE_BYTES);
    const auto copy = [&](int step, int number) { copies.start(shared_address(shared + number * STAGE_BYTES + IN_BYTES), step); };
    for_stages<TILE>(weight_tiles * WEIGHT_TILE_PAIRS, in_rows, copy, [&](int number) {
        const unsigned char* stage = shared + number * STAGE_BYTES;
#pragma unroll
        for (int weight_tile = 0; weight_tile < STAGE_WEIGHT_TILES; weight_tile++) {
            Codes weights[TILE::warp_outputs / 8];
#pragma unroll
            for (int j = 0; j < TILE::warp_outputs / 8; j++) {
                weights[j].load(stage + IN_BYTES + ((warp_group + j) * STAGE_WEIGHT_TILES + weight_tile) * Codes::bytes);
            }
            unsigned parts[2][TILE::warp_rows / 8][2]; // of 32 codes each
            load_rows<TILE, WEIGHT_TILE_PAIRS>(parts, shared_address(stage), warp_row, weight_tile * WEIGHT_TILE_PAIRS);
#pragma unroll
            for (int j = 0; j < TILE::warp_outputs / 16; j++) {
                const uint4& upper = weights[2 * j].words;
                const uint4& lower = weights[2 * j + 1].words;
#pragma unroll
                for (int n = 0; n < TILE::warp_rows / 8; n++) {
                    multiply_codes(sums[j][n], upper.x, lower.x, upper.y, lower.y, parts[0][n]);
                    multiply_codes(sums[j][n], upper.z, lower.z, upper.w, lower.w, parts[1][n]);
                }
            }
        }
    });
}

// Where the code of an input lies among the weight tiles of its eight outputs, for the first of these.
__device__ __forceinline__ long long code_offset(int input) {
    const int within = input % 16;
    return static_cast<long long>(input / WEIGHT_TILE_INPUTS) * Codes::bytes + within % 8 / 2 * 16 + input % WEIGHT_TILE_INPUTS / 16 * 4
            + within / 8 + within % 2 * 2;
}

// Outliers and scales.
template <typename TILE>
__device__ __forceinline__ void finish(WeightTileSums<TILE>& results, const WholeSums<TILE>& sums, const Int8MatmulArguments& arguments,
        int rows, int weight_rows, int weight_tiles) {
    constexpr int PARTS = TILE::warp_outputs / 8;
    const signed char* weights[PARTS]; // of this lane's outputs
    float output_scales[PARTS];
#pragma unroll
    for (int part = 0; part < PARTS; part++) {
        const int group = first_weight_row<TILE>() / 8 + part;
        const bool there = group * 8 < weight_rows;
        const unsigned char* from = arguments.weight + (there ? group : 0) * group_bytes<Codes>(weight_tiles);
        weights[part] = reinterpret_cast<const signed char*>(from) + threadIdx.x % 32 / 4 * 64;
        output_scales[part] =
                reinterpret_cast<const float*>(from + static_cast<long long>(weight_tiles) * Codes::bytes)[threadIdx.x % 32 / 4];
    }
    for_row_sums<TILE>(rows, [&](int row, int n, int i) {
        float apart[PARTS] = {};
        const int count = arguments.counts == nullptr ? 0 : arguments.counts[row];
#pragma unroll 1
        for (int number = 0; number < count; number++) {
            const long long at = static_cast<long long>(row) * arguments.inputs + number;
            const long long offset = code_offset(arguments.places[at]);
            const float x = arguments.outliers[at];
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                apart[part] = fmaf(x, __fmul_rn(static_cast<float>(weights[part][offset]), output_scales[part]), apart[part]);
            }
        }
        const float scale = arguments.scales[row];
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            const int at = part % 2 * 2 + i;
            results[part / 2][n][at] = fmaf(static_cast<float>(sums[part / 2][n][at]), __fmul_rn(scale, output_scales[part]),
                    apart[part]);
        }
    });
}

template <typename TILE>
__device__ __forceinline__ void multiply_rows(WeightTileSums<TILE>& results, const Int8MatmulArguments& arguments, int rows,
        int weight_rows) {
    const int weight_tiles = (arguments.inputs + WEIGHT_TILE_INPUTS - 1) / WEIGHT_TILE_INPUTS;
    WholeSums<TILE> sums = {};
    accumulate<TILE>(sums, arguments.codes, arguments.weight, rows, weight_rows, weight_tiles);
    finish<TILE>(results, sums, arguments, rows, weight_rows, weight_tiles);
}

template <typename TILE> __device__ __forceinline__ void matmul(const Int8MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    if constexpr (TILE::rows == 16) {
        if (rows <= 8) {
            matmul<HalfTile<TILE>>(arguments);
            return;
        }
    }
    if (blockIdx.x * TILE::rows < rows) {
        WeightTileSums<TILE> results;
        multiply_rows<TILE>(results, arguments, rows, arguments.outputs);
        store_weight_tiles<TILE>(results, arguments.out, arguments.bias, rows, arguments.outputs);
    }
}

template <typename TILE> __device__ __forceinline__ void matmul_swiglu(const Int8MatmulArguments& arguments) {
    const int rows = *arguments.rows;
    if constexpr (TILE::rows == 16) {
        if (rows <= 8) {
            matmul_swiglu<HalfTile<TILE>>(arguments);
            return;
        }
    }
    if (blockIdx.x * TILE::rows < rows) {
        WeightTileSums<TILE> results;
        multiply_rows<TILE>(results, arguments, rows, 2 * arguments.outputs);
        store_weight_tiles_swiglu<TILE>(results, arguments.out, rows, arguments.outputs);
    }
}

using FewCodes = Tile<16, 32, 64, 6, 1, 2>;
using WideCodes = Tile<16, 128, 64, 4, 1, 8>;
using SomeCodes = Tile<64, 64, 64, 4, 2, 2>;
using ManyCodes = Tile<128, 128, 64, 2, 2, 4>;

#define CODES_KERNELS(NAME, TILE)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(TILE::threads) matmul_s8_##NAME(const Int8MatmulArguments arguments) {            \
        matmul<TILE>(arguments);                                                                                                   \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__(TILE::threads) matmul_swiglu_s8_##NAME(const Int8MatmulArguments arguments) {     \
        matmul_swiglu<TILE>(arguments);                                                                                            \
    }

CODES_KERNELS(16x32, FewCodes)
CODES_KERNELS(16x128, WideCodes)
CODES_KERNELS(64x64, SomeCodes)
CODES_KERNELS(128x128, ManyCodes)
