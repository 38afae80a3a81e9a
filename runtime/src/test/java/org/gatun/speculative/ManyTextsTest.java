package org.gatun.speculative;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvPool;
import org.gatun.backend.MarkovBackend;
import org.gatun.backend.Segment;
import org.gatun.backend.SegmentResult;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The two halves of a step, driven as an engine does: many texts, each with a decoder of its own, in one batch a step.
class ManyTextsTest {
    private static final long SEED = 20261130;
    private static final int TREE_ROWS = 64;
    private static final int TEXTS = 24;
    private static final int SLOTS = 192; // of a text: no prompt and what follows it need more
    private static final BatchLimits LIMITS = new BatchLimits(1024, TREE_ROWS, 1024, TEXTS);

    @TempDir
    private Path directory;

    /// A text to be continued.
    private record Request(Speculation speculation, Sampling sampling, int[] prompt, int maxTokens) {

        static Request random(String method, SplittableRandom random) {
            Sampling sampling = Sampling.GREEDY.withTemperature(random.nextInt(3) == 0 ? 0 : 0.9).withTopK(random.nextInt(2) * 20)
                    .withRepetitionPenalty(1 + random.nextInt(2) * 0.1f).withSeed(random.nextInt(1000));
            return new Request(SpeculationMethod.parse(method), sampling, random.ints(random.nextInt(1, 90), 3, 32).toArray(),
                    random.nextInt(5, 60));
        }
    }

    /// A text that is being continued.
    private static final class Text implements AutoCloseable {
        private final Request request;
        private final SequenceState sequence;
        private final Segment segment;
        private final SegmentResult result = new SegmentResult(LIMITS);
        private final Drafter drafter;
        private final SpeculativeDecoder decoder;

        Text(Request request, SequenceState sequence, Segment segment, Optional<Model> draft) {
            this.request = request;
            this.sequence = sequence;
            this.segment = segment;
            drafter = request.speculation.open(sequence.model(), draft);
            decoder = new SpeculativeDecoder(sequence, drafter, request.sampling, request.prompt, TREE_ROWS);
        }

        boolean isReading() {
            return sequence.length() < decoder.text().length() - 1;
        }

        int tokensLeft() {
            return request.prompt.length + request.maxTokens - decoder.text().length();
        }

        @Override
        public void close() {
            drafter.close();
            sequence.close();
        }
    }

    /// Texts of one model in one batch a step.
    private static final class Engine implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        private final Model model;
        private final Executable executable;
        private final KvPool pool;
        private final Batch batch = new Batch();
        private final List<Text> running = new ArrayList<>();
        private final int pieceRows; // most rows of a prompt in a step

        Engine(Model model, int pages, int pieceRows) {
            this.model = model;
            this.pieceRows = pieceRows;
            executable = model.compile(LIMITS);
            pool = model.backend().openKvPool(model.kvLayout(), pages);
        }

        Text open(Request request, Optional<Model> draft) {
            SequenceState sequence = new SequenceState(model, pool.openTable(SLOTS));
            return new Text(request, sequence, new Segment(arena, LIMITS), draft);
        }

        void step() {
            batch.clear();
            for (Text text : running) {
                text.decoder.propose(text.segment, text.isReading() ? pieceRows : text.tokensLeft());
                batch.add(text.segment, text.sequence.pages(), text.result.verification());
            }
            if (batch.samples()) {
                executable.launch(batch);
                for (Text text : running) {
                    text.decoder.duringPass(text.tokensLeft());
                }
                executable.await();
            } else {
                executable.run(batch);
            }
            for (int i = 0; i < running.size(); i++) {
                running.get(i).decoder.accept(running.get(i).result.of(executable, batch, i));
            }
        }

        /// Takes the texts that have ended out of the batch.
        List<Text> takeEnded() {
            List<Text> ended = running.stream().filter(text -> text.tokensLeft() == 0).toList();
            running.removeAll(ended);
            return ended;
        }

        @Override
        public void close() {
            try (arena; executable; pool) {
                running.forEach(Text::close);
            }
        }
    }

    private Model load(RandomModel model, Backend backend) throws IOException {
        return Model.load(model.write(directory.resolve(model.dtype() + ".gguf")), backend, ModelOptions.STANDARD);
    }

    /// Every method that leaves the target's passes to others; some with trees, some that sample their proposals, and two that read logits.
    private static List<Request> requests(SplittableRandom random) {
        List<Request> requests = new ArrayList<>();
        for (SpeculationMethod method : SpeculationMethod.ALL) {
            if (!SpeculationMethod.parse(method.name()).requirements().targetLayers()) {
                requests.add(Request.random(method.name(), random));
            }
        }
        for (String method : List.of("none", "draft", "specinfer", "draft:margin=0:draft-ahead=yes")) {
            requests.add(Request.random(method, random));
        }
        return requests;
    }

    /// Texts begin and end at different steps, so that some are read in pieces while others are decoded, and batches are of one text and of
    /// many. In the middle one loses all its pages and is read again.
    @ParameterizedTest
    @ValueSource(strings = {"reference", "cpu"})
    void propose_manyMethodsInOneBatch_eachTextIsAsAlone(String backendName) throws IOException {
        SplittableRandom random = new SplittableRandom(SEED);
        int widest = 0;
        try (Backend backend = Backends.open(backendName);
                Model target = load(RandomModel.tiny(SEED), backend);
                Model draft = load(RandomModel.tiny(SEED).withDtype(DType.Q4_0), backend);
                Engine engine = new Engine(target, 80, 16)) {
            List<Request> waiting = new ArrayList<>(requests(random));
            List<Text> ended = new ArrayList<>();
            for (int step = 0; !waiting.isEmpty() || !engine.running.isEmpty(); step++) {
                if (!waiting.isEmpty() && (engine.running.isEmpty() || random.nextInt(3) > 0)) {
                    engine.running.add(engine.open(waiting.removeLast(), Optional.of(draft)));
                }
                if (step % 10 == 9 && !engine.running.isEmpty()) {
                    engine.running.get(random.nextInt(engine.running.size())).sequence.rewind(0);
                }
                engine.step();
                widest = Math.max(widest, engine.batch.size());
                for (Text text : engine.takeEnded()) {
                    ended.add(text);
                    text.close();
                }
            }
            assertEquals(engine.pool.pages(), engine.pool.freePages());
            assertTrue(widest > 8, "batches of up to " + widest);
            for (Text text : ended) {
                requireAsAlone(text, target, draft);
            }
        }
    }

    private static void requireAsAlone(Text text, Model target, Model draft) {
        Request request = text.request;
        String name = request.speculation.method().name() + ", seed " + SEED + ", " + request.sampling;
        try (Session session = target.openSession();
                Drafter drafter = request.speculation.open(target, Optional.of(draft))) {
            SpeculativeDecoder alone = new SpeculativeDecoder(session, drafter, request.sampling, request.prompt);
            int end = request.prompt.length + request.maxTokens;
            while (alone.text().length() < end) {
                session.step(alone, end - alone.text().length());
            }
            assertArrayEquals(alone.text().from(0), text.decoder.text().from(0), name);
            if (!request.speculation.method().name().equals("auto")) { // whose proposals follow the clock
                assertEquals(alone.statistics().targetPasses(), text.decoder.statistics().targetPasses(), name);
                assertEquals(alone.statistics().drafted(), text.decoder.statistics().drafted(), name);
                assertEquals(alone.statistics().depths(), text.decoder.statistics().depths(), name);
            }
        }
    }

    private Model markov() throws IOException {
        RandomModel shape = new RandomModel("llama", DType.F32, 6, 32, 1, 1, 1, 32, 128, 1, 1);
        return Model.load(shape.write(directory.resolve("markov.gguf")), new MarkovBackend(6, 1, 1, null), ModelOptions.STANDARD);
    }

    @Test
    void accept_nothingProposed_isRefused() throws IOException {
        try (Model model = markov(); Session session = model.openSession(); Drafter drafter = Speculation.NONE.open(model, Optional.empty())) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, Sampling.GREEDY, new int[] {1, 2});
            SegmentResult result = new SegmentResult(LIMITS);

            String message = assertThrows(IllegalStateException.class, () -> decoder.accept(result)).getMessage();
            assertEquals("a result, and nothing was proposed: expected propose() before accept()", message);
        }
    }

    /// A pass that failed, as where a pool is full, is tried again.
    @Test
    void propose_passThatNeverRan_mayBeRepeated() throws IOException {
        try (Model model = markov(); Session session = model.openSession(); Drafter drafter = Speculation.NONE.open(model, Optional.empty())) {
            SpeculativeDecoder decoder = new SpeculativeDecoder(session.sequence(), drafter, Sampling.GREEDY, new int[] {1, 2, 3}, TREE_ROWS);
            for (int tokens : new int[] {0, 1, 1}) { // the prompt but its last token, then token by token
                decoder.propose(session.segment(), 8);

                assertEquals(tokens, session.step(decoder, 8));
            }
            assertEquals(5, decoder.text().length());
            assertEquals(2, decoder.statistics().targetPasses(), "those that read are not counted");
        }
    }

    @Test
    void of_resultOfAnotherSegment_isRefused() throws IOException {
        try (Model model = markov(); Engine engine = new Engine(model, 8, 4)) {
            for (int i = 0; i < 2; i++) {
                engine.running.add(engine.open(new Request(Speculation.NONE, Sampling.GREEDY, new int[] {1, 2 + i}, 8), Optional.empty()));
            }
            engine.step();

            String message = assertThrows(IllegalArgumentException.class,
                    () -> engine.running.get(0).result.of(engine.executable, engine.batch, 1)).getMessage();
            assertEquals("segment 1 was verified into another result: expected this one's", message);
        }
    }

    /// Plain decoding, alone and of three texts in a batch, as the first thing that a step can be.
    @Test
    void step_warm_allocatesNothing() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int[] prompt = new SplittableRandom(SEED).ints(40, 0, 6).toArray(); // room for 40 tokens more before a text must grow
        try (Model model = markov(); Session session = model.openSession(); Drafter drafter = Speculation.NONE.open(model, Optional.empty());
                Engine engine = new Engine(model, 16, 64)) {
            Sampling sampling = Sampling.GREEDY.withTemperature(1);
            SpeculativeDecoder decoder = new SpeculativeDecoder(session, drafter, sampling, prompt);
            for (int i = 0; i < 3; i++) {
                engine.running.add(engine.open(new Request(Speculation.NONE, sampling, prompt, 40), Optional.empty()));
            }
            long leastAlone = Long.MAX_VALUE; // compilers allocate now and then, when they take back what they compiled
            long leastTogether = Long.MAX_VALUE;
            for (int round = 0; round < 3; round++) {
                long alone = 0;
                long together = 0;
                for (int step = 0; step < 10; step++) {
                    long before = threads.getCurrentThreadAllocatedBytes();
                    session.step(decoder, 1);
                    long between = threads.getCurrentThreadAllocatedBytes();
                    engine.step();
                    alone += between - before;
                    together += threads.getCurrentThreadAllocatedBytes() - between;
                }
                leastAlone = Math.min(leastAlone, alone);
                leastTogether = Math.min(leastTogether, together);
            }
            assertEquals(0, leastAlone, "bytes of 10 steps of one text");
            // an iterator or two are the test's own
            assertTrue(leastTogether <= 10 * 128, leastTogether + " bytes of 10 steps of three texts");
        }
    }
}
