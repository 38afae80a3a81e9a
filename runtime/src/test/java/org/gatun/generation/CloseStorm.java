package org.gatun.generation;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.decoding.TokenSequence;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.SequenceState;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Step;
import org.gatun.speculative.TokenTree;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tensor.DType;

/// Closes sessions, models, generations, drafters and backends at random moments while threads generate, and cancels and interrupts them.
/// A process of its own: where native memory goes too early, it dies. Fails if it stands still, if anything is thrown but
/// `IllegalStateException`, if a token is not the one of plain decoding, or if memory grows. To be run with a heap that is touched as a
/// whole from the start.
public final class CloseStorm {
    private static final int PROMPTS = 6;
    private static final int TOKENS = 40;
    private static final long STANDSTILL_SECONDS = 120;
    private static final long MAX_GROWTH_BYTES = 24 << 20;
    private static final GenerationOptions OPTIONS = GenerationOptions.STANDARD.withMaxTokens(TOKENS).withIgnoreEndOfText(true);

    private final String backendName;
    private final Path target;
    private final Path draft;
    private final SplittableRandom random;
    private final List<String> methods = SpeculationMethod.ALL.stream().map(SpeculationMethod::name).toList();
    private final List<int[]> prompts = new ArrayList<>();
    private final List<int[]> expected = new ArrayList<>();
    private final ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
    private final Map<String, AtomicLong> counts = new HashMap<>();
    private final AtomicLong progress = new AtomicLong();
    private long closes;

    private CloseStorm(String backendName, Path folder, long seed) {
        this.backendName = backendName;
        target = RandomModel.tiny(seed).write(folder.resolve("target.gguf"));
        draft = RandomModel.tiny(seed).withDtype(DType.Q4_0).write(folder.resolve("draft.gguf"));
        random = new SplittableRandom(seed);
        for (String outcome : List.of("finished", "cancelled", "closed")) {
            counts.put(outcome, new AtomicLong());
        }
    }

    /// @param arguments backend, how many closes, seed, a folder for the models
    public static void main(String[] arguments) throws Exception {
        CloseStorm storm = new CloseStorm(arguments[0], Path.of(arguments[3]), Long.parseLong(arguments[2]));
        Thread.ofPlatform().daemon().start(storm::watch);
        storm.run(Long.parseLong(arguments[1]));
    }

    /// Ends the process where nothing is closed or decoded any more.
    private void watch() {
        for (long last = -1; progress.get() != last; ) {
            last = progress.get();
            LockSupport.parkNanos(STANDSTILL_SECONDS * 1_000_000_000);
        }
        System.out.println("standstill");
        Thread.getAllStackTraces().forEach((thread, stack) -> System.out.println(thread + " " + List.of(stack)));
        Runtime.getRuntime().halt(3);
    }

    private void run(long max) throws Exception {
        try (Backend backend = Backends.open(backendName, 2); Model model = Model.load(target, backend, ModelOptions.STANDARD)) {
            for (int i = 0; i < PROMPTS; i++) {
                prompts.add(random.ints(random.nextInt(1, 100), 3, 32).toArray());
                try (Session session = model.openSession();
                        Generation generation = new Generation(session, prompts.get(i), Optional.empty(), OPTIONS)) {
                    generation.text();
                    expected.add(generation.tokens());
                }
            }
        }
        long[] before = null;
        while (closes < max && failures.isEmpty()) {
            try (Backend backend = Backends.open(backendName, 2)) {
                for (int scenes = 0; scenes < 8 && closes < max && failures.isEmpty(); scenes++) {
                    if (scene(backend)) {
                        break;
                    }
                }
            }
            if (before == null && closes >= 2 * max / 3) {
                before = memory();
            }
        }
        if (!failures.isEmpty()) {
            failures.peek().printStackTrace();
            System.exit(1);
        }
        long[] after = memory();
        System.out.printf("%d closes: %s; native memory grew by %.1f MiB, heap by %.1f MiB%n", closes, counts,
                (after[0] - before[0]) / 0x1p20, (after[1] - before[1]) / 0x1p20);
        if (after[0] - before[0] > MAX_GROWTH_BYTES || after[1] - before[1] > MAX_GROWTH_BYTES) {
            System.exit(2);
        }
    }

    /// Resident bytes (0 where the system does not say), of which the heap has always as many, and those of the heap that are in use.
    private static long[] memory() throws IOException {
        long heap = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            System.gc();
            heap = Math.min(heap, Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
        }
        Path status = Path.of("/proc/self/smaps_rollup");
        long resident = !Files.exists(status) ? 0 : Files.readAllLines(status).stream().filter(line -> line.startsWith("Rss:"))
                .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", ""))).sum();
        return new long[] {resident, heap};
    }

    /// Some threads generate on one pair of models until everything was closed; true if the backend was closed too.
    private boolean scene(Backend backend) throws Exception {
        Model model = Model.load(target, backend, ModelOptions.STANDARD);
        Model drafting = Model.load(draft, backend, ModelOptions.STANDARD);
        List<AutoCloseable> open = Collections.synchronizedList(new ArrayList<>(List.of(model, drafting)));
        List<Generation> generations = Collections.synchronizedList(new ArrayList<>());
        boolean closesBackend = random.nextInt(8) == 0;
        if (closesBackend) {
            open.add(backend);
        }
        int count = random.nextInt(1, 4);
        CountDownLatch ready = new CountDownLatch(count);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            SplittableRandom own = random.split();
            Runnable work = () -> generate(model, drafting, open, generations, ready, own);
            threads.add(random.nextBoolean() ? Thread.ofVirtual().start(work) : Thread.ofPlatform().start(work));
        }
        if (random.nextInt(4) > 0) {
            ready.await(); // else models are closed while sessions and drafters are opened, too
        }
        for (AutoCloseable next = take(open); next != null; next = take(open)) {
            if (random.nextInt(3) > 0) {
                LockSupport.parkNanos(random.nextInt(1_500_000));
            }
            if (random.nextInt(4) == 0 && !generations.isEmpty()) {
                generations.get(random.nextInt(generations.size())).cancel();
            }
            if (random.nextInt(3) == 0) {
                threads.get(random.nextInt(count)).interrupt();
            }
            closeByAnyThread(next);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (AutoCloseable next = take(open); next != null; next = take(open)) { // opened meanwhile
            closeByAnyThread(next);
        }
        return closesBackend;
    }

    private AutoCloseable take(List<AutoCloseable> open) {
        synchronized (open) {
            return open.isEmpty() ? null : open.remove(random.nextInt(open.size()));
        }
    }

    private void closeByAnyThread(AutoCloseable thing) throws InterruptedException {
        closes++;
        switch (random.nextInt(4)) {
            case 0 -> close(thing);
            case 1 -> {
                Thread.currentThread().interrupt();
                close(thing);
                if (!Thread.interrupted()) {
                    failures.add(new AssertionError("closing took the interrupt"));
                }
            }
            case 2 -> Thread.ofVirtual().start(() -> close(thing)).join();
            default -> { // two at once
                Thread other = Thread.ofPlatform().start(() -> close(thing));
                close(thing);
                other.join();
            }
        }
    }

    private void close(AutoCloseable thing) {
        try {
            thing.close();
            progress.incrementAndGet();
        } catch (Throwable e) {
            failures.add(e);
        }
    }

    private void generate(Model model, Model drafting, List<AutoCloseable> open, List<Generation> generations, CountDownLatch ready,
            SplittableRandom own) {
        Generation generation = null;
        int prompt = own.nextInt(PROMPTS);
        try {
            Session session = model.openSession();
            open.add(session);
            Drafter drafter = own.nextInt(8) == 0 ? new CloserWithin(session, model, own)
                    : SpeculationMethod.parse(methods.get(own.nextInt(methods.size()))).open(model, Optional.of(drafting));
            open.add(drafter);
            ready.countDown();
            generation = new Generation(session, prompts.get(prompt), drafter, OPTIONS);
            open.add(generation);
            generations.add(generation);
            while (generation.hasNext()) {
                generation.next();
                progress.incrementAndGet();
            }
            counts.get(generation.finish().orElseThrow() == Generation.Finish.CANCELLED ? "cancelled" : "finished").incrementAndGet();
        } catch (IllegalStateException e) {
            if (e.getMessage().endsWith(" is closed") || e.getMessage().equals("Already closed")) {
                counts.get("closed").incrementAndGet();
            } else {
                failures.add(e);
            }
        } catch (Throwable e) {
            failures.add(e);
        } finally {
            ready.countDown();
            requirePrefix(generation, expected.get(prompt));
        }
    }

    private void requirePrefix(Generation generation, int[] text) {
        int[] tokens = generation == null ? new int[0] : generation.tokens();
        for (int i = 0; i < tokens.length; i++) {
            if (tokens[i] != text[i]) {
                failures.add(new AssertionError("token " + i + " is " + tokens[i] + ": expected " + text[i]));
                return;
            }
        }
    }

    /// Proposes nothing, and closes what it works for in the middle of a step.
    private static final class CloserWithin implements Drafter {
        private final Session session;
        private final Model model;
        private final int draftsLeft;
        private int drafts;

        CloserWithin(Session session, Model model, SplittableRandom random) {
            this.session = session;
            this.model = model;
            draftsLeft = random.nextInt(10);
        }

        @Override
        public void begin(SequenceState target, TokenSequence prompt, Sampling sampling) {
            // has nothing to prepare
        }

        @Override
        public void draft(TokenSequence text, TokenTree tree, int maxNodes) {
            closeWithin(0);
        }

        @Override
        public void draftAhead(TokenSequence text, TokenTree tree, int maxTokens) {
            closeWithin(1);
        }

        private void closeWithin(int moment) {
            if (drafts++ == draftsLeft + moment) {
                if (drafts % 2 == 0) {
                    session.close();
                } else {
                    model.close();
                }
            }
        }

        @Override
        public void observe(TokenSequence text, Step step) {
            // learns nothing
        }

        @Override
        public void close() {
            // has nothing
        }
    }
}
