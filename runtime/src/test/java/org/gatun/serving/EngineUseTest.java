package org.gatun.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import org.gatun.backend.MarkovBackend;
import org.gatun.constraint.Constraint;
import org.gatun.generation.Generation.Finish;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// An engine as its users have it: what it refuses, what waits, how it ends.
@Timeout(60)
class EngineUseTest {
    private static final int CONTEXT = 16_384; // no text of these tests ends by itself

    @TempDir
    private Path directory;

    private Model model;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, 32, 32, 1, 1, 1, 32, 128, 1, 1);
        model = Model.load(shape.write(directory.resolve("m.gguf")), new MarkovBackend(32, 1, 2, null), new ModelOptions(CONTEXT, DType.F16));
        engine = Engine.open(model, EngineOptions.STANDARD.withParallel(2).withQueue(2));
    }

    @AfterEach
    void close() {
        engine.close();
        model.close();
    }

    private static Request request(int maxTokens) {
        return Request.of(4, 5).withOptions(GenerationOptions.STANDARD.withMaxTokens(maxTokens).withIgnoreEndOfText(true));
    }

    private static String refusal(Runnable call) {
        return assertThrows(IllegalArgumentException.class, call::run).getMessage();
    }

    @Test
    void request_badInput_isRefusedByName() {
        assertEquals("the prompt is empty: expected at least one token", refusal(Request::of));
        assertEquals("timeout PT0S: expected a positive time", refusal(() -> Request.of(1).withTimeout(Duration.ZERO)));
        assertEquals("a key of 257 characters: expected at most 256", refusal(() -> Request.of(1).withKey("k".repeat(257))));
        assertEquals("parallel 0: expected 1 to 256 requests", refusal(() -> EngineOptions.STANDARD.withParallel(0)));
        assertEquals("queue 0: expected room for 1 request or more", refusal(() -> EngineOptions.STANDARD.withQueue(0)));
        assertTrue(refusal(() -> Request.ofChat(model, List.of())).endsWith(
                "has no chat template: expected a prompt of text or tokens"));
    }

    @Test
    void submit_badInput_isRefusedAndTheEngineGoesOn() {
        Request request = request(3);

        assertEquals("prompt of 16384 tokens: the context of 16384 has no room for it and one token more",
                refusal(() -> engine.submit(Request.of(new int[CONTEXT]))));
        assertEquals("token 99 at place 1 of the prompt: expected one from 0 on, below 32", refusal(() -> engine.submit(Request.of(4, 99))));
        assertEquals("speculation method draft needs a draft model: expected an engine opened with one", refusal(
                () -> engine.submit(request.withOptions(request.options().withSpeculation(SpeculationMethod.parse("draft"))))));
        assertEquals(3, engine.submit(request).usage().generatedTokens());
    }

    @Test
    void submit_constraintOfAnotherVocabulary_isRefused() throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, 40, 32, 1, 1, 1, 32, 128, 1, 1);
        try (Model other = Model.load(shape.write(directory.resolve("other.gguf")), new MarkovBackend(40, 1, 2, null),
                ModelOptions.STANDARD)) {
            GenerationOptions options = GenerationOptions.STANDARD.withConstraint(Constraint.json().compile(other.tokenizer()));

            assertTrue(refusal(() -> engine.submit(Request.of(4).withOptions(options))).contains("was compiled for 40 tokens"));
        }
    }

    @Test
    void open_lessMemoryThanOneContext_isRefusedWithBothNumbers() {
        long context = CONTEXT * model.kvLayout().slotBytes();
        String message = refusal(() -> Engine.open(model, EngineOptions.STANDARD.withKvBytes(context - 1)));

        assertTrue(message.startsWith(context - 1 + " bytes for keys and values: one context of 16384 tokens of "), message);
        assertTrue(message.endsWith(" takes " + context + "; expected as many, or a shorter context"), message);
    }

    @Test
    void submit_fullQueue_isRefusedWithItsLimit() {
        List<Reply> running = List.of(engine.submit(request(CONTEXT)), engine.submit(request(CONTEXT)));
        running.forEach(Reply::hasNext);
        engine.submit(request(1));
        engine.submit(request(1));

        String message = assertThrows(RejectedExecutionException.class, () -> engine.submit(request(1))).getMessage();
        assertTrue(message.endsWith(" has 2 requests waiting, of 2 that may: expected to submit when some have ended, or a longer queue"),
                message);
    }

    @Test
    void submit_severalTexts_readThePromptOnce() {
        Request request = request(20);
        int[] prompt = new SplittableRandom(1).ints(200, 3, 32).toArray();
        GenerationOptions options = request.options().withSampling(Sampling.GREEDY.withTemperature(1).withSeed(5));
        try (Engine wide = Engine.open(model, EngineOptions.STANDARD)) {
            List<Reply> replies = wide.submit(Request.of(prompt).withOptions(options), 4);
            Set<String> texts = new HashSet<>();
            for (int i = 0; i < 4; i++) {
                Reply alone = engine.submit(Request.of(prompt).withOptions(options.withSampling(options.sampling().withStream(i))));
                assertEquals(alone.text(), replies.get(i).text());
                assertArrayEquals(alone.tokens(), replies.get(i).tokens());
                assertEquals(i == 0 ? 0 : 192, replies.get(i).usage().cachedTokens());
                texts.add(List.of(Arrays.stream(alone.tokens()).boxed().toArray()).toString());
            }
            assertEquals(4, texts.size());
        }
        assertEquals("0 texts of a request: expected one or more", refusal(() -> engine.submit(request, 0)));
        assertThrows(RejectedExecutionException.class, () -> engine.submit(request, 3));
    }

    @Test
    void submit_methodWithPassesOfItsOwn_decodesPlainlyAndSaysSo() {
        Request request = request(3);
        try (Reply reply = engine.submit(request.withOptions(request.options().withSpeculation(SpeculationMethod.parse("del"))))) {
            assertEquals(Speculation.NONE, reply.speculation());
            assertEquals(engine.submit(request).text(), reply.text());
        }
    }

    @Test
    void close_requestsRunningAndWaiting_areCancelled() {
        List<Reply> replies = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            replies.add(engine.submit(request(CONTEXT)));
            if (i < 2) {
                assertTrue(replies.get(i).hasNext());
            }
        }
        engine.close();
        engine.close();

        for (Reply reply : replies) {
            assertEquals(Optional.of(Finish.CANCELLED), reply.finish());
            reply.text();
            assertFalse(reply.hasNext());
            assertThrows(NoSuchElementException.class, reply::next);
        }
        String message = assertThrows(IllegalStateException.class, () -> engine.submit(request(1))).getMessage();
        assertEquals("engine of " + model.name() + " is closed", message);
    }

    @Test
    void next_pieces_makeTheWholeText() {
        StringBuilder text = new StringBuilder();
        try (Reply reply = engine.submit(request(200))) {
            reply.forEachRemaining(text::append);

            assertEquals(engine.submit(request(200)).text(), text.toString());
            assertEquals(Optional.of(Finish.MAX_TOKENS), reply.finish());
            assertTrue(reply.usage().firstToken().compareTo(reply.usage().total()) <= 0);
        }
    }

    @Test
    void hasNext_interrupted_cancelsTheRequest() throws InterruptedException {
        for (int i = 0; i < 2; i++) {
            engine.submit(request(CONTEXT)).hasNext();
        }
        Reply waiting = engine.submit(request(1));
        Throwable[] thrown = new Throwable[1];
        Thread reader = Thread.ofVirtual().unstarted(waiting::hasNext);
        reader.setUncaughtExceptionHandler((_, e) -> thrown[0] = e);
        reader.start();
        reader.interrupt();
        reader.join();

        assertInstanceOf(CancellationException.class, thrown[0]);
        assertEquals(0, waiting.usage().generatedTokens());
        assertEquals(Optional.of(Finish.CANCELLED), waiting.finish());
    }

    @Test
    void submit_manyVirtualThreads_eachHasItsText() throws Exception {
        String expected = engine.submit(request(50)).text();
        List<Future<String>> texts = new ArrayList<>();
        try (Engine wide = Engine.open(model, EngineOptions.STANDARD.withParallel(16));
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 100; i++) {
                texts.add(threads.submit(() -> {
                    try (Reply reply = wide.submit(request(50))) {
                        return reply.text();
                    }
                }));
            }
            for (Future<String> text : texts) {
                assertEquals(expected, text.get());
            }
            assertEquals(wide.statistics().pages(), wide.statistics().freePages(), "no text fills a page");
        }
    }
}
