// Matrix products with weights of which two of every four are kept (Op.MatMul, alone or with Op.SwiGlu), by the tensor cores' sparse mma.
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n]), swiglu as in matmul.cu
//
// Entry points, with tiles as in matmul.cu:
//     matmul_sparse_2_4[_int8]_{16x32,16x128,64x64,128x128}         (out, in, weight, bias, rows, outputs, inputs)
//     matmul_swiglu_sparse_2_4[_int8]_{16x32,16x128,64x64,128x128}  (out, in, weight, rows, outputs, inputs)
//
// in is f16, out f32, or f16 in swiglu; bias f32 or 0 for none, rows [1] int. inputs is a multiple of 64.
// Launch: as matmul.cu, with the dynamic shared memory that MatmulKernels has; compute capability 8.0.
// Products are exact and sums f32, 32 inputs at a time in rising order: every tile, and a row beside any others, gives the same bits.
//
// The weight is kept in units of 8 outputs x 64 inputs as in matmul_quantized.cu. A unit has the values that are kept, f16, for each lane
// of a warp those that it needs as fragments of mma: with g = lane / 4 and t = lane % 4, of output g and for each 32 inputs in turn the
// kept values 2 t, 2 t + 1, 2 t + 8, 2 t + 9 of 16; then for each output 16 times 4 bits: the places, within their four inputs, of the
// two that are kept, the first in the low bits and below the second. Lane 4 g + t reads those of inputs 16 t to 16 t + 15 of output g:
// what a sparse mma takes from lanes 0 and 1 of four for the first 32 inputs of a unit, and from lanes 2 and 3 for the others.
//
// Of int8 the values are bytes, 128 + q, in the same order, which become f16 exactly: a byte is put into the bits of 1024, and 1152 taken
// off. The f32 scales of 8 outputs follow behind all their units and are multiplied in at the end.

#include "matmul_units.cuh"

struct Sparse : UnitFormat {
    using Element = f16;
    static constexpr int bytes = 512 + 64;
    static constexpr bool is_sparse = true;

    uint4 values;
    unsigned places;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        values = reinterpret_cast<const uint4*>(unit)[threadIdx.x % 32];
        places = reinterpret_cast<const unsigned short*>(unit + 512)[threadIdx.x % 32];
    }

    __device__ __forceinline__ void fragments(int step, unsigned& first, unsigned& second) const {
        first = step == 0 ? values.x : values.z;
        second = step == 0 ? values.y : values.w;
    }

    // sums += a * b: 16 x 8 from 16 x 32, of which half is kept, and 32 x 8.
    template <int LANES>
    __device__ __forceinline__ static void multiply(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[4], unsigned places) {
        asm("mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
            "{%8, %9, %10, %11}, {%0, %1, %2, %3}, %12, %13;"
            : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(places), "n"(LANES));
    }
};

struct SparseInt8 : Sparse {
    static constexpr int bytes = 256 + 64;
    static constexpr bool has_row_scale = true;

    uint2 codes;

    __device__ __forceinline__ void load(const unsigned char* unit) {
        codes = reinterpret_cast<const uint2*>(unit)[threadIdx.x % 32];
        places = reinterpret_cast<const unsigned short*>(unit + 256)[threadIdx.x % 32];
    }

    // 1024 and two bytes, in the bits of two f16, less 1152.
    __device__ __forceinline__ static unsigned less(unsigned pair) {
        unsigned result;
        asm("add.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(pair), "r"(0xe480e480u));
        return result;
    }

    __device__ __forceinline__ void fragments(int step, unsigned& first, unsigned& second) const {
        const unsigned word = step == 0 ? codes.x : codes.y;
        first = less(bytes_by<0x4140, 0x64646464u>(word));
        second = less(bytes_by<0x4342, 0x64646464u>(word));
    }
};

MATMUL_KERNELS(Sparse, sparse_2_4)
MATMUL_KERNELS(SparseInt8, sparse_2_4_int8)
