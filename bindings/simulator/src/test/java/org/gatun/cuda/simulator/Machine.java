package org.gatun.cuda.simulator;

import java.lang.foreign.MemorySegment;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.CudaModule;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;

/// A simulated device for one test, and kernels written as bodies of PTX.
final class Machine implements AutoCloseable {
    final SimulatorDriver driver;
    final CudaContext context;
    final CudaStream stream;

    Machine() {
        this(SimulatorOptions.defaults());
    }

    Machine(SimulatorOptions options) {
        driver = SimulatorDriver.open(options);
        context = CudaContext.open(driver, 0);
        stream = context.createStream();
    }

    /// A module with one kernel `test`.
    ///
    /// @param parameters types, such as `.u64 .u32`, named `p0`, `p1` and so on
    /// @param body declarations and instructions, the final `ret` left out
    static String ptx(String parameters, String body) {
        StringBuilder list = new StringBuilder();
        String[] types = parameters.isBlank() ? new String[0] : parameters.trim().split("\\s+");
        for (int i = 0; i < types.length; i++) {
            list.append(i == 0 ? "" : ", ").append(".param ").append(types[i]).append(" p").append(i);
        }
        return """
                .version 7.8
                .target sm_80
                .address_size 64
                .visible .entry test(%s)
                {
                .reg .pred %%p<16>;
                .reg .b16 %%rs<16>;
                .reg .b32 %%r<64>;
                .reg .f32 %%f<64>;
                .reg .b64 %%rd<32>;
                .reg .f64 %%fd<16>;
                %s
                ret;
                }
                """.formatted(list, body);
    }

    CudaFunction kernel(String parameters, String body) {
        CudaModule module = context.load("test", ptx(parameters, body));
        return module.function("test");
    }

    /// Runs a kernel and waits for it; the arguments are buffers, ints, longs and floats.
    void run(CudaFunction kernel, LaunchConfiguration configuration, Object... arguments) {
        KernelArguments list = kernel.arguments();
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case DeviceBuffer buffer -> list.set(i, buffer);
                case Integer value -> list.set(i, value);
                case Long value -> list.set(i, value);
                case Float value -> list.set(i, value);
                default -> throw new AssertionError(arguments[i]);
            }
        }
        stream.launch(kernel, configuration, list);
        stream.synchronize();
    }

    DeviceBuffer buffer(int... values) {
        return context.allocateFrom(MemorySegment.ofArray(values));
    }

    DeviceBuffer buffer(float... values) {
        return context.allocateFrom(MemorySegment.ofArray(values));
    }

    static int[] ints(DeviceBuffer buffer) {
        int[] values = new int[(int) (buffer.byteSize() / Integer.BYTES)];
        buffer.copyTo(MemorySegment.ofArray(values));
        return values;
    }

    static float[] floats(DeviceBuffer buffer) {
        float[] values = new float[(int) (buffer.byteSize() / Float.BYTES)];
        buffer.copyTo(MemorySegment.ofArray(values));
        return values;
    }

    @Override
    public void close() {
        context.close();
    }
}
