package org.gatun.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// The distribution of what a node emits, by going through every sample and every outcome of every test with its probability: no
/// statistics.
class RejectionSamplingTest {
    private static final long SEED = 20261121;
    private static final double EXACT = 1e-12;
    private static final double[] P = {0.4, 0.3, 0.2, 0.1};
    private static final double[] Q = {0.1, 0.2, 0.3, 0.4};

    /// Ways to test sampled children that look right and are not; each must give another distribution than the target's.
    private enum Mistake { NONE, DISTRIBUTION_NOT_RENORMALISED, DUPLICATE_SKIPPED, KEPT_BY_ITS_PROBABILITY, DETERMINISTIC_TESTED_AS_SAMPLED,
            SAMPLED_FOR_EACH_PATH }

    @ParameterizedTest
    @EnumSource(ProposalSampling.class)
    void node_randomDistributions_emitsTheTargets(ProposalSampling how) {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int round = 0; round < 300; round++) {
            int vocabulary = 2 + random.nextInt(3);
            double[] p = distribution(random, vocabulary);
            double[] q = round % 10 == 0 ? p : distribution(random, vocabulary);
            int children = 1 + random.nextInt(3);

            double[] emitted = emitted(p, q, how, children, Mistake.NONE);

            assertArrayEquals(p, emitted, EXACT, "seed " + SEED + ", round " + round + ": p " + Arrays.toString(p) + ", q "
                    + Arrays.toString(q) + ", " + children + " children");
        }
    }

    /// Zeros, equal distributions and distributions without a common token among them.
    private static double[] distribution(SplittableRandom random, int vocabulary) {
        double[] weights = new double[vocabulary];
        double sum = 0;
        while (sum == 0) {
            for (int token = 0; token < vocabulary; token++) {
                weights[token] = random.nextInt(3) == 0 ? 0 : random.nextInt(8) == 0 ? 1e-6 : random.nextDouble();
                sum += weights[token];
            }
        }
        double whole = sum;
        return Arrays.stream(weights).map(weight -> weight / whole).toArray();
    }

    static Stream<Object[]> mistakes() {
        return Stream.of(
                new Object[] {Mistake.DISTRIBUTION_NOT_RENORMALISED, ProposalSampling.WITHOUT_REPLACEMENT, P, Q,
                    new double[] {0.35663, 0.34337, 0.2, 0.1}},
                new Object[] {Mistake.DUPLICATE_SKIPPED, ProposalSampling.INDEPENDENT, P, Q, new double[] {0.37321, 0.32679, 0.2, 0.1}},
                new Object[] {Mistake.KEPT_BY_ITS_PROBABILITY, ProposalSampling.INDEPENDENT, new double[] {0.5, 0.3, 0.2},
                    new double[] {0.2, 0.5, 0.3}, new double[] {0.4, 0.36, 0.24}},
                new Object[] {Mistake.DETERMINISTIC_TESTED_AS_SAMPLED, ProposalSampling.WITHOUT_REPLACEMENT, new double[] {0.5, 0.3, 0.2},
                    new double[] {0.2, 0.5, 0.3}, new double[] {0.4, 0.6, 0}},
                new Object[] {Mistake.SAMPLED_FOR_EACH_PATH, ProposalSampling.INDEPENDENT, new double[] {0.5, 0.3, 0.2},
                    new double[] {0.2, 0.5, 0.3}, new double[] {0.28, 0.468, 0.252}});
    }

    @ParameterizedTest
    @MethodSource("mistakes")
    void node_knownMistake_emitsTheDistributionItIsKnownToGive(
            Mistake mistake, ProposalSampling how, double[] p, double[] q, double[] expected) {
        double[] emitted = emitted(p, q, how, mistake == Mistake.KEPT_BY_ITS_PROBABILITY ? 1 : 2, mistake);

        assertArrayEquals(expected, emitted, 1e-5, mistake + ": " + Arrays.toString(emitted));
        assertTrue(Math.abs(emitted[0] - p[0]) > 1e-3, "the test tells it from " + Arrays.toString(p));
    }

    @Test
    void node_workedExample_rejectsThenAccepts() {
        RejectionSampling rejection = new RejectionSampling(6);
        rejection.target().set(TokenDistribution.of(0, 0, 0, 0.3, 0.6, 0.1));
        rejection.begin(ProposalSampling.WITHOUT_REPLACEMENT, TokenDistribution.of(0, 0, 0, 0.6, 0.3, 0.1));

        assertEquals(0.5, rejection.acceptance(3), EXACT);
        assertTrue(rejection.reject(3));
        assertEquals(1, rejection.target().probability(4), EXACT);
        assertEquals(1, rejection.acceptance(4), EXACT);
    }

    @Test
    void node_childrenWithoutReplacement_acceptedAsPublished() {
        double[] p = {0.5, 0.3, 0.2};
        double[] q = {0.2, 0.5, 0.3};

        assertEquals(0.80857, accepted(p, q, ProposalSampling.WITHOUT_REPLACEMENT, 2), 1e-5);
        assertEquals(0.76, accepted(p, q, ProposalSampling.INDEPENDENT, 2), EXACT);
        assertEquals(1, accepted(p, q, ProposalSampling.WITHOUT_REPLACEMENT, 3), EXACT);
    }

    private static double accepted(double[] p, double[] q, ProposalSampling how, int children) {
        double accepted = 0;
        for (Sampling sampling : samples(q, how, children)) {
            double[] outcome = new double[p.length + 1];
            test(p, q, how, sampling.tokens, sampling.probability, Mistake.NONE, outcome);
            accepted += sampling.probability - outcome[p.length];
        }
        return accepted;
    }

    private static double[] emitted(double[] p, double[] q, ProposalSampling how, int children, Mistake mistake) {
        double[] outcome = new double[p.length + 1];
        boolean deterministic = mistake == Mistake.DETERMINISTIC_TESTED_AS_SAMPLED || mistake == Mistake.SAMPLED_FOR_EACH_PATH;
        List<Sampling> samples = deterministic ? List.of(new Sampling(new int[] {1, 2}, 1)) : samples(q, how, children);
        for (Sampling sampling : samples) {
            test(p, q, how, sampling.tokens, sampling.probability, mistake, outcome);
        }
        return Arrays.copyOf(outcome, p.length);
    }

    private record Sampling(int[] tokens, double probability) {}

    /// Every sequence of children with its probability.
    private static List<Sampling> samples(double[] q, ProposalSampling how, int children) {
        List<Sampling> all = List.of(new Sampling(new int[0], 1));
        for (int child = 0; child < children; child++) {
            List<Sampling> longer = new ArrayList<>();
            for (Sampling sampling : all) {
                boolean without = how == ProposalSampling.WITHOUT_REPLACEMENT;
                double left = 0;
                for (int token = 0; token < q.length; token++) {
                    left += without && contains(sampling.tokens, token) ? 0 : q[token];
                }
                boolean extended = false;
                for (int token = 0; token < q.length && left > 0; token++) {
                    if (q[token] > 0 && !(without && contains(sampling.tokens, token))) {
                        int[] tokens = Arrays.copyOf(sampling.tokens, sampling.tokens.length + 1);
                        tokens[tokens.length - 1] = token;
                        longer.add(new Sampling(tokens, sampling.probability * q[token] / left));
                        extended = true;
                    }
                }
                if (!extended) {
                    longer.add(sampling);
                }
            }
            all = longer;
        }
        return all;
    }

    private static boolean contains(int[] tokens, int token) {
        return Arrays.stream(tokens).anyMatch(other -> other == token);
    }

    /// Adds to `outcome` what is emitted with these children; last the probability that all are rejected.
    private static void test(double[] p, double[] q, ProposalSampling how, int[] children, double probability, Mistake mistake,
            double[] outcome) {
        RejectionSampling rejection = new RejectionSampling(p.length);
        rejection.target().set(TokenDistribution.of(p));
        rejection.begin(mistake == Mistake.DISTRIBUTION_NOT_RENORMALISED ? ProposalSampling.INDEPENDENT : how, TokenDistribution.of(q));
        double reached = probability;
        for (int i = 0; i < children.length; i++) {
            int token = children[i];
            boolean skipped = mistake == Mistake.DUPLICATE_SKIPPED && contains(Arrays.copyOf(children, i), token)
                    || mistake == Mistake.KEPT_BY_ITS_PROBABILITY && q[token] <= 0.25;
            if (!skipped) {
                // another sample of the target for each path accepts with the token's own probability, and changes nothing
                double acceptance = mistake == Mistake.SAMPLED_FOR_EACH_PATH ? p[token] : rejection.acceptance(token);
                outcome[token] += reached * acceptance;
                reached *= 1 - acceptance;
                if (reached == 0) {
                    return;
                }
                if (mistake != Mistake.SAMPLED_FOR_EACH_PATH && !rejection.reject(token)) {
                    outcome[token] += reached; // equal distributions but for rounding: accepted after all
                    return;
                }
            }
        }
        for (int token = 0; token < p.length; token++) {
            outcome[token] += reached * rejection.target().probability(token);
        }
        outcome[p.length] += reached;
    }
}
