package org.gatun.cuda.kernels;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;

/// How fast the simulator runs shipped kernels, all checks on: thread instructions a second, on one thread and on all.
///
/// See `docs/benchmarks/simulator.md`.
public final class SimulatorBenchmark {
    private static final int WARM_UP = 40;
    private static final int ROUNDS = 21;

    private SimulatorBenchmark() {}

    private record Subject(String name, Function<KernelLibrary, KernelLaunch> launch) {}

    /// Prints a line a kernel and number of threads.
    public static void main(String[] arguments) {
        List<Subject> subjects = List.of(
                new Subject("norm_rms_f32, 64 rows of 4096", library -> NormKernels.rms(library, ElementType.F32,
                        zeros(library, 64 * 4096 * 4), zeros(library, 64 * 4096 * 4), zeros(library, 4096 * 4), rows(library, 64),
                        NormKernels.Groups.dense(1, 4096), 1e-5f)),
                new Subject("matmul_bf16_128x128, 128 x 1024 x 512", library -> MatmulKernels.matmul(library, MatmulKernels.Tile.MANY,
                        WeightType.BF16, zeros(library, 128 * 1024 * 4), zeros(library, 128 * 512 * 2), zeros(library, 1024 * 512 * 2),
                        Optional.empty(), rows(library, 128), 1024, 512)),
                new Subject("sampling_top_k_f32, 8 rows of 32768", library -> SamplingKernels.topK(library, zeros(library, 8 * 64 * 4),
                        zeros(library, 8 * 64 * 4), zeros(library, 8 * 4), zeros(library, SamplingKernels.listBytes(8, 32_768)),
                        zeros(library, 8 * 32_768 * 4), rows(library, 8), 32_768, 64)));
        for (int threads : new int[] {1, Runtime.getRuntime().availableProcessors()}) {
            for (Subject subject : subjects) {
                measure(subject, threads);
            }
        }
    }

    private static void measure(Subject subject, int threads) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults().withThreads(threads));
        try (CudaContext context = CudaContext.open(driver, 0);
                KernelLibrary library = new KernelLibrary(context);
                CudaStream stream = context.createStream()) {
            KernelLaunch launch = subject.launch.apply(library);
            List<Double> rates = new ArrayList<>();
            for (int i = 0; i < WARM_UP + ROUNDS; i++) {
                driver.takeReports();
                long begun = System.nanoTime();
                launch.on(stream);
                stream.synchronize();
                double seconds = (System.nanoTime() - begun) / 1e9;
                if (i >= WARM_UP) {
                    rates.add(driver.takeReports().getFirst().counters().threadInstructions() / seconds / 1e9);
                }
            }
            double[] sorted = rates.stream().mapToDouble(Double::doubleValue).sorted().toArray();
            System.out.printf(Locale.ROOT, "%-40s %d threads: median %.2f, best %.2f G thread instructions/s%n", subject.name, threads,
                    sorted[ROUNDS / 2], Arrays.stream(sorted).max().orElseThrow());
        }
    }

    private static DeviceSlice zeros(KernelLibrary library, long bytes) {
        return library.context().allocateFrom(MemorySegment.ofArray(new byte[Math.toIntExact(bytes)])).slice();
    }

    private static Rows rows(KernelLibrary library, int count) {
        return new Rows(library.context().allocateFrom(MemorySegment.ofArray(new int[] {count})).slice(), count);
    }
}
