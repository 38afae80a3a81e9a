// Matrix products with weights of 4-bit floating-point numbers and a scale a block (Op.MatMul, alone or with SwiGLU), read as they
// are stored.
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n]), swiglu as in matmul.cu
//
// Entry points, of MatmulArguments and with tiles as in matmul.cu:
//     matmul_{mxfp4,nvfp4}_{16x32,16x128,64x64,128x128}
//     matmul_swiglu_{mxfp4,nvfp4}_{16x32,16x128,64x64,128x128}
//
// in is bf16, out f32, or bf16 in swiglu. inputs is a multiple of 8. A weight is
//     mxfp4  s * q, s a power of two for 32 inputs       nvfp4  (d * s) * q, s an 8-bit floating-point number for 16 inputs, d f32
// and q a sign s, two bits e of exponent and one m of fraction: 0, 0.5, 1, 1.5, 2, 3, 4 or 6.
// Launch: as matmul.cu, with the dynamic shared memory that MatmulKernels has; compute capability 8.0.
//
// s * q is a bf16, exactly, as it has six bits at most; products with activations are exact, and their sums f32, 16 inputs at a time in
// rising order. What all inputs of an output share is multiplied in at the end. Every tile, and a row beside any others, gives the
// same bits.
//
// The weight is kept in tiles of 8 outputs x 64 inputs as in matmul_quantized.cu: the codes, then the scales of each output, one byte for
// a block; and behind all weight tiles of 8 outputs a factor f32 for each. Of the four pairs of a word of codes the bits in each half are
//     pair 0  s at 15, eem from 8 to 6        pair 1  s at 12, eem from 5 to 3
//     pair 2  s at 9, eem from 2 to 0         pair 3  s at 14, ee from 11 to 10, m at 13
// so that a shift and a mask make a bf16 of the first three: q * 2^-126, below the least normal number where e is 0, and right there too.
// A scale is what q * 2^-126 is multiplied with, in bf16. Its byte has bits of the upper byte of that in its low bits, and those of the lower
// byte in its high bits:
//     mxfp4  7 and 1 bits of 2^120 times s over the largest s of the output, whose factor is 2^6 of that
//     nvfp4  4 and 4 bits of 2^106 * s, of which 5 are of exponent, where the upper 3 are always set; the factor is 2^20 * d, and blocks
//            where s is 0 have codes of 0

#include "matmul_float4.cuh"

MATMUL_KERNELS(MXFP4, mxfp4)
MATMUL_KERNELS(NVFP4, nvfp4)
