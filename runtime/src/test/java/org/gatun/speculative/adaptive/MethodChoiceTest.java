package org.gatun.speculative.adaptive;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.LongToDoubleFunction;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/// The choice of methods on machines and texts that are made up: time is counted, not measured.
class MethodChoiceTest {
    private static final int ROWS = 64;
    private static final int TOKENS = 6000;
    private static final double ROW_NANOS = 100_000; // of a pass of one row

    /// A drafter of chains.
    ///
    /// @param length of its chains
    /// @param presence probability that it proposes one
    /// @param acceptance probability that a token is accepted
    /// @param cost of drafting a token, in passes of one row
    private record Chains(int length, double presence, double acceptance, double cost) {
        static final Chains NONE = new Chains(0, 0, 0, 0);
    }

    /// A made-up machine: passes cost as here, and differ by chance.
    private static final class Machine {
        private final double rowCost;
        private final double noise;
        private final SplittableRandom random;
        private final int[] accepted = IntStream.rangeClosed(1, ROWS).toArray();
        private double nanos;
        private long tokens;

        Machine(double rowCost, double noise, long seed) {
            this.rowCost = rowCost;
            this.noise = noise;
            random = new SplittableRandom(seed);
        }

        private double noisy(double exact) {
            return exact * (1 + noise * (2 * random.nextDouble() - 1));
        }

        /// Decodes with whom the choice names, out of `drafters`.
        void run(MethodChoice choice, List<Chains> drafters, long until) {
            while (tokens < until) {
                int method = choice.next();
                Chains chains = method == MethodChoice.PLAIN ? Chains.NONE : drafters.get(method);
                int drafted = random.nextDouble() < chains.presence ? Math.min(chains.length, choice.rows() - 1) : 0;
                int count = 0;
                while (count < drafted && random.nextDouble() < chains.acceptance) {
                    count++;
                }
                double draftNanos = noisy(drafted * chains.cost * ROW_NANOS);
                double passNanos = noisy((1 + rowCost * drafted) * ROW_NANOS);
                choice.observe(choice.rows(), 1 + drafted, accepted, count, (long) draftNanos, (long) passNanos);
                nanos += draftNanos + passNanos;
                tokens += count + 1;
            }
        }

        double tokensPerPass() {
            return tokens * ROW_NANOS / nanos;
        }
    }

    /// Expected tokens in the time of a pass of one row.
    private static double speed(Chains chains, double rowCost) {
        double tokens = (1 - Math.pow(chains.acceptance, chains.length + 1)) / (1 - chains.acceptance);
        return (1 + chains.presence * (tokens - 1)) / (1 + chains.presence * chains.length * (rowCost + chains.cost));
    }

    private static double run(double rowCost, double noise, long seed, List<Chains> drafters) {
        Machine machine = new Machine(rowCost, noise, seed);
        machine.run(new MethodChoice(drafters.size(), ROWS), drafters, TOKENS);
        return machine.tokensPerPass();
    }

    /// Runs on several machines, and holds the mean of what comes out to a bound, and each to one five percent lower.
    private static void assertMeanAbove(double bound, LongToDoubleFunction partOfBest) {
        double[] found = LongStream.rangeClosed(1, 20).mapToDouble(partOfBest).toArray();
        String seeds = "seeds 1 to 20: " + Arrays.toString(found);
        assertTrue(DoubleStream.of(found).average().orElseThrow() > bound, seeds);
        assertTrue(DoubleStream.of(found).min().orElseThrow() > bound - 0.05, seeds);
    }

    @Test
    void choice_draftersThatLose_costsLessThanTwoPercent() {
        List<Chains> drafters = List.of(new Chains(4, 1, 0.2, 0.2), new Chains(8, 1, 0.3, 0), new Chains(8, 0.3, 0.1, 0));

        assertMeanAbove(0.98, seed -> run(0.3, 0.3, seed, drafters));
    }

    @Test
    void choice_oneDrafterWins_isWithinFivePercentOfIt() {
        List<Chains> drafters = List.of(new Chains(5, 1, 0.8, 0.1), new Chains(8, 1, 0.3, 0), new Chains(4, 0.3, 0.6, 0));
        for (List<Chains> order : List.of(drafters, drafters.reversed())) {
            double best = order.stream().mapToDouble(chains -> speed(chains, 0.1)).max().orElseThrow();

            assertMeanAbove(0.97, seed -> run(0.1, 0.3, seed, order) / best);
        }
    }

    @Test
    void choice_treesTooLarge_areMadeSmaller() {
        Chains wide = new Chains(24, 1, 0.6, 0.05);
        double best = IntStream.rangeClosed(1, 24).mapToDouble(length -> speed(new Chains(length, 1, 0.6, 0.05), 0.1)).max().orElseThrow();
        assertTrue(speed(wide, 0.1) < 0.7, "they lose as they are");

        assertMeanAbove(0.92, seed -> run(0.1, 0.2, seed, List.of(wide)) / best);
    }

    @Test
    void choice_textChanges_follows() {
        Chains good = new Chains(5, 1, 0.8, 0.1);
        Chains bad = new Chains(5, 1, 0.2, 0.1);
        assertMeanAbove(0.9, seed -> {
            Machine machine = new Machine(0.1, 0.3, seed);
            MethodChoice choice = new MethodChoice(2, ROWS);
            machine.run(choice, List.of(good, bad), TOKENS);
            machine.run(choice, List.of(bad, good), 2 * TOKENS);
            return machine.tokensPerPass() / speed(good, 0.1);
        });
    }

    @Test
    void choice_noDrafter_isPlain() {
        MethodChoice choice = new MethodChoice(0, ROWS);
        new Machine(0.1, 0, 1).run(choice, List.of(), 100);

        assertEquals(MethodChoice.PLAIN, choice.next());
        assertEquals(1, choice.rows());
    }

    @Test
    void choice_losingDrafter_isTriedAgainLaterAndLater() {
        MethodChoice choice = new MethodChoice(1, ROWS);
        Machine machine = new Machine(0.3, 0, 1);
        StringBuilder trials = new StringBuilder();
        int before = MethodChoice.PLAIN;
        while (machine.tokens < 1500) {
            machine.run(choice, List.of(new Chains(4, 1, 0, 0.1)), machine.tokens + 1);
            if (choice.next() != before && before == MethodChoice.PLAIN) {
                trials.append(machine.tokens).append(' ');
            }
            before = choice.next();
        }

        // three steps each, then 64, 256 and 1024 tokens without
        assertEquals("4 263 1290 ", trials.toString());
    }
}
