package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.cuda.TestDriver;
import org.gatun.decoding.TokenSequence;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.plan.ActivationQuantization;
import org.gatun.sampling.LogitBias;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every registered method, and drafters made to break the loop, must give the tokens of plain decoding: greedily and, as
/// random numbers belong to positions, sampled too. That sampled tokens follow the distribution is shown for the sampler by itself.
@Tag("gpu")
class LosslessTest {
    private static final long SEED = 42;
    private static final int PROMPTS = 200;
    private static final int SIMULATED_PROMPTS = 5;
    private static final int TOKENS = 24;
    private static final List<Sampling> SAMPLINGS = List.of(
            Sampling.GREEDY,
            Sampling.GREEDY.withRepetitionPenalty(1.3),
            Sampling.GREEDY.withTemperature(1).withSeed(SEED),
            Sampling.GREEDY.withTemperature(0.7).withTopK(12).withTopP(0.9).withMinP(0.01).withSeed(SEED),
            Sampling.GREEDY.withTemperature(0.5).withFrequencyPenalty(0.6).withPresencePenalty(0.4).withRepetitionPenalty(1.1)
                    .withLogitBias(LogitBias.of(Map.of(5, 2.0, 31, -1.5))).withSeed(SEED).withStream(1));

    @TempDir
    Path directory;

    static Stream<Arguments> methodsAndBackends() {
        return available().flatMap(backend -> methods().map(method -> Arguments.of(method, backend)));
    }

    /// Every method with standard options, and what these leave out on some backends.
    static Stream<String> methods() {
        return Stream.concat(SpeculationMethod.ALL.stream().map(SpeculationMethod::name), Stream.of("draft:margin=0:draft-ahead=yes"));
    }

    private static Stream<String> available() {
        return TestDriver.asked().map(Stream::of).orElseGet(() -> Backends.list().stream()
                .filter(backend -> backend.unavailable().isEmpty()).map(Backends.Availability::name));
    }

    @ParameterizedTest
    @MethodSource("methodsAndBackends")
    void everyMethod_randomPrompts_givesTokensOfPlainDecoding(String name, String backendName) throws IOException {
        Speculation speculation = SpeculationMethod.parse(name);
        try (Backend backend = Backends.open(backendName);
                Model target = load(RandomModel.tiny(SEED).withLayers(backendName.equals("simulator") ? 2 : 4), backend);
                Model draft = load(RandomModel.tiny(SEED).withDtype(DType.Q4_0), backend)) {
            SplittableRandom random = new SplittableRandom(SEED);
            boolean simulated = backendName.equals("simulator");
            int prompts = simulated ? SIMULATED_PROMPTS : PROMPTS;
            for (int i = 0; i < prompts; i++) {
                int[] prompt = random.ints(random.nextInt(1, 40), 3, 32).toArray();
                Sampling sampling = SAMPLINGS.get(i % SAMPLINGS.size());
                // on the simulator every other prompt, one greedy and one sampled; elsewhere one in ten, with every sampling
                if (!(simulated ? TestScale.takesOneIn(2, i + name.hashCode())
                        : TestScale.takesOneIn(10, i / SAMPLINGS.size() + name.hashCode()))) {
                    continue;
                }
                if (speculation.method().samplesProposals() && sampling.temperature() > 0) {
                    continue; // equal in distribution only: see JointDistributionTest
                }
                GenerationOptions plain = GenerationOptions.STANDARD.withMaxTokens(simulated ? TestScale.rounds(12, TOKENS) : TOKENS)
                        .withSampling(sampling).withIgnoreEndOfText(i % 3 == 0);

                int[] expected = generate(target, draft, prompt, plain);
                int[] found = generate(target, draft, prompt, plain.withSpeculation(speculation));

                assertArrayEquals(expected, found, "seed " + SEED + ", prompt " + i + ", " + sampling);
            }
        }
    }

    /// A model of 32 tokens with padding behind them.
    ///
    /// @param listed tokens of the tokenizer, the unused ones included
    /// @param rows of logits
    private record Padded(int listed, int rows) {
        private static final Padded NONE = new Padded(32, 32);

        Model load(Path file, DType dtype, Backend backend) throws IOException {
            return Model.load(new RandomModel("llama", dtype, rows, 32, 2, 4, 2, 64, 256, SEED, 6).write(file, 32, listed), backend,
                    ModelOptions.STANDARD);
        }
    }

    /// Target and draft model, whose random weights make padding as probable as anything else.
    private enum Pair {
        TARGET_HAS_UNUSED_TOKENS(new Padded(48, 48), Padded.NONE),
        DRAFT_HAS_MORE_ROWS(Padded.NONE, new Padded(32, 56)),
        BOTH_DIFFER(new Padded(32, 40), new Padded(36, 64));

        private final Padded target;
        private final Padded draft;

        Pair(Padded target, Padded draft) {
            this.target = target;
            this.draft = draft;
        }
    }

    static Stream<Arguments> methodsAndPairs() {
        return methods().flatMap(method -> Stream.of(Pair.values()).map(pair -> Arguments.of(method, pair)));
    }

    /// A tree refuses padding, so that a method that proposes it fails here.
    @ParameterizedTest
    @MethodSource("methodsAndPairs")
    void everyMethod_vocabulariesThatDifferInPadding_giveTokensOfPlainDecoding(String name, Pair pair) throws IOException {
        boolean everywhere = TestScale.isLong() || pair == Pair.BOTH_DIFFER && List.of("draft", "sequoia", "recycling").contains(name);
        List<String> slow = everywhere ? List.of("reference", "simulator") : List.of();
        for (String backendName : available().filter(known -> known.equals("cpu") || slow.contains(known)).toList()) {
            try (Backend backend = Backends.open(backendName);
                    Model target = pair.target.load(directory.resolve("target.gguf"), DType.F32, backend);
                    Model draft = pair.draft.load(directory.resolve("draft.gguf"), DType.F32, backend)) {
                checkPadded(name, target, draft, backendName.equals("cpu") ? 12 : backendName.equals("reference") ? 2 : 1);
            }
        }
    }

    private static void checkPadded(String name, Model target, Model draft, int prompts) {
        Speculation speculation = SpeculationMethod.parse(name);
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < prompts; i++) {
            int[] prompt = random.ints(random.nextInt(1, 40), 3, target.config().vocabulary()).toArray();
            Sampling sampling = SAMPLINGS.get(i % SAMPLINGS.size());
            GenerationOptions plain = GenerationOptions.STANDARD.withMaxTokens(TOKENS).withSampling(sampling).withIgnoreEndOfText(true);

            int[] expected = generate(target, draft, prompt, plain);
            int[] found = generate(target, draft, prompt, plain.withSpeculation(speculation));

            if (speculation.method().samplesProposals() && sampling.temperature() > 0) {
                assertEquals(expected.length, found.length); // equal in distribution only: see JointDistributionTest
            } else {
                assertArrayEquals(expected, found, "seed " + SEED + ", prompt " + i + ", " + sampling);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("methods")
    void everyMethod_contextRunsFull_givesTokensOfPlainDecoding(String name) throws IOException {
        try (Backend backend = Backends.open("cpu");
                Model target = load(RandomModel.tiny(SEED), backend, new ModelOptions(29, DType.F16));
                Model draft = load(RandomModel.tiny(SEED).withDtype(DType.Q4_0), backend, new ModelOptions(27, DType.F16))) {
            GenerationOptions plain = GenerationOptions.STANDARD.withMaxTokens(100).withIgnoreEndOfText(true);
            for (int length = 1; length < 29; length++) {
                int[] prompt = new SplittableRandom(SEED + length).ints(length, 3, 32).toArray();

                int[] expected = generate(target, draft, prompt, plain);
                int[] found = generate(target, draft, prompt, plain.withSpeculation(SpeculationMethod.parse(name)));

                assertEquals(29 - length + 1, expected.length);
                assertArrayEquals(expected, found, "seed " + SEED + ", prompt of " + length + " tokens");
            }
        }
    }

    private static int[] generate(Model target, Model draft, int[] prompt, GenerationOptions options) {
        try (Session session = target.openSession();
                Generation generation = new Generation(session, prompt, Optional.of(draft), options)) {
            generation.text();
            SpeculationStatistics statistics = generation.statistics();
            assertEquals(statistics.emitted() - statistics.targetPasses(), statistics.accepted(), statistics::toString);
            assertTrue(statistics.accepted() <= statistics.drafted(), statistics::toString);
            assertTrue(statistics.emitted() >= generation.generatedTokens(), statistics::toString);
            return generation.tokens();
        }
    }

    private Model load(RandomModel model, Backend backend) throws IOException {
        return load(model, backend, ModelOptions.STANDARD);
    }

    private Model load(RandomModel model, Backend backend, ModelOptions options) throws IOException {
        return Model.load(model.write(directory.resolve(model.dtype() + ".gguf")), backend, options);
    }

    /// Drafters that no method would be, each a way to break the loop.
    private enum Adversary {
        RANDOM_TOKENS, FULL_TREE, CHAIN, EXTREME_IDS, ORACLE
    }

    static final List<Adversary> ADVERSARIES = List.of(Adversary.values());

    @ParameterizedTest
    @FieldSource("ADVERSARIES")
    void adversary_randomPrompts_givesTokensOfPlainDecoding(Adversary adversary) throws IOException {
        checkAgainstPlain(adversary, ModelOptions.STANDARD, 12);
    }

    @ParameterizedTest
    @ValueSource(strings = {"BF16", "Q8_0"})
    void fullTree_everyTypeOfTheCache_givesTokensOfPlainDecoding(DType kvType) throws IOException {
        checkAgainstPlain(Adversary.FULL_TREE, ModelOptions.STANDARD.withKvType(kvType), 4);
        checkAgainstPlain(Adversary.ORACLE, ModelOptions.STANDARD.withKvType(kvType), 4);
    }

    @ParameterizedTest
    @EnumSource(names = {"INT8", "INT8_OUTLIERS"})
    void fullTree_activationsInEightBits_givesTokensOfPlainDecoding(ActivationQuantization activations) throws IOException {
        ModelOptions options = ModelOptions.STANDARD.withWeightType(DType.INT8).withActivations(activations);
        checkAgainstPlain(Adversary.FULL_TREE, options, 4);
        checkAgainstPlain(Adversary.ORACLE, options, 4);
    }

    private void checkAgainstPlain(Adversary adversary, ModelOptions options, int max) throws IOException {
        for (String backendName : available().toList()) {
            try (Backend backend = Backends.open(backendName);
                    Model target = load(RandomModel.tiny(SEED), backend, options)) {
                int prompts = backendName.equals("simulator") ? Math.min(max, TestScale.rounds(3, SIMULATED_PROMPTS)) : max;
                for (int i = 0; i < prompts; i++) {
                    SplittableRandom random = new SplittableRandom(SEED + i);
                    int[] prompt = random.ints(random.nextInt(1, 20), 3, 32).toArray();
                    Sampling sampling = SAMPLINGS.get(i % SAMPLINGS.size());
                    int[] expected = generate(target, target, prompt, GenerationOptions.STANDARD.withMaxTokens(TOKENS)
                            .withSampling(sampling).withIgnoreEndOfText(true));

                    checkSteps(target, prompt, sampling, expected, adversary, random);
                }
            }
        }
    }

    private static void checkSteps(Model target, int[] prompt, Sampling sampling, int[] expected, Adversary adversary,
            SplittableRandom random) {
        AdversarialDrafter drafter = new AdversarialDrafter(adversary, prompt.length, expected, random);
        try (Session session = target.openSession()) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, sampling, prompt);
            while (decoder.text().length() < prompt.length + TOKENS) {
                int before = decoder.text().length();
                int emitted = session.step(decoder, prompt.length + TOKENS - before);
                assertEquals(before + emitted, decoder.text().length());
                assertEquals(decoder.text().length() - 1, session.length(), "all but the new root has a row");
            }
            assertArrayEquals(expected, decoder.text().from(prompt.length), adversary + ", " + sampling);
            SpeculationStatistics statistics = decoder.statistics();
            assertEquals(TOKENS, statistics.emitted());
            assertEquals(statistics.emitted() - statistics.targetPasses(), statistics.accepted());
            assertTrue(statistics.accepted() <= statistics.drafted());
            if (adversary == Adversary.ORACLE) {
                assertEquals(statistics.drafted(), statistics.accepted());
            }
        }
    }

    private static final class AdversarialDrafter implements Drafter {
        private final Adversary kind;
        private final int promptLength;
        private final int[] answer;
        private final SplittableRandom random;

        AdversarialDrafter(Adversary kind, int promptLength, int[] answer, SplittableRandom random) {
            this.kind = kind;
            this.promptLength = promptLength;
            this.answer = answer;
            this.random = random;
        }

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            // needs nothing
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            int done = text.length() - promptLength;
            int node = 0;
            for (int i = 0; tree.size() < maxNodes && i < 200; i++) {
                switch (kind) {
                    case RANDOM_TOKENS -> {
                        if (random.nextInt(4) == 0) {
                            return;
                        }
                        tree.add(random.nextInt(tree.size()), random.nextInt(32));
                    }
                    // the right branch comes last, behind wrong ones, so that compaction has rows to move
                    case FULL_TREE -> {
                        tree.add(node, random.nextInt(32));
                        if (tree.size() < maxNodes && done + tree.depth(node) < answer.length) {
                            node = tree.add(node, answer[done + tree.depth(node)]);
                        }
                    }
                    case CHAIN -> node = tree.add(node, random.nextInt(32));
                    case EXTREME_IDS -> tree.add(i % tree.size(), i % 2 == 0 ? 0 : 31);
                    case ORACLE -> {
                        if (done + i >= answer.length) {
                            return;
                        }
                        node = tree.add(node, answer[done + i]);
                    }
                }
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
}
