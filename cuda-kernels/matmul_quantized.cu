// Matrix products with weights in blocks of codes and scales (Op.MatMul, alone or with Op.SwiGlu), read as they are stored.
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n]), swiglu as in matmul.cu
//
// Entry points:
//     matmul_{q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,64x64,128x128}         (out, in, weight, bias, rows, outputs, inputs)
//     matmul_swiglu_{q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,64x64,128x128}  (out, in, weight, rows, outputs, inputs)
//
// in is bf16, out f32, or bf16 in swiglu; bias f32 or 0 for none, rows [1] int. inputs is a multiple of 8. A weight, rounded to bf16, is
//     q8_0  d * q, q a signed byte           q4_0  d * (q - 8), q of 4 bits; d is f16, one for 32 inputs
//     q4_k  (d * s) * q - (m * t), q of 4 bits, s and t whole numbers of 6 bits for 32 inputs, d and m f16
//     q6_k  (d * s) * (q - 32), q of 6 bits, s a signed byte for 16 inputs, d f16
//     nf4, fp4  d * book[q], q of 4 bits, d f32 for 64 inputs
// Everything else is as in matmul.cu, whose bits for the same rounded weights come out.
//
// The weight is kept in units of 8 outputs x 64 inputs, [outputs / 8][inputs / 64] of them, both rounded up, what is not there having
// scale 0; for swiglu units are by turns of the gate and of up. A unit has first the codes, for each lane of a warp those that it
// needs as fragments of mma: with g = lane / 4 and t = lane % 4, of output g and for each 16 inputs in turn the inputs 2 t, 2 t + 1,
// 2 t + 8, 2 t + 9, of q6_k the low 4 bits of all and then the high 2 bits; then the scales of each output: d for each 32 inputs; or
// d, m, s, t, s, t; or four s, d and two bytes of nothing; or d for all 64.
// Launch: as matmul.cu, with the dynamic shared memory that MatmulKernels has; compute capability 8.0.
//
// Activations and units stream through a ring of stages in shared memory by cp.async; a lane reads its own codes there, neighbours
// beside each other, and makes fragments of them in registers: an exact float from the bits of the code, the product with the scale,
// and a rounding of two at a time. A book lies in shared memory, each entry in a bank of its own, so that any lanes read any at once.

#include "matmul.cuh"

constexpr int UNIT_INPUTS = 64;

// A whole number below 2^8 as the low bits of a float of 2^23.
constexpr unsigned FLOAT_BITS = 0x4b000000u;
constexpr float FLOAT_BASE = 8388608.0f;

// Two weights as a pair of bf16.
__device__ __forceinline__ unsigned weights_of(float scale, float q0, float q1) {
    return pair_of<bf16>(__fmul_rn(scale, q0), __fmul_rn(scale, q1));
}

// Number `number` of the codes of 4 bits in a word, as the low bits of a float.
__device__ __forceinline__ unsigned code_of(unsigned word, int number) {
    return (word >> 4 * number & 15) | FLOAT_BITS;
}

struct Q8_0 {
    static constexpr int code_bytes = 512;
    static constexpr int bytes = code_bytes + 32;

    uint4 codes;
    __half2 scales;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint4*>(unit)[threadIdx.x % 32];
        scales = reinterpret_cast<const __half2*>(unit + code_bytes)[threadIdx.x % 32 / 4];
    }

    __device__ __forceinline__ static float q(unsigned biased, int number) {
        return __fadd_rn(__uint_as_float(__byte_perm(biased, FLOAT_BITS, 0x7440 + number)), -(FLOAT_BASE + 128.0f));
    }

    // The weights of 16 inputs, the first or the second, third or fourth of the unit.
    __device__ __forceinline__ void fragments(int step, const float*, unsigned& first, unsigned& second) const {
        const unsigned biased = (step == 0 ? codes.x : step == 1 ? codes.y : step == 2 ? codes.z : codes.w) ^ 0x80808080u;
        const float scale = step < 2 ? __low2float(scales) : __high2float(scales);
        first = weights_of(scale, q(biased, 0), q(biased, 1));
        second = weights_of(scale, q(biased, 2), q(biased, 3));
    }
};

struct Q4_0 {
    static constexpr int code_bytes = 256;
    static constexpr int bytes = code_bytes + 32;

    uint2 codes;
    __half2 scales;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        scales = reinterpret_cast<const __half2*>(unit + code_bytes)[threadIdx.x % 32 / 4];
    }

    __device__ __forceinline__ static float q(unsigned word, int number) {
        return __fadd_rn(__uint_as_float(code_of(word, number)), -(FLOAT_BASE + 8.0f));
    }

    __device__ __forceinline__ void fragments(int step, const float*, unsigned& first, unsigned& second) const {
        const unsigned word = step < 2 ? codes.x : codes.y;
        const float scale = step < 2 ? __low2float(scales) : __high2float(scales);
        first = weights_of(scale, q(word, step % 2 * 4), q(word, step % 2 * 4 + 1));
        second = weights_of(scale, q(word, step % 2 * 4 + 2), q(word, step % 2 * 4 + 3));
    }
};

struct Q4_K {
    static constexpr int code_bytes = 256;
    static constexpr int bytes = code_bytes + 64;

    uint2 codes;
    uint2 scales;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        scales = reinterpret_cast<const uint2*>(unit + code_bytes)[threadIdx.x % 32 / 4];
    }

    __device__ __forceinline__ void fragments(int step, const float*, unsigned& first, unsigned& second) const {
        const unsigned word = step < 2 ? codes.x : codes.y;
        const __half2 d = *reinterpret_cast<const __half2*>(&scales.x);
        const float scale = __fmul_rn(__low2float(d), static_cast<float>(scales.y >> step / 2 * 16 & 0xff));
        const float minimum = __fmul_rn(__high2float(d), static_cast<float>(scales.y >> (step / 2 * 16 + 8) & 0xff));
        float weights[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float q = __fadd_rn(__uint_as_float(code_of(word, step % 2 * 4 + i)), -FLOAT_BASE);
            weights[i] = __fadd_rn(__fmul_rn(scale, q), -minimum);
        }
        first = pair_of<bf16>(weights[0], weights[1]);
        second = pair_of<bf16>(weights[2], weights[3]);
    }
};

struct Q6_K {
    static constexpr int code_bytes = 384;
    static constexpr int bytes = code_bytes + 64;

    uint2 codes;
    unsigned high;
    uint2 scales;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        high = reinterpret_cast<const unsigned*>(unit + 256)[threadIdx.x % 32];
        scales = reinterpret_cast<const uint2*>(unit + code_bytes)[threadIdx.x % 32 / 4];
    }

    __device__ __forceinline__ void fragments(int step, const float*, unsigned& first, unsigned& second) const {
        const unsigned word = step < 2 ? codes.x : codes.y;
        const float d = __low2float(*reinterpret_cast<const __half2*>(&scales.y));
        const float scale = __fmul_rn(d, static_cast<float>(static_cast<signed char>(scales.x >> step * 8)));
        float q[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const unsigned bits = code_of(word, step % 2 * 4 + i) | (high >> (step * 8 + i * 2) & 3) << 4;
            q[i] = __fadd_rn(__uint_as_float(bits), -(FLOAT_BASE + 32.0f));
        }
        first = weights_of(scale, q[0], q[1]);
        second = weights_of(scale, q[2], q[3]);
    }
};

__constant__ const float NF4_BOOK[16] = {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
        -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
        0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

__constant__ const float FP4_BOOK[16] = {0.0f, 0.0052083333f, 0.6666666667f, 1.0f, 0.3333333333f, 0.5f, 0.1666666667f, 0.25f, -0.0f,
        -0.0052083333f, -0.6666666667f, -1.0f, -0.3333333333f, -0.5f, -0.1666666667f, -0.25f};

template <bool NORMAL> struct Book {
    static constexpr int code_bytes = 256;
    static constexpr int bytes = code_bytes + 32;

    uint2 codes;
    float scale;

    __device__ __forceinline__ static float entry(int code) {
        return NORMAL ? NF4_BOOK[code] : FP4_BOOK[code];
    }

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        scale = reinterpret_cast<const float*>(unit + code_bytes)[threadIdx.x % 32 / 4];
    }

    __device__ __forceinline__ void fragments(int step, const float* book, unsigned& first, unsigned& second) const {
        const unsigned word = (step < 2 ? codes.x : codes.y) >> step % 2 * 16;
        first = weights_of(scale, book[word & 15], book[word >> 4 & 15]);
        second = weights_of(scale, book[word >> 8 & 15], book[word >> 12 & 15]);
    }
};

using NF4 = Book<true>;
using FP4 = Book<false>;

template <typename FORMAT> constexpr bool HAS_BOOK = false;
template <bool NORMAL> constexpr bool HAS_BOOK<Book<NORMAL>> = true;

using Few = Tile<16, 32, 128, 6, 1, 2>;
using Some = Tile<64, 64, 64, 4, 2, 2>;
using Many = Tile<128, 128, 64, 3, 2, 4>;

// Starts the copies of a tile's units; those that are not there become zeros.
template <typename TILE, typename FORMAT>
__device__ __forceinline__ void copy_units(unsigned char* stage, const unsigned char* weight, int weight_rows, int first_unit, int units) {
    constexpr int STAGE_UNITS = TILE::inputs / UNIT_INPUTS;
    constexpr int RUN = STAGE_UNITS * FORMAT::bytes / 16; // 16-byte pieces of eight outputs
    constexpr int COUNT = TILE::outputs / 8 * RUN;
    const int first_group = blockIdx.y * (TILE::outputs / 8);
#pragma unroll
    for (int i = 0; i < (COUNT + TILE::threads - 1) / TILE::threads; i++) {
        const int number = i * TILE::threads + threadIdx.x;
        if (number < COUNT) {
            const int group = first_group + number / RUN;
            const int piece = number % RUN;
            const bool there = group * 8 < weight_rows && first_unit * FORMAT::bytes + piece * 16 < units * FORMAT::bytes;
            copy_async(stage + number * 16, there
                    ? weight + (static_cast<long long>(group) * units + first_unit) * FORMAT::bytes + piece * 16 : weight, there);
        }
    }
}

template <typename TILE, typename FORMAT>
__device__ __forceinline__ void accumulate(Sums<TILE>& sums, const bf16* in, const unsigned char* weight, int rows, int weight_rows,
        int inputs) {
    constexpr int STAGE_UNITS = TILE::inputs / UNIT_INPUTS;
    constexpr int IN_BYTES = TILE::rows * TILE::stride * sizeof(bf16);
    constexpr int STAGE_BYTES = IN_BYTES + TILE::outputs / 8 * STAGE_UNITS * FORMAT::bytes;
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ float book[HAS_BOOK<FORMAT> ? 16 : 1];
    if constexpr (HAS_BOOK<FORMAT>) {
        if (threadIdx.x < 16) {
            book[threadIdx.x] = FORMAT::entry(threadIdx.x); // seen after the barrier of the first step
        }
    }
    const int first_row = blockIdx.x * TILE::rows;
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;
    const int warp_row = warp / TILE::warps_across * TILE::warp_rows;
    const int warp_output = warp % TILE::warps_across * TILE::warp_outputs;
    const int units = (inputs + UNIT_INPUTS - 1) / UNIT_INPUTS;

    const auto copy = [&](int step, int number) {
        unsigned char* stage = shared + number * STAGE_BYTES;
        copy_rows<TILE, TILE::rows>(reinterpret_cast<bf16*>(stage), in, first_row, rows, step * TILE::inputs, inputs);
        copy_units<TILE, FORMAT>(stage + IN_BYTES, weight, weight_rows, step * STAGE_UNITS, units);
    };
    for_stages<TILE>(inputs, copy, [&](int number) {
        const unsigned char* stage = shared + number * STAGE_BYTES;
        const bf16* in_stage = reinterpret_cast<const bf16*>(stage);
#pragma unroll
        for (int unit = 0; unit < STAGE_UNITS; unit++) {
            FORMAT weights[TILE::warp_outputs / 8];
#pragma unroll
            for (int j = 0; j < TILE::warp_outputs / 8; j++) {
                weights[j].load(stage + IN_BYTES + ((warp_output / 8 + j) * STAGE_UNITS + unit) * FORMAT::bytes);
            }
#pragma unroll
            for (int part = 0; part < UNIT_INPUTS / 16; part++) {
                unsigned a[TILE::warp_rows / 16][4];
#pragma unroll
                for (int i = 0; i < TILE::warp_rows / 16; i++) {
                    load_matrices(a[i], in_stage + TILE::at(warp_row + i * 16 + lane % 16,
                            (unit * UNIT_INPUTS + part * 16) / CHUNK + lane / 16));
                }
#pragma unroll
                for (int j = 0; j < TILE::warp_outputs / 8; j++) {
                    unsigned b[2];
                    weights[j].fragments(part, book, b[0], b[1]);
#pragma unroll
                    for (int i = 0; i < TILE::warp_rows / 16; i++) {
                        multiply<bf16>(sums[i][j], a[i], b[0], b[1]);
                    }
                }
            }
        }
    });
}

template <typename TILE, typename FORMAT>
__device__ __forceinline__ void matmul(float* out, const bf16* in, const unsigned char* weight, const float* bias, const int* row_count,
        int outputs, int inputs) {
    const int rows = *row_count;
    if (blockIdx.x * TILE::rows < rows) {
        Sums<TILE> sums = {};
        accumulate<TILE, FORMAT>(sums, in, weight, rows, outputs, inputs);
        store_sums<TILE>(sums, out, bias, rows, outputs);
    }
}

template <typename TILE, typename FORMAT>
__device__ __forceinline__ void matmul_swiglu(bf16* out, const bf16* in, const unsigned char* weight, const int* row_count, int outputs,
        int inputs) {
    const int rows = *row_count;
    if (blockIdx.x * TILE::rows < rows) {
        Sums<TILE> sums = {};
        accumulate<TILE, FORMAT>(sums, in, weight, rows, 2 * outputs, inputs);
        store_swiglu<TILE>(sums, out, rows, outputs);
    }
}

#define MATMUL_KERNELS(FORMAT, TYPE, NAME, TILE)                                                                                   \
    extern "C" __global__ void __launch_bounds__(TILE::threads) matmul_##TYPE##_##NAME(float* out, const bf16* in,                 \
            const unsigned char* weight, const float* bias, const int* rows, int outputs, int inputs) {                            \
        matmul<TILE, FORMAT>(out, in, weight, bias, rows, outputs, inputs);                                                        \
    }                                                                                                                              \
    extern "C" __global__ void __launch_bounds__(TILE::threads) matmul_swiglu_##TYPE##_##NAME(bf16* out, const bf16* in,           \
            const unsigned char* weight, const int* rows, int outputs, int inputs) {                                               \
        matmul_swiglu<TILE, FORMAT>(out, in, weight, rows, outputs, inputs);                                                       \
    }

MATMUL_KERNELS(Q8_0, q8_0, 16x32, Few)
MATMUL_KERNELS(Q8_0, q8_0, 64x64, Some)
MATMUL_KERNELS(Q8_0, q8_0, 128x128, Many)
MATMUL_KERNELS(Q4_0, q4_0, 16x32, Few)
MATMUL_KERNELS(Q4_0, q4_0, 64x64, Some)
MATMUL_KERNELS(Q4_0, q4_0, 128x128, Many)
MATMUL_KERNELS(Q4_K, q4_k, 16x32, Few)
MATMUL_KERNELS(Q4_K, q4_k, 64x64, Some)
MATMUL_KERNELS(Q4_K, q4_k, 128x128, Many)
MATMUL_KERNELS(Q6_K, q6_k, 16x32, Few)
MATMUL_KERNELS(Q6_K, q6_k, 64x64, Some)
MATMUL_KERNELS(Q6_K, q6_k, 128x128, Many)
MATMUL_KERNELS(NF4, nf4, 16x32, Few)
MATMUL_KERNELS(NF4, nf4, 64x64, Some)
MATMUL_KERNELS(NF4, nf4, 128x128, Many)
MATMUL_KERNELS(FP4, fp4, 16x32, Few)
MATMUL_KERNELS(FP4, fp4, 64x64, Some)
MATMUL_KERNELS(FP4, fp4, 128x128, Many)
