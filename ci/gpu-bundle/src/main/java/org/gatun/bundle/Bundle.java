package org.gatun.bundle;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaDrivers;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// What `run` starts. Exit codes: 0 all is well, 1 a test failed or time ran out before the end, 2 bad input, 3 there is no device.
@Command(name = "run", mixinStandardHelpOptions = true, usageHelpAutoWidth = true,
        description = "Tests and measures Gatun on this machine's NVIDIA GPU.",
        footer = {"", "What was found is in --out, record.json first, and is there as far as it came whenever it ends.",
            "", "Examples:", "  run test", "  run all --minutes 20 --out results", "  run test --driver simulator"})
public final class Bundle implements Callable<Integer> {
    private static final int FAILED = 1;
    private static final int NO_DEVICE = 3;

    private Bundle() {}

    /// Runs a command and ends the process.
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new Bundle())
                .addSubcommand(new Tests())
                .addSubcommand(new Bench())
                .addSubcommand(new Soak())
                .addSubcommand(new All())
                .addSubcommand(new ReportCommand())
                .setExecutionExceptionHandler((e, command, _) -> {
                    command.getErr().println("run: " + (e instanceof IllegalArgumentException ? e.getMessage() : e.toString()));
                    if (!(e instanceof IllegalArgumentException)) {
                        e.printStackTrace(command.getErr());
                    }
                    return e instanceof IllegalArgumentException ? CommandLine.ExitCode.USAGE : FAILED;
                })
                .execute(arguments));
    }

    @Override
    public Integer call() {
        throw new IllegalArgumentException("found no command, expected test, bench, soak, all or report: see run --help");
    }

    /// What the commands share.
    abstract static class OnDevice implements Callable<Integer> {
        @Option(names = "--driver", paramLabel = "NAME", defaultValue = "cuda",
                description = "cuda (default), jcuda, or simulator, which needs no GPU and measures nothing")
        String driver;

        @Option(names = "--minutes", paramLabel = "N", defaultValue = "30", description = "most time to take (default: 30)")
        double minutes;

        @Option(names = "--out", paramLabel = "DIR", defaultValue = "gatun-gpu-results", description = "where results go")
        Path out;

        @Override
        public final Integer call() throws Exception {
            if (!(minutes > 0 && minutes <= 24 * 60)) {
                throw new IllegalArgumentException("--minutes " + minutes + ": expected more than 0, at most a day");
            }
            CudaDriverProvider provider = CudaDrivers.providers().stream().filter(one -> one.name().equals(driver)).findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("--driver " + driver + ": expected cuda, jcuda or simulator"));
            return switch (provider.probe()) {
                case CudaDriverProvider.Probe.Absent(String reason) -> {
                    System.err.println("run: there is no device to run on: " + reason);
                    yield NO_DEVICE;
                }
                case CudaDriverProvider.Probe.Found(CudaDriver found) -> {
                    try (RunRecord record = RunRecord.begin(found, out)) {
                        System.out.println(record.machine());
                        boolean good = on(found, record, Deadline.in(Duration.ofMillis((long) (minutes * 60_000))));
                        System.out.println("results are in " + record.file());
                        yield good ? 0 : FAILED;
                    }
                }
            };
        }

        abstract boolean on(CudaDriver found, RunRecord record, Deadline deadline) throws Exception;

        /// Runs all tests on the driver, and the kernels' also on JCuda's if that is there.
        static boolean test(CudaDriver found, RunRecord record, Deadline deadline) {
            GpuTests.Outcome outcome = GpuTests.run(found.name(), GpuTests.CLASSES, deadline.left(), System.out);
            if (found.name().equals("cuda") && CudaDrivers.providers().stream().anyMatch(other -> other.name().equals("jcuda")
                    && other.probe() instanceof CudaDriverProvider.Probe.Found)) {
                outcome = outcome.plus(GpuTests.run("jcuda", GpuTests.KERNELS, deadline.left(), System.out));
            }
            record.tests(outcome);
            return outcome.isGood();
        }
    }

    @Command(name = "test", mixinStandardHelpOptions = true, description = "Runs the tests of kernels, backend and decoding.")
    private static final class Tests extends OnDevice {
        @Option(names = "--sanitize", description = "also runs the kernels' tests under compute-sanitizer, if there is one")
        boolean sanitize;

        @Option(names = "--kernels", description = "runs the kernels' tests only")
        boolean kernels;

        @Override
        boolean on(CudaDriver found, RunRecord record, Deadline deadline) throws Exception {
            if (kernels) {
                GpuTests.Outcome outcome = GpuTests.run(found.name(), GpuTests.KERNELS, deadline.left(), System.out);
                record.tests(outcome);
                return outcome.isGood();
            }
            boolean good = test(found, record, deadline);
            return sanitize ? Sanitizer.run(record, deadline) && good : good;
        }
    }

    @Command(name = "bench", mixinStandardHelpOptions = true, description = "Measures kernels and models, and peers beside them.")
    private static final class Bench extends OnDevice {
        @Option(names = "--llama-bench", paramLabel = "FILE", description = "llama.cpp's llama-bench and a model for it, as a peer",
                arity = "2")
        List<Path> llama = new ArrayList<>();

        @Override
        boolean on(CudaDriver found, RunRecord record, Deadline deadline) throws Exception {
            return Measurements.run(found, record, deadline, llama);
        }
    }

    @Command(name = "soak", mixinStandardHelpOptions = true, description = "Generates text for as long as given and watches memory.")
    private static final class Soak extends OnDevice {
        @Override
        boolean on(CudaDriver found, RunRecord record, Deadline deadline) throws Exception {
            return Soaking.run(found, record, deadline);
        }
    }

    @Command(name = "all", mixinStandardHelpOptions = true,
            description = "Tests, measures, runs the sanitizer and soaks, within the time given.")
    private static final class All extends OnDevice {
        @Override
        boolean on(CudaDriver found, RunRecord record, Deadline deadline) throws Exception {
            boolean good = test(found, record, deadline.part(0.4));
            good &= Measurements.run(found, record, deadline.part(0.6), List.of());
            good &= Sanitizer.run(record, deadline.part(0.6));
            return good & Soaking.run(found, record, deadline.part(0.9));
        }
    }
}
