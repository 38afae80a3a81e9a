package org.gatun.cuda;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/// What a launch costs before the driver does anything: eight arguments written, everything checked, one call into a library
/// that returns at once. The driver's own work comes on top, microseconds of it.
///
/// See `docs/benchmarks/driver.md`.
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class LaunchBenchmark {
    /// A name of [CudaDrivers#open].
    @Param("cuda")
    public String driver;

    private final LaunchConfiguration configuration = LaunchConfiguration.of(32, 256);
    private CudaStub stub;
    private CudaContext context;
    private CudaStream stream;
    private CudaFunction function;
    private KernelArguments arguments;
    private DeviceBuffer[] buffers;
    private int number;

    @Setup
    public void open() {
        stub = CudaStub.load();
        context = CudaContext.open(CudaDrivers.open(driver), 0);
        stream = context.createStream();
        function = TestKernels.load(context).function("mixed");
        arguments = function.arguments();
        buffers = new DeviceBuffer[] {context.allocate(64), context.allocate(64), context.allocate(64), context.allocate(64)};
        write();
        stub.record(false);
    }

    @TearDown
    public void close() {
        stub.record(true);
        context.close();
    }

    /// The arguments alone: four buffers, three ints, a float.
    @Benchmark
    public KernelArguments write() {
        int n = number++;
        return arguments.set(0, buffers[0]).set(1, buffers[1]).set(2, buffers[2]).set(3, buffers[3])
                .set(4, n).set(5, n + 1).set(6, -n).set(7, 0.5f);
    }

    /// The launch alone, with the arguments of before.
    @Benchmark
    public void launch() {
        stream.launch(function, configuration, arguments);
    }

    /// What each step of a model does.
    @Benchmark
    public void writeAndLaunch() {
        write();
        stream.launch(function, configuration, arguments);
    }

    /// Runs it with allocations counted.
    ///
    /// @param drivers names, `cuda` if there are none
    public static void main(String[] drivers) throws RunnerException {
        OptionsBuilder options = new OptionsBuilder();
        options.include(LaunchBenchmark.class.getName()).addProfiler(GCProfiler.class);
        if (drivers.length > 0) {
            options.param("driver", drivers);
        }
        new Runner(options.build()).run();
    }
}
