// Random numbers by counter: Philox4x32-10 (Salmon et al. 2011), as in CounterRandom.java.
#pragma once

enum class Purpose { TOKEN, ACCEPTANCE };

struct Random4 {
    unsigned bits[4];
};

// Of a text.
struct RandomSource {
    unsigned long long seed;
    int stream;
};

// 32 random bits for each of the ids 4 group to 4 group + 3 at a position.
__device__ __forceinline__ Random4 random_of(RandomSource source, int position, int group, Purpose purpose = Purpose::TOKEN,
        int number = 0) {
    unsigned c0 = position;
    unsigned c1 = static_cast<unsigned>(purpose) | static_cast<unsigned>(source.stream) << 8;
    unsigned c2 = group;
    unsigned c3 = number;
    unsigned k0 = static_cast<unsigned>(source.seed);
    unsigned k1 = static_cast<unsigned>(source.seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const unsigned high0 = __umulhi(0xD2511F53u, c0);
        const unsigned high1 = __umulhi(0xCD9E8D57u, c2);
        const unsigned low0 = 0xD2511F53u * c0;
        const unsigned low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}
