// Matrix products for few rows with weights of which two of every four are kept, whose blocks form clusters and read the rows once for
// all of them; see matmul_sparse.cu.
//
// Entry points, of MatmulArguments:
//     matmul_sparse_2_4[_int8]_{16x32,16x128}_cluster
//     matmul_swiglu_sparse_2_4[_int8]_{16x32,16x128}_cluster
//
// Operands and results are those of that file, to the bit. Launch: as matmul_cluster.90a.cu.

#include "matmul_sparse.cuh"
#include "matmul_weight_tiles_cluster.cuh"

CLUSTER_KERNELS(Sparse, sparse_2_4)
CLUSTER_KERNELS(SparseInt8, sparse_2_4_int8)
