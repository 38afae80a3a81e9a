package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.DoubleConsumer;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.HostExecutable;
import org.gatun.backend.KvStore;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Plan;
import org.gatun.plan.Value;

/// A plan as a command buffer; a pass is one downcall.
final class CpuRunner implements HostExecutable.Runner {
    private final CpuBackend backend;
    private final Weights weights;
    private final Arena arena = Arena.ofShared();
    private final CpuProgram program;
    private final MemorySegment commands;
    private final CpuBatch memory;
    private final MemorySegment logits;

    CpuRunner(CpuBackend backend, NativeLibrary library, Plan plan, BatchLimits limits, Weights weights,
            DoubleConsumer progress) {
        this.backend = backend;
        this.weights = weights;
        program = new CpuProgram(library, plan, limits, weights, arena);
        try {
            program.compile(progress);
            commands = program.write();
            memory = new CpuBatch(arena, limits);
            logits = program.buffer(plan.logits());
        } catch (Throwable e) {
            program.used().forEach(weights::release);
            arena.close();
            throw e;
        }
    }

    @Override
    public Lifetime lifetimeOf(KvStore kv) {
        if (!(kv instanceof CpuKvStore store)) {
            throw new IllegalArgumentException("the KV cache is of another backend: expected one that backend cpu allocated");
        }
        return store.lifetime();
    }

    @Override
    public void run(Batch batch) {
        CpuKvStore longest = null;
        for (int i = 0; i < batch.size(); i++) {
            CpuKvStore store = (CpuKvStore) batch.kv(i);
            program.requireFits(store.shape());
            backend.requireOwn(store);
            longest = longest == null || store.shape().slots() > longest.shape().slots() ? store : longest;
        }
        long work = batch.rows() * program.workOfRow() + batch.selectedRows() * program.workOfSelectedRow();
        backend.run(commands, program.size(), memory.write(batch, program.vocabulary()), longest, work);
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
