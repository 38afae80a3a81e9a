package org.gatun.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.DoubleConsumer;
import org.gatun.backend.Batch;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.HostExecutable;
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

    CpuRunner(CpuBackend backend, NativeLibrary library, Plan plan, BatchLimits limits, Weights weights,
            DoubleConsumer progress) {
        this.backend = backend;
        this.weights = weights;
        program = new CpuProgram(library, plan, limits, weights, arena);
        try {
            program.compile(progress);
            commands = program.write();
            memory = new CpuBatch(arena, limits);
        } catch (Throwable e) {
            program.used().forEach(weights::release);
            arena.close();
            throw e;
        }
    }

    @Override
    public void run(Batch batch) {
        CpuKvMemory largest = null;
        for (int i = 0; i < batch.size(); i++) {
            CpuKvMemory kv = backend.own(batch.pages(i));
            largest = largest == null || kv.slots() > largest.slots() ? kv : largest;
        }
        long work = batch.rows() * program.workOfRow() + batch.selectedRows() * program.workOfSelectedRow();
        backend.run(commands, program.size(), memory.write(batch, program.minToken(), program.vocabulary()), largest, work);
    }

    @Override
    public MemorySegment rows(Value value) {
        return program.buffer(value);
    }

    @Override
    public void release() {
        arena.close();
        program.used().forEach(weights::release);
    }
}
