package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Optional;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KernelLibraryTest {
    private static CudaContext context(int capability) {
        return CudaContext.open(SimulatorDriver.open(SimulatorOptions.defaults().withComputeCapability(capability)), 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {80, 86, 89, 90, 100, 120})
    void kernel_everyShippedOne_isLoaded(int capability) {
        try (CudaContext context = context(capability); KernelLibrary library = new KernelLibrary(context)) {
            for (KernelVariant variant : KernelVariant.all()) {
                assertEquals(variant.kernel(), library.kernel(variant.kernel()).name());
            }
        }
    }

    @Test
    void kernel_askedForTwice_isLoadedOnce() {
        try (CudaContext context = context(80); KernelLibrary library = new KernelLibrary(context)) {
            assertSame(library.kernel("norm_rms_f32"), library.kernel("norm_rms_f32"));
            assertSame(library.kernel("norm_rms_f32").module(), library.kernel("norm_rms_bf16").module());
            assertEquals(1, context.openResources());
        }
    }

    @Test
    void kernel_deviceTooOld_isRefusedWithBothCapabilities() {
        try (CudaContext context = context(75); KernelLibrary library = new KernelLibrary(context)) {
            assertEquals("kernel norm_rms_f32 on " + context.device().name()
                            + ": found compute capability 7.5, expected 8.0 at least",
                    assertThrows(IllegalArgumentException.class, () -> library.kernel("norm_rms_f32")).getMessage());
        }
    }

    @Test
    void kernel_unknownNameOrClosedLibrary_isRefused() {
        try (CudaContext context = context(80)) {
            KernelLibrary library = new KernelLibrary(context);
            assertThrows(IllegalArgumentException.class, () -> library.kernel("norm_rms_f16"));
            library.kernel("norm_rms_f32");
            library.close();
            library.close();
            assertEquals(0, context.openResources());
            assertThrows(IllegalStateException.class, () -> library.kernel("norm_rms_f32"));
        }
    }

    @Test
    void launch_operandsThatDoNotFit_areRefusedByName() {
        try (CudaContext context = context(80);
                KernelLibrary library = new KernelLibrary(context);
                DeviceBuffer small = context.allocate(64);
                DeviceBuffer large = context.allocate(128)) {
            assertEquals("out of kernel norm_rms_f32: found a buffer of 64 bytes, expected 128 at least for [2, 16] of 4 bytes each",
                    assertThrows(IllegalArgumentException.class,
                            () -> NormKernels.rms(library, ElementType.F32, small, large, large, 2, 16, 0)).getMessage());
            assertEquals("gate of kernel activation_swiglu_bf16: found a length of 0, expected 1 at least",
                    assertThrows(IllegalArgumentException.class, () -> KernelLaunch.check(
                            library.kernel("activation_swiglu_bf16"), "gate", large, 2, 0)).getMessage());
            assertThrows(IllegalArgumentException.class, () -> RopeKernels.rotate(library, ElementType.F32,
                    RopeKernels.Pairing.SPLIT, large, large, large, large, 1, 1, 6, 4, 1), "more pairs than a head has");
            assertThrows(IllegalArgumentException.class, () -> SamplingKernels.topK(library, large, large, large, large, large, 1, 8, 9),
                    "k beyond the vocabulary");
            assertThrows(IllegalArgumentException.class, () -> MatmulKernels.bf16(library, MatmulKernels.Tile.ROWS_16,
                    ElementType.F32, large, large, large, Optional.empty(), 1, 1, 12), "inputs no multiple of 8");
            assertThrows(ArithmeticException.class, () -> NormKernels.rms(library, ElementType.F32, large, large, large,
                    Integer.MAX_VALUE, Integer.MAX_VALUE, 0), "sizes beyond 64 bits");
        }
    }

    @Test
    void launch_closedBuffer_isRefused() {
        try (CudaContext context = context(80);
                KernelLibrary library = new KernelLibrary(context);
                CudaStream stream = context.createStream()) {
            DeviceBuffer buffer = context.allocate(64);
            KernelLaunch launch = ActivationKernels.swiglu(library, ElementType.F32, buffer, buffer, buffer, 16);
            buffer.close();
            assertThrows(IllegalStateException.class, () -> launch.on(stream));
        }
    }
}
