package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// What is asked of a driver above NVIDIA's library: each method makes the call it is named for, with the arguments in their
/// places, and turns every error into an exception. The tests of each such driver extend it.
public abstract class DriverCallsContract {
    private static final byte[] PTX = """
            .version 7.8
            .global .u32 counter;
            .entry pair(.param .u64 a, .param .f32 b) { ret; }
            """.getBytes(StandardCharsets.UTF_8);

    private CudaStub stub;
    /// Over the stub.
    protected CudaDriver driver;
    private Arena arena;
    private MemorySegment host;

    // Handles and addresses that the calls are about.
    private long context;
    private long module;
    private long function;
    private long stream;
    private long event;
    private long end;
    private long graph;
    private long executable;
    private long memory;

    /// The driver's name for [CudaDrivers#open].
    protected abstract String driverName();

    /// Calls of the library that the driver says it does not make.
    protected Set<String> missing() {
        return Set.of();
    }

    private void require(String symbol) {
        assumeFalse(missing().contains(symbol), () -> "driver " + driverName() + " does not make the call " + symbol);
    }

    /// Before all, so that nothing is torn down where there is no stub.
    @BeforeAll
    static void loadStub() {
        CudaStub.load();
    }

    @BeforeEach
    void open() {
        stub = CudaStub.load();
        driver = CudaDrivers.open(driverName());
        arena = Arena.ofConfined();
        host = arena.allocate(64);
        context = driver.primaryContextRetain(0);
        driver.contextSetCurrent(context);
        module = driver.moduleLoad(PTX, JitOptions.DEFAULT).handle();
        function = driver.moduleFunction(module, "pair");
        stream = driver.streamCreate(0);
        event = driver.eventCreate(true);
        end = driver.eventCreate(true);
        driver.eventRecord(event, stream);
        driver.eventRecord(end, stream);
        driver.streamBeginCapture(stream);
        graph = driver.streamEndCapture(stream);
        executable = driver.graphInstantiate(graph);
        memory = driver.memoryAllocate(64);
        stub.reset();
    }

    @AfterEach
    void close() {
        driver.memoryFree(memory);
        driver.graphExecutableDestroy(executable);
        driver.graphDestroy(graph);
        driver.eventDestroy(end);
        driver.eventDestroy(event);
        driver.streamDestroy(stream);
        driver.moduleUnload(module);
        driver.contextSetCurrent(0);
        driver.primaryContextRelease(0);
        arena.close();
        assertEquals(0, stub.live());
    }

    /// @param symbol of the library
    /// @param arguments as the stub notes them
    private record Call(String symbol, String arguments, Runnable call) {}

    /// @param make gives a handle or an address
    /// @param ending what the stub notes after that when it is given back
    private record Pair(String symbol, String arguments, LongSupplier make, String destroySymbol, String ending,
            LongConsumer destroy) {}

    private static String hex(long address) {
        return "0x" + Long.toHexString(address);
    }

    private Stream<Call> calls() {
        String device = hex(memory);
        String outside = hex(host.address());
        String queue = hex(stream);
        return Stream.of(
                new Call("cuDeviceGetCount", "", () -> assertEquals(2, driver.deviceCount())),
                new Call("cuDeviceGet", "1", () -> driver.deviceName(1)),
                new Call("cuDeviceGetName", "256, 1", () -> assertEquals("Stub 1", driver.deviceName(1))),
                new Call("cuDeviceGetAttribute", "16, 1",
                        () -> assertEquals(8, driver.deviceAttribute(DeviceAttribute.MULTIPROCESSORS, 1))),
                new Call("cuDeviceTotalMem_v2", "0", () -> assertEquals(80L << 30, driver.deviceTotalMemory(0))),
                new Call("cuCtxSetCurrent", hex(context), () -> driver.contextSetCurrent(context)),
                new Call("cuCtxGetCurrent", "", () -> assertEquals(context, driver.contextCurrent())),
                new Call("cuCtxSynchronize", "", () -> driver.contextSynchronize()),
                new Call("cuModuleGetFunction", hex(module) + ", pair", () -> driver.moduleFunction(module, "pair")),
                new Call("cuModuleGetGlobal_v2", hex(module) + ", counter",
                        () -> assertEquals(64, driver.moduleGlobal(module, "counter").byteSize())),
                new Call("cuFuncGetAttribute", "4, " + hex(function),
                        () -> assertEquals(104, driver.functionAttribute(FunctionAttribute.REGISTERS, function))),
                new Call("cuFuncSetAttribute", hex(function) + ", 8, 65536",
                        () -> driver.functionSetAttribute(FunctionAttribute.MAX_DYNAMIC_SHARED_BYTES, function, 65536)),
                new Call("cuFuncGetParamInfo", hex(function) + ", 1",
                        () -> assertEquals(Optional.of(new CudaDriver.ParameterInfo(8, 4)),
                                driver.functionParameter(function, 1))),
                new Call("cuOccupancyMaxActiveBlocksPerMultiprocessor", hex(function) + ", 256, 1024",
                        () -> assertEquals(8, driver.occupancyBlocks(function, 256, 1024))),
                new Call("cuMemGetInfo_v2", "",
                        () -> assertEquals(new CudaDriver.MemoryInfo((80L << 30) - 64, 80L << 30), driver.memoryInfo())),
                new Call("cuDeviceGetDefaultMemPool", "1", () -> driver.memoryPoolKeep(1, 1L << 33)),
                new Call("cuMemPoolSetAttribute", "1, 4, 8589934592", () -> driver.memoryPoolKeep(1, 1L << 33)),
                new Call("cuMemHostGetDevicePointer_v2", outside + ", 0",
                        () -> assertEquals(host.address(), driver.hostDevicePointer(host.address()))),
                new Call("cuMemcpyHtoD_v2", device + ", " + outside + ", 64", () -> driver.copyToDevice(memory, host)),
                new Call("cuMemcpyDtoH_v2", outside + ", " + device + ", 64", () -> driver.copyToHost(host, memory)),
                new Call("cuMemcpyHtoDAsync_v2", device + ", " + outside + ", 64, " + queue,
                        () -> driver.copyToDeviceAsync(memory, host, stream)),
                new Call("cuMemcpyDtoHAsync_v2", outside + ", " + device + ", 64, " + queue,
                        () -> driver.copyToHostAsync(host, memory, stream)),
                new Call("cuMemcpyDtoDAsync_v2", device + ", " + hex(memory + 32) + ", 16, " + queue,
                        () -> driver.copyOnDeviceAsync(memory, memory + 32, 16, stream)),
                new Call("cuMemsetD8Async", device + ", 255, 13, " + queue,
                        () -> driver.fillBytesAsync(memory, (byte) -1, 13, stream)),
                new Call("cuMemsetD32Async", device + ", 4294967295, 3, " + queue,
                        () -> driver.fillWordsAsync(memory, -1, 3, stream)),
                new Call("cuStreamSynchronize", queue, () -> driver.streamSynchronize(stream)),
                new Call("cuStreamQuery", queue, () -> assertTrue(driver.streamQuery(stream))),
                new Call("cuStreamWaitEvent", queue + ", " + hex(event) + ", 0", () -> driver.streamWaitEvent(stream, event)),
                new Call("cuStreamIsCapturing", queue, () -> assertFalse(driver.streamIsCapturing(stream))),
                new Call("cuEventRecord", hex(event) + ", " + queue, () -> driver.eventRecord(event, stream)),
                new Call("cuEventQuery", hex(event), () -> assertTrue(driver.eventQuery(event))),
                new Call("cuEventSynchronize", hex(event), () -> driver.eventSynchronize(event)),
                new Call("cuEventElapsedTime", hex(event) + ", " + hex(end),
                        () -> assertEquals(1.5f, driver.eventElapsedMillis(event, end))),
                new Call("cuGraphGetNodes", hex(graph) + ", (nil)", () -> assertEquals(0, driver.graphNodeCount(graph))),
                new Call("cuGraphExecUpdate_v2", hex(executable) + ", " + hex(graph),
                        () -> assertTrue(driver.graphUpdate(executable, graph))),
                new Call("cuGraphLaunch", hex(executable) + ", " + queue, () -> driver.graphLaunch(executable, stream)),
                new Call("cuTensorMapEncodeTiled", "9, 2, " + device + ", 0, 3, 2, 0",
                        () -> driver.tensorMapEncode(arena.allocate(128, 64), new TensorMap(TensorMap.ElementType.BF16, memory,
                                List.of(8L, 4L), List.of(16L), List.of(8, 2), TensorMap.Swizzle.BYTES_128))));
    }

    private Stream<Pair> pairs() {
        String queue = ", " + hex(stream);
        return Stream.of(
                new Pair("cuModuleLoadDataEx", PTX.length + " bytes, 3=buffer 4=32768 5=buffer 6=32768 7=2 13=1 0=40 ",
                        () -> driver.moduleLoad(PTX, new JitOptions(2, 40, true)).handle(),
                        "cuModuleUnload", "", driver::moduleUnload),
                new Pair("cuMemAlloc_v2", "4096", () -> driver.memoryAllocate(4096), "cuMemFree_v2", "", driver::memoryFree),
                new Pair("cuMemAllocAsync", "4096" + queue, () -> driver.memoryAllocateAsync(4096, stream),
                        "cuMemFreeAsync", queue, address -> driver.memoryFreeAsync(address, stream)),
                new Pair("cuMemHostAlloc", "4096, 3", () -> driver.hostAllocate(4096), "cuMemFreeHost", "", driver::hostFree),
                new Pair("cuMemHostRegister_v2", hex(host.address()) + ", 64, 3", () -> {
                    driver.hostRegister(host.address(), 64);
                    return host.address();
                }, "cuMemHostUnregister", "", driver::hostUnregister),
                new Pair("cuStreamCreateWithPriority", "1, -2", () -> driver.streamCreate(-2),
                        "cuStreamDestroy_v2", "", driver::streamDestroy),
                new Pair("cuEventCreate", "0", () -> driver.eventCreate(true), "cuEventDestroy_v2", "", driver::eventDestroy),
                new Pair("cuEventCreate", "2", () -> driver.eventCreate(false), "cuEventDestroy_v2", "", driver::eventDestroy),
                new Pair("cuStreamEndCapture", hex(stream), () -> {
                    driver.streamBeginCapture(stream);
                    return driver.streamEndCapture(stream);
                }, "cuGraphDestroy", "", driver::graphDestroy),
                new Pair("cuGraphInstantiateWithFlags", hex(graph) + ", 0", () -> driver.graphInstantiate(graph),
                        "cuGraphExecDestroy", "", driver::graphExecutableDestroy));
    }

    private void assertCalled(String symbol, String arguments) {
        assertEquals(List.of(symbol + "(" + arguments + ")"), stub.calls(symbol));
    }

    /// @param symbol whose next call fails
    private void assertFails(String symbol, Executable call) {
        stub.fail(symbol, 999);
        CudaException e = assertThrows(CudaException.class, call, symbol);
        assertEquals(symbol.replaceFirst("_v\\d$", ""), e.call());
        assertEquals(999, e.code());
        assertEquals("CUDA_ERROR_UNKNOWN", e.errorName());
        assertTrue(e.getMessage().startsWith(e.call() + ": CUDA_ERROR_UNKNOWN (999): ")
                && e.getMessage().endsWith("unknown error"), e::getMessage);
    }

    @Test
    void call_success_passesItsArguments() {
        for (Call call : calls().toList()) {
            stub.reset();
            if (missing().contains(call.symbol())) {
                assertThrows(UnsupportedOperationException.class, call.call()::run, call.symbol());
            } else {
                call.call().run();
                assertCalled(call.symbol(), call.arguments());
            }
        }
    }

    @Test
    void call_failure_throwsWithItsNameAndCode() {
        for (Call call : calls().filter(call -> !missing().contains(call.symbol())).toList()) {
            assertFails(call.symbol(), call.call()::run);
        }
    }

    @Test
    void pair_success_passesArgumentsAndHandle() {
        for (Pair pair : pairs().toList()) {
            stub.reset();
            long live = stub.live();
            long handle = pair.make().getAsLong();
            assertCalled(pair.symbol(), pair.arguments());
            assertEquals(live + 1, stub.live(), pair.symbol());
            pair.destroy().accept(handle);
            assertCalled(pair.destroySymbol(), hex(handle) + pair.ending());
            assertEquals(live, stub.live(), pair.destroySymbol());
        }
    }

    @Test
    void pair_failure_throwsWithItsNameAndCode() {
        for (Pair pair : pairs().toList()) {
            assertFails(pair.symbol(), pair.make()::getAsLong);
            long handle = pair.make().getAsLong();
            assertFails(pair.destroySymbol(), () -> pair.destroy().accept(handle));
            pair.destroy().accept(handle);
        }
    }

    @Test
    void primaryContext_retainedAndReleased_isCountedByTheDriver() {
        driver.primaryContextRetain(1);
        assertCalled("cuDevicePrimaryCtxRetain", "1");
        assertFails("cuDevicePrimaryCtxRelease_v2", () -> driver.primaryContextRelease(1));
        stub.reset();
        driver.primaryContextRelease(1);
        assertCalled("cuDevicePrimaryCtxRelease_v2", "1");
        assertFails("cuDevicePrimaryCtxRetain", () -> driver.primaryContextRetain(1));
    }

    @Test
    void beginCapture_everyStream_restrictsItsThreadOnly() {
        driver.streamBeginCapture(stream);
        assertCalled("cuStreamBeginCapture_v2", hex(stream) + ", 2");
        assertTrue(driver.streamIsCapturing(stream));
        assertFails("cuStreamBeginCapture_v2", () -> driver.streamBeginCapture(stream));
        driver.graphDestroy(driver.streamEndCapture(stream));
    }

    @Test
    void query_notReady_isFalse() {
        stub.fail("cuStreamQuery", 600);
        assertFalse(driver.streamQuery(stream));
        stub.fail("cuEventQuery", 600);
        assertFalse(driver.eventQuery(event));
    }

    @Test
    void graphUpdate_otherShape_isFalse() {
        require("cuGraphExecUpdate_v2");
        driver.streamBeginCapture(stream);
        driver.fillBytesAsync(memory, (byte) 0, 1, stream);
        long larger = driver.streamEndCapture(stream);
        assertEquals(1, driver.graphNodeCount(larger));
        assertFalse(driver.graphUpdate(executable, larger));
        driver.graphDestroy(larger);
    }

    @Test
    void functionParameter_pastTheLast_isEmpty() {
        require("cuFuncGetParamInfo");
        assertEquals(Optional.empty(), driver.functionParameter(function, 2));
    }

    @Test
    void tensorMap_everyField_isPassed() {
        require("cuTensorMapEncodeTiled");
        MemorySegment target = arena.allocate(128, 64);
        driver.tensorMapEncode(target, new TensorMap(TensorMap.ElementType.F16, memory, List.of(128L, 3L, 5L),
                List.of(256L, 768L), List.of(64, 2, 1), TensorMap.Swizzle.NONE));
        assertCalled("cuTensorMapEncodeTiled", "6, 3, " + hex(memory) + ", 0, 0, 2, 0");
        assertArrayEquals(new long[] {128, 3, 5, 0, 0, 256, 768}, target.asSlice(0, 56).toArray(ValueLayout.JAVA_LONG));
        assertArrayEquals(new int[] {64, 2, 1, 0, 0, 1, 1, 1, 0, 0}, target.asSlice(80, 40).toArray(ValueLayout.JAVA_INT));
    }

    @Test
    void moduleLoad_success_givesTheLog() {
        CudaDriver.LoadedModule loaded = driver.moduleLoad(PTX, JitOptions.DEFAULT);
        assertEquals("ptxas info: compiled by the stub", loaded.log());
        driver.moduleUnload(loaded.handle());
    }

    @Test
    void moduleLoad_refused_throwsWithSizeAndLog() {
        CudaException e = assertThrows(CudaException.class, () -> driver.moduleLoad(new byte[] {'n', 'o'}, JitOptions.DEFAULT));
        assertEquals("cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218): 2 bytes, the driver's compiler says: "
                + "ptxas fatal: Missing .version directive at start of file: a PTX JIT compilation failed", e.getMessage());
    }

    @Test
    void memoryAllocate_tooMuch_throwsWithTheSize() {
        OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class, () -> driver.memoryAllocate(1L << 40));
        assertEquals("cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2): 1099511627776 bytes: out of memory", e.getMessage());
    }

    @Test
    void moduleFunction_unknown_throwsWithItsName() {
        CudaException e = assertThrows(CudaException.class, () -> driver.moduleFunction(module, "absent"));
        assertEquals("cuModuleGetFunction: CUDA_ERROR_NOT_FOUND (500): absent: named symbol not found", e.getMessage());
    }

    @Test
    void device_absent_throwsWithItsNumber() {
        CudaException e = assertThrows(CudaException.class, () -> driver.deviceName(7));
        assertEquals("cuDeviceGet: CUDA_ERROR_INVALID_DEVICE (101): device 7: invalid device ordinal", e.getMessage());
    }
}
