package org.gatun.speculative.selfspeculation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/// Looks for the set of layer parts that a model misses least: random sets, and now and then the one that a Gaussian process over all
/// scores so far holds for most promising. A set has a fixed number of parts; each is tried once.
final class SkipSearch {
    private static final int BAYES_EVERY = 25;
    private static final int MAX_TRIALS = 1000;
    private static final int PATIENCE = 300;
    private static final int CANDIDATES = 256;

    private final int parts;
    private final int skipped;
    private final double enough;
    private final SplittableRandom random;
    private final Set<String> tried = new HashSet<>();
    private final List<boolean[]> sets = new ArrayList<>();
    private final List<Double> scores = new ArrayList<>();
    private boolean[] best;
    private double bestScore = -1;
    private int sinceBest;

    /// @param parts that may be skipped
    /// @param skipped of them in a set
    /// @param enough a score that ends the search
    SkipSearch(int parts, int skipped, double enough, long seed) {
        this.parts = parts;
        this.skipped = skipped;
        this.enough = enough;
        random = new SplittableRandom(seed);
    }

    /// The best set so far; null before the first score.
    boolean[] best() {
        return best;
    }

    /// Whether nothing more is to be tried.
    boolean isOver() {
        return bestScore >= enough || sinceBest > PATIENCE || sets.size() >= MAX_TRIALS || tried.size() >= numberOfSets();
    }

    private double numberOfSets() {
        double number = 1;
        for (int i = 0; i < skipped; i++) {
            number = number * (parts - i) / (i + 1);
        }
        return Math.rint(number);
    }

    /// A set that was not tried before.
    boolean[] next() {
        boolean[] set = randomSet();
        if (sets.size() % BAYES_EVERY == BAYES_EVERY - 1) {
            GaussianProcess process = new GaussianProcess(sets, scores);
            double highest = process.upperBound(set);
            for (int i = 1; i < CANDIDATES; i++) {
                boolean[] other = randomSet();
                double bound = process.upperBound(other);
                if (bound > highest) {
                    highest = bound;
                    set = other;
                }
            }
        }
        tried.add(Arrays.toString(set));
        return set;
    }

    private boolean[] randomSet() {
        boolean[] set;
        do {
            set = new boolean[parts];
            for (int left = skipped, i = 0; i < parts; i++) {
                set[i] = random.nextInt(parts - i) < left;
                left -= set[i] ? 1 : 0;
            }
        } while (tried.contains(Arrays.toString(set)));
        return set;
    }

    /// Learns how good a set is.
    ///
    /// @param score from 0 to 1
    void observe(boolean[] set, double score) {
        sets.add(set);
        scores.add(score);
        sinceBest++;
        if (score > bestScore) {
            best = set;
            bestScore = score;
            sinceBest = 0;
        }
    }
}
