package org.gatun.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.backend.KvPool;
import org.gatun.backend.MarkovBackend;
import org.gatun.generation.Generation;
import org.gatun.generation.Generation.Finish;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What an engine is for: whatever else runs, and was read before, a request's text is the one it has alone. Memory is for little more than one context, so that
/// requests lose their pages to others again and again.
class EngineTest {
    private static final ModelOptions OPTIONS = new ModelOptions(192, DType.F16); // three pages
    private static final int PAGES = 5;

    @TempDir
    private Path directory;

    /// @param cancelAfter tokens after which it is cancelled; negative if it is not
    private record Case(Request request, int cancelAfter) {

        static Case random(SplittableRandom random, int vocabulary, int longestPrompt, int longest) {
            SpeculationMethod method = SpeculationMethod.ALL.get(random.nextInt(SpeculationMethod.ALL.size()));
            Sampling sampling = Sampling.GREEDY.withTemperature(random.nextInt(3) == 0 ? 0 : 0.9).withTopK(random.nextInt(2) * 20)
                    .withRepetitionPenalty(1 + random.nextInt(2) * 0.1f).withSeed(random.nextInt(1000)).withStream(random.nextInt(3));
            GenerationOptions options = GenerationOptions.STANDARD.withSampling(sampling).withMaxTokens(random.nextInt(longest))
                    .withSpeculation(random.nextInt(3) == 0 ? Speculation.NONE : SpeculationMethod.parse(method.name()))
                    .withIgnoreEndOfText(random.nextBoolean())
                    .withStopStrings(random.nextInt(4) == 0 ? List.of("7 1", "12", " 3 3") : List.of());
            int length = random.nextInt(2, random.nextInt(4) == 0 ? longestPrompt : 1 + longestPrompt / 3);
            int[] prompt = new SplittableRandom(random.nextInt(3)).ints(length, 3, vocabulary).toArray(); // that begins like others
            if (random.nextBoolean()) {
                prompt[random.nextInt(length)] = 3;
            }
            return new Case(Request.of(prompt).withOptions(options).withPriority(random.nextInt(3)).withKey("client " + random.nextInt(3)),
                    random.nextInt(5) == 0 ? random.nextInt(20) : -1);
        }
    }

    private Model load(RandomModel model, Backend backend) throws IOException {
        return Model.load(model.write(directory.resolve(model.dtype() + ".gguf")), backend, OPTIONS);
    }

    @ParameterizedTest
    @CsvSource({"reference, 3, 8, 60, 20", "cpu, 8, 40, 180, 70"})
    void submit_randomRequestsInLittleMemory_eachTextIsAsAlone(String backendName, int parallel, int requests, int longestPrompt,
            int longest) throws IOException {
        requireAsAlone(backendName, parallel, requests, longestPrompt, longest);
    }

    @Test
    @Tag("long")
    void submit_randomRequestsOnTheSimulator_eachTextIsAsAlone() throws IOException {
        requireAsAlone("simulator", 4, 8, 12, 8);
    }

    private void requireAsAlone(String backendName, int parallel, int requests, int longestPrompt, int longest) throws IOException {
        SplittableRandom random = new SplittableRandom(TestScale.seed());
        try (Backend backend = Backends.open(backendName);
                Model target = load(RandomModel.tiny(1), backend);
                Model draft = load(RandomModel.tiny(1).withDtype(DType.Q4_0), backend)) {
            for (int round = 0; round < TestScale.rounds(1, 10); round++) {
                List<Case> cases = new ArrayList<>();
                for (int i = 0; i < requests; i++) {
                    cases.add(Case.random(random, 32, longestPrompt, longest));
                }
                EngineStatistics statistics = requireAsAlone(cases, parallel, PrefixSharing.ALL, target, draft).statistics;

                System.out.println(backendName + ", seed " + TestScale.seed() + ", round " + round + ": " + statistics);
                if (backendName.equals("cpu")) {
                    assertTrue(statistics.preemptions() > 0 && statistics.cachedPages() > 0, "nobody lost or shared pages: " + statistics);
                    assertTrue(statistics.segments() > 2 * statistics.passes(), "passes of one segment or two: " + statistics);
                }
            }
        }
    }

    /// A model whose passes cost nothing, and whose logits are wrong if a key stands in a wrong slot.
    @Test
    void submit_manyRoundsOfRandomRequests_eachTextIsAsAlone() throws IOException {
        SplittableRandom random = new SplittableRandom(TestScale.seed());
        RandomModel shape = new RandomModel("llama", DType.F32, 32, 32, 1, 1, 1, 32, 192, 1, 1);
        MarkovBackend table = new MarkovBackend(32, 1, 2, null);
        long preemptions = 0;
        long cachedTokens = 0;
        try (Model target = load(shape, table); Model draft = load(shape, new MarkovBackend(32, 2, 0.5, table))) {
            for (int round = 0; round < TestScale.rounds(6, 500); round++) {
                List<Case> cases = new ArrayList<>();
                for (int i = 0; i < 40; i++) {
                    cases.add(Case.random(random, 32, 180, 100));
                }
                Result result = requireAsAlone(cases, random.nextInt(1, 9), PrefixSharing.values()[random.nextInt(3)], target, draft);
                preemptions += result.statistics.preemptions();
                cachedTokens += result.cachedTokens;
            }
        }
        assertTrue(preemptions > 0, "no request lost its pages");
        assertTrue(cachedTokens > 0, "no prompt was read before");
    }

    /// @param cachedTokens of all prompts
    private record Result(EngineStatistics statistics, long cachedTokens) {}

    private static Result requireAsAlone(List<Case> cases, int parallel, PrefixSharing sharing, Model target, Model draft) {
        EngineOptions options = EngineOptions.STANDARD.withParallel(parallel).withKvBytes(PAGES * KvPool.pageBytes(target.kvLayout()))
                .withPrefixSharing(sharing);
        try (Engine engine = Engine.open(target, Optional.of(draft), options)) {
            List<Reply> replies = cases.stream().map(each -> engine.submit(each.request)).toList();
            for (int i = 0; i < cases.size(); i++) {
                cancel(replies.get(i), cases.get(i).cancelAfter);
            }
            for (int i = 0; i < cases.size(); i++) {
                requireAsAlone(cases.get(i), replies.get(i), target, draft);
            }
            EngineStatistics statistics = engine.statistics();
            assertEquals(PAGES, statistics.freePages() + statistics.cachedPages());
            return new Result(statistics, replies.stream().mapToLong(reply -> reply.usage().cachedTokens()).sum());
        }
    }

    private static void cancel(Reply reply, int afterTokens) {
        if (afterTokens >= 0) {
            while (reply.tokens().length < afterTokens && reply.finish().isEmpty()) {
                Thread.yield();
            }
            reply.cancel();
        }
    }

    private static void requireAsAlone(Case tried, Reply reply, Model target, Model draft) {
        String text = reply.text();
        int[] tokens = reply.tokens();
        Request request = tried.request;
        String name = "seed " + TestScale.seed() + ", " + request;
        GenerationOptions options = request.options().withSpeculation(reply.speculation());
        try (Session session = target.openSession();
                Generation alone = new Generation(session, request.prompt(), Optional.of(draft), options)) {
            String expected = alone.text();
            if (reply.finish().equals(Optional.of(Finish.CANCELLED))) {
                assertTrue(tried.cancelAfter >= 0, name);
                assertArrayEquals(Arrays.copyOf(alone.tokens(), tokens.length), tokens, name);
            } else {
                assertEquals(expected, text, name);
                assertArrayEquals(alone.tokens(), tokens, name);
                assertEquals(alone.finish(), reply.finish(), name);
                assertEquals(tokens.length, reply.usage().generatedTokens(), name);
            }
        }
    }
}
