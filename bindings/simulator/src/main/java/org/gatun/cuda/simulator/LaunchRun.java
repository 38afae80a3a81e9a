package org.gatun.cuda.simulator;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.cuda.LaunchConfiguration;

/// A kernel being run over its grid: workers take blocks in order, each its own until it ends.
final class LaunchRun {
    final Kernel kernel;
    final LaunchConfiguration configuration;
    /// The arguments as the kernel sees them.
    final byte[] parameters;
    final GlobalMemory memory;
    final int multiprocessors;
    private final long seed;
    /// Set when the launch is given up: every worker leaves.
    private volatile boolean stopped;

    LaunchRun(Kernel kernel, LaunchConfiguration configuration, byte[] parameters, GlobalMemory memory, int multiprocessors,
            long seed) {
        this.kernel = kernel;
        this.configuration = configuration;
        this.parameters = parameters;
        this.memory = memory;
        this.multiprocessors = multiprocessors;
        this.seed = seed;
    }

    /// Which warp of a block goes first this time: the first, unless other orders are asked for.
    int firstWarp(long block, int warps) {
        return seed == 0 ? 0 : Math.floorMod(mix(seed + block), warps);
    }

    private long blockAt(long position, long blocks) {
        return seed == 0 ? position : Math.floorMod(mix(seed) + (seed % 2 == 0 ? position : -position), blocks);
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
        long blocks = configuration.blocks();
        Tally total = new Tally(kernel.blocks().length);
        if (configuration.cooperative()) {
            runTogether((int) blocks, total);
            return total.counters(kernel);
        }
        AtomicLong next = new AtomicLong();
        AtomicReference<FaultAt> fault = new AtomicReference<>();
        int helpers = (int) Math.min(workers, blocks) - 1;
        List<Future<Tally>> others = new ArrayList<>();
        for (int i = 0; i < helpers; i++) {
            others.add(executor.submit(() -> work(next, blocks, fault)));
        }
        try {
            total.add(work(next, blocks, fault));
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

    private record FaultAt(long block, Warp.Fault fault) {}

    private Tally work(AtomicLong next, long blocks, AtomicReference<FaultAt> fault) {
        BlockRun run = new BlockRun(this);
        for (long at = next.getAndIncrement(); at < blocks && fault.get() == null && !stopped; at = next.getAndIncrement()) {
            run.start(blockAt(at, blocks));
            try {
                while (!stopped && run.step()) {
                    checkInterrupt();
                }
            } catch (Warp.Fault e) {
                FaultAt here = new FaultAt(at, e);
                fault.accumulateAndGet(here, (a, b) -> a == null || b.block < a.block ? b : a);
            }
        }
        return run.tally;
    }

    private void runTogether(int blocks, Tally total) {
        List<BlockRun> runs = new ArrayList<>();
        for (int i = 0; i < blocks; i++) {
            BlockRun run = new BlockRun(this);
            run.start(i);
            runs.add(run);
        }
        List<BlockRun> running = new ArrayList<>(runs);
        while (!running.isEmpty()) {
            running.removeIf(run -> !run.step());
            checkInterrupt();
        }
        runs.forEach(run -> total.add(run.tally));
    }

    private static void checkInterrupt() {
        if (Thread.currentThread().isInterrupted()) {
            throw new IllegalStateException("interrupted while a kernel was running");
        }
    }

    private static Tally get(Future<Tally> future) {
        try {
            return future.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while a kernel was running", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException unchecked) {
                throw unchecked;
            }
            throw new IllegalStateException(e.getCause());
        }
    }
}
