package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.DoubleConsumer;
import org.gatun.backend.HostExecutable;
import org.gatun.backend.KvStore;
import org.gatun.backend.Pass;
import org.gatun.backend.PassLimits;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// A plan as a command buffer; a pass is one downcall.
final class CpuRunner implements HostExecutable.Runner {
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
    private final PassLimits limits;
    private final Weights weights;
    private final Arena arena = Arena.ofShared();
    private final CpuProgram program;
    private final MemorySegment commands;
    private final MemorySegment struct;
    private final MemorySegment logits;

    CpuRunner(CpuBackend backend, NativeLibrary library, Plan plan, PassLimits limits, Weights weights,
            DoubleConsumer progress) {
        this.backend = backend;
        this.limits = limits;
        this.weights = weights;
        program = new CpuProgram(library, plan, limits, weights, arena);
        try {
            program.compile(progress);
            commands = program.write();
            struct = arena.allocate(NativeLayout.PASS);
            logits = program.buffer(plan.logits());
        } catch (Throwable e) {
            program.used().forEach(weights::release);
            arena.close();
            throw e;
        }
    }

    @Override
    public void run(Pass pass, KvStore kv) {
        if (!(kv instanceof CpuKvStore store)) {
            throw new IllegalArgumentException("the KV cache is of another backend: expected one that backend cpu allocated");
        }
        store.lifetime().enter();
        try {
            run(pass, store);
        } finally {
            store.lifetime().leave();
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
    public MemorySegment logits() {
        return logits;
    }

    @Override
    public MemorySegment tap(Value value) {
        return program.buffer(value);
    }

    @Override
    public void release() {
        arena.close();
        program.used().forEach(weights::release);
    }
}
