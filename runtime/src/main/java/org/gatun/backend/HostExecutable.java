package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// A compiled plan whose passes are done once they are launched, with logits in the host's memory: what the backends of the host share.
public final class HostExecutable implements Executable {

    /// What runs the passes of a plan. Called by one thread at a time, and no more once it is released.
    public interface Runner {
        /// Runs a batch within the limits, within a use of each of its page tables, whose slots are reserved.
        ///
        /// @throws IllegalArgumentException as [Executable#run]
        void run(Batch batch);

        /// As [Executable#logits].
        MemorySegment logits();

        /// The rows of a value in the last pass, as [Executable#tap].
        MemorySegment tap(Value value);

        /// Frees what it owns. Called once.
        void release();
    }

    private final Plan plan;
    private final BatchLimits limits;
    private final Runner runner;
    private final HostVerifier verifier;
    private final Consumer<AutoCloseable> owner;
    private final boolean isWindowed;
    private KvLayout fitting; // the last that the plan was found to fit
    private final Lifetime lifetime = new Lifetime("executable", this::release);

    /// @param runner of the passes of `plan`; released when this is closed
    /// @param owner hears of that
    public HostExecutable(Plan plan, BatchLimits limits, Runner runner, Consumer<AutoCloseable> owner) {
        this.plan = plan;
        this.limits = limits;
        this.runner = runner;
        this.owner = owner;
        isWindowed = plan.ops().stream().anyMatch(op -> op instanceof Op.Attention attention && attention.shape().window() > 0);
        verifier = new HostVerifier(plan.logits().width());
    }

    @Override
    public BatchLimits limits() {
        return limits;
    }

    @Override
    public void run(Batch batch) {
        run(batch, false);
    }

    @Override
    public void launch(Batch batch) {
        batch.requireSampling();
        run(batch, true);
    }

    private void run(Batch batch, boolean verify) {
        lifetime.enter();
        try {
            batch.requireWithin(limits);
            if (isWindowed && batch.hasRanges()) {
                throw new IllegalArgumentException("ranges of slots in a plan of which layers have windows: expected one without");
            }
            for (int i = 0; i < batch.size(); i++) {
                requireFits(batch.pages(i).pool().layout());
            }
            runUsing(batch, 0, verify);
        } finally {
            lifetime.leave();
        }
    }

    private void requireFits(KvLayout layout) {
        if (layout != fitting) {
            layout.requireFits(plan);
            fitting = layout;
        }
    }

    /// Runs the batch within a use of every page table from number `index` on.
    private void runUsing(Batch batch, int index, boolean verify) {
        if (index == batch.size()) {
            batch.reservePages();
            runner.run(batch);
            if (verify) {
                verifier.verify(batch, runner.logits());
            }
            return;
        }
        Lifetime used = batch.pages(index).lifetime();
        used.enter();
        try {
            runUsing(batch, index + 1, verify);
        } finally {
            used.leave();
        }
    }

    @Override
    public void await() {
        // launching did it all
    }

    @Override
    public boolean isAsynchronous() {
        return false;
    }

    @Override
    public void decodeChain(Batch batch, int count, float margin, SampledTokens sampled) {
        lifetime.enter();
        try {
            verifier.decodeChain(this, batch, count, margin, sampled);
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public MemorySegment logits() {
        lifetime.requireOpen();
        return runner.logits();
    }

    @Override
    public MemorySegment tap(String name) {
        lifetime.requireOpen();
        Value value = plan.taps().get(name);
        if (value == null) {
            throw new IllegalArgumentException("no tap " + name + ": the plan has " + plan.taps().keySet());
        }
        return runner.tap(value);
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        try {
            owner.accept(this);
        } finally {
            runner.release();
        }
    }
}
