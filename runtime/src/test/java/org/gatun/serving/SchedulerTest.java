package org.gatun.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvPool;
import org.gatun.backend.MarkovBackend;
import org.gatun.decoding.TokenSequence;
import org.gatun.generation.Generation.Finish;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.sampling.LogitBias;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Who runs when: an engine's steps, taken one by one without its thread.
class SchedulerTest {
    private static final int CONTEXT = 512; // eight pages

    @TempDir
    private Path directory;

    private final Arena arena = Arena.ofShared();
    private Model model;
    private KvPool pool;
    private Executable executable;
    private PrefixCache cache;
    private RequestQueue queue;
    private Scheduler scheduler;
    private int failingPass = -1;
    private int passes;

    @BeforeEach
    void open() throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, 6, 32, 1, 1, 1, 32, CONTEXT, 1, 1);
        model = Model.load(shape.write(directory.resolve("m.gguf")), new MarkovBackend(6, 1, 1, null), new ModelOptions(CONTEXT, DType.F16));
        schedule(2, 16);
    }

    private void schedule(int parallel, int pages) {
        schedule(parallel, pages, PrefixSharing.NONE);
    }

    private void schedule(int parallel, int pages, PrefixSharing sharing) {
        BatchLimits limits = EngineOptions.STANDARD.withParallel(parallel).limits();
        executable = model.compile(limits);
        pool = model.backend().openKvPool(model.kvLayout(), pages);
        cache = new PrefixCache(pool, sharing);
        queue = new RequestQueue(8, "engine");
        scheduler = new Scheduler(failing(executable), pool, cache, Optional.empty(), queue,
                () -> new Slot(new SequenceState(model, pool.openTable(CONTEXT)), arena, limits));
    }

    /// The executable, but that a pass of it fails.
    private Executable failing(Executable of) {
        return (Executable) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Executable.class}, (_, method, arguments) -> {
            if ((method.getName().equals("launch") || method.getName().equals("run")) && passes++ == failingPass) {
                throw new IllegalStateException("a pass fails");
            }
            try {
                return method.invoke(of, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    @AfterEach
    void close() {
        scheduler.endAll(null);
        try (arena; Model _ = model; Executable _ = executable; KvPool _ = pool) {
            queue.close();
        }
    }

    private static Request request(int promptTokens, int maxTokens) {
        return Request.of(IntStream.range(0, promptTokens).map(i -> i % 6).toArray())
                .withOptions(GenerationOptions.STANDARD.withMaxTokens(maxTokens).withIgnoreEndOfText(true));
    }

    private Reply submit(Request request) {
        Reply reply = new Reply(request.options().speculation());
        queue.add(List.of(new RequestState(request, Optional.empty(), reply, cache, null)));
        return reply;
    }

    private void steps(int count) {
        for (int i = 0; i < count; i++) {
            scheduler.step();
        }
    }

    private static int tokens(Reply reply) {
        return reply.tokens().length;
    }

    @Test
    void step_longPromptBesideText_decodesInEveryPass() {
        Reply text = submit(request(2, 100));
        steps(2);
        Reply prompt = submit(request(511, 1));
        steps(3);

        assertEquals(4, tokens(text), "a token in each of four passes");
        assertEquals(1, tokens(prompt), "after pieces of 255, 255 and its last token");
        assertEquals(Optional.of(Finish.MAX_TOKENS), prompt.finish());
    }

    @Test
    void step_shortPromptBesideLongOne_isReadInTheFirstPass() {
        schedule(2, 16);
        Reply longer = submit(request(500, 1));
        Reply shorter = submit(request(16, 1));
        steps(2);

        assertEquals(1, tokens(shorter));
        assertEquals(0, tokens(longer));
    }

    @Test
    void step_cancelled_hasNoPagesInTheNextPass() {
        Reply first = submit(request(100, 50));
        Reply second = submit(request(100, 50));
        steps(3);
        assertEquals(12, pool.freePages());
        first.cancel();
        steps(1);

        assertEquals(14, pool.freePages());
        assertEquals(Optional.of(Finish.CANCELLED), first.finish());
        assertEquals(Optional.empty(), second.finish());
    }

    @Test
    void step_cancelledWhileWaiting_neverRuns() {
        submit(request(2, 50));
        submit(request(2, 50));
        Reply waiting = submit(request(2, 50));
        steps(2);
        waiting.close();
        steps(1);

        assertEquals(Optional.of(Finish.CANCELLED), waiting.finish());
        assertEquals(waiting.usage().total(), waiting.usage().queued());
        assertEquals(0, scheduler.statistics().waiting());
    }

    @Test
    void step_timeOver_endsWhatWaitsAndWhatRuns() throws InterruptedException {
        Reply running = submit(request(2, 50).withTimeout(Duration.ofMillis(200)));
        submit(request(2, 50));
        Reply waiting = submit(request(2, 50).withTimeout(Duration.ofMillis(1)));
        steps(2);
        Thread.sleep(300);
        steps(1);

        assertEquals(Optional.of(Finish.TIMED_OUT), running.finish());
        assertEquals(1, tokens(running));
        assertEquals(Optional.of(Finish.TIMED_OUT), waiting.finish());
        assertEquals(0, tokens(waiting));
    }

    @Test
    void step_higherPriorityArrives_runsInPlaceOfLower() {
        Reply first = submit(request(10, 4).withPriority(1));
        Reply second = submit(request(10, 4).withPriority(1));
        steps(2);
        Reply urgent = submit(request(10, 4));
        steps(3);

        assertEquals(Optional.of(Finish.MAX_TOKENS), first.finish());
        assertEquals(2, tokens(urgent));
        assertEquals(1, tokens(second), "the younger of the two made room");
        steps(4);
        assertEquals(Optional.of(Finish.MAX_TOKENS), urgent.finish());
        assertEquals(Optional.of(Finish.MAX_TOKENS), second.finish());
        assertEquals(1, second.usage().preemptions());
    }

    @Test
    void step_keys_takeTurnsWhateverTheirNumberOfRequests() {
        for (int i = 0; i < 4; i++) {
            submit(request(2, 2).withKey("many"));
        }
        Reply few = submit(request(2, 2).withKey("few"));
        steps(3);

        assertEquals(Optional.of(Finish.MAX_TOKENS), few.finish());
    }

    @Test
    void step_outOfPages_youngestIsReadAgainWithTheSameText() {
        schedule(2, 8);
        Reply first = submit(request(180, 300));
        Reply second = submit(request(180, 300));
        while (first.finish().isEmpty() || second.finish().isEmpty()) {
            steps(1);
        }

        assertEquals(0, first.usage().preemptions());
        assertEquals(1, second.usage().preemptions());
        assertEquals(first.text(), second.text());
        assertEquals(300, tokens(second));
        assertEquals(8, pool.freePages());
    }

    @Test
    void step_failingPass_failsItsRequestsAndNoOthers() {
        Reply first = submit(request(2, 9));
        Reply second = submit(request(2, 9));
        Reply third = submit(request(2, 9));
        failingPass = 3;
        steps(14);

        assertEquals(Optional.of(Finish.FAILED), first.finish());
        assertEquals(Optional.of(Finish.FAILED), second.finish());
        assertEquals(2, tokens(first));
        assertEquals("the request failed: a pass fails", assertThrows(IllegalStateException.class, first::text).getMessage());
        assertEquals(Optional.of(Finish.MAX_TOKENS), third.finish());
        assertEquals(16, pool.freePages());
    }

    @Test
    void step_promptReadBefore_takesItsPages() {
        schedule(2, 16, PrefixSharing.KEY);
        Reply cold = submit(request(300, 100));
        steps(110);
        Reply warm = submit(request(300, 100));
        steps(3);

        assertEquals(0, cold.usage().cachedTokens());
        assertEquals(2, tokens(warm), "the rest of the prompt took one pass");
        assertEquals(6, scheduler.statistics().cachedPages(), "of 399 rows");
        steps(110);
        assertEquals(256, warm.usage().cachedTokens());
        assertEquals(cold.text(), warm.text());
        assertEquals(16, pool.freePages() + cache.pages());
    }

    @Test
    void step_promptOfAnotherKey_isReadAnew() {
        schedule(2, 16, PrefixSharing.KEY);
        Reply mine = submit(request(300, 1).withKey("mine"));
        steps(3);
        Reply theirs = submit(request(300, 1).withKey("theirs"));
        steps(3);

        assertEquals(mine.text(), theirs.text());
        assertEquals(0, theirs.usage().cachedTokens());
        schedule(2, 16, PrefixSharing.ALL);
        submit(request(300, 1).withKey("mine"));
        steps(3);
        Reply shared = submit(request(300, 1).withKey("theirs"));
        steps(3);
        assertEquals(256, shared.usage().cachedTokens());
    }

    /// What a pass wrote that failed is nobody's.
    @Test
    void step_failingPass_leavesNothingInTheCache() {
        schedule(2, 16, PrefixSharing.ALL);
        failingPass = 1;
        Reply failed = submit(request(300, 5));
        steps(3);

        assertEquals(Optional.of(Finish.FAILED), failed.finish());
        assertEquals(0, cache.pages());
        assertEquals(16, pool.freePages());
    }

    @Test
    void step_outOfPages_prefixesGoBeforeRequestsDo() {
        schedule(2, 8, PrefixSharing.ALL);
        submit(request(300, 1));
        steps(3);
        assertEquals(4, cache.pages());
        Reply other = submit(Request.of(IntStream.range(0, 400).map(i -> 5 - i % 6).toArray())
                .withOptions(GenerationOptions.STANDARD.withMaxTokens(100).withIgnoreEndOfText(true)));
        steps(110);

        assertEquals(Optional.of(Finish.MAX_TOKENS), other.finish());
        assertEquals(0, other.usage().preemptions());
        assertEquals(7, cache.pages(), "of 499 rows");
        assertEquals(1, pool.freePages());
    }

    /// Proposes nothing, and fails sooner or later.
    private record FailingDrafter(String where) implements Drafter {
        static Speculation speculation(String where) {
            SpeculationMethod method = new SpeculationMethod("failing", "", "", _ -> Requirements.NONE, false, List.of(),
                    (_, _, _) -> new FailingDrafter(where).opened());
            return new Speculation(method, Speculation.NONE.settings());
        }

        private FailingDrafter opened() {
            failAt("open");
            return this;
        }

        private void failAt(String place) {
            if (where.equals(place)) {
                throw new IllegalStateException("the drafter fails at " + place);
            }
        }

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            failAt("begin");
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            failAt("draft");
        }

        @Override
        public void draftAhead(TokenSequence text, TokenTree tree, int maxTokens) {
            failAt("draftAhead");
        }

        @Override
        public void observe(TokenSequence text, Step step) {
            failAt("observe");
        }

        @Override
        public void close() {
            failAt("close");
        }
    }

    @Test
    void step_failingDrafter_failsItsRequestAlone() {
        for (String place : List.of("open", "begin", "draft", "draftAhead", "observe", "close")) {
            Request request = request(2, 3);
            Reply failing = submit(request.withOptions(request.options().withSpeculation(FailingDrafter.speculation(place))));
            Reply other = submit(request);
            steps(4);

            assertEquals(Optional.of(Finish.FAILED), failing.finish(), place);
            assertEquals("the request failed: the drafter fails at " + place,
                    assertThrows(IllegalStateException.class, failing::text).getMessage());
            assertEquals(Optional.of(Finish.MAX_TOKENS), other.finish(), place);
            assertEquals(16, pool.freePages(), place);
        }
    }

    /// A bias on a token that the model does not have is found by the pass, which others share.
    @Test
    void step_biasBeyondTheVocabulary_failsItsRequestAlone() {
        Request request = request(2, 3);
        Sampling sampling = Sampling.GREEDY.withLogitBias(LogitBias.of(Map.of(77, 1.0)));
        Reply biased = submit(request.withOptions(request.options().withSampling(sampling)));
        Reply other = submit(request);
        steps(4);

        assertEquals(Optional.of(Finish.FAILED), biased.finish());
        assertEquals(Optional.of(Finish.MAX_TOKENS), other.finish());
    }

    /// Two texts that neither begin nor end meanwhile, and whose own buffers need not grow.
    @Test
    void step_warm_allocatesTheTextOfRepliesAlone() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        schedule(2, 16);
        Scheduler direct = new Scheduler(executable, pool, cache, Optional.empty(), queue,
                () -> new Slot(new SequenceState(model, pool.openTable(CONTEXT)), arena, executable.limits()));
        submit(request(70, 400));
        submit(request(70, 400));
        for (int i = 0; i < 150; i++) {
            direct.step();
        }
        long least = Long.MAX_VALUE; // compilers allocate now and then, when they take back what they compiled
        for (int round = 0; round < 5; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 20; i++) {
                direct.step();
            }
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        direct.endAll(null);
        assertTrue(least <= 20 * 2 * 200, least + " bytes of 20 steps of two texts: expected at most 200 a token");
        System.out.println("engine: " + least / 40.0 + " bytes a token");
    }
}
