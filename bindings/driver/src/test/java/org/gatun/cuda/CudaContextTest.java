package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What the safe layer calls, and what it does when that fails: nothing stays behind.
class CudaContextTest {
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
        stub.reset();
    }

    @AfterEach
    void close() {
        context.close();
        assertEquals(0, stub.live());
        assertEquals(0, stub.liveBytes());
    }

    private static List<String> names(List<String> calls) {
        return calls.stream().map(call -> call.substring(0, call.indexOf('('))).toList();
    }

    @Test
    void close_openResources_newestFirst() {
        context.allocate(16);
        CudaStream stream = context.createStream();
        stream.allocate(16);
        context.createEvent();
        context.allocatePinned(16);
        context.register(Arena.ofAuto().allocate(16));
        TestKernels.load(context);
        stream.capture(() -> {});
        stub.reset();
        context.close();
        assertEquals(List.of("cuGraphExecDestroy", "cuModuleUnload", "cuMemHostUnregister", "cuMemFreeHost",
                "cuEventDestroy_v2", "cuMemFreeAsync", "cuStreamDestroy_v2", "cuMemFree_v2", "cuDeviceGet",
                "cuDevicePrimaryCtxRelease_v2"),
                names(stub.calls()));
    }

    @Test
    void close_twice_releasesOnce() {
        context.close();
        context.close();
        assertEquals(1, stub.calls("cuDevicePrimaryCtxRelease_v2").size());
    }

    @Test
    void close_oneStepFails_doesTheRest() {
        context.allocate(16);
        CudaEvent event = context.createEvent();
        context.createStream();
        stub.fail("cuEventDestroy_v2", 700);
        CudaException e = assertThrows(CudaException.class, context::close);
        assertEquals("cuEventDestroy: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered"
                + " (the context is lost, with all it holds: open it anew)",
                e.getMessage());
        assertFalse(event.isOpen());
        assertEquals(1, stub.live());
        context.driver().eventDestroy(eventHandle());
    }

    /// Of the event that could not be destroyed.
    private long eventHandle() {
        String call = stub.calls("cuEventDestroy_v2").getFirst();
        return Long.decode(call.substring(call.indexOf('(') + 1, call.indexOf(')')));
    }

    @Test
    void makeCurrent_sameThread_callsOnce() {
        context.synchronize();
        context.synchronize();
        context.memoryInfo();
        assertEquals(1, stub.calls("cuCtxSetCurrent").size());
        context.use();
        assertEquals(2, stub.calls("cuCtxSetCurrent").size());
    }

    /// The system's thread below a virtual one may be another at each call.
    @Test
    void makeCurrent_virtualThread_callsEachTime() throws InterruptedException {
        context.synchronize();
        Thread.ofVirtual().start(() -> {
            context.synchronize();
            context.synchronize();
        }).join();
        assertEquals(3, stub.calls("cuCtxSetCurrent").size());
        context.synchronize();
        assertEquals(3, stub.calls("cuCtxSetCurrent").size());
    }

    /// A virtual thread that goes on where no context is current.
    @Test
    void makeCurrent_carrierChanged_isCurrentThereToo() throws InterruptedException {
        VirtualThread.run(thread -> {
            context.synchronize();
            thread.changeCarrier(() -> context.driver().contextSetCurrent(0));
            assertEquals(0, context.driver().contextCurrent());

            context.synchronize();

            assertEquals(context.handle(), context.driver().contextCurrent());
        });
    }

    @Test
    void capture_carrierChanged_endsThereToo() throws InterruptedException {
        CudaStream stream = context.createStream();
        DeviceBuffer buffer = context.allocate(16);
        VirtualThread.run(thread -> {
            CudaGraph graph = stream.capture(() -> {
                stream.fill(buffer, (byte) 1);
                thread.changeCarrier(() -> context.driver().contextSetCurrent(0));
                stream.fill(buffer, (byte) 2);
            });
            assertEquals(2, graph.nodeCount());
        });
    }

    @Test
    void makeCurrent_twoContexts_takeTurns() {
        try (CudaContext second = CudaContext.open(context.driver(), 1)) {
            context.synchronize();
            long first = context.driver().contextCurrent();
            second.synchronize();
            assertEquals(second.handle(), context.driver().contextCurrent());
            context.synchronize();
            assertEquals(first, context.driver().contextCurrent());
        }
    }

    @Test
    void allocate_tooMuch_throwsWithTheSize() {
        OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class, () -> context.allocate(1L << 40));
        assertEquals("cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2): 1099511627776 bytes: out of memory", e.getMessage());
        assertEquals(0, context.openResources());
    }

    @Test
    void allocateFrom_copyFails_givesTheMemoryBack() {
        stub.fail("cuMemcpyHtoD_v2", 700);
        CudaException e = assertThrows(CudaException.class, () -> context.allocateFrom(Arena.ofAuto().allocate(48)));
        assertEquals("cuMemcpyHtoD: CUDA_ERROR_ILLEGAL_ADDRESS (700): 48 bytes: an illegal memory access was encountered"
                + " (the context is lost, with all it holds: open it anew)",
                e.getMessage());
        assertEquals(0, stub.liveBytes());
        assertEquals(0, context.openResources());
    }

    /// The driver returns once memory of the process may be used again; no stream of ours waits for the one that still copies.
    @Test
    void copyFrom_memoryOfTheProcess_waitsForTheStreamItIsCopiedIn() {
        DeviceBuffer buffer = context.allocate(16);
        for (MemorySegment source : List.of(Arena.ofAuto().allocate(16), MemorySegment.ofArray(new byte[16]))) {
            stub.reset();
            buffer.copyFrom(source);
            assertEquals(List.of("cuMemcpyHtoD_v2", "cuStreamSynchronize"), names(stub.calls()));
            assertEquals(List.of("cuStreamSynchronize((nil))"), stub.calls("cuStreamSynchronize"));
        }
    }

    @Test
    void load_driverTooOld_saysWhichIsNeededAndWhichIsThere() {
        stub.fail("cuModuleLoadDataEx", 222);
        CudaException e = assertThrows(CudaException.class, () -> context.load("norm.ptx", ".version 8.5\n.target sm_80\n"));
        assertTrue(e.getMessage().endsWith(" (the driver is older than the kernels): PTX 8.5 needs a driver of CUDA 12.5, 555 or later,"
                + " found one of CUDA 13.0: install a newer driver"), e::getMessage);
    }

    @Test
    void load_refused_throwsWithNameAndLog() {
        CudaException e = assertThrows(CudaException.class, () -> context.load("norm.ptx", "no PTX"));
        assertEquals("cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218): module norm.ptx: 7 bytes, the driver's compiler says: "
                + "ptxas fatal: Missing .version directive at start of file: a PTX JIT compilation failed", e.getMessage());
    }

    @Test
    void load_outOfMemory_throwsThat() {
        stub.fail("cuModuleLoadDataEx", 2);
        OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class, () -> TestKernels.load(context));
        assertTrue(e.getMessage().startsWith("cuModuleLoadDataEx: CUDA_ERROR_OUT_OF_MEMORY (2): module test kernels: "),
                e::getMessage);
    }

    @Test
    void load_accepted_keepsTheLog() {
        assertEquals("ptxas info: compiled by the stub", TestKernels.load(context).log());
    }

    @Test
    void poolBuffer_closed_isFreedInItsStream() {
        CudaStream stream = context.createStream();
        DeviceBuffer buffer = stream.allocate(16);
        DeviceBuffer late = stream.allocate(16);
        String address = "0x" + Long.toHexString(buffer.address());
        String lateAddress = "0x" + Long.toHexString(late.address());
        String queue = "0x" + Long.toHexString(stream.handle());
        buffer.close();
        stream.close();
        late.close();
        assertEquals(List.of("cuMemFreeAsync(" + address + ", " + queue + ")", "cuMemFreeAsync(" + lateAddress + ", (nil))"),
                stub.calls("cuMemFreeAsync"));
    }

    @Test
    void capture_notInstantiated_destroysTheGraph() {
        CudaStream stream = context.createStream();
        long live = stub.live();
        stub.fail("cuGraphInstantiateWithFlags", 2);
        assertThrows(OutOfDeviceMemoryException.class, () -> stream.capture(() -> {}));
        assertEquals(live, stub.live());
    }

    @Test
    void capture_invalidated_throws() {
        CudaStream stream = context.createStream();
        stub.fail("cuStreamEndCapture", 901);
        CudaException e = assertThrows(CudaException.class, () -> stream.capture(() -> {}));
        assertEquals("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", e.errorName());
        assertFalse(context.driver().streamIsCapturing(stream.handle()));
    }

    @Test
    void capture_workThrowsAndInvalidates_keepsBoth() {
        CudaStream stream = context.createStream();
        RuntimeException thrown = new RuntimeException("of the work");
        stub.fail("cuStreamEndCapture", 901);
        assertSame(thrown, assertThrows(RuntimeException.class, () -> stream.capture(() -> {
            throw thrown;
        })));
        assertEquals(1, thrown.getSuppressed().length);
        assertEquals("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", ((CudaException) thrown.getSuppressed()[0]).errorName());
    }

    @Test
    void isDone_notReady_isFalse() {
        CudaStream stream = context.createStream();
        CudaEvent event = context.createEvent();
        stub.fail("cuStreamQuery", 600);
        assertFalse(stream.isDone());
        stub.fail("cuEventQuery", 600);
        assertFalse(event.isDone());
        assertTrue(stream.isDone() && event.isDone());
    }
}
