package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.ObjectName;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Ten thousand times each owner, opened and closed: the driver counts what lives with it, the JVM (with
/// `-XX:NativeMemoryTracking=summary`, see the pom) what arenas hold.
class ResourceLeakTest {
    private static final int CYCLES = 10_000;
    private static final Pattern ARENAS = Pattern.compile("Other \\(reserved=(\\d+),");

    private CudaStub stub;
    private CudaContext context;

    /// Before all, so that nothing is torn down where there is no stub.
    @BeforeAll
    static void loadStub() {
        CudaStub.load();
    }

    @BeforeEach
    void open() {
        stub = CudaStub.load();
        context = CudaContext.open(CudaDrivers.open("cuda"), 0);
        stub.record(false);
    }

    @AfterEach
    void close() {
        stub.record(true);
        context.close();
        assertEquals(0, stub.live());
    }

    private static long arenaBytes() throws Exception {
        String summary = (String) ManagementFactory.getPlatformMBeanServer().invoke(
                new ObjectName("com.sun.management:type=DiagnosticCommand"), "vmNativeMemory",
                new Object[] {new String[] {"summary", "scale=B"}}, new String[] {String[].class.getName()});
        Matcher arenas = ARENAS.matcher(summary);
        assertTrue(arenas.find(), summary);
        return Long.parseLong(arenas.group(1));
    }

    private void assertNothingStays(String what, Supplier<? extends AutoCloseable> make) throws Exception {
        // What is made once, handles of calls among it.
        make.get().close();
        long live = stub.live();
        long bytes = stub.liveBytes();
        int open = context.openResources();
        long arenas = arenaBytes();
        for (int i = 0; i < CYCLES; i++) {
            make.get().close();
        }
        long growth = arenaBytes() - arenas;
        assertEquals(live, stub.live(), what);
        assertEquals(bytes, stub.liveBytes(), what);
        assertEquals(open, context.openResources(), what);
        // Less than a byte a cycle: the JVM itself may have made something.
        assertTrue(growth < CYCLES, () -> what + ": arenas grew by " + growth + " bytes");
    }

    @Test
    void arenaBytes_allocation_isSeen() throws Exception {
        long before = arenaBytes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment held = arena.allocate(1 << 20);
            assertTrue(arenaBytes() - before >= held.byteSize());
        }
    }

    @Test
    void memory_openedAndClosed_leavesNothing() throws Exception {
        CudaStream stream = context.createStream();
        MemorySegment heap = MemorySegment.ofArray(new byte[1000]);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(4096);
            assertNothingStays("device buffer", () -> context.allocate(4096));
            assertNothingStays("device buffer with content", () -> context.allocateFrom(heap));
            assertNothingStays("pool buffer", () -> stream.allocate(4096));
            assertNothingStays("pinned buffer", () -> context.allocatePinned(4096));
            assertNothingStays("registered memory", () -> context.register(host));
        }
    }

    @Test
    void queues_openedAndClosed_leaveNothing() throws Exception {
        CudaStream stream = context.createStream();
        DeviceBuffer buffer = context.allocate(16);
        assertNothingStays("stream", context::createStream);
        assertNothingStays("event", context::createEvent);
        assertNothingStays("timing event", context::createTimingEvent);
        assertNothingStays("graph", () -> stream.capture(() -> stream.fill(buffer, (byte) 0)));
    }

    @Test
    void modules_openedAndClosed_leaveNothing() throws Exception {
        assertNothingStays("module", () -> {
            CudaModule module = TestKernels.load(context);
            module.function("mixed");
            return module;
        });
    }

    @Test
    void contexts_openedAndClosed_leaveNothing() throws Exception {
        assertNothingStays("context", () -> {
            CudaContext opened = CudaContext.open(context.driver(), 1);
            opened.allocate(16);
            opened.createEvent();
            return opened;
        });
    }

    @Test
    void failures_caught_leaveNothing() throws Exception {
        assertNothingStays("refused allocation", () -> {
            try {
                return context.allocate(1L << 40);
            } catch (OutOfDeviceMemoryException e) {
                return () -> {};
            }
        });
    }
}
