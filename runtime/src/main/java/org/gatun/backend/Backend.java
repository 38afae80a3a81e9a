package org.gatun.backend;

import java.util.Optional;
import java.util.function.DoubleConsumer;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;

/// Something that can execute plans. A backend compiles a plan once and replays it; it owns the memory in which it
/// does so. Backends know nothing of models or of
/// who proposes tokens.
///
/// Shared by threads; what it makes is used by one thread at a time. Whoever opened it closes it, from any thread and at any time: closing
/// waits for the passes that run, then closes what it made (executables, KV pools), and later calls throw
/// `IllegalStateException`. Closing twice is harmless.
///
/// Results of a row do not depend on what other rows the pass holds, nor on the slots of the keys it attends to, only on their
/// order: the same tokens give the same bits in a pass of one row, of a chain and of a tree. Losslessness at temperature
/// 0 rests on this.
public interface Backend extends AutoCloseable {

    /// Name on the command line: `reference`, `cpu`, …
    String name();

    /// What it runs on, for people: instruction set and threads, or the device's name.
    String description();

    /// Whether the thread that launches a pass has time until it awaits it, since a device does the work.
    boolean isAsynchronous();

    /// When weights are read from where the plan has them.
    enum WeightReading {
        /// When they are first used in a compiled plan; then they may go, as long as an executable that uses them is open.
        ONCE,
        /// Whenever a plan is compiled, but by no pass.
        COMPILING,
        /// By every pass.
        ALWAYS
    }

    /// When weights are read. Only Java reads them, so that where a mapped file was cut short there is an [InternalError] and nothing
    /// worse.
    WeightReading weightReading();

    /// Why an op cannot run on this backend; empty if it can. A plan of ops that can is refused only for want of memory.
    Optional<String> unsupportedReason(Op op);

    /// Checks every op of a plan, before anything of it is prepared.
    ///
    /// @throws IllegalArgumentException if one cannot run on this backend
    default void requireSupported(Plan plan) {
        for (Op op : plan.ops()) {
            unsupportedReason(op).ifPresent(reason -> {
                throw new IllegalArgumentException(reason);
            });
        }
    }

    /// Makes `plan` executable for passes within `limits`. Weights are prepared once for all executables of this backend
    /// that share them.
    ///
    /// @param progress is told the part of the weights that is ready, from 0 to 1
    /// @throws IllegalArgumentException if the plan holds an op that the backend does not support ([#unsupportedReason]), or is too large
    Executable compile(Plan plan, BatchLimits limits, DoubleConsumer progress);

    /// Makes `plan` executable and tells nobody how far it is.
    default Executable compile(Plan plan, BatchLimits limits) {
        return compile(plan, limits, _ -> { });
    }

    /// Opens a pool of pages of keys and values, their contents undefined; the caller closes it.
    ///
    /// @throws IllegalArgumentException if there is no page, or the backend cannot store keys and values so
    /// @throws OutOfMemoryError if there is not so much memory
    KvPool openKvPool(KvLayout layout, int pages);

    @Override
    void close();
}
