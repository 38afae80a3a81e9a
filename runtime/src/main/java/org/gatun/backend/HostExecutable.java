package org.gatun.backend;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
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

        /// The rows of an input, or of an output in the last pass.
        MemorySegment rows(Value value);

        /// Frees what it owns. Called once.
        void release();
    }

    private final Plan plan;
    private final BatchLimits limits;
    private final Runner runner;
    private final HostVerifier verifier;
    private final Consumer<AutoCloseable> owner;
    private final Value logits; // null if the plan has none
    private final List<Connection> connections = new ArrayList<>();
    private int rows; // of the last pass
    private int selectedRows;
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
        logits = plan.logits().orElse(null);
        verifier = new HostVerifier(logits == null ? 1 : logits.width());
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
        batch.requireSampling(plan.output(Plan.LOGITS).width());
        run(batch, true);
    }

    private void run(Batch batch, boolean verify) {
        lifetime.enter();
        try {
            batch.requireWithin(limits);
            batch.requireStatistics(logits == null ? 0 : logits.width());
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

    private void describe(Batch batch) {
        int first = 0;
        for (int i = 0; i < batch.size(); i++) {
            Segment segment = batch.segment(i);
            if (segment.statistics() != null) {
                segment.statistics().compute(logits(), first, segment.selectedRows(), logits.width());
            }
            first += segment.selectedRows();
        }
    }

    /// Runs the batch within a use of every page table from number `index` on.
    private void runUsing(Batch batch, int index, boolean verify) {
        if (index == batch.size()) {
            batch.reservePages();
            rows = batch.rows();
            selectedRows = batch.selectedRows();
            takeInputs();
            runner.run(batch);
            describe(batch);
            if (verify) {
                verifier.verify(batch, logits());
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
        return runner.rows(logits == null ? plan.output(Plan.LOGITS) : logits);
    }

    @Override
    public MemorySegment output(String name) {
        lifetime.requireOpen();
        Value value = plan.output(name);
        return runner.rows(value).asSlice(0, (long) Float.BYTES * value.width() * (value.rows() == Value.Rows.ALL ? rows : selectedRows));
    }

    @Override
    public MemorySegment input(String name) {
        lifetime.requireOpen();
        return runner.rows(plan.input(name));
    }

    @Override
    public void connect(String input, Executable from, String output) {
        Value to = plan.input(input);
        if (!(from instanceof HostExecutable other) || other.runner.getClass() != runner.getClass()) {
            throw new IllegalArgumentException("input " + input + " from an executable of another backend: expected one of this");
        }
        Value of = plan.outputFor(input, other.plan, output);
        connections.removeIf(connection -> connection.to.equals(to));
        connections.add(new Connection(to, other, of));
    }

    /// An input whose rows another executable leaves.
    private record Connection(Value to, HostExecutable from, Value of) {}

    private void takeInputs() {
        for (int i = 0; i < connections.size(); i++) {
            Connection connection = connections.get(i);
            connection.from.lifetime.enter();
            try {
                Batch.requireRowsOfInput(rows, connection.from.rows);
                MemorySegment.copy(connection.from.runner.rows(connection.of), 0, runner.rows(connection.to), 0,
                        (long) rows * connection.to.width() * Float.BYTES);
            } finally {
                connection.from.lifetime.leave();
            }
        }
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
