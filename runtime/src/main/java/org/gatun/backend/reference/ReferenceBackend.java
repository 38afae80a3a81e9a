package org.gatun.backend.reference;

import java.util.Optional;
import java.util.function.DoubleConsumer;
import org.gatun.backend.Backend;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.HostExecutable;
import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;

/// The definition of every op, in plain Java: values are f32, everything in between is f64, nothing is fused and nothing
/// is clever. Other backends must agree with it; it is also what runs where there is no C compiler.
public final class ReferenceBackend implements Backend {
    private final Lifetime lifetime = new Lifetime("backend reference", () -> { });

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public String description() {
        return "plain Java, f64 accumulation, one thread";
    }

    @Override
    public boolean isAsynchronous() {
        return false;
    }

    @Override
    public WeightReading weightReading() {
        return WeightReading.ALWAYS;
    }

    @Override
    public Optional<String> unsupportedReason(Op op) {
        return Optional.empty();
    }

    @Override
    public Executable compile(Plan plan, BatchLimits limits, DoubleConsumer progress) {
        return lifetime.own(() -> new HostExecutable(plan, limits, new ReferenceRunner(plan, limits), lifetime::disown));
    }

    @Override
    public KvPool openKvPool(KvLayout layout, int pages) {
        KvPool.requirePages(layout, pages);
        return lifetime.own(() -> new KvPool(layout, pages, new ReferenceKvMemory(layout, pages), lifetime::disown));
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
