package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
                if (variant.runsOn(capability)) {
                    assertEquals(variant.kernel(), library.kernel(variant.kernel()).name());
                } else if (!library.has(variant.kernel())) {
                    assertThrows(IllegalArgumentException.class, () -> library.kernel(variant.kernel()));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"75,", "80, f.80.ptx", "89, f.80.ptx", "90, f.90a.ptx", "100, f.90.ptx", "120, f.90.ptx"})
    void newest_variantsForSeveralCapabilities_isTheLatestThatTheDeviceRuns(int capability, String expected) {
        List<KernelVariant> variants = Stream.of("f.90.ptx", "f.90a.ptx", "f.80.ptx")
                .map(ptx -> new KernelVariant(ptx, "f", Optional.empty(), 0, Map.of(), "")).toList();

        assertEquals(Optional.ofNullable(expected), KernelVariant.newest(variants, capability).map(KernelVariant::ptx));
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
            assertThrows(IllegalArgumentException.class, () -> library.kernel("norm_rms_f64"));
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
                DeviceBuffer buffer = context.allocate(128)) {
            DeviceSlice small = buffer.slice(0, 64);
            DeviceSlice large = buffer.slice();
            Rows two = new Rows(large, 2);
            assertEquals("out of kernel norm_rms_f32: found 64 bytes, expected 128 at least for [32] of 4 bytes each",
                    assertThrows(IllegalArgumentException.class, () -> NormKernels.rms(library, ElementType.F32, small, large, large,
                            two, NormKernels.Groups.dense(1, 16), 0)).getMessage());
            assertEquals("out of kernel activation_swiglu_bf16: found a length of 0, expected 1 at least",
                    assertThrows(IllegalArgumentException.class,
                            () -> ActivationKernels.swiglu(library, ElementType.BF16, large, large, large, two, 0)).getMessage());
            assertThrows(IllegalArgumentException.class, () -> RopeKernels.rotate(library,
                    new Rotation(Rotation.Pairing.SPLIT, large, 4, 1), large, large, large, two, 1, 6), "more pairs than a head has");
            assertThrows(IllegalArgumentException.class, () -> SamplingKernels.topK(library, large, large, large, large, large, two, 8,
                    9), "k beyond the vocabulary");
            assertThrows(IllegalArgumentException.class, () -> MatmulKernels.matmul(library, MatmulKernels.Tile.FEW,
                    WeightType.F16, large, large, large, Optional.empty(), two, 1, 12), "inputs no multiple of 8");
            assertThrows(IllegalArgumentException.class, () -> KvLayer.storedDim(258), "heads too large");
            assertThrows(ArithmeticException.class, () -> ActivationKernels.add(library, large, large, large,
                    new Rows(large, Integer.MAX_VALUE), Integer.MAX_VALUE), "sizes beyond 64 bits");
        }
    }

    @Test
    void launch_closedBuffer_isRefused() {
        try (CudaContext context = context(80);
                KernelLibrary library = new KernelLibrary(context);
                CudaStream stream = context.createStream()) {
            DeviceBuffer buffer = context.allocate(64);
            KernelLaunch launch = ActivationKernels.add(library, buffer.slice(), buffer.slice(), buffer.slice(),
                    new Rows(buffer.slice(), 1), 16);
            buffer.close();
            assertThrows(IllegalStateException.class, () -> launch.on(stream));
        }
    }
}
