package org.gatun.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.cuda.TestDriver;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.AttentionShape;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.gatun.plan.PlanBuilder;
import org.gatun.plan.Value;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// What a backend cannot run it says before anything is compiled.
class UnsupportedOpTest {
    private static final BatchLimits LIMITS = new BatchLimits(64, 64);

    private static Tensor tensor(String name, DType type, int rows, int columns) {
        return new Tensor(name, type, Shape.of(rows, columns), MemorySegment.ofArray(new byte[(int) (rows * type.rowBytes(columns))]));
    }

    /// @return why the last op that may be refused is
    private static Optional<String> reason(Backend backend, Plan plan) {
        Optional<String> reason = plan.ops().stream().map(backend::unsupportedReason).flatMap(Optional::stream).findFirst();
        reason.ifPresent(expected -> assertEquals(expected,
                assertThrows(IllegalArgumentException.class, () -> backend.compile(plan, LIMITS)).getMessage()));
        return reason;
    }

    private static Plan product(DType type, int columns, ActivationQuantization activations) {
        PlanBuilder plan = new PlanBuilder();
        Value in = plan.input("in", columns);
        return plan.build(plan.matMul(plan.selectRows(in), tensor("weight", type, 8, columns), Optional.empty(), activations));
    }

    @Test
    void unsupportedReason_weightWithoutKernels_isSaidByTheCpu() {
        try (Backend cpu = CpuBackend.open(CpuOptions.threads(1)); Backend reference = new ReferenceBackend()) {
            Plan plan = product(DType.I8, 8, ActivationQuantization.NONE);
            assertEquals(Optional.of("tensor weight: weights of I8 are not supported on the cpu backend"), reason(cpu, plan));
            assertEquals(Optional.empty(), reason(reference, plan));
            assertEquals(Optional.empty(), reason(cpu, product(DType.F16, 8, ActivationQuantization.NONE)));
        }
    }

    @Test
    void unsupportedReason_shapesWithoutKernels_areSaidByCuda() {
        try (Backend cuda = CudaBackend.open(TestDriver.open(), 0)) {
            PlanBuilder plan = new PlanBuilder();
            Value rows = plan.input("rows", 300);
            Plan wide = plan.build(plan.selectRows(plan.attention(0, rows, rows, rows, new AttentionShape(1, 1, 300, 1, 0))));
            assertEquals(Optional.of("heads of 300 elements: expected an even number, 256 at most"), reason(cuda, wide));
            String found = reason(cuda, product(DType.INT8, 12, ActivationQuantization.INT8)).orElseThrow();
            assertEquals("tensor weight [8, 12]: activations int8 want a multiple of 8 rows and of 8 columns on cuda; take activations none or "
                    + "backend cpu", found);
        }
    }
}
