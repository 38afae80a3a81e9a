// Matrix products with weights in blocks of codes and scales (Op.MatMul, alone or with Op.SwiGlu), read as they are stored.
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n]), swiglu as in matmul.cu
//
// Entry points, with tiles as in matmul.cu:
//     matmul_{int8,q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,16x128,64x64,128x128}         (out, in, weight, bias, rows, outputs, inputs)
//     matmul_swiglu_{int8,q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,16x128,64x64,128x128}  (out, in, weight, rows, outputs, inputs)
//
// in is bf16, out f32, or bf16 in swiglu; bias f32 or 0 for none, rows [1] int. inputs is a multiple of 8. A weight is
//     int8  d * q, q a signed byte; d is f32, one for an output
//     q8_0  d * q, q a signed byte           q4_0  d * (q - 8), q of 4 bits; d is f16, one for 32 inputs
//     q4_k  (d * s) * q - (m * t), q of 4 bits, s and t whole numbers of 6 bits for 32 inputs, d and m f16
//     q6_k  (d * s) * (q - 32), q of 6 bits, s a signed byte for 16 inputs, d f16
//     nf4, fp4  d * book[q], q of 4 bits, d f32 for 64 inputs, the book rounded to bf16
// Launch: as matmul.cu, with the dynamic shared memory that MatmulKernels has; compute capability 8.0.
//
// Whole numbers and entries of a book are bf16, products with activations exact, and their sums f32. The inputs that share a scale are
// summed first, in rising order, and their sum times the scale is added to that of those before; of q4_k then the minimum times the sum
// of the activations is taken off. Every tile, and a row beside any others, gives the same bits.
//
// The weight is kept in units of 8 outputs x 64 inputs, [outputs / 8][inputs / 64] of them, both rounded up, what is not there having
// scale 0; for swiglu units are by turns of the gate and of up. A unit has first the codes, for each lane of a warp those that it
// needs as fragments of mma: with g = lane / 4 and t = lane % 4, of output g and for each 16 inputs in turn two pairs, of the inputs
// 2 t, 2 t + 1 and 2 t + 8, 2 t + 9; then the scales of each output: d for each 32 inputs; or d, m, s, t, s, t; or four 128 + s, d and
// two bytes of nothing; or d for all 64. Of int8 the scales of 8 outputs follow behind all their units. Of pair i of a word of codes
// the elements are
//     int8, q8_0  bytes i and i + 2            q4_0, q4_k, q6_k  bits 4 i and 16 + 4 i on
//     nf4, fp4  low and high bits of byte i
// and of q6_k the high 2 bits of the unit's pair i follow in a word of its own, from bits 2 i and 16 + 2 i on. So one logic operation
// makes two bf16 of a mask: 128 + q exactly, from which the rest is taken in one more.
//
// Activations and units stream through a ring of stages in shared memory by cp.async; a lane reads its own codes there, neighbours
// beside each other. A book is a table of pairs of bf16 for all bytes in shared memory, once in each bank, so that any lanes read any
// at once.

#include "matmul_units.cuh"

constexpr unsigned NIBBLES = 0x000f000fu;
constexpr unsigned POWER = 0x4b000000u; // 2^23 as f32

// Of the scales of 64 inputs, two of f16.
__device__ __forceinline__ float half_of(__half2 scales, int half) {
    return half == 0 ? __low2float(scales) : __high2float(scales);
}

__device__ __forceinline__ unsigned word_of(const uint4& codes, int number) {
    return number == 0 ? codes.x : number == 1 ? codes.y : number == 2 ? codes.z : codes.w;
}

struct Q8_0 : UnitFormat {
    static constexpr int bytes = 512 + 32;
    static constexpr int block = 32;

    uint4 codes;
    __half2 scales;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint4*>(unit)[threadIdx.x % 32];
        scales = reinterpret_cast<const __half2*>(unit + 512)[threadIdx.x % 32 / 4];
    }

    // The weights of 16 inputs, the first or the second, third or fourth of the unit.
    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        const unsigned word = word_of(codes, step);
        first = bytes_of(word);
        second = bytes_of(word >> 8);
    }

    __device__ __forceinline__ float scale(int block) const {
        return half_of(scales, block);
    }
};

struct Q4_0 : UnitFormat {
    static constexpr int bytes = 256 + 32;
    static constexpr int block = 32;

    uint2 codes;
    __half2 scales;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        scales = reinterpret_cast<const __half2*>(unit + 256)[threadIdx.x % 32 / 4];
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        constexpr unsigned LESS = 0xc308c308u; // -136
        const unsigned word = step < 2 ? codes.x : codes.y;
        first = integers<NIBBLES>(word >> step % 2 * 8, LESS);
        second = integers<NIBBLES>(word >> (step % 2 * 8 + 4), LESS);
    }

    __device__ __forceinline__ float scale(int block) const {
        return half_of(scales, block);
    }
};

struct Q4_K : UnitFormat {
    static constexpr int bytes = 256 + 64;
    static constexpr int block = 32;
    static constexpr bool has_minimum = true;

    uint2 codes;
    unsigned factors; // s, t, s, t
    float d;
    float d_less;
    float m;
    float m_less;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        const uint2 scales = reinterpret_cast<const uint2*>(unit + 256)[threadIdx.x % 32 / 4];
        factors = scales.y;
        d = half_of(reinterpret_cast<const __half2&>(scales.x), 0);
        d_less = d * -0x1p23f;
        m = -half_of(reinterpret_cast<const __half2&>(scales.x), 1);
        m_less = m * -0x1p23f;
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        constexpr unsigned LESS = 0xc300c300u; // -128
        const unsigned word = step < 2 ? codes.x : codes.y;
        first = integers<NIBBLES>(word >> step % 2 * 8, LESS);
        second = integers<NIBBLES>(word >> (step % 2 * 8 + 4), LESS);
    }

    // A product with 2^23 and a byte, the bits of which are those of the byte, less that with 2^23: exact, as a conversion would be.
    __device__ __forceinline__ float scale(int block) const {
        return fmaf(d, block == 0 ? float_by<0x7540, POWER>(factors) : float_by<0x7542, POWER>(factors), d_less);
    }

    __device__ __forceinline__ float minimum(int block) const {
        return fmaf(m, block == 0 ? float_by<0x7541, POWER>(factors) : float_by<0x7543, POWER>(factors), m_less);
    }
};

struct Q6_K : UnitFormat {
    static constexpr int bytes = 384 + 64;
    static constexpr int block = 16;

    uint2 codes;
    unsigned high;
    unsigned factors; // 128 + s
    float d;
    float d_less;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        high = reinterpret_cast<const unsigned*>(unit + 256)[threadIdx.x % 32];
        const uint2 scales = reinterpret_cast<const uint2*>(unit + 384)[threadIdx.x % 32 / 4];
        factors = scales.x;
        const float whole = half_of(reinterpret_cast<const __half2&>(scales.y), 0);
        d = whole * 0x1p-8f;
        d_less = whole * -(0x1p15f + 128.0f);
    }

    __device__ __forceinline__ unsigned pair(int number) const {
        const unsigned word = number < 4 ? codes.x : codes.y;
        const unsigned above = number < 2 ? high << (4 - 2 * number) : high >> (2 * number - 4); // to bits 4 and 20
        return add_pairs(and_or<0x00300030u>(above, and_or<NIBBLES, 0x43004300u>(word >> number % 4 * 4)), 0xc320c320u); // -160
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        first = pair(step * 2);
        second = pair(step * 2 + 1);
    }

    // As in Q4_K, of 2^15 and a byte, times 2^8.
    __device__ __forceinline__ float scale(int block) const {
        return fmaf(d, block == 0 ? float_by<0x7504, POWER>(factors) : block == 1 ? float_by<0x7514, POWER>(factors)
                : block == 2 ? float_by<0x7524, POWER>(factors) : float_by<0x7534, POWER>(factors), d_less);
    }
};

__constant__ const float NF4_BOOK[16] = {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
        -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
        0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

__constant__ const float FP4_BOOK[16] = {0.0f, 0.0052083333f, 0.6666666667f, 1.0f, 0.3333333333f, 0.5f, 0.1666666667f, 0.25f, -0.0f,
        -0.0052083333f, -0.6666666667f, -1.0f, -0.3333333333f, -0.5f, -0.1666666667f, -0.25f};

template <bool NORMAL> struct Book : UnitFormat {
    static constexpr int bytes = 256 + 32;
    static constexpr int block = 64;
    static constexpr bool has_table = true;

    uint2 codes;
    float d;

    // Writes the pairs for all bytes, once in each bank: a quarter of a warp writes one entry.
    template <int THREADS> __device__ __forceinline__ static void fill(unsigned* table) {
        constexpr int LANES = 8;
#pragma unroll 4
        for (int entry = threadIdx.x / LANES; entry < TABLE_ENTRIES; entry += THREADS / LANES) {
            const unsigned pair = pair_of<bf16>(book(entry % 16), book(entry / 16));
            reinterpret_cast<uint4*>(table)[entry * LANES + threadIdx.x % LANES] = {pair, pair, pair, pair};
        }
    }

    __device__ __forceinline__ static float book(int code) {
        return NORMAL ? NF4_BOOK[code] : FP4_BOOK[code];
    }

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        d = reinterpret_cast<const float*>(unit + 256)[threadIdx.x % 32 / 4];
    }

    // The table's entry for a byte of a word.
    __device__ __forceinline__ static unsigned entry(unsigned word, int number, unsigned table) {
        unsigned address;
        unsigned pair;
        asm("mad.lo.u32 %0, %1, %2, %3;" : "=r"(address) : "r"(__byte_perm(word, 0, 0x4440 + number)), "n"(BANKS * 4), "r"(table));
        asm("ld.shared.u32 %0, [%1];" : "=r"(pair) : "r"(address));
        return pair;
    }

    __device__ __forceinline__ void fragments(int step, unsigned table, unsigned& first, unsigned& second) const {
        const unsigned word = step < 2 ? codes.x : codes.y;
        first = entry(word, step % 2 * 2, table);
        second = entry(word, step % 2 * 2 + 1, table);
    }

    __device__ __forceinline__ float scale(int) const {
        return d;
    }
};

struct INT8 : UnitFormat {
    static constexpr int bytes = 512;
    static constexpr bool has_row_scale = true;

    uint4 codes;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint4*>(unit)[threadIdx.x % 32];
    }

    __device__ __forceinline__ void fragments(int step, unsigned, unsigned& first, unsigned& second) const {
        const unsigned word = word_of(codes, step);
        first = bytes_of(word);
        second = bytes_of(word >> 8);
    }
};

using NF4 = Book<true>;
using FP4 = Book<false>;

MATMUL_KERNELS(INT8, int8)
MATMUL_KERNELS(Q8_0, q8_0)
MATMUL_KERNELS(Q4_0, q4_0)
MATMUL_KERNELS(Q4_K, q4_k)
MATMUL_KERNELS(Q6_K, q6_k)
MATMUL_KERNELS(NF4, nf4)
MATMUL_KERNELS(FP4, fp4)
