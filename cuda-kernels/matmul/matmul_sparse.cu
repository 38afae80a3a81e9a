// Matrix products with weights of which two of every four are kept (Op.MatMul, alone or with SwiGLU), by the tensor cores' sparse mma.
//
//     out[r, n] = sum over k of in[r, k] * weight[n, k] (+ bias[n]), swiglu as in matmul.cu
//
// Entry points, of MatmulArguments and with tiles as in matmul.cu:
//     matmul_sparse_2_4[_int8]_{16x32,16x128,64x64,128x128}
//     matmul_swiglu_sparse_2_4[_int8]_{16x32,16x128,64x64,128x128}
//
// in is f16, out f32, or f16 in swiglu. inputs is a multiple of 64.
// Launch: as matmul.cu, with the dynamic shared memory that MatmulKernels has; compute capability 8.0.
// Products are exact and sums f32, 32 inputs at a time in rising order: every tile, and a row beside any others, gives the same bits.
//
// The weight is kept in tiles of 8 outputs x 64 inputs as in matmul_quantized.cu. A weight tile has the values that are kept, f16, for each
// lane of a warp those that it needs as fragments of mma: with g = lane / 4 and t = lane % 4, of output g and for each 32 inputs in turn
// the kept values 2 t, 2 t + 1, 2 t + 8, 2 t + 9 of 16; then for each output 16 times 4 bits: the places, within their four inputs, of the
// two that are kept, the first in the low bits and below the second. Lane 4 g + t reads those of inputs 16 t to 16 t + 15 of output g:
// what a sparse mma takes from lanes 0 and 1 of four for the first 32 inputs of a weight tile, and from lanes 2 and 3 for the others.
//
// Of int8 the values are bytes, 128 + q, in the same order, which become f16 exactly: a byte is put into the bits of 1024, and 1152 taken
// off. The f32 scales of 8 outputs follow behind all their weight tiles and are multiplied in at the end.

#include "matmul_sparse.cuh"

MATMUL_KERNELS(Sparse, sparse_2_4)
MATMUL_KERNELS(SparseInt8, sparse_2_4_int8)
