package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.DoubleConsumer;
import org.gatun.backend.Executable;
import org.gatun.backend.HostVerifier;
import org.gatun.backend.KvStore;
import org.gatun.backend.Pass;
import org.gatun.backend.PassLimits;
import org.gatun.backend.Verdict;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// A plan as a command buffer; a pass is one downcall.
final class CpuExecutable implements Executable {
    private static final long TOKENS = NativeLayout.offset(NativeLayout.PASS, "tokens");
    private static final long POSITIONS = NativeLayout.offset(NativeLayout.PASS, "positions");
    private static final long SELECTED = NativeLayout.offset(NativeLayout.PASS, "selected");
    private static final long ANCESTORS = NativeLayout.offset(NativeLayout.PASS, "ancestors");
    private static final long ANCESTOR_WORDS = NativeLayout.offset(NativeLayout.PASS, "ancestor_words");
    private static final long COMMITTED = NativeLayout.offset(NativeLayout.PASS, "committed");
    private static final long FIRST = NativeLayout.offset(NativeLayout.PASS, "first");
    private static final long ROWS = NativeLayout.offset(NativeLayout.PASS, "rows");
    private static final long SELECTED_ROWS = NativeLayout.offset(NativeLayout.PASS, "selected_rows");

    private final CpuBackend backend;
    private final Plan plan;
    private final PassLimits limits;
    private final Weights weights;
    private final Lifetime lifetime = new Lifetime("executable", this::release);
    private final Arena arena = Arena.ofShared();
    private final CpuProgram program;
    private final MemorySegment commands;
    private final MemorySegment struct;
    private final MemorySegment logits;
    private final HostVerifier verifier;

    CpuExecutable(CpuBackend backend, NativeLibrary library, Plan plan, PassLimits limits, Weights weights,
            DoubleConsumer progress) {
        this.backend = backend;
        this.plan = plan;
        this.limits = limits;
        this.weights = weights;
        program = new CpuProgram(library, plan, limits, weights, arena);
        try {
            program.compile(progress);
            commands = program.write();
            struct = arena.allocate(NativeLayout.PASS);
            logits = program.buffer(plan.logits());
            verifier = new HostVerifier(plan.logits().width());
        } catch (Throwable e) {
            program.used().forEach(weights::release);
            arena.close();
            throw e;
        }
    }

    @Override
    public PassLimits limits() {
        return limits;
    }

    @Override
    public void run(Pass pass, KvStore kv) {
        if (!(kv instanceof CpuKvStore store)) {
            throw new IllegalArgumentException("the KV cache is of another backend: expected one that backend cpu allocated");
        }
        lifetime.enter();
        try {
            store.lifetime().enter();
            try {
                run(pass, store);
            } finally {
                store.lifetime().leave();
            }
        } finally {
            lifetime.leave();
        }
    }

    private void run(Pass pass, CpuKvStore store) {
        program.requireFits(store.shape());
        pass.requireWithin(limits, store.shape());
        for (int row = pass.first(); row < pass.rows(); row++) {
            if (pass.token(row) < 0 || pass.token(row) >= program.vocabulary()) {
                throw new IllegalArgumentException("token " + pass.token(row) + ": expected one below " + program.vocabulary());
            }
        }
        struct.set(ValueLayout.ADDRESS, TOKENS, pass.tokens());
        struct.set(ValueLayout.ADDRESS, POSITIONS, pass.positions());
        struct.set(ValueLayout.ADDRESS, SELECTED, pass.selected());
        struct.set(ValueLayout.ADDRESS, ANCESTORS, pass.isTree() ? pass.ancestors() : MemorySegment.NULL);
        struct.set(ValueLayout.JAVA_INT, ANCESTOR_WORDS, pass.ancestorStride());
        struct.set(ValueLayout.JAVA_INT, COMMITTED, pass.committed());
        struct.set(ValueLayout.JAVA_INT, FIRST, pass.first());
        struct.set(ValueLayout.JAVA_INT, ROWS, pass.rows() - pass.first());
        struct.set(ValueLayout.JAVA_INT, SELECTED_ROWS, pass.selectedRows());
        long work = (pass.rows() - pass.first()) * program.workOfRow() + pass.selectedRows() * program.workOfSelectedRow();
        backend.run(commands, program.size(), struct, store, work);
    }

    @Override
    public void launch(Pass pass, KvStore kv, Verdict verdict) {
        lifetime.enter();
        try {
            run(pass, kv);
            verifier.verify(pass, logits, kv, verdict);
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public void await() {
        // launching did it all
    }

    @Override
    public boolean runsBesideHost() {
        return false;
    }

    @Override
    public void roll(Pass pass, KvStore kv, int count, float lead, Verdict verdict) {
        lifetime.enter();
        try {
            verifier.roll(this, pass, kv, count, lead, verdict);
        } finally {
            lifetime.leave();
        }
    }

    @Override
    public MemorySegment logits() {
        lifetime.requireOpen();
        return logits;
    }

    @Override
    public MemorySegment tap(String name) {
        lifetime.requireOpen();
        Value value = plan.taps().get(name);
        if (value == null) {
            throw new IllegalArgumentException("no tap " + name + ": the plan has " + plan.taps().keySet());
        }
        return program.buffer(value);
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        try (arena) {
            backend.forget(this);
        }
        program.used().forEach(weights::release);
    }
}
