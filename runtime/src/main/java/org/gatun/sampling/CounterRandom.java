package org.gatun.sampling;

/// Random numbers by counter, not by stream: a number depends on the seed, the position in the text and an index, never on
/// how many were sampled before. Speculation therefore cannot shift it, and sampled decoding is as testable as greedy.
/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"); kernels have it in `counter_random.cuh`.
///
/// Keeps the block sampled last: one thread at a time.
public final class CounterRandom {

    /// What a number is for. Numbers for different purposes are independent.
    public enum Purpose {
        /// Sampling the token that is emitted at a position.
        TOKEN,
        /// Whether a proposal is accepted.
        ACCEPTANCE,
        /// Sampling proposals.
        PROPOSAL
    }

    private static final int MULTIPLIER_0 = 0xD2511F53;
    private static final int MULTIPLIER_1 = 0xCD9E8D57;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final int ROUNDS = 10;

    private long seed;
    private final int[] block = new int[4];
    private Purpose blockPurpose;
    private int blockPosition;
    private int blockStream;
    private int blockIndex;

    /// @param seed the same seed gives the same numbers
    public CounterRandom(long seed) {
        this.seed = seed;
    }

    /// Gives the numbers of another seed from now on.
    public void reseed(long seed) {
        if (seed != this.seed) {
            this.seed = seed;
            blockPurpose = null;
        }
    }

    /// 32 random bits for a token at a position. Hot.
    ///
    /// @param stream tells apart what is sampled for one purpose at one position; 0 if there is one thing
    public int bits(Purpose purpose, int position, int stream, int token) {
        int index = token >>> 2;
        if (index != blockIndex || position != blockPosition || stream != blockStream || purpose != blockPurpose) {
            philox(position, purpose.ordinal(), index, stream);
            blockPurpose = purpose;
            blockPosition = position;
            blockStream = stream;
            blockIndex = index;
        }
        return block[token & 3];
    }

    /// A number from 0 on and below 1, for a use at a position.
    ///
    /// @param stream as for [#bits]
    public double uniform(Purpose purpose, int position, int stream) {
        return (bits(purpose, position, stream, 0) & 0xFFFFFFFFL) * 0x1p-32;
    }

    /// An exponentially distributed number of mean 1 for a token at a position.
    ///
    /// @param stream as for [#bits]
    public float exponential(Purpose purpose, int position, int stream, int token) {
        return PortableMath.exponential(bits(purpose, position, stream, token));
    }

    private void philox(int position, int purpose, int index, int stream) {
        int c0 = position;
        int c1 = purpose;
        int c2 = index;
        int c3 = stream;
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
