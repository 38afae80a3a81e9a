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
import org.gatun.backend.KvShape;
import org.gatun.backend.KvStore;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Plan;
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
    public WeightReading weightReading() {
        return WeightReading.ONCE;
    }

    @Override
    public Executable compile(Plan plan, BatchLimits limits, DoubleConsumer progress) {
        return lifetime.own(() -> new HostExecutable(plan, limits, new CpuRunner(this, library, plan, limits, weights, progress),
                lifetime::disown));
    }

    @Override
    public KvStore allocateKv(KvShape shape) {
        return lifetime.own(() -> new CpuKvStore(this, library, pool, shape));
    }

    /// @throws IllegalArgumentException if a store is of another backend
    void requireOwn(CpuKvStore kv) {
        if (!kv.isOf(pool)) {
            throw new IllegalArgumentException("the KV cache is of another cpu backend: expected one that this allocated");
        }
    }

    /// @param batch a `struct gatun_batch`
    /// @param longest of the batch's stores, whose scratch memory is enough for all
    void run(MemorySegment commands, int count, MemorySegment batch, CpuKvStore longest, long work) {
        lifetime.enterInTurn();
        try {
            int taken = choice.threads(work);
            long begun = System.nanoTime();
            if (library.run(pool, commands, count, batch, longest.slots(), taken, longest.scratch()) != 0) {
                throw new OutOfMemoryError("no memory for the counters of a pass of " + count + " commands");
            }
            choice.observe(work, taken, System.nanoTime() - begun);
        } finally {
            lifetime.leave();
        }
    }

    /// Forgets what has freed itself.
    void forget(AutoCloseable closed) {
        lifetime.disown(closed);
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
