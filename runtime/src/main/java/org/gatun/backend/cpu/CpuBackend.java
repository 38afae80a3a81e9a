package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleConsumer;
import org.gatun.backend.Backend;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.HostExecutable;
import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.backend.PageTable;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.tensor.Tensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The host's processor, through the C kernels of `native/`: one pool of threads, and the weights as the kernels want them.
///
/// Passes of different sessions take turns, each using all threads, and compiling and closing take theirs.
public final class CpuBackend implements Backend {
    private static final Logger LOG = LoggerFactory.getLogger(CpuBackend.class);

    private final NativeLibrary library;
    private final String instructionSet;
    private final int threads;
    private final MemorySegment pool;
    private final Weights weights;
    private final ThreadChoice choice;
    private final Lifetime lifetime; // its uses guard pool and choice

    private CpuBackend(NativeLibrary library, String instructionSet, int threads, MemorySegment pool) {
        this.library = library;
        this.instructionSet = instructionSet;
        this.threads = threads;
        this.pool = pool;
        weights = new Weights(library, pool);
        choice = new ThreadChoice(threads);
        lifetime = new Lifetime("backend cpu", () -> library.poolClose(pool));
    }

    /// Why the kernels cannot be used here, with the remedy; empty if they can.
    public static Optional<String> unavailableReason() {
        return Optional.ofNullable(NativeLibrary.loaded().reason());
    }

    /// Instruction sets of this processor that there are kernels for, the best first.
    public static List<String> instructionSets() {
        if (unavailableReason().isPresent()) {
            return List.of();
        }
        return switch (NativeLibrary.loaded().library().instructionSet()) {
            case "avx512" -> List.of("avx512", "avx2", "portable");
            case "avx2" -> List.of("avx2", "portable");
            case "neon" -> List.of("neon", "portable");
            default -> List.of("portable");
        };
    }

    /// Starts the threads; the caller closes the backend.
    ///
    /// @throws IllegalArgumentException if the kernels cannot be used here, see [#unavailableReason], or the processor has not
    ///         the instruction set asked for
    public static CpuBackend open(CpuOptions options) {
        unavailableReason().ifPresent(reason -> {
            throw new IllegalArgumentException("backend cpu is not available: " + reason);
        });
        NativeLibrary library = NativeLibrary.loaded().library();
        String instructionSet = options.instructionSet().or(() -> Optional.ofNullable(System.getProperty(CpuOptions.INSTRUCTION_SET)))
                .orElseGet(library::instructionSet);
        if (!instructionSets().contains(instructionSet)) {
            throw new IllegalArgumentException("instruction set '" + instructionSet + "': expected one that this processor has, "
                    + String.join(", ", instructionSets()));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pool = library.poolOpen(options.threads(), arena.allocateFrom(instructionSet));
            if (pool.equals(MemorySegment.NULL)) {
                throw new IllegalStateException("could not start " + options.threads() + " threads");
            }
            LOG.debug("cpu backend: {} with {} threads", instructionSet, options.threads());
            return new CpuBackend(library, instructionSet, options.threads(), pool);
        }
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return instructionSet + ", " + threads + (threads == 1 ? " thread" : " threads");
    }

    @Override
    public boolean isAsynchronous() {
        return false;
    }

    @Override
    public WeightReading weightReading() {
        return WeightReading.ONCE;
    }

    @Override
    public Optional<String> unsupportedReason(Op op) {
        return switch (op) {
            case Op.Embed embed -> unsupportedReason(embed.table());
            case Op.MatMul matMul -> unsupportedReason(matMul.weight());
            case Op.Input _, Op.RmsNorm _, Op.Rope _, Op.AppendKv _, Op.Attention _, Op.Elementwise _, Op.SelectRows _ -> Optional.empty();
        };
    }

    private static Optional<String> unsupportedReason(Tensor weight) {
        return NativeLayout.unsupportedReason(weight.dtype()).map(reason -> "tensor " + weight.name() + ": " + reason);
    }

    @Override
    public Executable compile(Plan plan, BatchLimits limits, DoubleConsumer progress) {
        requireSupported(plan);
        return lifetime.own(() -> new HostExecutable(plan, limits, new CpuRunner(this, library, plan, limits, weights, progress),
                lifetime::disown));
    }

    @Override
    public KvPool openKvPool(KvLayout layout, int pages) {
        KvPool.requirePages(layout, pages);
        return lifetime.own(() -> new KvPool(layout, pages, new CpuKvMemory(library, pool, layout, pages), lifetime::disown));
    }

    /// The pool of a page table.
    ///
    /// @throws IllegalArgumentException if it is of another backend
    CpuKvMemory own(PageTable pages) {
        if (!(pages.pool().memory() instanceof CpuKvMemory memory) || !memory.isOf(pool)) {
            throw new IllegalArgumentException("the KV pool is of another backend: expected one that this backend cpu opened");
        }
        return memory;
    }

    /// @param batch a `struct gatun_batch`
    /// @param largest of the batch's pools, whose scratch memory is enough for all
    void run(MemorySegment commands, int count, MemorySegment batch, CpuKvMemory largest, long work) {
        lifetime.enterInTurn();
        try {
            int taken = choice.threads(work);
            long begun = System.nanoTime();
            if (library.run(pool, commands, count, batch, largest.slots(), taken, largest.scratch()) != 0) {
                throw new OutOfMemoryError("no memory for the counters of a pass of " + count + " commands");
            }
            choice.observe(work, taken, System.nanoTime() - begun);
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
