package org.gatun.test;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;

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

    /// Whether one of a row of like cases is taken: all in the long run, otherwise one in so many, which the seed chooses.
    ///
    /// @param number of the case
    public static boolean takesOneIn(int many, long number) {
        return LONG || Math.floorMod(number + SEED, many) == 0;
    }

    /// The seed of samples and random inputs, the same for the whole run; `-Dgatun.test.seed=N` repeats a run.
    public static long seed() {
        return SEED;
    }

    /// All in the long run, otherwise a part in which every stratum occurs that occurs in all: each that brings a new one is taken, in
    /// an order that the seed gives.
    ///
    /// @param strata what one is an example of, such as its kernel and its shape
    /// @param salt of tests that are to take other parts
    /// @return in the order of `all`
    public static <T> List<T> sample(List<T> all, Function<? super T, ? extends Collection<?>> strata, long salt) {
        if (LONG) {
            return all;
        }
        return sampled(all, strata, SEED + salt);
    }

    static <T> List<T> sampled(List<T> all, Function<? super T, ? extends Collection<?>> strata, long seed) {
        List<T> shuffled = new ArrayList<>(all);
        Collections.shuffle(shuffled, new Random(seed));
        Set<Object> seen = new HashSet<>();
        Set<T> taken = Collections.newSetFromMap(new IdentityHashMap<>());
        for (T each : shuffled) {
            if (seen.addAll(strata.apply(each))) {
                taken.add(each);
            }
        }
        return all.stream().filter(taken::contains).toList();
    }

    private static long seedOfThisRun() {
        long seed = Long.getLong("gatun.test.seed", 20261130);
        System.out.println("seed of samples: " + seed + (LONG ? ", everything is run" : ", -Plong runs everything"));
        return seed;
    }
}
