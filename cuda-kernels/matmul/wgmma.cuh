// Products of four warps, of compute capability 9.0 alone, and the barriers in shared memory that hand stages to them. T is f16 or bf16.
#pragma once

#include "tensor_core.cuh"

// A barrier of so many arrivals, for all to see after the next one of the block.
__device__ __forceinline__ void init_barrier(unsigned barrier, int arrivals) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

__device__ __forceinline__ void arrive(unsigned barrier) {
    asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Waits until the phase with this parity has ended.
__device__ __forceinline__ void wait_for(unsigned barrier, int parity) {
    unsigned ended;
    do {
        asm volatile("{\n"
                     ".reg .pred ended;\n"
                     "mbarrier.try_wait.parity.shared.b64 ended, [%1], %2;\n"
                     "selp.u32 %0, 1, 0, ended;\n"
                     "}"
                     : "=r"(ended)
                     : "r"(barrier), "r"(parity)
                     : "memory");
    } while (ended == 0);
}

// Lets the tensor cores see what this thread wrote to shared memory.
__device__ __forceinline__ void fence_for_tensor_cores() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// The matrix at an address in shared memory: rows of 128 bytes, swizzled, 1,024 bytes from eight rows to the next. A multiple of 1,024,
// and 32 more for each 16 elements along a row.
__device__ __forceinline__ unsigned long long swizzled_matrix(unsigned address) {
    return 1ull << 62 | 1024ull / 16 << 32 | 1ull << 16 | address / 16;
}

// The registers are there for the products that follow.
__device__ __forceinline__ void begin_products() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void commit_products() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits for all products; the sums may be read after it.
template <int N> __device__ __forceinline__ void wait_for_products(float (&sums)[N][4]) {
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#pragma unroll
    for (int i = 0; i < N; i++) {
        asm volatile("" : "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]), "+f"(sums[i][3])::"memory");
    }
}

// sums += a * b: 64 x 8 N from 64 x 16 and 16 x 8 N, of which this warp has 16 rows.
template <typename T, int N>
__device__ __forceinline__ void multiply_together(float (&sums)[N][4], unsigned long long a, unsigned long long b);

#define SUM(i) "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]), "+f"(sums[i][3])
#define SUMS8(i) SUM(i), SUM(i + 1), SUM(i + 2), SUM(i + 3), SUM(i + 4), SUM(i + 5), SUM(i + 6), SUM(i + 7)
#define TEN(D) "%" D "0, %" D "1, %" D "2, %" D "3, %" D "4, %" D "5, %" D "6, %" D "7, %" D "8, %" D "9, "
#define MULTIPLY_TOGETHER(T)                                                                                                           \
    template <> __device__ __forceinline__ void multiply_together<T, 16>(float (&sums)[16][4], unsigned long long a,                   \
            unsigned long long b) {                                                                                                    \
        asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." #T "." #T " {" TEN("") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") \
                     "%60, %61, %62, %63}, %64, %65, 1, 1, 1, 0, 0;"                                                                   \
                     : SUMS8(0), SUMS8(8)                                                                                              \
                     : "l"(a), "l"(b));                                                                                                \
    }                                                                                                                                  \
    template <> __device__ __forceinline__ void multiply_together<T, 32>(float (&sums)[32][4], unsigned long long a,                   \
            unsigned long long b) {                                                                                                    \
        asm volatile("wgmma.mma_async.sync.aligned.m64n256k16.f32." #T "." #T " {" TEN("") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") \
                     TEN("6") TEN("7") TEN("8") TEN("9") TEN("10") TEN("11") "%120, %121, %122, %123, %124, %125, %126, %127},"        \
                     " %128, %129, 1, 1, 1, 0, 0;"                                                                                     \
                     : SUMS8(0), SUMS8(8), SUMS8(16), SUMS8(24)                                                                        \
                     : "l"(a), "l"(b));                                                                                                \
    }

MULTIPLY_TOGETHER(f16)
MULTIPLY_TOGETHER(bf16)

// The same of bf16 with `a` from registers: 64 x 128, of which this warp has 16 rows.
__device__ __forceinline__ void multiply_together(float (&sums)[16][4], const unsigned (&a)[4], unsigned long long b) {
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" TEN("") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5")
                 "%60, %61, %62, %63}, {%64, %65, %66, %67}, %68, 1, 1, 1, 0;"
                 : SUMS8(0), SUMS8(8)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

#define PRODUCT(i) "=f"(sums[i][0]), "=f"(sums[i][1]), "=f"(sums[i][2]), "=f"(sums[i][3])
#define PRODUCTS8(i) PRODUCT(i), PRODUCT(i + 1), PRODUCT(i + 2), PRODUCT(i + 3), PRODUCT(i + 4), PRODUCT(i + 5), PRODUCT(i + 6), PRODUCT(i + 7)

// sums = a * b.
__device__ __forceinline__ void multiply_first_together(float (&sums)[16][4], const unsigned (&a)[4], unsigned long long b) {
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" TEN("") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5")
                 "%60, %61, %62, %63}, {%64, %65, %66, %67}, %68, 0, 1, 1, 0;"
                 : PRODUCTS8(0), PRODUCTS8(8)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
