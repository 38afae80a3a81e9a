package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import java.util.function.Function;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.simulator.LaunchCounters;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.junit.jupiter.api.Test;

/// What the kernels move, counted by the simulator: the bytes that their design says, by whole sectors, without bank conflicts.
class KernelTrafficTest {
    private static LaunchCounters count(Function<KernelLibrary, KernelLaunch> launch) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        try (CudaContext context = CudaContext.open(driver, 0);
                CudaStream stream = context.createStream();
                KernelLibrary library = new KernelLibrary(context)) {
            launch.apply(library).on(stream);
            stream.synchronize();
            return driver.takeReports().getLast().counters();
        }
    }

    private static DeviceBuffer zeros(KernelLibrary library, long bytes) {
        DeviceBuffer buffer = library.context().allocate(bytes);
        try (CudaStream stream = library.context().createStream()) {
            stream.fill(buffer, (byte) 0);
            stream.synchronize();
        }
        return buffer;
    }

    @Test
    void rmsNorm_readsRowsTwiceAndWritesThemOnce() {
        LaunchCounters counters = count(library -> NormKernels.rms(library, ElementType.BF16, zeros(library, 8 * 4096 * 2),
                zeros(library, 8 * 4096 * 2), zeros(library, 4096 * 4), 8, 4096, 1e-5f));

        assertEquals(8 * 4096 * (2 * 2 + 4), counters.global().loadedBytes(), "rows twice, the gain for each");
        assertEquals(8 * 4096 * 2, counters.global().storedBytes());
        assertEquals(10.0 / 14, counters.global().coalescing(), 1e-9, "a thread's eight gains are two loads that meet in L1");
        assertEquals(0, counters.shared().bankConflicts());
    }

    @Test
    void swiglu_readsAndWritesEachElementOnce() {
        LaunchCounters counters = count(library -> ActivationKernels.swiglu(library, ElementType.BF16, zeros(library, 10_000 * 2),
                zeros(library, 10_000 * 2), zeros(library, 10_000 * 2), 10_000));

        assertEquals(2 * 10_000 * 2, counters.global().loadedBytes());
        assertEquals(10_000 * 2, counters.global().storedBytes());
        assertTrue(counters.global().coalescing() > 0.99, "coalescing " + counters.global().coalescing());
    }

    @Test
    void topK_readsEachLogitOnce() {
        int vocabulary = 128_256;
        long lists = SamplingKernels.listBytes(1, vocabulary);
        LaunchCounters counters = count(library -> SamplingKernels.topK(library, zeros(library, 256), zeros(library, 256),
                zeros(library, SamplingKernels.STATE_BYTES), zeros(library, lists), zeros(library, 4L * vocabulary), 1, vocabulary, 64));

        assertTrue(counters.global().loadedBytes() <= 4L * vocabulary + lists, "loaded " + counters.global());
        assertTrue(counters.global().coalescing() > 0.99, "coalescing " + counters.global().coalescing());
    }

    @Test
    void matmul_eitherTile_readsWeightsOnceAStripOfRowsWithoutBankConflicts() {
        for (MatmulKernels.Tile tile : MatmulKernels.Tile.values()) {
            int rows = tile == MatmulKernels.Tile.ROWS_16 ? 16 : 128;
            int outputs = 256;
            int inputs = 512;
            LaunchCounters counters = count(library -> MatmulKernels.bf16(library, tile, ElementType.BF16,
                    zeros(library, 2L * rows * outputs), zeros(library, 2L * rows * inputs), zeros(library, 2L * outputs * inputs),
                    Optional.empty(), rows, outputs, inputs));

            assertEquals(2L * inputs * (outputs + rows * outputs / 128), counters.global().loadedBytes(), tile.toString());
            assertEquals(2L * rows * outputs, counters.global().storedBytes(), tile.toString());
            assertEquals(0, counters.shared().bankConflicts(), tile.toString());
            assertEquals((long) rows / 16 * outputs / 8 * inputs / 16, counters.matrixInstructions(), tile.toString());
        }
    }
}
