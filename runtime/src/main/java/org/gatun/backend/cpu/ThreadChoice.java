package org.gatun.backend.cpu;

/// Decides whether a pass runs on one thread or on all. Large passes always take all; for small ones waking and meeting at
/// barriers can cost more than it saves, above all where other programs want the same cores and a barrier waits for a thread
/// that is not running. So both ways are timed, apart for each order of magnitude of work, and the faster one is taken; the
/// other is tried again now and then, ever less often. Results do not depend on the choice, bit for bit.
///
/// Guarded by the backend's lock.
final class ThreadChoice {
    /// Multiply-adds below which one thread is always enough: some 10 microseconds.
    private static final long MIN_WORK = 1_000_000;
    /// Multiply-adds from which on all threads are always worth it: some ten milliseconds of one.
    private static final long MAX_WORK = 1_000_000_000;
    private static final int FIRST_INTERVAL = 2;
    private static final int LAST_INTERVAL = 4096;
    /// How much faster all threads must be to be worth the other programs' time, and the risk that one of them waits.
    private static final double MIN_GAIN = 1.3;
    /// Weight of the newest time in the running mean.
    private static final double NEWEST = 0.2;

    private final int threads;
    private final double[] alone = new double[Long.SIZE];       // [magnitude of work] mean nanoseconds, 0 before the first
    private final double[] together = new double[Long.SIZE];
    private final int[] interval = new int[Long.SIZE];          // passes from one trial to the next
    private final int[] untilTrial = new int[Long.SIZE];

    ThreadChoice(int threads) {
        this.threads = threads;
    }

    /// How many threads the next pass takes. Hot.
    ///
    /// @param work multiply-adds of the pass
    int threads(long work) {
        if (threads == 1 || work < MIN_WORK) {
            return 1;
        }
        if (work > MAX_WORK) {
            return threads;
        }
        int magnitude = magnitude(work);
        if (together[magnitude] == 0) {
            return threads;
        }
        if (alone[magnitude] == 0) {
            return 1;
        }
        boolean togetherIsFaster = together[magnitude] * MIN_GAIN < alone[magnitude];
        if (untilTrial[magnitude]-- > 0) {
            return togetherIsFaster ? threads : 1;
        }
        interval[magnitude] = Math.clamp(2L * interval[magnitude], FIRST_INTERVAL, LAST_INTERVAL);
        untilTrial[magnitude] = interval[magnitude];
        return togetherIsFaster ? 1 : threads;
    }

    /// Learns how long a pass took. Hot.
    void observe(long work, int threadsTaken, long nanos) {
        int magnitude = magnitude(work);
        double[] mean = threadsTaken == 1 ? alone : together;
        // A first pass touches cold memory: what is much faster than the mean takes its place at once.
        boolean first = mean[magnitude] == 0 || nanos < mean[magnitude] / 2;
        mean[magnitude] = first ? nanos : (1 - NEWEST) * mean[magnitude] + NEWEST * nanos;
    }

    private static int magnitude(long work) {
        return Long.SIZE - 1 - Long.numberOfLeadingZeros(work | 1);
    }
}
