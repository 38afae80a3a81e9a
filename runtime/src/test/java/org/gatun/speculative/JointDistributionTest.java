package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.backend.MarkovBackend;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.CounterRandom;
import org.gatun.sampling.ProposalSampling;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.TokenDistribution;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The joint distribution of the first tokens that the loop emits, by counting, for every registered method that samples its proposals.
/// Methods whose proposals are deterministic are held to more: the very tokens of plain decoding (see [LosslessTest]).
class JointDistributionTest {
    private static final long SEED = 20261121;
    private static final int RUNS = TestScale.rounds(60_000, 200_000);
    private static final int VOCABULARY = 6;
    private static final int TOKENS = 3;
    private static final int[] PROMPT = {1, 4, 2};
    private static final List<Sampling> SAMPLINGS = List.of(Sampling.GREEDY.withTemperature(1),
            Sampling.GREEDY.withTemperature(0.5), Sampling.GREEDY.withTemperature(1).withTopP(0.8));

    @TempDir
    Path directory;

    static Stream<Arguments> methodsAndSamplings() {
        return SpeculationMethod.ALL.stream().filter(method -> method.samplesProposals() || method.name().equals("none"))
                .flatMap(method -> SAMPLINGS.stream().map(sampling -> Arguments.of(method, sampling)));
    }

    @ParameterizedTest
    @MethodSource("methodsAndSamplings")
    void firstTokens_manySeeds_followTheTargetsJointDistribution(SpeculationMethod method, Sampling sampling) throws IOException {
        MarkovBackend tables = new MarkovBackend(VOCABULARY, SEED, 1.2, null);
        MarkovBackend draftTables = new MarkovBackend(VOCABULARY, SEED + 1, 0.7, tables);
        RandomModel shape = new RandomModel("llama", DType.F32, VOCABULARY, 32, 1, 1, 1, 32, 128, SEED, 1);
        try (Model target = Model.load(shape.write(directory.resolve("target.gguf")), tables, ModelOptions.STANDARD);
                Model draft = Model.load(shape.write(directory.resolve("draft.gguf")), draftTables, ModelOptions.STANDARD)) {
            int half = RUNS / 2;
            int[] counts = IntStream.range(0, 2).parallel()
                    .mapToObj(part -> count(method, target, draft, sampling, part * half, half))
                    .reduce((a, b) -> IntStream.range(0, a.length).map(i -> a[i] + b[i]).toArray()).orElseThrow();

            check(counts, expected(tables, sampling), method.name() + ", " + sampling);
        }
    }

    /// Of the target's six tokens two are padding, which it emits with the rest; its draft model has more rows of it, or fewer.
    @ParameterizedTest
    @MethodSource("samplingMethods")
    void firstTokens_vocabulariesThatDifferInPadding_followTheTargetsJointDistribution(SpeculationMethod method) throws IOException {
        int runs = TestScale.rounds(10_000, RUNS);
        Sampling sampling = SAMPLINGS.getFirst();
        MarkovBackend tables = new MarkovBackend(VOCABULARY, SEED, 1.2, null);
        RandomModel shape = new RandomModel("llama", DType.F32, VOCABULARY, 32, 1, 1, 1, 32, 128, SEED, 1);
        for (int rows : new int[] {VOCABULARY + 3, VOCABULARY - 1}) {
            RandomModel draftShape = new RandomModel("llama", DType.F32, rows, 32, 1, 1, 1, 32, 128, SEED, 1);
            try (Model target = Model.load(shape.write(directory.resolve("target.gguf"), 4, VOCABULARY), tables, ModelOptions.STANDARD);
                    Model draft = Model.load(draftShape.write(directory.resolve("draft.gguf"), 4, 4),
                            new MarkovBackend(rows, SEED + 1, 1.2, null), ModelOptions.STANDARD)) {
                check(count(method, target, draft, sampling, 0, runs), expected(tables, sampling), runs,
                        method.name() + ", " + rows + " rows in the draft model");
            }
        }
    }

    static Stream<SpeculationMethod> samplingMethods() {
        return SpeculationMethod.ALL.stream().filter(SpeculationMethod::samplesProposals);
    }

    /// Drops sampled tokens that look improbable: the classic way to lose the distribution. The test must see it.
    @Test
    void firstTokens_samplesDroppedByProbability_followAnotherDistribution() throws IOException {
        MarkovBackend tables = new MarkovBackend(VOCABULARY, SEED, 1.2, null);
        RandomModel shape = new RandomModel("llama", DType.F32, VOCABULARY, 32, 1, 1, 1, 32, 128, SEED, 1);
        try (Model target = Model.load(shape.write(directory.resolve("target.gguf")), tables, ModelOptions.STANDARD)) {
            int[] counts = count(new PruningDrafter(), target, SAMPLINGS.getFirst(), 0, RUNS);

            assertThrows(AssertionError.class, () -> check(counts, expected(tables, SAMPLINGS.getFirst()), "pruning"));
        }
    }

    private static final class PruningDrafter implements Drafter {
        private final TokenDistribution distribution = TokenDistribution.of(0.1, 0.3, 0.1, 0.2, 0.2, 0.1);
        private CounterRandom random;
        private int stream;

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            random = new CounterRandom(sampling.seed());
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            int[] token = new int[1];
            distribution.sample(random, text.length(), stream++, 1, token);
            if (distribution.probability(token[0]) > 0.15) {
                tree.setDistribution(0, ProposalSampling.INDEPENDENT, distribution);
                tree.addSampled(0, token[0]);
            }
        }

        @Override
        public void observe(TokenSequence text, Step step) {
            // learns nothing
        }

        @Override
        public void close() {
            // holds nothing
        }
    }

    private static int[] count(SpeculationMethod method, Model target, Model draft, Sampling sampling, int from, int runs) {
        try (Drafter drafter = SpeculationMethod.parse(method.name()).open(target, Optional.of(draft))) {
            return count(drafter, target, sampling, from, runs);
        }
    }

    private static int[] count(Drafter drafter, Model target, Sampling sampling, int from, int runs) {
        int[] counts = new int[(int) Math.pow(VOCABULARY, TOKENS)];
        try (Session session = target.openSession()) {
            for (int run = from; run < from + runs; run++) {
                session.rewind(0);
                SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, sampling.withSeed(SEED + run), PROMPT);
                while (decoder.text().length() < PROMPT.length + TOKENS) {
                    session.step(decoder, 16);
                }
                int cell = 0;
                for (int i = 0; i < TOKENS; i++) {
                    cell = cell * VOCABULARY + decoder.text().token(PROMPT.length + i);
                }
                counts[cell]++;
            }
        }
        return counts;
    }

    private static double[] expected(MarkovBackend tables, Sampling sampling) {
        double[] joint = new double[(int) Math.pow(VOCABULARY, TOKENS)];
        for (int cell = 0; cell < joint.length; cell++) {
            int first = cell / (VOCABULARY * VOCABULARY);
            int second = cell / VOCABULARY % VOCABULARY;
            joint[cell] = distribution(tables.logits(PROMPT[1], PROMPT[2]), sampling)[first]
                    * distribution(tables.logits(PROMPT[2], first), sampling)[second]
                    * distribution(tables.logits(first, second), sampling)[cell % VOCABULARY];
        }
        return joint;
    }

    private static double[] distribution(float[] logits, Sampling sampling) {
        double[] distribution = new double[logits.length];
        double sum = 0;
        for (int token = 0; token < distribution.length; token++) {
            distribution[token] = Math.exp(logits[token] / sampling.temperature());
            sum += distribution[token];
        }
        double mass = sum;
        double kept = 0;
        for (int token
                : IntStream.range(0, distribution.length).boxed().sorted(Comparator.comparingDouble(i -> -distribution[i])).toList()) {
            if (kept >= sampling.topP() * mass) {
                distribution[token] = 0;
            }
            kept += distribution[token];
        }
        double left = kept;
        return Arrays.stream(distribution).map(weight -> weight / left).toArray();
    }

    /// Chi-square; cells of few expected counts are taken together. Fails by chance once in ten thousand seeds.
    private static void check(int[] counts, double[] expected, String what) {
        check(counts, expected, RUNS, what);
    }

    private static void check(int[] counts, double[] expected, int runs, String what) {
        double statistic = 0;
        int degrees = -1;
        double restExpected = 0;
        double restFound = 0;
        for (int cell = 0; cell < counts.length; cell++) {
            double wanted = expected[cell] * runs;
            if (wanted < 10) {
                restExpected += wanted;
                restFound += counts[cell];
            } else {
                statistic += (counts[cell] - wanted) * (counts[cell] - wanted) / wanted;
                degrees++;
            }
        }
        if (restExpected > 0) {
            statistic += (restFound - restExpected) * (restFound - restExpected) / Math.max(restExpected, 1);
            degrees++;
        } else {
            assertTrue(restFound == 0, what + ": " + restFound + " tokens that cannot be");
        }
        double bound = degrees * Math.pow(1 - 2.0 / (9 * degrees) + 3.719 * Math.sqrt(2.0 / (9 * degrees)), 3);
        assertTrue(statistic < bound, what + ", seed " + SEED + ": chi-square " + statistic + " on " + degrees + " degrees, at most " + bound);
    }
}
