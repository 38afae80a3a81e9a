// Matrix products for few rows with weights in blocks of codes and scales, whose blocks form clusters and read the rows once for all of
// them; see matmul_quantized.cu.
//
// Entry points, of MatmulArguments:
//     matmul_{int8,q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,16x128}_cluster
//     matmul_swiglu_{int8,q8_0,q4_0,q4_k,q6_k,nf4,fp4}_{16x32,16x128}_cluster
//
// Operands and results are those of that file, to the bit. Launch: as matmul_cluster.90a.cu.

#include "matmul_quantized.cuh"
#include "matmul_weight_tiles_cluster.cuh"

CLUSTER_KERNELS(INT8, int8)
CLUSTER_KERNELS(Q8_0, q8_0)
CLUSTER_KERNELS(Q4_0, q4_0)
CLUSTER_KERNELS(Q4_K, q4_k)
CLUSTER_KERNELS(Q6_K, q6_k)
CLUSTER_KERNELS(NF4, nf4)
CLUSTER_KERNELS(FP4, fp4)
