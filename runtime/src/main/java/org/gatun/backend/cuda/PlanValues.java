package org.gatun.backend.cuda;

import java.util.Map;
import org.gatun.backend.BatchLimits;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.kernels.QuantizedRows;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.Op;
import org.gatun.plan.Value;

/// Where the values of a program lie on the device: all in one buffer, see [MemoryPlan].
final class PlanValues implements AutoCloseable {
    private final Program program;
    private final BatchLimits limits;
    private final MemoryPlan memory;
    private DeviceBuffer buffer;

    /// Plans, and allocates nothing yet.
    PlanValues(Program program, BatchLimits limits) {
        this.program = program;
        this.limits = limits;
        memory = MemoryPlan.of(program.steps(),
                program.plan().ops().stream().filter(Op.Input.class::isInstance).map(op -> ((Op.Input) op).out()).toList(),
                program.plan().outputs().values(), this::byteSize);
    }

    void allocate(CudaContext context) {
        buffer = context.allocate(memory.byteSize());
    }

    /// Bytes of all.
    long byteSize() {
        return memory.byteSize();
    }

    /// Bytes of a value of as many rows as a pass may have.
    long byteSize(Value value) {
        ActivationQuantization activations = program.quantized().get(value);
        if (activations != null) {
            return QuantizedRows.byteSize(maxRows(value), value.width(), keepsOutliers(activations));
        }
        return (long) maxRows(value) * value.width() * program.type(value).byteSize();
    }

    private int maxRows(Value value) {
        return value.rows() == Value.Rows.ALL ? limits.rows() : Math.max(limits.treeRows(), limits.logitsRows());
    }

    private static boolean keepsOutliers(ActivationQuantization activations) {
        return Float.isFinite(activations.threshold());
    }

    DeviceSlice at(Value value) {
        return buffer.slice(offset(value), byteSize(value));
    }

    QuantizedRows quantizedAt(Value value) {
        return new QuantizedRows(at(value), maxRows(value), value.width(), keepsOutliers(program.quantized().get(value)));
    }

    DeviceBuffer buffer() {
        return buffer;
    }

    /// Of a value's first byte in the buffer.
    long offset(Value value) {
        return memory.offsets().get(value);
    }

    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
        }
    }
}
