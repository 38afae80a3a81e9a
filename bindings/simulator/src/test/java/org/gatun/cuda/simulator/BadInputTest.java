package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;
import org.gatun.cuda.OutOfDeviceMemoryException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Whatever is asked wrongly gets one clear exception, and the context goes on working.
class BadInputTest {
    private static final String DOUBLING = """
            mov.u32 %r0, %tid.x; mul.wide.u32 %rd1, %r0, 4; ld.param.u64 %rd0, [p0]; add.s64 %rd0, %rd0, %rd1;
            ld.global.u32 %r1, [%rd0]; add.u32 %r1, %r1, %r1; st.global.u32 [%rd0], %r1;
            """;

    private final Machine machine = new Machine(SimulatorOptions.defaults().withMemoryBytes(1 << 20));

    /// After everything: a right kernel runs right.
    @AfterEach
    void contextStillWorks() {
        DeviceBuffer buffer = machine.buffer(1, 2, 3);
        machine.run(machine.kernel(".u64", DOUBLING), LaunchConfiguration.of(1, 3), buffer);
        assertArrayEquals(new int[] {2, 4, 6}, Machine.ints(buffer));
        machine.close();
    }

    private static <T extends RuntimeException> void assertSays(Class<T> kind, String text, Executable action) {
        T exception = assertThrows(kind, action);
        assertTrue(exception.getMessage().contains(text), exception.getMessage() + " does not say " + text);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            .version 7.8                                            | line
            frog                                                    | line 1
            .version 7.8 .target sm_80 .address_size 32             | 32
            .version 99.0 .target sm_80 .address_size 64            | 99.0
            .version 7.8 .target sm_80 .address_size 64 .visible .entry a( { | line
            .version 8.0 .target sm_100 .address_size 64            | sm_100, the device is sm_90
            .version 8.0 .target sm_80a .address_size 64            | sm_80a, the device is sm_90
            """)
    void load_damagedPtx_isRefusedWithItsLine(String ptx, String said) {
        assertSays(CudaException.class, said, () -> machine.context.load("damaged", ptx));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            frobnicate.u32 %r0, %r1;                                                     | frobnicate.u32
            add.u31 %r0, %r1, %r2;                                                       | add.u31
            add.u32 %r0, %r1;                                                            | operand
            mov.u32 %r0, %unknown;                                                       | %unknown
            bra NOWHERE;                                                                 | NOWHERE
            tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;                   | tcgen05
            cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r0], [%rd0, {%r1, %r2}], [%r3]; | cp.async.bulk.tensor
            ld.shared.u32 %r0, [nothing];                                                | nothing
            """)
    void load_badInstruction_isRefusedByNameAndLine(String instruction, String said) {
        assertSays(CudaException.class, said, () -> machine.kernel(".u64", instruction));
        assertSays(CudaException.class, "line ", () -> machine.kernel(".u64", instruction));
    }

    @Test
    void load_versionBeyondTheSimulators_isRefused() {
        String ptx = Machine.ptx(".u64", DOUBLING).replace(".version 7.8", ".version 42.0");
        assertSays(CudaException.class, "42.0", () -> machine.context.load("new", ptx));
    }

    @Test
    void function_unknownName_isRefusedWithThoseThereAre() {
        assertSays(IllegalArgumentException.class, "[test]", () -> machine.context.load("one", Machine.ptx(".u64", DOUBLING)).function("tset"));
    }

    @Test
    void launch_wrongArguments_areRefused() {
        CudaFunction kernel = machine.kernel(".u64 .u32", DOUBLING);
        KernelArguments arguments = kernel.arguments();
        DeviceBuffer buffer = machine.buffer(1);
        assertSays(IllegalArgumentException.class, "it has 2 parameters", () -> arguments.set(2, 1));
        assertSays(IllegalArgumentException.class, "found a float", () -> arguments.set(1, 1f));
        assertSays(IllegalArgumentException.class, "found a device buffer", () -> arguments.set(1, buffer));
        arguments.set(0, buffer);
        assertSays(IllegalStateException.class, "argument 1", () -> machine.stream.launch(kernel, LaunchConfiguration.of(1, 1), arguments));
    }

    @Test
    void launch_gridOrBlockOrSharedMemoryBeyondLimits_isRefused() {
        CudaFunction kernel = machine.kernel(".u64", DOUBLING);
        KernelArguments arguments = kernel.arguments().set(0, machine.buffer(1));
        assertSays(IllegalArgumentException.class, "70000",
                () -> machine.stream.launch(kernel, LaunchConfiguration.of(1, 70_000, 32), arguments));
        assertSays(IllegalArgumentException.class, "2048",
                () -> machine.stream.launch(kernel, LaunchConfiguration.of(1, 2048), arguments));
        assertSays(IllegalArgumentException.class, "1000000",
                () -> machine.stream.launch(kernel, LaunchConfiguration.of(1, 1).withDynamicSharedBytes(1_000_000), arguments));
        assertSays(RuntimeException.class, "100000",
                () -> machine.run(kernel, LaunchConfiguration.of(1, 1).withDynamicSharedBytes(100_000), machine.buffer(1)));
    }

    @Test
    void allocate_moreThanThereIs_isRefusedWithSizes() {
        OutOfDeviceMemoryException exception = assertThrows(OutOfDeviceMemoryException.class, () -> machine.context.allocate(2 << 20));
        assertTrue(exception.getMessage().contains("2097152"), exception.getMessage());
        assertThrows(OutOfDeviceMemoryException.class, () -> machine.context.allocate(Long.MAX_VALUE));
        String huge = Machine.ptx(".u64", DOUBLING).replace(".visible", ".global .align 4 .b8 table[4194304];\n.visible");
        assertInstanceOf(OutOfDeviceMemoryException.class, assertThrows(CudaException.class, () -> machine.context.load("huge", huge)));
        DeviceBuffer all = machine.context.allocate(900 << 10);
        assertThrows(OutOfDeviceMemoryException.class, () -> machine.context.allocate(200 << 10));
        all.close();
        machine.context.allocate(200 << 10).close();
    }

    @Test
    void use_ofWhatIsClosedOrForeign_isRefused() {
        CudaFunction kernel = machine.kernel(".u64", DOUBLING);
        DeviceBuffer closed = machine.buffer(1);
        closed.close();
        closed.close();
        assertThrows(IllegalStateException.class, () -> kernel.arguments().set(0, closed));
        try (Machine other = new Machine()) {
            DeviceBuffer foreign = other.buffer(1);
            assertSays(IllegalArgumentException.class, "another context", () -> kernel.arguments().set(0, foreign));
            other.context.close();
            assertThrows(IllegalStateException.class, () -> other.context.allocate(4));
            assertThrows(IllegalStateException.class, () -> other.stream.synchronize());
        }
        KernelArguments arguments = kernel.arguments().set(0, machine.buffer(1));
        kernel.module().close();
        assertThrows(IllegalStateException.class, () -> machine.stream.launch(kernel, LaunchConfiguration.of(1, 1), arguments));
    }

    /// On a GPU the context is lost with a fault; here it is the launch alone, so that one test can look for many.
    @Test
    void launch_thatFaults_isReportedOnce() {
        CudaFunction kernel = machine.kernel(".u64", DOUBLING);
        DeviceBuffer two = machine.buffer(1, 2);
        KernelFaultException fault = assertThrows(KernelFaultException.class,
                () -> machine.run(kernel, LaunchConfiguration.of(1, 3), two));
        assertEquals(KernelFault.Kind.OUT_OF_BOUNDS, fault.fault().kind());
        machine.stream.synchronize();
    }

    @Test
    void launch_thatNeverEnds_endsWhenItsThreadIsInterrupted() throws InterruptedException {
        CudaFunction kernel = machine.kernel("", "FOREVER: bra FOREVER;");
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread running = Thread.ofPlatform().start(() -> {
            try {
                machine.run(kernel, LaunchConfiguration.of(8, 64));
            } catch (RuntimeException e) {
                thrown.set(e);
            }
        });
        Thread.sleep(200);
        assertTrue(running.isAlive());
        running.interrupt();
        running.join(Duration.ofSeconds(30));

        assertInstanceOf(IllegalStateException.class, thrown.get());
        assertTrue(thrown.get().getMessage().contains("interrupted"), thrown.get().getMessage());
    }
}
