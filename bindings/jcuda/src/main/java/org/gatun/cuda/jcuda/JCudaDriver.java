package org.gatun.cuda.jcuda;

import static jcuda.driver.JCudaDriver.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstreamCaptureStatus;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JITOptions;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.DeviceAttribute;
import org.gatun.cuda.FunctionAttribute;
import org.gatun.cuda.JitOptions;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;
import org.gatun.cuda.TensorMap;

/// The NVIDIA driver through JCuda, which calls it through JNI.
///
/// [#launchKernel] is hot. It takes JCuda's objects for function, stream and arguments from a table ([HandleCache]), so that
/// it allocates nothing on the heap as long as a launch finds them there; JCuda itself allocates and frees a few bytes outside
/// the heap for each launch. All other calls make JCuda's objects anew.
///
/// JCuda has one switch a process for whether errors are thrown ([jcuda.driver.JCudaDriver#setExceptionsEnabled]), and it
/// belongs to the program: errors are understood either way.
final class JCudaDriver implements CudaDriver {
    /// What a log of the driver's compiler may hold.
    private static final int LOG_BYTES = 32 << 10;
    private static final int NAME_BYTES = 256;

    private final int version;
    private final HandleCache<CUfunction> functions = new HandleCache<>(CUfunction::new);
    private final HandleCache<CUstream> streams = new HandleCache<>(CUstream::new);
    private final HandleCache<Pointer> pointers = new HandleCache<>(Pointer::new);

    JCudaDriver() {
        version = readInt("cuDriverGetVersion", value -> cuDriverGetVersion(value));
    }

    /// Must come before all other calls.
    ///
    /// @throws CudaException if there is no device, or the driver does not work
    void initialise() {
        check("cuInit", () -> cuInit(0));
    }

    static String versionName(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    private static int code(IntSupplier downcall) {
        try {
            return downcall.getAsInt();
        } catch (jcuda.CudaException e) {
            return code(e);
        }
    }

    /// JCuda's exception has the error's name only.
    private static int code(jcuda.CudaException e) {
        return IntStream.rangeClosed(1, CUresult.CUDA_ERROR_UNKNOWN)
                .filter(code -> CUresult.stringFor(code).equals(e.getMessage()))
                .findFirst().orElse(CUresult.CUDA_ERROR_UNKNOWN);
    }

    private void check(String call, IntSupplier downcall) {
        check(call, code(downcall), () -> "");
    }

    private void check(String call, IntSupplier downcall, Supplier<String> attempt) {
        check(call, code(downcall), attempt);
    }

    /// @param attempt what was attempted, with sizes, asked for only if it failed
    private void check(String call, int code, Supplier<String> attempt) {
        if (code != CUresult.CUDA_SUCCESS) {
            throw CudaException.of(this, call, code, attempt.get());
        }
    }

    private boolean isReady(String call, IntSupplier downcall) {
        int code = code(downcall);
        if (code == CUresult.CUDA_ERROR_NOT_READY) {
            return false;
        }
        check(call, code, () -> "");
        return true;
    }

    /// What a call writes to an array of one.
    private int readInt(String call, ToIntFunction<int[]> downcall) {
        return readInt(call, downcall, () -> "");
    }

    private int readInt(String call, ToIntFunction<int[]> downcall, Supplier<String> attempt) {
        int[] value = new int[1];
        check(call, () -> downcall.applyAsInt(value), attempt);
        return value[0];
    }

    private long readLong(String call, ToIntFunction<long[]> downcall) {
        long[] value = new long[1];
        check(call, () -> downcall.applyAsInt(value));
        return value[0];
    }

    /// The handle or address that a call writes to an object of its type.
    private <T extends NativePointerObject> long readHandle(String call, T object, ToIntFunction<T> downcall) {
        return readHandle(call, object, downcall, () -> "");
    }

    private <T extends NativePointerObject> long readHandle(String call, T object, ToIntFunction<T> downcall,
            Supplier<String> attempt) {
        check(call, () -> downcall.applyAsInt(object), attempt);
        return NativePointers.value(object);
    }

    private static CUdeviceptr device(long address) {
        return NativePointers.set(new CUdeviceptr(), address);
    }

    private static Pointer host(long address) {
        return NativePointers.set(new Pointer(), address);
    }

    private static CUmodule module(long handle) {
        return NativePointers.set(new CUmodule(), handle);
    }

    private static CUevent event(long handle) {
        return NativePointers.set(new CUevent(), handle);
    }

    private static CUgraph graph(long handle) {
        return NativePointers.set(new CUgraph(), handle);
    }

    private static CUgraphExec executable(long handle) {
        return NativePointers.set(new CUgraphExec(), handle);
    }

    private static String bytes(long bytes) {
        return bytes + " bytes";
    }

    private static UnsupportedOperationException unsupported(String call) {
        return new UnsupportedOperationException(call + ": JCuda does not have it; the driver 'cuda' does");
    }

    @Override
    public String name() {
        return JCudaDriverProvider.NAME;
    }

    @Override
    public int version() {
        return version;
    }

    @Override
    public int deviceCount() {
        return readInt("cuDeviceGetCount", value -> cuDeviceGetCount(value));
    }

    private CUdevice ordinal(int ordinal) {
        CUdevice device = new CUdevice();
        check("cuDeviceGet", () -> cuDeviceGet(device, ordinal), () -> "device " + ordinal);
        return device;
    }

    @Override
    public String deviceName(int device) {
        CUdevice handle = ordinal(device);
        byte[] name = new byte[NAME_BYTES];
        check("cuDeviceGetName", () -> cuDeviceGetName(name, NAME_BYTES, handle));
        return new String(name, StandardCharsets.UTF_8).split("\0", 2)[0];
    }

    @Override
    public int deviceAttribute(DeviceAttribute attribute, int device) {
        CUdevice handle = ordinal(device);
        return readInt("cuDeviceGetAttribute", value -> cuDeviceGetAttribute(value, attribute.code(), handle),
                attribute::toString);
    }

    @Override
    public long deviceTotalMemory(int device) {
        CUdevice handle = ordinal(device);
        return readLong("cuDeviceTotalMem", value -> cuDeviceTotalMem(value, handle));
    }

    @Override
    public long primaryContextRetain(int device) {
        CUdevice handle = ordinal(device);
        return readHandle("cuDevicePrimaryCtxRetain", new CUcontext(), context -> cuDevicePrimaryCtxRetain(context, handle),
                () -> "device " + device);
    }

    @Override
    public void primaryContextRelease(int device) {
        CUdevice handle = ordinal(device);
        check("cuDevicePrimaryCtxRelease", () -> cuDevicePrimaryCtxRelease(handle));
    }

    @Override
    public void contextSetCurrent(long context) {
        check("cuCtxSetCurrent", () -> cuCtxSetCurrent(NativePointers.set(new CUcontext(), context)));
    }

    @Override
    public long contextCurrent() {
        return readHandle("cuCtxGetCurrent", new CUcontext(), context -> cuCtxGetCurrent(context));
    }

    @Override
    public void contextSynchronize() {
        check("cuCtxSynchronize", () -> cuCtxSynchronize());
    }

    @Override
    public LoadedModule moduleLoad(byte[] image, JitOptions options) {
        JITOptions jit = new JITOptions();
        jit.putBytes(CUjit_option.CU_JIT_INFO_LOG_BUFFER, new byte[LOG_BYTES]);
        jit.putInt(CUjit_option.CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
        jit.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, new byte[LOG_BYTES]);
        jit.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
        jit.putInt(CUjit_option.CU_JIT_OPTIMIZATION_LEVEL, options.optimizationLevel());
        jit.putInt(CUjit_option.CU_JIT_GENERATE_LINE_INFO, options.lineInfo() ? 1 : 0);
        if (options.maxRegisters() > 0) {
            jit.putInt(CUjit_option.CU_JIT_MAX_REGISTERS, options.maxRegisters());
        }
        // Outside the heap: JCuda would hold an array against the collector for as long as the driver compiles.
        try (Arena arena = Arena.ofConfined()) {
            // One more byte than the image has: it ends in zero then, as the driver wants of PTX.
            MemorySegment source = arena.allocate(image.length + 1L, Long.BYTES);
            MemorySegment.copy(image, 0, source, ValueLayout.JAVA_BYTE, 0, image.length);
            long module = readHandle("cuModuleLoadDataEx", new CUmodule(),
                    loaded -> cuModuleLoadDataJIT(loaded, host(source.address()), jit), () -> {
                        String said = jit.getString(CUjit_option.CU_JIT_ERROR_LOG_BUFFER).strip();
                        return bytes(image.length) + (said.isEmpty() ? "" : ", the driver's compiler says: " + said);
                    });
            return new LoadedModule(module, jit.getString(CUjit_option.CU_JIT_INFO_LOG_BUFFER).strip());
        }
    }

    @Override
    public void moduleUnload(long module) {
        check("cuModuleUnload", () -> cuModuleUnload(module(module)));
    }

    @Override
    public long moduleFunction(long module, String name) {
        return readHandle("cuModuleGetFunction", new CUfunction(),
                function -> cuModuleGetFunction(function, module(module), name), () -> name);
    }

    @Override
    public Global moduleGlobal(long module, String name) {
        long[] size = new long[1];
        long address = readHandle("cuModuleGetGlobal", new CUdeviceptr(),
                variable -> cuModuleGetGlobal(variable, size, module(module), name), () -> name);
        return new Global(address, size[0]);
    }

    @Override
    public int functionAttribute(FunctionAttribute attribute, long function) {
        return readInt("cuFuncGetAttribute",
                value -> cuFuncGetAttribute(value, attribute.code(), functions.of(function)), attribute::toString);
    }

    @Override
    public void functionSetAttribute(FunctionAttribute attribute, long function, int value) {
        check("cuFuncSetAttribute", () -> cuFuncSetAttribute(functions.of(function), attribute.code(), value),
                () -> attribute + " = " + value);
    }

    @Override
    public Optional<ParameterInfo> functionParameter(long function, int index) {
        throw unsupported("cuFuncGetParamInfo");
    }

    @Override
    public int occupancyBlocks(long function, int blockThreads, long dynamicSharedBytes) {
        return readInt("cuOccupancyMaxActiveBlocksPerMultiprocessor",
                blocks -> cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, functions.of(function), blockThreads,
                        dynamicSharedBytes),
                () -> "blocks of " + blockThreads + " threads, " + bytes(dynamicSharedBytes) + " of dynamic shared memory");
    }

    @Override
    public void launchKernel(long function, LaunchConfiguration configuration, long stream, KernelArguments arguments) {
        if (!configuration.isPlain()) {
            throw unsupported("cuLaunchKernelEx, which clusters and an early start need");
        }
        int code;
        try {
            code = launch(functions.of(function), configuration, streams.of(stream),
                    pointers.of(arguments.pointers().address()));
        } catch (jcuda.CudaException e) {
            code = code(e);
        } finally {
            // JCuda knows their address only.
            Reference.reachabilityFence(arguments);
        }
        // Apart from the other checks, whose lambdas would be allocated for every launch.
        if (code != CUresult.CUDA_SUCCESS) {
            throw CudaException.of(this, configuration.cooperative() ? "cuLaunchCooperativeKernel" : "cuLaunchKernel", code,
                    "%s, grid %d x %d x %d of blocks %d x %d x %d, %d bytes of dynamic shared memory".formatted(
                            arguments.function(), configuration.gridX(), configuration.gridY(), configuration.gridZ(),
                            configuration.blockX(), configuration.blockY(), configuration.blockZ(),
                            configuration.dynamicSharedBytes()));
        }
    }

    private static int launch(CUfunction function, LaunchConfiguration c, CUstream stream, Pointer arguments) {
        return c.cooperative()
                ? cuLaunchCooperativeKernel(function, c.gridX(), c.gridY(), c.gridZ(), c.blockX(), c.blockY(), c.blockZ(),
                        c.dynamicSharedBytes(), stream, arguments)
                : cuLaunchKernel(function, c.gridX(), c.gridY(), c.gridZ(), c.blockX(), c.blockY(), c.blockZ(),
                        c.dynamicSharedBytes(), stream, arguments, null);
    }

    @Override
    public MemoryInfo memoryInfo() {
        long[] free = new long[1];
        long total = readLong("cuMemGetInfo", value -> cuMemGetInfo(free, value));
        return new MemoryInfo(free[0], total);
    }

    @Override
    public long memoryAllocate(long bytes) {
        return readHandle("cuMemAlloc", new CUdeviceptr(), address -> cuMemAlloc(address, bytes), () -> bytes(bytes));
    }

    @Override
    public void memoryFree(long address) {
        check("cuMemFree", () -> cuMemFree(device(address)));
    }

    @Override
    public long memoryAllocateAsync(long bytes, long stream) {
        return readHandle("cuMemAllocAsync", new CUdeviceptr(),
                address -> cuMemAllocAsync(address, bytes, streams.of(stream)), () -> bytes(bytes));
    }

    @Override
    public void memoryFreeAsync(long address, long stream) {
        check("cuMemFreeAsync", () -> cuMemFreeAsync(device(address), streams.of(stream)));
    }

    @Override
    public void memoryPoolKeep(int device, long bytes) {
        throw unsupported("cuMemPoolSetAttribute");
    }

    /// @throws UnsupportedOperationException beyond 2 GiB: JCuda puts a buffer of Java around it
    @Override
    public long hostAllocate(long bytes) {
        if (bytes > Integer.MAX_VALUE) {
            throw unsupported("cuMemHostAlloc of " + bytes(bytes));
        }
        return readHandle("cuMemHostAlloc", new Pointer(),
                memory -> cuMemHostAlloc(memory, bytes, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP),
                () -> bytes(bytes));
    }

    @Override
    public void hostFree(long address) {
        check("cuMemFreeHost", () -> cuMemFreeHost(host(address)));
    }

    @Override
    public void hostRegister(long address, long bytes) {
        check("cuMemHostRegister",
                () -> cuMemHostRegister(host(address), bytes, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP),
                () -> bytes(bytes));
    }

    @Override
    public void hostUnregister(long address) {
        check("cuMemHostUnregister", () -> cuMemHostUnregister(host(address)));
    }

    @Override
    public long hostDevicePointer(long address) {
        return readHandle("cuMemHostGetDevicePointer", new CUdeviceptr(),
                result -> cuMemHostGetDevicePointer(result, host(address), 0));
    }

    @Override
    public void copyToDevice(long target, MemorySegment source) {
        check("cuMemcpyHtoD", () -> cuMemcpyHtoD(device(target), host(source.address()), source.byteSize()),
                () -> bytes(source.byteSize()));
    }

    @Override
    public void copyToHost(MemorySegment target, long source) {
        check("cuMemcpyDtoH", () -> cuMemcpyDtoH(host(target.address()), device(source), target.byteSize()),
                () -> bytes(target.byteSize()));
    }

    @Override
    public void copyToDeviceAsync(long target, MemorySegment source, long stream) {
        check("cuMemcpyHtoDAsync",
                () -> cuMemcpyHtoDAsync(device(target), host(source.address()), source.byteSize(), streams.of(stream)),
                () -> bytes(source.byteSize()));
    }

    @Override
    public void copyToHostAsync(MemorySegment target, long source, long stream) {
        check("cuMemcpyDtoHAsync",
                () -> cuMemcpyDtoHAsync(host(target.address()), device(source), target.byteSize(), streams.of(stream)),
                () -> bytes(target.byteSize()));
    }

    @Override
    public void copyOnDeviceAsync(long target, long source, long bytes, long stream) {
        check("cuMemcpyDtoDAsync", () -> cuMemcpyDtoDAsync(device(target), device(source), bytes, streams.of(stream)),
                () -> bytes(bytes));
    }

    @Override
    public void fillBytesAsync(long target, byte value, long bytes, long stream) {
        check("cuMemsetD8Async", () -> cuMemsetD8Async(device(target), value, bytes, streams.of(stream)),
                () -> bytes(bytes));
    }

    @Override
    public void fillWordsAsync(long target, int value, long count, long stream) {
        check("cuMemsetD32Async", () -> cuMemsetD32Async(device(target), value, count, streams.of(stream)),
                () -> count + " words");
    }

    @Override
    public long streamCreate(int priority) {
        return readHandle("cuStreamCreateWithPriority", new CUstream(),
                stream -> cuStreamCreateWithPriority(stream, CUstream_flags.CU_STREAM_NON_BLOCKING, priority),
                () -> "priority " + priority);
    }

    @Override
    public void streamDestroy(long stream) {
        check("cuStreamDestroy", () -> cuStreamDestroy(streams.of(stream)));
    }

    @Override
    public void streamSynchronize(long stream) {
        check("cuStreamSynchronize", () -> cuStreamSynchronize(streams.of(stream)));
    }

    @Override
    public boolean streamQuery(long stream) {
        return isReady("cuStreamQuery", () -> cuStreamQuery(streams.of(stream)));
    }

    @Override
    public void streamWaitEvent(long stream, long event) {
        check("cuStreamWaitEvent", () -> cuStreamWaitEvent(streams.of(stream), event(event), 0));
    }

    @Override
    public long eventCreate(boolean timing) {
        int flags = timing ? CUevent_flags.CU_EVENT_DEFAULT : CUevent_flags.CU_EVENT_DISABLE_TIMING;
        return readHandle("cuEventCreate", new CUevent(), event -> cuEventCreate(event, flags));
    }

    @Override
    public void eventDestroy(long event) {
        check("cuEventDestroy", () -> cuEventDestroy(event(event)));
    }

    @Override
    public void eventRecord(long event, long stream) {
        check("cuEventRecord", () -> cuEventRecord(event(event), streams.of(stream)));
    }

    @Override
    public boolean eventQuery(long event) {
        return isReady("cuEventQuery", () -> cuEventQuery(event(event)));
    }

    @Override
    public void eventSynchronize(long event) {
        check("cuEventSynchronize", () -> cuEventSynchronize(event(event)));
    }

    @Override
    public float eventElapsedMillis(long start, long end) {
        float[] millis = new float[1];
        check("cuEventElapsedTime", () -> cuEventElapsedTime(millis, event(start), event(end)));
        return millis[0];
    }

    @Override
    public void streamBeginCapture(long stream) {
        // All threads may go on to allocate and load, and a virtual thread may end it from another carrier than it began it from.
        check("cuStreamBeginCapture", () -> cuStreamBeginCapture(streams.of(stream),
                CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED));
    }

    @Override
    public long streamEndCapture(long stream) {
        return readHandle("cuStreamEndCapture", new CUgraph(), graph -> cuStreamEndCapture(streams.of(stream), graph));
    }

    @Override
    public boolean streamIsCapturing(long stream) {
        return readInt("cuStreamIsCapturing", status -> cuStreamIsCapturing(streams.of(stream), status))
                != CUstreamCaptureStatus.CU_STREAM_CAPTURE_STATUS_NONE;
    }

    @Override
    public long graphNodeCount(long graph) {
        return readLong("cuGraphGetNodes", count -> cuGraphGetNodes(graph(graph), null, count));
    }

    @Override
    public void graphDestroy(long graph) {
        check("cuGraphDestroy", () -> cuGraphDestroy(graph(graph)));
    }

    @Override
    public long graphInstantiate(long graph) {
        return readHandle("cuGraphInstantiateWithFlags", new CUgraphExec(),
                executable -> cuGraphInstantiate(executable, graph(graph), 0));
    }

    /// JCuda declares the call, but its native library does not have it.
    @Override
    public boolean graphUpdate(long executable, long graph) {
        throw unsupported("cuGraphExecUpdate");
    }

    @Override
    public void graphLaunch(long executable, long stream) {
        check("cuGraphLaunch", () -> cuGraphLaunch(executable(executable), streams.of(stream)));
    }

    @Override
    public void graphExecutableDestroy(long executable) {
        check("cuGraphExecDestroy", () -> cuGraphExecDestroy(executable(executable)));
    }

    @Override
    public void tensorMapEncode(MemorySegment target, TensorMap map) {
        throw unsupported("cuTensorMapEncodeTiled");
    }

    @Override
    public String errorName(int code) {
        return errorText(text -> cuGetErrorName(code, text), "CUDA_ERROR_" + code);
    }

    @Override
    public String errorDescription(int code) {
        return errorText(text -> cuGetErrorString(code, text), "the driver does not describe it");
    }

    private static String errorText(ToIntFunction<String[]> downcall, String otherwise) {
        String[] text = new String[1];
        return code(() -> downcall.applyAsInt(text)) == CUresult.CUDA_SUCCESS ? text[0] : otherwise;
    }
}
