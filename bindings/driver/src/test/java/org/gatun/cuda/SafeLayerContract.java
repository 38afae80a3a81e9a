package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// What the safe layer promises whichever driver is below it: nothing that is closed, foreign, missing or out of range reaches
/// the driver. The tests of each driver extend it.
public abstract class SafeLayerContract {
    private CudaContext context;
    private CudaStream stream;
    private CudaModule module;
    private CudaFunction mixed;
    private Arena arena;

    /// A driver with a device.
    protected abstract CudaDriver openDriver();

    /// Whether the driver can give a graph new parameters.
    protected boolean updatesGraphs() {
        return true;
    }

    @BeforeEach
    void openContext() {
        context = CudaContext.open(openDriver(), 0);
        stream = context.createStream();
        module = TestKernels.load(context);
        mixed = module.function("mixed");
        arena = Arena.ofConfined();
    }

    @AfterEach
    void closeContext() {
        arena.close();
        context.close();
        assertEquals(0, context.openResources());
    }

    /// A kind of owner, how it is made, and all that may be done with one, which is refused when it is closed.
    private record Owner<T extends CudaResource>(String name, Function<CudaContext, T> make, List<Consumer<T>> uses) {}

    private CudaGraph capture(CudaContext in) {
        try (CudaStream recorded = in.createStream(); DeviceBuffer buffer = in.allocate(16)) {
            return recorded.capture(() -> recorded.fill(buffer, (byte) 0));
        }
    }

    private List<Owner<?>> owners() {
        MemorySegment host = arena.allocate(16);
        DeviceBuffer other = context.allocate(16);
        LaunchConfiguration configuration = LaunchConfiguration.of(1, 1);
        List<Consumer<DeviceBuffer>> bufferUses = List.of(DeviceBuffer::address, buffer -> buffer.address(1),
                buffer -> buffer.copyFrom(host), buffer -> buffer.copyTo(host), buffer -> stream.copyToDevice(buffer, 0, host),
                buffer -> stream.copyToHost(host, buffer, 0), buffer -> stream.copy(buffer, 0, other, 0, 8),
                buffer -> stream.copy(other, 0, buffer, 0, 8), buffer -> stream.fill(buffer, (byte) 1),
                buffer -> stream.fillWords(buffer, 0, 1, 1), buffer -> mixed.arguments().set(0, buffer));
        return List.of(
                new Owner<>("device buffer of 16 bytes", c -> c.allocate(16), bufferUses),
                new Owner<>("device buffer of 16 bytes", _ -> stream.allocate(16), bufferUses),
                new Owner<>("pinned buffer of 16 bytes", c -> c.allocatePinned(16),
                        List.<Consumer<PinnedBuffer>>of(PinnedBuffer::memory, PinnedBuffer::deviceAddress)),
                new Owner<>("pinned buffer of 16 bytes", c -> c.register(host),
                        List.<Consumer<PinnedBuffer>>of(PinnedBuffer::memory, PinnedBuffer::deviceAddress)),
                new Owner<>("stream", CudaContext::createStream, List.<Consumer<CudaStream>>of(CudaStream::synchronize,
                        CudaStream::isDone, s -> s.allocate(16), s -> s.fill(other, (byte) 0), s -> s.fillWords(other, 0, 1, 0),
                        s -> s.copyToDevice(other, 0, host), s -> s.copyToHost(host, other, 0),
                        s -> s.copy(other, 0, other, 8, 8), s -> s.record(context.createEvent()),
                        s -> s.waitFor(context.createEvent()), s -> s.capture(() -> {}),
                        s -> s.recapture(capture(context), () -> {}), s -> s.launch(capture(context)),
                        s -> s.launch(module.function("empty"), configuration, module.function("empty").arguments()))),
                new Owner<>("event", CudaContext::createEvent, List.<Consumer<CudaEvent>>of(CudaEvent::isDone,
                        CudaEvent::synchronize, event -> stream.record(event), event -> stream.waitFor(event))),
                new Owner<>("event", CudaContext::createTimingEvent, List.<Consumer<CudaEvent>>of(
                        event -> event.millisSince(context.createTimingEvent()),
                        event -> context.createTimingEvent().millisSince(event))),
                new Owner<>("graph of 1 nodes", this::capture, List.<Consumer<CudaGraph>>of(graph -> stream.launch(graph),
                        graph -> stream.recapture(graph, () -> {}))),
                new Owner<>("module test kernels", TestKernels::load,
                        List.<Consumer<CudaModule>>of(loaded -> loaded.function("empty"))));
    }

    private static void assertThrowsWith(Class<? extends Exception> type, String message, Executable call) {
        Exception e = assertThrows(type, call);
        assertEquals(message, e.getMessage());
    }

    @Test
    void close_twice_givesBackOnce() {
        for (Owner<?> owner : owners()) {
            int before = context.openResources();
            CudaResource resource = owner.make().apply(context);
            assertTrue(resource.isOpen(), owner.name());
            assertEquals(before + 1, context.openResources(), owner.name());
            resource.close();
            resource.close();
            assertFalse(resource.isOpen(), owner.name());
            assertEquals(before, context.openResources(), owner.name());
        }
    }

    @Test
    void use_afterClose_throwsNamingIt() {
        owners().forEach(this::assertRefusedWhenClosed);
    }

    private <T extends CudaResource> void assertRefusedWhenClosed(Owner<T> owner) {
        T resource = owner.make().apply(context);
        resource.close();
        assertThrowsWith(IllegalStateException.class, owner.name() + " is closed", resource::handle);
        for (Consumer<T> use : owner.uses()) {
            assertThrowsWith(IllegalStateException.class, owner.name() + " is closed", () -> use.accept(resource));
        }
    }

    @Test
    void use_afterContextClose_throwsNamingIt() {
        List<CudaResource> resources = new ArrayList<>();
        owners().forEach(owner -> resources.add(owner.make().apply(context)));
        context.close();
        for (CudaResource resource : resources) {
            assertThrowsWith(IllegalStateException.class, resource + " is closed", resource::handle);
        }
        List<Consumer<CudaContext>> uses = List.of(CudaContext::handle, CudaContext::use, CudaContext::synchronize,
                CudaContext::memoryInfo, c -> c.allocate(1), c -> c.allocateFrom(arena.allocate(1)), c -> c.allocatePinned(1),
                c -> c.register(arena.allocate(1)), CudaContext::createStream, CudaContext::createEvent,
                CudaContext::createTimingEvent, TestKernels::load);
        for (Consumer<CudaContext> use : uses) {
            assertThrowsWith(IllegalStateException.class, context + " is closed", () -> use.accept(context));
        }
        context.close();
    }

    @Test
    void function_moduleClosed_throwsNamingIt() {
        KernelArguments arguments = module.function("empty").arguments();
        CudaFunction function = arguments.function();
        module.close();
        for (Executable use : List.<Executable>of(function::handle, () -> function.attribute(FunctionAttribute.REGISTERS),
                () -> function.allowDynamicSharedBytes(1024), () -> function.occupancyBlocks(32, 0),
                () -> stream.launch(function, LaunchConfiguration.of(1, 32), arguments))) {
            assertThrowsWith(IllegalStateException.class, "module test kernels is closed", use);
        }
    }

    @Test
    void pinnedMemory_afterClose_isGone() {
        PinnedBuffer buffer = context.allocatePinned(16);
        MemorySegment memory = buffer.memory();
        memory.set(ValueLayout.JAVA_INT, 0, 7);
        buffer.close();
        assertThrows(IllegalStateException.class, () -> memory.get(ValueLayout.JAVA_INT, 0));
    }

    @Test
    void allocate_noBytes_throws() {
        for (Executable use : List.<Executable>of(() -> context.allocate(0), () -> context.allocatePinned(0),
                () -> stream.allocate(0), () -> context.register(MemorySegment.NULL))) {
            assertThrowsWith(IllegalArgumentException.class, "0 bytes: expected 1 or more", use);
        }
        assertThrowsWith(IllegalArgumentException.class, "-1 bytes: expected 1 or more", () -> context.allocate(-1));
    }

    @Test
    void copy_outsideTheBuffer_throwsWithTheRange() {
        DeviceBuffer buffer = context.allocate(64);
        DeviceBuffer large = context.allocate(128);
        MemorySegment host = arena.allocate(65);
        for (Executable use : List.<Executable>of(() -> buffer.copyFrom(host), () -> buffer.copyTo(host),
                () -> stream.copyToDevice(buffer, 0, host), () -> stream.copyToHost(host, buffer, 0),
                () -> stream.copy(large, 0, buffer, 0, 65), () -> stream.copy(buffer, 0, large, 0, 65),
                () -> stream.fill(buffer, 0, 65, (byte) 0))) {
            assertThrowsWith(IndexOutOfBoundsException.class, "65 bytes at 0 of device buffer of 64 bytes", use);
        }
        MemorySegment byteOnly = host.asSlice(0, 1);
        for (Executable use : List.<Executable>of(() -> buffer.copyFrom(64, byteOnly), () -> buffer.copyTo(64, byteOnly),
                () -> stream.copyToDevice(buffer, 64, byteOnly), () -> stream.copyToHost(byteOnly, buffer, 64),
                () -> stream.copy(large, 0, buffer, 64, 1), () -> stream.copy(buffer, 64, large, 0, 1),
                () -> stream.fill(buffer, 64, 1, (byte) 0))) {
            assertThrowsWith(IndexOutOfBoundsException.class, "1 bytes at 64 of device buffer of 64 bytes", use);
        }
        assertThrowsWith(IndexOutOfBoundsException.class, "1 bytes at -1 of device buffer of 64 bytes",
                () -> buffer.copyFrom(-1, byteOnly));
        assertThrowsWith(IndexOutOfBoundsException.class, "-1 bytes at 0 of device buffer of 64 bytes",
                () -> stream.fill(buffer, 0, -1, (byte) 0));
        assertThrowsWith(IndexOutOfBoundsException.class, "8 bytes at 60 of device buffer of 64 bytes",
                () -> stream.fillWords(buffer, 60, 2, 0));
        assertThrows(ArithmeticException.class, () -> stream.fillWords(buffer, 0, Long.MAX_VALUE / 2, 0));
        assertThrowsWith(IndexOutOfBoundsException.class, "1 bytes at 9223372036854775807 of device buffer of 64 bytes",
                () -> buffer.copyFrom(Long.MAX_VALUE, byteOnly));
    }

    @Test
    void copy_wholeBuffer_bringsEveryByte() {
        byte[] bytes = new byte[1000];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i * 31);
        }
        DeviceBuffer first = context.allocateFrom(MemorySegment.ofArray(bytes));
        DeviceBuffer second = context.allocate(bytes.length);
        stream.copy(second, 0, first, 0, bytes.length);
        stream.synchronize();
        byte[] onHeap = new byte[bytes.length];
        second.copyTo(MemorySegment.ofArray(onHeap));
        assertArrayEquals(bytes, onHeap);
        MemorySegment outside = arena.allocate(100);
        stream.copyToHost(outside, second, 900);
        stream.synchronize();
        assertEquals(-1, outside.mismatch(MemorySegment.ofArray(bytes).asSlice(900)));
    }

    @Test
    void fill_range_leavesTheRest() {
        DeviceBuffer buffer = context.allocate(16);
        stream.fill(buffer, (byte) 1);
        stream.fill(buffer, 1, 2, (byte) 2);
        stream.fillWords(buffer, 8, 1, 0x04030201);
        stream.synchronize();
        byte[] found = new byte[16];
        buffer.copyTo(MemorySegment.ofArray(found));
        assertArrayEquals(new byte[] {1, 2, 2, 1, 1, 1, 1, 1, 1, 2, 3, 4, 1, 1, 1, 1}, found);
    }

    @Test
    void streamCopy_heapMemory_throwsSayingWhatServes() {
        DeviceBuffer buffer = context.allocate(16);
        MemorySegment heap = MemorySegment.ofArray(new byte[16]);
        for (Executable use : List.<Executable>of(() -> stream.copyToDevice(buffer, 0, heap),
                () -> stream.copyToHost(heap, buffer, 0), () -> context.register(heap))) {
            assertThrowsWith(IllegalArgumentException.class,
                    "memory on the heap: expected native memory, from an Arena or a PinnedBuffer", use);
        }
    }

    @Test
    void use_foreignContext_throwsNamingIt() {
        try (CudaContext foreign = CudaContext.open(context.driver(), 0)) {
            DeviceBuffer buffer = foreign.allocate(16);
            DeviceBuffer own = context.allocate(16);
            CudaEvent event = foreign.createTimingEvent();
            CudaGraph graph = capture(foreign);
            CudaFunction function = TestKernels.load(foreign).function("empty");
            MemorySegment host = arena.allocate(16);
            for (Executable use : List.<Executable>of(() -> stream.copyToDevice(buffer, 0, host),
                    () -> stream.copyToHost(host, buffer, 0), () -> stream.copy(buffer, 0, own, 0, 1),
                    () -> stream.copy(own, 0, buffer, 0, 1), () -> stream.fill(buffer, (byte) 0),
                    () -> stream.fillWords(buffer, 0, 1, 0))) {
                assertThrowsWith(IllegalArgumentException.class, "device buffer of 16 bytes belongs to another context", use);
            }
            assertThrowsWith(IllegalArgumentException.class,
                    "argument 0 of kernel mixed: device buffer of 16 bytes belongs to another context",
                    () -> mixed.arguments().set(0, buffer));
            for (Executable use : List.<Executable>of(() -> stream.record(event), () -> stream.waitFor(event),
                    () -> context.createTimingEvent().millisSince(event))) {
                assertThrowsWith(IllegalArgumentException.class, "event belongs to another context", use);
            }
            for (Executable use : List.<Executable>of(() -> stream.launch(graph), () -> stream.recapture(graph, () -> {}))) {
                assertThrowsWith(IllegalArgumentException.class, "graph of 1 nodes belongs to another context", use);
            }
            assertThrowsWith(IllegalArgumentException.class, "module test kernels belongs to another context",
                    () -> stream.launch(function, LaunchConfiguration.of(1, 32), function.arguments()));
        }
    }

    @Test
    void arguments_wrongType_throwsSayingWhichIsExpected() {
        KernelArguments arguments = mixed.arguments();
        assertThrowsWith(IllegalArgumentException.class, "argument 0 of kernel mixed: found an int, expected BITS_64",
                () -> arguments.set(0, 1));
        assertThrowsWith(IllegalArgumentException.class, "argument 4 of kernel mixed: found a device buffer, expected BITS_32",
                () -> arguments.set(4, context.allocate(16)));
        assertThrowsWith(IllegalArgumentException.class, "argument 4 of kernel mixed: found a long, expected BITS_32",
                () -> arguments.setNull(4));
        assertThrowsWith(IllegalArgumentException.class, "argument 6 of kernel mixed: found a float, expected BITS_32",
                () -> arguments.set(6, 1f));
        assertThrowsWith(IllegalArgumentException.class, "argument 7 of kernel mixed: found a double, expected FLOAT",
                () -> arguments.set(7, 1d));
        assertThrowsWith(IllegalArgumentException.class, "argument 7 of kernel mixed: found a structure, expected FLOAT",
                () -> arguments.set(7, arena.allocate(4)));
        assertThrowsWith(IllegalArgumentException.class, "argument 1 of kernel structured: found 64 bytes, expected 128",
                () -> module.function("structured").arguments().set(1, arena.allocate(64)));
    }

    @Test
    void arguments_wrongIndex_throwsSayingHowManyThereAre() {
        assertEquals(8, mixed.arguments().count());
        assertThrowsWith(IllegalArgumentException.class, "argument 8 of kernel mixed: it has 8 parameters",
                () -> mixed.arguments().set(8, 1));
        assertThrowsWith(IllegalArgumentException.class, "argument -1 of kernel mixed: it has 8 parameters",
                () -> mixed.arguments().set(-1, 1L));
        assertThrowsWith(IllegalArgumentException.class, "argument 0 of kernel empty: it has 0 parameters",
                () -> module.function("empty").arguments().set(0, 1));
    }

    @Test
    void arguments_wrongField_throwsNamingIt() {
        KernelArguments arguments = module.function("named", TestKernels.ARGUMENTS).arguments();
        DeviceBuffer buffer = context.allocate(16);
        assertThrowsWith(IllegalArgumentException.class,
                "argument gain of kernel named: expected one of [out, scale, rows, bytes, bias]", () -> arguments.set("gain", 1));
        assertThrowsWith(IllegalArgumentException.class, "argument rows of kernel named: found a device buffer, expected BITS_32",
                () -> arguments.set("rows", buffer.slice()));
        assertThrowsWith(IllegalArgumentException.class, "argument out of kernel named: found a long, expected ADDRESS",
                () -> arguments.set("out", 1L));
        assertThrowsWith(IllegalArgumentException.class, "argument bytes of kernel named: found an int, expected BITS_64",
                () -> arguments.set("bytes", 1));
        assertThrowsWith(IllegalArgumentException.class, "argument bytes of kernel named: found a null pointer, expected BITS_64",
                () -> arguments.setNull("bytes"));
        assertThrowsWith(IllegalArgumentException.class, "argument rows of kernel named: found a float, expected BITS_32",
                () -> arguments.set("rows", 1f));
        arguments.set("rows", 1).set("out", buffer.slice());
        assertThrowsWith(IllegalStateException.class, "argument rows of kernel named is set already", () -> arguments.set("rows", 2));
        assertThrowsWith(IllegalStateException.class, "argument scale of kernel named is not set",
                () -> stream.launch(arguments.function(), LaunchConfiguration.of(1, 32), arguments));
    }

    @Test
    void function_structureOfAnotherSize_throwsWithBoth() {
        KernelStructure smaller = new KernelStructure("Smaller", 24, TestKernels.ARGUMENTS.fields().subList(0, 4));
        assertThrowsWith(IllegalArgumentException.class, "kernel named of module test kernels: found [KernelParameter[type=BYTES, "
                + "byteSize=32, byteAlignment=8]], expected structure Smaller of 24 bytes", () -> module.function("named", smaller));
        assertThrowsWith(IllegalArgumentException.class, "kernel empty of module test kernels: found [], expected structure Smaller of "
                + "24 bytes", () -> module.function("empty", smaller));
    }

    @Test
    void structure_fieldsThatDoNotFit_throws() {
        KernelStructure.Field rows = new KernelStructure.Field("rows", KernelParameter.Type.BITS_32, 0);
        KernelStructure.Field out = new KernelStructure.Field("out", KernelParameter.Type.ADDRESS, 4);
        assertThrowsWith(IllegalArgumentException.class, "field out of structure S: found byte 4, expected a multiple of 8 from 4 on",
                () -> new KernelStructure("S", 16, List.of(rows, out)));
        assertThrowsWith(IllegalArgumentException.class, "structure S: found 2 bytes, expected 4 at least",
                () -> new KernelStructure("S", 2, List.of(rows)));
        assertThrowsWith(IllegalArgumentException.class, "structure S: found fields [rows, rows], expected names that differ",
                () -> new KernelStructure("S", 16, List.of(rows, rows)));
    }

    @Test
    void arguments_offsetOutsideTheBuffer_throws() {
        DeviceBuffer buffer = context.allocate(16);
        KernelArguments arguments = mixed.arguments().set(0, buffer, 16);
        assertEquals(buffer.address() + 16, arguments.value(0).get(ValueLayout.JAVA_LONG, 0));
        assertThrowsWith(IndexOutOfBoundsException.class, "byte 17 of device buffer of 16 bytes",
                () -> arguments.set(0, buffer, 17));
        assertThrowsWith(IndexOutOfBoundsException.class, "byte -1 of device buffer of 16 bytes",
                () -> arguments.set(0, buffer, -1));
    }

    private KernelArguments complete(DeviceBuffer buffer) {
        return mixed.arguments().set(0, buffer).set(1, 5L).setNull(2).set(3, buffer, 8).set(4, 1).set(5, 2).set(6, 3)
                .set(7, 4f);
    }

    @Test
    void launch_argumentMissing_throwsNamingTheFirst() {
        KernelArguments arguments = mixed.arguments();
        LaunchConfiguration configuration = LaunchConfiguration.of(1, 32);
        assertThrowsWith(IllegalStateException.class, "argument 0 of kernel mixed is not set",
                () -> stream.launch(mixed, configuration, arguments));
        arguments.setNull(0).setNull(1).setNull(2).setNull(3).set(4, 1).set(5, 1).set(7, 1f);
        assertThrowsWith(IllegalStateException.class, "argument 6 of kernel mixed is not set",
                () -> stream.launch(mixed, configuration, arguments));
        stream.launch(mixed, configuration, arguments.set(6, 1));
    }

    @Test
    void launch_bufferClosed_throwsNamingIt() {
        DeviceBuffer buffer = context.allocate(16);
        KernelArguments arguments = complete(buffer);
        stream.launch(mixed, LaunchConfiguration.of(1, 32), arguments);
        stream.synchronize();
        buffer.close();
        assertThrowsWith(IllegalStateException.class, "device buffer of 16 bytes is closed",
                () -> stream.launch(mixed, LaunchConfiguration.of(1, 32), arguments));
        stream.launch(mixed, LaunchConfiguration.of(1, 32), arguments.setNull(0).setNull(3));
    }

    @Test
    void launch_bufferOfAFieldClosed_throwsNamingIt() {
        DeviceBuffer buffer = context.allocate(16);
        KernelArguments arguments = module.function("named", TestKernels.ARGUMENTS).arguments().set("out", buffer.slice())
                .set("scale", 1f).set("rows", 1).set("bytes", 1L).set("bias", Optional.empty());
        buffer.close();
        assertThrowsWith(IllegalStateException.class, "device buffer of 16 bytes is closed",
                () -> stream.launch(arguments.function(), LaunchConfiguration.of(1, 32), arguments));
    }

    @Test
    void launch_argumentsOfAnotherKernel_throws() {
        assertThrowsWith(IllegalArgumentException.class, "arguments of kernel empty: expected those of mixed",
                () -> stream.launch(mixed, LaunchConfiguration.of(1, 32), module.function("empty").arguments()));
    }

    @Test
    void launch_beyondTheDevice_throwsWithBoth() {
        CudaDevice device = context.device();
        KernelArguments arguments = complete(context.allocate(16));
        int tooMany = device.maxThreadsPerBlock() + 1;
        int x = device.maxBlock().get(0);
        int y = device.maxBlock().get(1);
        int z = device.maxBlock().get(2);
        assertThrowsWith(IllegalArgumentException.class,
                "kernel mixed: found blocks of %d x 1 x 1, %s takes %d x %d x %d at most".formatted(tooMany, device.name(), x,
                        y, z),
                () -> stream.launch(mixed, LaunchConfiguration.of(1, tooMany), arguments));
        assertThrowsWith(IllegalArgumentException.class,
                "kernel mixed: found blocks of %d threads, %s takes %d at most".formatted(2 * x, device.name(), x),
                () -> stream.launch(mixed, new LaunchConfiguration(1, 1, 1, x, 2, 1, 0, 1, false, false), arguments));
        int rows = device.maxGrid().get(1) + 1;
        assertThrowsWith(IllegalArgumentException.class,
                "kernel mixed: found a grid of 1 x %d x 1, %s takes %d x %d x %d at most".formatted(rows, device.name(),
                        device.maxGrid().get(0), device.maxGrid().get(1), device.maxGrid().get(2)),
                () -> stream.launch(mixed, LaunchConfiguration.of(1, rows, 32), arguments));
        int bytes = device.maxSharedBytes() + 1;
        assertThrowsWith(IllegalArgumentException.class,
                "kernel mixed: found %d bytes of dynamic shared memory, %s has %d".formatted(bytes, device.name(), bytes - 1),
                () -> stream.launch(mixed, LaunchConfiguration.of(1, 32).withDynamicSharedBytes(bytes), arguments));
    }

    @Test
    void launchConfiguration_nothingToRun_throws() {
        assertThrowsWith(IllegalArgumentException.class,
                "grid 0 x 1 x 1 of blocks 32 x 1 x 1, clusters of 1: expected 1 at least of each",
                () -> LaunchConfiguration.of(0, 32));
        assertThrowsWith(IllegalArgumentException.class, "-1 bytes of dynamic shared memory: expected 0 or more",
                () -> LaunchConfiguration.of(1, 32).withDynamicSharedBytes(-1));
    }

    @Test
    void function_unknownName_throwsWithThoseThereAre() {
        assertThrowsWith(IllegalArgumentException.class,
                "module test kernels has no kernel absent: expected one of [empty, mixed, named, structured]",
                () -> module.function("absent"));
    }

    @Test
    void open_unknownDevice_throwsWithHowManyThereAre() {
        CudaDriver driver = context.driver();
        int count = driver.deviceCount();
        assertThrowsWith(IllegalArgumentException.class,
                "device %d: driver %s has %d".formatted(count, driver.name(), count), () -> CudaContext.open(driver, count));
    }

    @Test
    void capture_work_isRecordedNotDone() {
        DeviceBuffer buffer = context.allocate(4);
        stream.fill(buffer, (byte) 1);
        CudaGraph graph = stream.capture(() -> stream.fill(buffer, (byte) 2));
        stream.synchronize();
        byte[] found = new byte[4];
        buffer.copyTo(MemorySegment.ofArray(found));
        assertArrayEquals(new byte[] {1, 1, 1, 1}, found);
        assertEquals(1, graph.nodeCount());
        stream.launch(graph);
        stream.synchronize();
    }

    @Test
    void capture_workThrows_endsAndRethrows() {
        RuntimeException thrown = new RuntimeException("of the work");
        int before = context.openResources();
        assertSame(thrown, assertThrows(RuntimeException.class, () -> stream.capture(() -> {
            throw thrown;
        })));
        assertFalse(context.driver().streamIsCapturing(stream.handle()));
        assertEquals(0, thrown.getSuppressed().length);
        assertEquals(before, context.openResources());
        stream.capture(() -> {}).close();
    }

    @Test
    void recapture_sameShape_updates() {
        DeviceBuffer buffer = context.allocate(4);
        CudaGraph graph = stream.capture(() -> stream.fill(buffer, (byte) 2));
        assumeTrue(updatesGraphs(), () -> "driver " + context.driver().name() + " cannot update graphs");
        assertTrue(stream.recapture(graph, () -> stream.fill(buffer, (byte) 3)));
        assertFalse(stream.recapture(graph, () -> {
            stream.fill(buffer, (byte) 3);
            stream.fill(buffer, (byte) 4);
        }));
        stream.launch(graph);
        stream.synchronize();
    }

    @Test
    void event_withoutTime_isNotAskedForIt() {
        CudaEvent event = context.createEvent();
        assertThrowsWith(IllegalStateException.class,
                "an event that does not note the time: expected one of createTimingEvent",
                () -> event.millisSince(context.createTimingEvent()));
    }

    @Test
    void events_recordedAndDone_giveATime() {
        CudaEvent start = context.createTimingEvent();
        CudaEvent end = context.createTimingEvent();
        stream.record(start);
        stream.record(end);
        stream.waitFor(end);
        end.synchronize();
        stream.synchronize();
        assertTrue(end.isDone() && stream.isDone());
        assertTrue(end.millisSince(start) >= 0);
    }

    @Test
    void makeCurrent_otherThreads_haveTheirOwn() throws InterruptedException {
        long handle = context.handle();
        List<Long> found = new ArrayList<>();
        Thread other = new Thread(() -> {
            context.synchronize();
            found.add(context.driver().contextCurrent());
        });
        other.start();
        other.join();
        context.synchronize();
        found.add(context.driver().contextCurrent());
        assertEquals(List.of(handle, handle), found);
    }
}
