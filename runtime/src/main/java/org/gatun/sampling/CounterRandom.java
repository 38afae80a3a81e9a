package org.gatun.sampling;

/// Random numbers by counter: a number depends on the seed, the stream of the text, the position in it and an index, never on
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

    /// How many texts of one seed have numbers of their own.
    public static final int STREAMS = 1 << 24;

    private static final int PURPOSE_BITS = 8;

    private long seed;
    private int stream;
    private final int[] block = new int[4];
    private Purpose blockPurpose;
    private int blockPosition;
    private int blockNumber;
    private int blockIndex;

    /// @param seed the same seed gives the same numbers
    public CounterRandom(long seed) {
        this(seed, 0);
    }

    /// @param seed the same seed and stream give the same numbers
    /// @param stream of the text, below [#STREAMS]
    public CounterRandom(long seed, int stream) {
        this.seed = seed;
        this.stream = stream;
    }

    /// Gives the numbers of another seed and stream from now on.
    public void reseed(long seed, int stream) {
        if (seed != this.seed || stream != this.stream) {
            this.seed = seed;
            this.stream = stream;
            blockPurpose = null;
        }
    }

    /// 32 random bits for a token at a position. Hot.
    ///
    /// @param number tells apart what is sampled for one purpose at one position; 0 if there is one thing
    public int bits(Purpose purpose, int position, int number, int token) {
        int index = token >>> 2;
        if (index != blockIndex || position != blockPosition || number != blockNumber || purpose != blockPurpose) {
            philox(position, purpose.ordinal() | stream << PURPOSE_BITS, index, number);
            blockPurpose = purpose;
            blockPosition = position;
            blockNumber = number;
            blockIndex = index;
        }
        return block[token & 3];
    }

    /// A number from 0 on and below 1, for a use at a position.
    ///
    /// @param number as for [#bits]
    public double uniform(Purpose purpose, int position, int number) {
        return (bits(purpose, position, number, 0) & 0xFFFFFFFFL) * 0x1p-32;
    }

    /// An exponentially distributed number of mean 1 for a token at a position.
    ///
    /// @param number as for [#bits]
    public float exponential(Purpose purpose, int position, int number, int token) {
        return PortableMath.exponential(bits(purpose, position, number, token));
    }

    private void philox(int position, int purpose, int index, int number) {
        int c0 = position;
        int c1 = purpose;
        int c2 = index;
        int c3 = number;
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
