package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.cuda.LaunchConfiguration;

/// A kernel being run over its grid: workers take clusters in order, a block each where there are none, and keep them until they end.
///
/// An interrupt of the calling thread ends a kernel that runs without end, and leaves others alone: a device heeds none, and the thread may
/// be doing what others queued.
final class LaunchRun {
    /// After which a kernel may be endless.
    private static final long PATIENCE_NANOS = 3_000_000_000L;

    final Kernel kernel;
    final LaunchConfiguration configuration;
    final ClusterShape cluster;
    /// The arguments as the kernel sees them.
    final byte[] parameters;
    final GlobalMemory memory;
    final int multiprocessors;
    private final long seed;
    /// Null unless waits are counted.
    private final TimedKernel timed;
    /// Null unless time is modelled.
    private final LaunchModel model;
    private final AtomicReference<WaitCounters> waits = new AtomicReference<>();
    private final long begun = System.nanoTime();
    /// The clusters to run; null for all.
    private long[] sample;
    /// Set when the launch is given up: every worker leaves.
    private volatile boolean stopped;

    LaunchRun(Kernel kernel, LaunchConfiguration configuration, byte[] parameters, GlobalMemory memory,
            SimulatorOptions options) {
        this.kernel = kernel;
        this.configuration = configuration;
        cluster = kernel.cluster(configuration);
        this.parameters = parameters;
        this.memory = memory;
        multiprocessors = options.multiprocessors();
        seed = options.orderSeed();
        timed = options.countsWaits() ? new TimedKernel(kernel) : null;
        model = options.model() == null ? null : new LaunchModel(options.model(), timed, configuration, cluster.blocks());
    }

    /// Which warp of a block, or block of a cluster, goes first: the first, unless other orders are asked for.
    int first(long index, int count) {
        return seed == 0 ? 0 : Math.floorMod(mix(seed + index), count);
    }

    private long clusterAt(long position, long clusters) {
        if (sample != null) {
            return sample[(int) position];
        }
        return seed == 0 ? position : Math.floorMod(mix(seed) + (seed % 2 == 0 ? position : -position), clusters);
    }

    private static long mix(long value) {
        long z = value * 0x9e3779b97f4a7c15L;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        return z ^ z >>> 31;
    }

    /// Runs all blocks and returns what they did.
    ///
    /// @param workers threads to run on; the calling one helps
    /// @throws Warp.Fault the first one in the order of blocks that was met
    LaunchCounters run(ExecutorService executor, int workers) {
        memory.refresh();
        long all = configuration.blocks() / cluster.blocks();
        sample = model == null || configuration.cooperative() ? null : model.sample();
        long clusters = sample == null ? all : sample.length;
        Tally total = new Tally(kernel.blocks().length);
        if (configuration.cooperative()) {
            runTogether((int) clusters, total);
            return total.counters(kernel);
        }
        AtomicLong next = new AtomicLong();
        AtomicReference<FaultAt> fault = new AtomicReference<>();
        int helpers = (int) Math.min(workers, clusters) - 1;
        List<Future<Tally>> others = new ArrayList<>();
        for (int i = 0; i < helpers; i++) {
            others.add(executor.submit(() -> work(next, clusters, fault)));
        }
        try {
            total.add(work(next, clusters, fault));
        } catch (RuntimeException e) {
            stopped = true;
            throw e;
        }
        for (Future<Tally> other : others) {
            total.add(get(other));
        }
        if (fault.get() != null) {
            throw fault.get().fault;
        }
        return total.counters(kernel);
    }

    /// What warps waited for in the run that ended, if that was to be counted.
    Optional<WaitCounters> waits() {
        return Optional.ofNullable(waits.get());
    }

    /// How long the run that ended would take, if that was to be modelled.
    Optional<ModelledTime> time() {
        return Optional.ofNullable(model).map(LaunchModel::time);
    }

    /// A cluster is about to run.
    private ClusterTrace trace(ClusterRun run, long at) {
        ClusterTrace trace = timed == null ? null : new ClusterTrace(timed, at, run.clocks.warps(),
                model == null ? null : new ClusterFootprint(memory, cluster.blocks()));
        run.trace(trace);
        return trace;
    }

    private void ended(ClusterTrace trace) {
        if (trace != null) {
            waits.accumulateAndGet(new WaitCounters(LoadChain.length(trace)), (a, b) -> a == null ? b : a.max(b));
            if (model != null) {
                model.add(trace);
            }
        }
    }

    private record FaultAt(long cluster, Warp.Fault fault) {}

    private Tally work(AtomicLong next, long clusters, AtomicReference<FaultAt> fault) {
        ClusterRun run = new ClusterRun(this);
        for (long at = next.getAndIncrement(); at < clusters && fault.get() == null && !stopped; at = next.getAndIncrement()) {
            run.start(clusterAt(at, clusters));
            ClusterTrace trace = trace(run, clusterAt(at, clusters));
            try {
                while (!stopped && run.step()) {
                    checkInterrupt();
                }
                ended(trace);
            } catch (Warp.Fault e) {
                FaultAt here = new FaultAt(at, e);
                fault.accumulateAndGet(here, (a, b) -> a == null || b.cluster < a.cluster ? b : a);
            }
        }
        return run.tally;
    }

    private void runTogether(int clusters, Tally total) {
        List<ClusterRun> runs = new ArrayList<>();
        List<ClusterTrace> traces = new ArrayList<>();
        for (int i = 0; i < clusters; i++) {
            ClusterRun run = new ClusterRun(this);
            run.start(i);
            traces.add(trace(run, i));
            runs.add(run);
        }
        List<ClusterRun> running = new ArrayList<>(runs);
        while (!running.isEmpty()) {
            running.removeIf(run -> !run.step());
            checkInterrupt();
        }
        runs.forEach(run -> total.add(run.tally));
        traces.forEach(this::ended);
    }

    private void checkInterrupt() {
        if (Thread.currentThread().isInterrupted() && System.nanoTime() - begun > PATIENCE_NANOS) {
            throw interrupted();
        }
    }

    private static IllegalStateException interrupted() {
        return new IllegalStateException("interrupted while a kernel was running");
    }

    private Tally get(Future<Tally> future) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return interrupted ? future.get(PATIENCE_NANOS, TimeUnit.NANOSECONDS) : future.get();
                } catch (InterruptedException _) {
                    interrupted = true;
                } catch (TimeoutException _) {
                    stopped = true;
                    throw interrupted();
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof RuntimeException unchecked) {
                        throw unchecked;
                    }
                    throw new IllegalStateException(e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
