package org.gatun.test;

/// How much of a big table or a random search a test run does: a part chosen by a printed seed, or all of it with
/// `-Plong`. Tests that only the long run has are tagged `long`.
public final class TestScale {
    private static final boolean LONG = Boolean.getBoolean("gatun.test.long");
    private static final long SEED = seedOfThisRun();

    private TestScale() {
    }

    /// Whether this is the long run.
    public static boolean isLong() {
        return LONG;
    }

    /// How many rounds a random test has.
    ///
    /// @param usual in the usual run
    /// @param all in the long run
    public static int rounds(int usual, int all) {
        return LONG ? all : usual;
    }

    /// The seed of samples and random inputs, the same for the whole run; `-Dgatun.test.seed=N` repeats a run.
    public static long seed() {
        return SEED;
    }

    private static long seedOfThisRun() {
        long seed = Long.getLong("gatun.test.seed", 20261130);
        System.out.println("seed of samples: " + seed + (LONG ? ", everything is run" : ", -Plong runs everything"));
        return seed;
    }
}
