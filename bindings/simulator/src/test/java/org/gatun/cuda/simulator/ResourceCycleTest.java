package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/// What is opened and closed again and again leaves nothing.
class ResourceCycleTest {
    private static final int CYCLES = 10_000;
    private static final int ROUNDS = TestScale.rounds(2, 4);
    /// Cycles after which what streams are still to do is waited for: memory is given back then.
    private static final int QUEUED = 100;
    private static final Path STATISTICS = Path.of("/proc/self/statm");
    private static final long PAGE = 4096;

    private interface Cycle {
        void run(Machine machine);
    }

    /// @param name of what is made and closed
    private record Owner(String name, Cycle cycle) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static final String KERNEL = "ld.param.u64 %rd0, [p0]; mov.u32 %r0, 7; st.global.u32 [%rd0], %r0;";

    static final List<Owner> OWNERS = List.of(
            new Owner("context", machine -> CudaContext.open(machine.driver, 0).close()),
            new Owner("stream", machine -> machine.context.createStream().close()),
            new Owner("event", machine -> machine.context.createTimingEvent().close()),
            new Owner("device buffer", machine -> machine.context.allocate(1 << 16).close()),
            new Owner("device buffer of a stream", machine -> machine.stream.allocate(1 << 16).close()),
            new Owner("pinned buffer", machine -> machine.context.allocatePinned(1 << 16).close()),
            new Owner("registered memory", machine -> {
                try (Arena arena = Arena.ofConfined()) {
                    machine.context.register(arena.allocate(1 << 12)).close();
                }
            }),
            new Owner("module", machine -> machine.kernel(".u64", KERNEL).module().close()),
            new Owner("graph", machine -> {
                try (DeviceBuffer buffer = machine.context.allocate(64)) {
                    machine.stream.capture(() -> machine.stream.fill(buffer, (byte) 1)).close();
                }
            }));

    @ParameterizedTest
    @FieldSource("OWNERS")
    void openAndClose_tenThousandTimes_leavesNoHandleAndNoMemory(Owner owner) throws IOException {
        assumeTrue(Files.isReadable(STATISTICS), "resident memory is read from " + STATISTICS + ", which is not there");
        try (Machine machine = new Machine()) {
            cycle(machine, owner);
            int handles = machine.driver.liveHandles();
            // What leaks grows every time; the heap and the compiler's memory grow once in a while.
            long min = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS; round++) {
                long before = residentBytes();
                cycle(machine, owner);
                min = Math.min(min, residentBytes() - before);
            }

            assertEquals(handles, machine.driver.liveHandles());
            assertEquals(1, machine.context.openResources(), "the stream of the test");
            // One page a cycle would be 40 MB.
            assertTrue(min < 8 << 20, owner + ": resident memory grew by " + min + " bytes or more each time");
        }
    }

    private static void cycle(Machine machine, Owner owner) {
        for (int i = 0; i < CYCLES; i++) {
            owner.cycle.run(machine);
            if (i % QUEUED == QUEUED - 1) {
                machine.context.synchronize();
            }
        }
    }

    @Test
    void launches_manyWithoutReportsTaken_keepTheNewest() {
        try (Machine machine = new Machine()) {
            CudaFunction kernel = machine.kernel(".u64", KERNEL);
            KernelArguments arguments = kernel.arguments().set(0, machine.buffer(0));
            for (int i = 0; i < CYCLES; i++) {
                machine.stream.launch(kernel, LaunchConfiguration.of(1, 1), arguments);
            }
            machine.stream.synchronize();
            assertEquals(4096, machine.driver.takeReports().size());
        }
    }

    private static long residentBytes() throws IOException {
        System.gc();
        return Long.parseLong(Files.readString(STATISTICS).split(" ")[1]) * PAGE;
    }
}
