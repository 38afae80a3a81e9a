package org.gatun.sampling;

/// Random numbers by counter, not by stream: a number depends on the seed, the position in the text and an index, never on
/// how many were drawn before. Speculation therefore cannot shift it, and sampled decoding is as testable as greedy.
/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"); kernels have it in `noise.cuh`.
final class Noise {
    private static final int MULTIPLIER_0 = 0xD2511F53;
    private static final int MULTIPLIER_1 = 0xCD9E8D57;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final int ROUNDS = 10;

    private final long seed;
    private final int[] block = new int[4];
    private int blockPosition = -1;
    private int blockIndex = -1;

    Noise(long seed) {
        this.seed = seed;
    }

    /// 32 random bits for a candidate token at a position. Hot.
    int bits(int position, int token) {
        int index = token >>> 2;
        if (position != blockPosition || index != blockIndex) {
            philox(position, index);
            blockPosition = position;
            blockIndex = index;
        }
        return block[token & 3];
    }

    private void philox(int position, int index) {
        int c0 = position;
        int c1 = 0;
        int c2 = index;
        int c3 = 0;
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        for (int round = 0; round < ROUNDS; round++) {
            long product0 = (MULTIPLIER_0 & 0xFFFFFFFFL) * (c0 & 0xFFFFFFFFL);
            long product1 = (MULTIPLIER_1 & 0xFFFFFFFFL) * (c2 & 0xFFFFFFFFL);
            c0 = (int) (product1 >>> 32) ^ c1 ^ k0;
            c1 = (int) product1;
            c2 = (int) (product0 >>> 32) ^ c3 ^ k1;
            c3 = (int) product0;
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
        block[0] = c0;
        block[1] = c1;
        block[2] = c2;
        block[3] = c3;
    }
}
