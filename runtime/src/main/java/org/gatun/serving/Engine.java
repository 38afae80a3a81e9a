package org.gatun.serving;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvPool;
import org.gatun.constraint.ConstraintMatcher;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.SequenceState;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Continues many texts at once: each pass of the model is a step of all that run, so that weights are read once for all of them. Requests
/// may come at any time, join the next pass, and leave it when they end.
///
/// **A text does not depend on its neighbours**: it has the tokens that a [org.gatun.generation.Generation] alone gives it, bit for bit,
/// whatever else runs, and however often it lost its pages and was read again.
///
/// Methods of speculation are chosen by request. One that runs parts of the target ([org.gatun.speculative.Requirements#targetLayers])
/// decodes plainly here, as its passes would make all others wait; [Reply#speculation] says so.
///
/// Memory for keys and values is allocated when it is opened, that of a request's rows when as many run for the first time. Safe for all
/// threads, virtual ones too; passes run on a platform thread of its own, which sleeps while there is nothing to do. Closed by whoever opened
/// it, by any thread and at any time, before its models: closing waits for the pass that runs, and cancels the requests that have not
/// ended. Closing twice is harmless.
public final class Engine implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Engine.class);

    private final Model model;
    private final Optional<Model> draft;
    private final Executable executable;
    private final KvPool pool;
    private final Arena arena = Arena.ofShared(); // of the slots' buffers
    private final PrefixCache cache;
    private final RequestQueue queue;
    private final Scheduler scheduler;
    private final Thread thread;

    /// Opens an engine without a draft model.
    ///
    /// @throws IllegalArgumentException as [#open(Model, Optional, EngineOptions)]
    public static Engine open(Model model, EngineOptions options) {
        return open(model, Optional.empty(), options);
    }

    /// Opens an engine. It prepares the weights on the backend, unless a session or an engine of the model did.
    ///
    /// @param draft second model with the same vocabulary, for requests whose speculation needs one; borrowed
    /// @throws IllegalArgumentException if the memory for keys and values is less than one full context takes, or the backend has no room for
    ///         the weights
    /// @throws OutOfMemoryError if there is no memory for keys and values
    public static Engine open(Model model, Optional<Model> draft, EngineOptions options) {
        int pages = pages(model, options);
        Executable executable = model.compile(options.limits());
        try {
            KvPool pool = model.backend().openKvPool(model.kvLayout(), pages);
            return new Engine(model, draft, options, executable, pool);
        } catch (Throwable e) {
            executable.close();
            throw e;
        }
    }

    private static int pages(Model model, EngineOptions options) {
        long pageBytes = KvPool.pageBytes(model.kvLayout());
        int pagesOfContext = KvPool.pagesFor(model.contextLength());
        if (options.kvBytes() > 0 && options.kvBytes() / pageBytes < pagesOfContext) {
            throw new IllegalArgumentException(options.kvBytes() + " bytes for keys and values: one context of " + model.contextLength()
                    + " tokens of " + model.name() + " takes " + pagesOfContext * pageBytes + "; expected as many, or a shorter context");
        }
        long pages = options.kvBytes() > 0 ? options.kvBytes() / pageBytes : (long) options.parallel() * pagesOfContext;
        return (int) Math.min(pages, Integer.MAX_VALUE / KvPool.PAGE_SLOTS);
    }

    /// @param executable and `pool` are owned by this from now on
    private Engine(Model model, Optional<Model> draft, EngineOptions options, Executable executable, KvPool pool) {
        this.model = model;
        this.draft = draft;
        this.executable = executable;
        this.pool = pool;
        cache = new PrefixCache(pool, options.prefixSharing());
        queue = new RequestQueue(options.queue(), "engine of " + model.name());
        BatchLimits limits = options.limits();
        scheduler = new Scheduler(executable, pool, cache, draft, queue,
                () -> new Slot(new SequenceState(model, pool.openTable(model.contextLength())), arena, limits));
        thread = Thread.ofPlatform().name("gatun engine of " + model.name()).daemon().start(this::run);
    }

    /// The model that continues the texts.
    public Model model() {
        return model;
    }

    /// Takes a request. It begins when those before it leave it room.
    ///
    /// @return its reply, to be closed by the caller
    /// @throws IllegalArgumentException if the prompt has no room in the context or a token that the model does not have, the constraint was
    ///         compiled for another vocabulary, or there is no draft model and the speculation needs one
    /// @throws RejectedExecutionException if as many requests wait as may
    /// @throws IllegalStateException if the engine is closed
    public Reply submit(Request request) {
        return submit(request, 1).getFirst();
    }

    /// Takes a request for several texts, each with random numbers of its own: those of the first are of the [stream][Sampling#stream] asked for,
    /// the others' of the ones behind it. The prompt is read once, where [prefixes are shared][EngineOptions#prefixSharing].
    ///
    /// @param count of texts
    /// @return their replies, to be closed by the caller
    /// @throws IllegalArgumentException as [#submit(Request)], or if the count is not positive, or there are not so many streams
    /// @throws RejectedExecutionException if fewer requests more may wait
    /// @throws IllegalStateException if the engine is closed
    public List<Reply> submit(Request request, int count) {
        if (count < 1) {
            throw new IllegalArgumentException(count + " texts of a request: expected one or more");
        }
        GenerationOptions options = request.options();
        requirePrompt(request.prompt());
        Speculation speculation = options.speculation();
        if (speculation.requirements().draftModel() && draft.isEmpty()) {
            throw new IllegalArgumentException("speculation method " + speculation.method().name()
                    + " needs a draft model: expected an engine opened with one");
        }
        List<RequestState> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Sampling sampling = options.sampling().withStream(options.sampling().stream() + i);
            Optional<ConstraintMatcher> matcher =
                    options.constraint().map(constraint -> constraint.matcherFor(model.tokenizer().vocabularySize()));
            Reply reply = new Reply(speculation.requirements().targetLayers() ? Speculation.NONE : speculation);
            requests.add(new RequestState(request.withOptions(options.withSampling(sampling)), matcher, reply, cache,
                    i == 0 ? null : requests.getFirst()));
        }
        queue.add(requests);
        return requests.stream().map(RequestState::reply).toList();
    }

    private void requirePrompt(int[] prompt) {
        if (prompt.length >= model.contextLength()) {
            throw new IllegalArgumentException("prompt of " + prompt.length + " tokens: the context of " + model.contextLength()
                    + " has no room for it and one token more");
        }
        for (int i = 0; i < prompt.length; i++) {
            if (prompt[i] < 0 || prompt[i] >= model.config().vocabulary()) {
                throw new IllegalArgumentException("token " + prompt[i] + " at place " + i + " of the prompt: expected one from 0 on, below "
                        + model.config().vocabulary());
            }
        }
    }

    /// What it did and has, as far as is known at this moment.
    public EngineStatistics statistics() {
        return scheduler.statistics();
    }

    /// The engine's thread: runs until the queue is closed, then ends and frees everything.
    private void run() {
        Throwable failure = null;
        try (arena; executable; pool) {
            try {
                while (queue.awaitWork(scheduler.isIdle())) {
                    scheduler.step();
                }
            } catch (RuntimeException | Error e) { // requests must hear of whatever it is
                failure = e;
                LOG.error("engine of {} has ended", model.name(), e);
            } finally {
                scheduler.endAll(failure);
                queue.endAll(failure);
            }
        }
    }

    @Override
    public void close() {
        queue.close();
        boolean interrupted = false;
        while (thread.isAlive() && thread != Thread.currentThread()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
