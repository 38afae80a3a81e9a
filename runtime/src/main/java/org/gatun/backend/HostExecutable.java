package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// A compiled plan whose passes are done once they are launched, with logits in the host's memory: what the backends of the host share.
public final class HostExecutable implements Executable {

    /// What runs the passes of a plan. Called by one thread at a time, and no more once it is released.
    public interface Runner {
        /// Runs a pass, within a use of `kv`.
        ///
        /// @throws IllegalArgumentException as [Executable#run], or if the KV cache is of another backend
        void run(Pass pass, KvStore kv);

        /// As [Executable#logits].
        MemorySegment logits();

        /// The rows of a value in the last pass, as [Executable#tap].
        MemorySegment tap(Value value);

        /// Frees what it owns. Called once.
        void release();
    }

    private final Plan plan;
    private final PassLimits limits;
    private final Runner runner;
    private final HostVerifier verifier;
    private final Consumer<AutoCloseable> owner;
    private final Lifetime lifetime = new Lifetime("executable", this::release);

    /// @param runner of the passes of `plan`; released when this is closed
    /// @param owner hears of that
    public HostExecutable(Plan plan, PassLimits limits, Runner runner, Consumer<AutoCloseable> owner) {
        this.plan = plan;
        this.limits = limits;
        this.runner = runner;
        this.owner = owner;
        verifier = new HostVerifier(plan.logits().width());
    }

    @Override
    public PassLimits limits() {
        return limits;
    }

    @Override
    public void run(Pass pass, KvStore kv) {
        lifetime.enter();
        try {
            runner.run(pass, kv);
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void launch(Pass pass, KvStore kv, VerificationResult result) {
        lifetime.enter();
        try {
            runner.run(pass, kv);
            verifier.verify(pass, runner.logits(), kv, result);
        } finally {
            lifetime.leave();
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
    public void decodeChain(Pass pass, KvStore kv, int count, float margin, SampledTokens sampled) {
        lifetime.enter();
        try {
            verifier.decodeChain(this, pass, kv, count, margin, sampled);
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
