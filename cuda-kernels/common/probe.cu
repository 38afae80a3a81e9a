// How fast memory can be read at best: the ceiling that kernels bound by bandwidth are held to.
//
// Entry points, of ProbeArguments:
//     probe_read
//
// out becomes, xor what it was, the xor of all words of in, by their number modulo 4. xor depends on no order. Addresses are multiples
// of 16.
// Launch: grid any, block 256, no dynamic shared memory, compute capability 8.0. Eight loads a thread are under way at a time.

#include "elements.cuh"
#include "reduce.cuh"

struct ProbeArguments {
    unsigned* out;   // [4]
    const uint4* in; // [packs]
    long long packs;
};

constexpr int THREADS = 256;
constexpr int LOADS = 8;

extern "C" __global__ void __launch_bounds__(THREADS) probe_read(const ProbeArguments arguments) {
    const long long packs = arguments.packs;
    uint4 sum = {0, 0, 0, 0};
    const long long step = static_cast<long long>(gridDim.x) * THREADS * LOADS;
#pragma unroll 1
    for (long long start = static_cast<long long>(blockIdx.x) * THREADS * LOADS + threadIdx.x; start < packs; start += step) {
        const uint4* from = arguments.in + start;
        uint4 loaded[LOADS];
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            loaded[i] = start + i * THREADS < packs ? __ldcs(from + i * THREADS) : uint4{0, 0, 0, 0};
        }
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            sum.x ^= loaded[i].x;
            sum.y ^= loaded[i].y;
            sum.z ^= loaded[i].z;
            sum.w ^= loaded[i].w;
        }
    }
    const unsigned words[4] = {__reduce_xor_sync(FULL_WARP, sum.x), __reduce_xor_sync(FULL_WARP, sum.y),
            __reduce_xor_sync(FULL_WARP, sum.z), __reduce_xor_sync(FULL_WARP, sum.w)};
    if (threadIdx.x % 32 == 0) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            atomicXor(arguments.out + i, words[i]);
        }
    }
}
