// Matrix products for few rows, whose blocks form clusters and read the rows once for all of them; see matmul.cu.
//
// Entry points, of MatmulArguments:
//     matmul_{f16,bf16}_{16x32,16x128}_cluster
//     matmul_swiglu_{f16,bf16}_{16x32,16x128}_cluster
//
// Operands and results are those of matmul.cu, to the bit. Launch: as there, with the second number of the grid rounded up to a multiple
// of 8, blocks of a cluster; compute capability 9.0, as copies to several blocks are slow on others. A block whose outputs are not there
// brings its share of the rows and writes nothing.

#include "cluster.cuh"
#include "matmul_dense.cuh"

using Few = Tile<16, 32, 128, 6, 1, 2, CLUSTER_BLOCKS>;
using Wide = Tile<16, 128, 64, 4, 1, 8, CLUSTER_BLOCKS>;

MATMUL_KERNELS(f16, 16x32_cluster, Few, (Few::threads) IN_CLUSTERS)
MATMUL_KERNELS(f16, 16x128_cluster, Wide, (Wide::threads) IN_CLUSTERS)
MATMUL_KERNELS(bf16, 16x32_cluster, Few, (Few::threads) IN_CLUSTERS)
MATMUL_KERNELS(bf16, 16x128_cluster, Wide, (Wide::threads) IN_CLUSTERS)
