package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What of a launch reaches NVIDIA's library, to the byte; and that it costs no memory. The tests of each driver above that
/// library extend it.
public abstract class LaunchContract {
    private CudaStub stub;
    private CudaContext context;
    private CudaStream stream;
    private CudaModule module;
    private DeviceBuffer buffer;
    private KernelArguments arguments;

    /// The driver's name for [CudaDrivers#open].
    protected abstract String driverName();

    /// Whether the driver makes the call `cuLaunchKernelEx`.
    protected boolean launchesEx() {
        return true;
    }

    /// Before all, so that nothing is torn down where there is no stub.
    @BeforeAll
    static void loadStub() {
        CudaStub.load();
    }

    @BeforeEach
    void open() {
        stub = CudaStub.load();
        context = CudaContext.open(CudaDrivers.open(driverName()), 0);
        stream = context.createStream();
        module = TestKernels.load(context);
        buffer = context.allocate(1024);
        arguments = module.function("mixed").arguments();
        stub.reset();
    }

    @AfterEach
    void close() {
        context.close();
        assertEquals(0, stub.live());
    }

    private KernelArguments set(int n, float scale) {
        return arguments.set(0, buffer).set(1, buffer, 1024).setNull(2).set(3, -2L).set(4, n).set(5, -n).set(6, n + 1)
                .set(7, scale);
    }

    private static byte[] bytes(long value) {
        return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    }

    private static byte[] bytes(int value) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
    }

    private void assertArguments(byte[]... expected) {
        assertArrayEquals(expected, stub.arguments().toArray(byte[][]::new));
    }

    private String handles(String grid) {
        return "0x%x, %s, 0x%x".formatted(arguments.function().handle(), grid, stream.handle());
    }

    @Test
    void launch_everyArgument_arrivesToTheByte() {
        stream.launch(arguments.function(), LaunchConfiguration.of(3, 64), set(7, 1.5f));
        assertEquals(List.of("cuLaunchKernel(" + handles("3 x 1 x 1, 64 x 1 x 1, 0") + ", extra (nil))"),
                stub.calls("cuLaunchKernel"));
        assertArguments(bytes(buffer.address()), bytes(buffer.address() + 1024), bytes(0L), bytes(-2L), bytes(7), bytes(-7),
                bytes(8), bytes(Float.floatToRawIntBits(1.5f)));
    }

    @Test
    void launch_argumentsRewritten_arriveAnew() {
        LaunchConfiguration configuration = LaunchConfiguration.of(1, 1);
        stream.launch(arguments.function(), configuration, set(1, 1));
        stream.launch(arguments.function(), configuration, arguments.set(4, Integer.MIN_VALUE).set(7, Float.NaN));
        assertArguments(bytes(buffer.address()), bytes(buffer.address() + 1024), bytes(0L), bytes(-2L),
                bytes(Integer.MIN_VALUE), bytes(-1), bytes(2), bytes(Float.floatToRawIntBits(Float.NaN)));
        assertEquals(2, stub.launches());
    }

    @Test
    void launch_structure_arrivesWhole() {
        CudaFunction function = module.function("structured");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment structure = arena.allocate(128);
            byte[] expected = new byte[128];
            for (int i = 0; i < expected.length; i++) {
                expected[i] = (byte) (3 * i + 1);
            }
            structure.copyFrom(MemorySegment.ofArray(expected));
            stream.launch(function, LaunchConfiguration.of(1, 1), function.arguments().set(0, -0.0).set(1, structure));
            assertArguments(bytes(Long.MIN_VALUE), expected);
        }
    }

    @Test
    void launch_fieldsByName_lieWhereTheStructureHasThem() {
        CudaFunction function = module.function("named", TestKernels.ARGUMENTS);
        stream.launch(function, LaunchConfiguration.of(1, 1), function.arguments().set("bytes", -3L).set("rows", 7)
                .set("bias", Optional.empty()).set("scale", 1.5f).set("out", buffer.slice(1016, 8)));
        assertArguments(ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN).putLong(buffer.address() + 1016).putFloat(1.5f).putInt(7)
                .putLong(-3).putLong(0).array());
    }

    @Test
    void launch_noParameters_passesNone() {
        CudaFunction function = module.function("empty");
        stream.launch(function, LaunchConfiguration.of(1, 1), function.arguments());
        assertEquals(1, stub.launches());
        assertArguments();
    }

    @Test
    void launch_threeDimensionsAndSharedMemory_arrive() {
        stream.launch(arguments.function(), new LaunchConfiguration(5, 4, 3, 16, 8, 2, 49152, 1, false, false), set(1, 1));
        assertEquals(List.of("cuLaunchKernel(" + handles("5 x 4 x 3, 16 x 8 x 2, 49152") + ", extra (nil))"),
                stub.calls("cuLaunchKernel"));
    }

    @Test
    void launch_cooperative_usesItsCall() {
        stream.launch(arguments.function(), LaunchConfiguration.of(5, 4, 32).withDynamicSharedBytes(8).asCooperative(),
                set(9, 2));
        assertEquals(List.of("cuLaunchCooperativeKernel(" + handles("5 x 4 x 1, 32 x 1 x 1, 8") + ")"),
                stub.calls("cuLaunchCooperativeKernel"));
        assertArrayEquals(bytes(9), stub.arguments().get(4));
    }

    @Test
    void launch_clusterOrProgrammatic_passesAttributes() {
        assumeTrue(launchesEx(), () -> "driver " + driverName() + " does not make the call cuLaunchKernelEx");
        CudaFunction function = arguments.function();
        stream.launch(function, new LaunchConfiguration(8, 2, 3, 32, 2, 4, 16, 4, false, false), set(9, 2));
        stream.launch(function, new LaunchConfiguration(8, 1, 1, 32, 1, 1, 0, 1, false, true), arguments);
        stream.launch(function, new LaunchConfiguration(8, 1, 1, 32, 1, 1, 0, 2, true, true), arguments);
        assertEquals(List.of(
                "cuLaunchKernelEx(" + handles("8 x 2 x 3, 32 x 2 x 4, 16") + ", extra (nil), cluster=4 x 1 x 1)",
                "cuLaunchKernelEx(" + handles("8 x 1 x 1, 32 x 1 x 1, 0") + ", extra (nil), 6=1)",
                "cuLaunchKernelEx(" + handles("8 x 1 x 1, 32 x 1 x 1, 0") + ", extra (nil), cluster=2 x 1 x 1 6=1 2=1)"),
                stub.calls("cuLaunchKernelEx"));
        assertArrayEquals(bytes(9), stub.arguments().get(4));
    }

    @Test
    void launch_refused_throwsWithKernelAndSizes() {
        set(1, 1);
        LaunchConfiguration plain = new LaunchConfiguration(5, 4, 3, 16, 8, 2, 49152, 1, false, false);
        assertRefused("cuLaunchKernel", plain);
        assertRefused("cuLaunchCooperativeKernel", plain.asCooperative());
        LaunchConfiguration clusters = new LaunchConfiguration(5, 4, 3, 16, 8, 2, 49152, 5, false, false);
        if (launchesEx()) {
            assertRefused("cuLaunchKernelEx", clusters);
        } else {
            assertThrows(UnsupportedOperationException.class,
                    () -> stream.launch(arguments.function(), clusters, arguments));
        }
    }

    private void assertRefused(String call, LaunchConfiguration configuration) {
        stub.fail(call, 701);
        CudaException e = assertThrows(CudaException.class,
                () -> stream.launch(arguments.function(), configuration, arguments));
        assertEquals(call + ": CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (701): kernel mixed, grid 5 x 4 x 3 of blocks 16 x 8 x 2, "
                + "49152 bytes of dynamic shared memory: too many resources requested for launch", e.getMessage());
    }

    /// The first rounds are the interpreter's and the compilers', which allocate: a round that allocates nothing must come.
    @Test
    void launch_warm_allocatesNothing() {
        LaunchConfiguration configuration = LaunchConfiguration.of(1, 32);
        var thread = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        stub.record(false);
        long allocated = -1;
        for (int round = 0; round < 30 && allocated != 0; round++) {
            long before = thread.getCurrentThreadAllocatedBytes();
            launchMany(configuration, 100_000);
            allocated = thread.getCurrentThreadAllocatedBytes() - before;
        }
        stub.record(true);
        assertEquals(0, allocated, "bytes of 100,000 launches");
    }

    private void launchMany(LaunchConfiguration configuration, int count) {
        CudaFunction function = arguments.function();
        for (int i = 0; i < count; i++) {
            arguments.set(0, buffer).set(1, buffer, 8).set(2, buffer, 16).set(3, buffer, 24).set(4, i).set(5, -i).set(6, 1)
                    .set(7, 0.5f);
            stream.launch(function, configuration, arguments);
        }
    }
}
