// Matrix products with weights in blocks of codes and scales (Op.MatMul, alone or with SwiGLU), read as they are stored.
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n]), swiglu as in matmul.cu
//
// Entry points, of MatmulArguments and with tiles as in matmul.cu:
//     matmul_{int8,q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,16x128,64x64,128x128}
//     matmul_swiglu_{int8,q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,16x128,64x64,128x128}
//
// in is bf16, out f32, or bf16 in swiglu. inputs is a multiple of 8. A weight is
//     int8  d * q, q a signed byte; d is f32, one for an output
//     q8_0  d * q, q a signed byte           q4_0  d * (q - 8), q of 4 bits; d is f16, one for 32 inputs
//     q4_k  (d * s) * q - (m * t), q of 4 bits, s and t whole numbers of 6 bits for 32 inputs, d and m f16
//     q6_k  (d * s) * (q - 32), q of 6 bits, s a signed byte for 16 inputs, d f16
//     nf4, fp4  d * codebook[q], q of 4 bits, d f32 for 64 inputs, the codebook rounded to bf16
// Launch: as matmul.cu, with the dynamic shared memory that MatmulKernels has; compute capability 8.0.
//
// Whole numbers and entries of a codebook are bf16, products with activations exact, and their sums f32. The inputs that share a scale are
// summed first, in rising order, and their sum times the scale is added to that of those before; of q4_k then the minimum times the sum
// of the activations is taken off. Every tile, and a row beside any others, gives the same bits.
//
// The weight is kept in tiles of 8 outputs x 64 inputs, [outputs / 8][inputs / 64] of them, both rounded up, what is not there having
// scale 0; for swiglu weight tiles are by turns of the gate and of up. A weight tile has first the codes, for each lane of a warp those
// that it needs as fragments of mma: with g = lane / 4 and t = lane % 4, of output g and for each 16 inputs in turn two pairs, of the
// inputs 2 t, 2 t + 1 and 2 t + 8, 2 t + 9; then the scales of each output: d for each 32 inputs; or d, m, s, t, s, t; or four 128 + s, d
// and two bytes of nothing; or d for all 64. Of int8 the scales of 8 outputs follow behind all their weight tiles. Of pair i of a word of
// codes the elements are
//     int8, q8_0  bytes i and i + 2            q4_0, q4_k, q6_k  bits 4 i and 16 + 4 i on
//     nf4, fp4  low and high bits of byte i
// and of q6_k the high 2 bits of the weight tile's pair i follow in a word of its own, from bits 2 i and 16 + 2 i on. So one logic
// operation makes two bf16 of a mask: 128 + q exactly, from which the rest is taken in one more.
//
// Activations and weight tiles stream through a ring of stages in shared memory by cp.async; a lane reads its own codes there, neighbours
// beside each other. A codebook is a table of pairs of bf16 for all bytes in shared memory, once in each bank, so that any lanes read any
// at once.

#include "matmul_quantized.cuh"

MATMUL_KERNELS(INT8, int8)
MATMUL_KERNELS(Q8_0, q8_0)
MATMUL_KERNELS(Q4_0, q4_0)
MATMUL_KERNELS(Q4_K, q4_k)
MATMUL_KERNELS(Q6_K, q6_k)
MATMUL_KERNELS(NF4, nf4)
MATMUL_KERNELS(FP4, fp4)
