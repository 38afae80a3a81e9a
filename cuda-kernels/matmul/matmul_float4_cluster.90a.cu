// Matrix products for few rows with weights of 4-bit floating-point numbers, whose blocks form clusters and read the rows once for all of
// them; see matmul_float4.cu.
//
// Entry points, of MatmulArguments:
//     matmul_{mxfp4,nvfp4}_{16x32,16x128}_cluster
//     matmul_swiglu_{mxfp4,nvfp4}_{16x32,16x128}_cluster
//
// Operands and results are those of that file, to the bit. Launch: as matmul_cluster.90a.cu.

#include "matmul_float4.cuh"
#include "matmul_weight_tiles_cluster.cuh"

CLUSTER_KERNELS(MXFP4, mxfp4)
CLUSTER_KERNELS(NVFP4, nvfp4)
