package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

/// A drafter that is kept from text to text samples for a seed what it sampled for it before, as far as it did not learn since.
class KeptDrafterTest {
    private static final long SEED = 20261121;
    private static final int TOKENS = 60;
    private static final int MAX_NODES = 12;
    private static final Sampling SAMPLING = Sampling.GREEDY.withTemperature(1).withSeed(SEED);

    static final List<SpeculationMethod> SAMPLES = SpeculationMethod.ALL.stream().filter(SpeculationMethod::samplesProposals).toList();

    @TempDir
    private Path directory;

    private interface Check {
        void run(Session session, Drafter drafter);
    }

    private void with(SpeculationMethod method, Check check) throws IOException {
        try (Backend backend = Backends.open("reference");
                Model target = load(RandomModel.tiny(SEED).withLayers(4), backend);
                Model draft = load(RandomModel.tiny(SEED).withDtype(DType.Q4_0), backend);
                Session session = target.openSession();
                Drafter drafter = SpeculationMethod.parse(method.name()).open(target, Optional.of(draft))) {
            check.run(session, drafter);
        }
    }

    private Model load(RandomModel model, Backend backend) throws IOException {
        return Model.load(model.write(directory.resolve(model.dtype() + ".gguf")), backend, ModelOptions.STANDARD);
    }

    /// Emits some tokens after a prompt.
    private static SpeculativeDecoder decode(Session session, Drafter drafter, Sampling sampling) {
        session.rewind(0);
        int[] prompt = new SplittableRandom(SEED).ints(20, 3, 32).toArray();
        SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, sampling, prompt);
        while (decoder.text().length() < prompt.length + TOKENS) {
            session.step(decoder, prompt.length + TOKENS - decoder.text().length());
        }
        return decoder;
    }

    /// Methods that learn nothing about what they propose, so that a text can be told twice.
    @ParameterizedTest
    @ValueSource(strings = {"specinfer", "rsd-c", "rsd-s", "dyspec"})
    void decode_sameSeedAgain_givesTheSameTextFromTheSameProposals(String name) throws IOException {
        with(SpeculationMethod.parse(name).method(), (session, drafter) -> {
            SpeculativeDecoder first = decode(session, drafter, SAMPLING);
            SpeculativeDecoder other = decode(session, drafter, SAMPLING.withSeed(SEED + 1));
            SpeculativeDecoder again = decode(session, drafter, SAMPLING);

            assertArrayEquals(first.text().from(0), again.text().from(0));
            assertEquals(first.statistics().depths(), again.statistics().depths());
            assertFalse(Arrays.equals(first.text().from(0), other.text().from(0)), "the seed counts");
        });
    }

    /// Every method, between whose proposals there is no step to learn from.
    @ParameterizedTest
    @FieldSource("SAMPLES")
    void begin_sameSeedAgain_samplesTheSameTree(SpeculationMethod method) throws IOException {
        with(method, (session, drafter) -> {
            // told before: a method that remembers knows what followed
            TokenSequence text = decode(session, drafter, SAMPLING).text();
            text.truncate(text.length() - 10);
            session.rewind(text.length() - 1);

            List<List<Integer>> trees = Stream.generate(() -> draft(session, drafter, text, SEED)).limit(16).toList();
            List<Integer> other = draft(session, drafter, text, SEED + 1);

            // swift tries other layers at every fourth draft until it has found good ones, and then samples from another distribution
            int trials = method.name().equals("swift") ? trees.size() / 4 : 0;
            long changes = IntStream.range(1, trees.size()).filter(i -> !trees.get(i).equals(trees.get(i - 1))).count();
            assertTrue(changes <= trials, () -> changes + " of " + trees);
            assertNotEquals(trees.getLast(), other, "the seed counts");
        });
    }

    /// Proposes after a text that is begun anew, and leaves it as it is.
    private static List<Integer> draft(Session session, Drafter drafter, TokenSequence text, long seed) {
        TokenTree tree = new TokenTree(session.maxTreeRows()).begin(text.last());
        drafter.begin(session.sequence(), text, SAMPLING.withSeed(seed));
        drafter.draft(text, tree, MAX_NODES);
        assertTrue(tree.samples() > 0, "it samples");
        List<Integer> nodes = new ArrayList<>();
        for (int node = 1; node < tree.size(); node++) {
            nodes.add(tree.parent(node));
            nodes.add(tree.token(node));
        }
        return nodes;
    }
}
