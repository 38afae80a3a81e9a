// Kernels for few rows with a weight in tiles whose blocks form clusters.
#pragma once

#include "cluster.cuh"
#include "matmul_weight_tiles.cuh"

using FewInClusters = Tile<Few::rows, Few::outputs, Few::inputs, Few::stages, 1, Few::warps_across, CLUSTER_BLOCKS>;
using WideInClusters = Tile<Wide::rows, Wide::outputs, Wide::inputs, Wide::stages, 1, Wide::warps_across, CLUSTER_BLOCKS>;

#define CLUSTER_KERNELS(FORMAT, TYPE)                                                                                              \
    MATMUL_KERNEL(FORMAT, TYPE, 16x32_cluster, FewInClusters, (FewInClusters::threads) IN_CLUSTERS)                                \
    MATMUL_KERNEL(FORMAT, TYPE, 16x128_cluster, WideInClusters, (WideInClusters::threads) IN_CLUSTERS)
