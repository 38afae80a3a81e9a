// Clusters (compute capability 9.0 and later): blocks that run together and reach each other's shared memory.
#pragma once

constexpr int CLUSTER_BLOCKS = 8; // what every device that has clusters runs

__device__ __forceinline__ unsigned cluster_rank() {
    unsigned rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

// All threads of all blocks meet, and each has seen what the others did.
__device__ __forceinline__ void meet_in_cluster() {
    asm volatile("barrier.cluster.arrive.release;" ::: "memory");
    asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}

// Writes to the place in another block's shared memory that lies there in this one's.
__device__ __forceinline__ void store_in_block(unsigned long long* own, int rank, unsigned long long value) {
    asm volatile("{ .reg .u32 there; mapa.shared::cluster.u32 there, %0, %1;\n\t"
                 "st.shared::cluster.u64 [there], %2; }" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(own))),
                 "r"(rank), "l"(value)
                 : "memory");
}

// Reads the place in another block's shared memory that lies there in this one's.
__device__ __forceinline__ unsigned long long load_from_block(const unsigned long long* own, int rank) {
    unsigned long long value;
    asm volatile("{ .reg .u32 there; mapa.shared::cluster.u32 there, %1, %2;\n\t"
                 "ld.shared::cluster.u64 %0, [there]; }"
                 : "=l"(value)
                 : "r"(static_cast<unsigned>(__cvta_generic_to_shared(own))), "r"(rank)
                 : "memory");
    return value;
}
