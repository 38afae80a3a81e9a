package org.gatun.cuda.panama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.DeviceAttribute;
import org.gatun.cuda.FunctionAttribute;
import org.gatun.cuda.JitOptions;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;
import org.gatun.cuda.TensorMap;
import org.gatun.cuda.bindings.CUgraphExecUpdateResultInfo_st;
import org.gatun.cuda.bindings.CUlaunchAttributeValue_union;
import org.gatun.cuda.bindings.CUlaunchAttribute_st;
import org.gatun.cuda.bindings.CUlaunchConfig_st;
import org.gatun.cuda.bindings.Cuda;

/// The NVIDIA driver through its generated bindings. [PanamaDriverProvider] has loaded the library before.
///
/// Method handles are made when a call is first used, by the bindings. The calls of a step ([HotCalls]) allocate nothing, in the
/// interpreter neither; of launches, those without clusters and early starts.
final class PanamaDriver implements CudaDriver {
    /// What a log of the driver's compiler may hold.
    private static final int LOG_BYTES = 32 << 10;
    private static final int NAME_BYTES = 256;
    private static final String BYTES = "bytes";

    private final int version;

    PanamaDriver() {
        version = readInt("cuDriverGetVersion", Cuda::cuDriverGetVersion);
    }

    /// Must come before all other calls.
    ///
    /// @throws CudaException if there is no device, or the driver does not work
    void initialise() {
        check("cuInit", Cuda.cuInit(0));
    }

    static String versionName(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    private void check(String call, int code) {
        if (code != Cuda.CUDA_SUCCESS()) {
            throw CudaException.of(this, call, code, "");
        }
    }

    /// @param attempt what was attempted, with sizes, asked for only if it failed
    private void check(String call, int code, Supplier<String> attempt) {
        if (code != Cuda.CUDA_SUCCESS()) {
            throw CudaException.of(this, call, code, attempt.get());
        }
    }

    /// Without a lambda, which a call of a step would allocate.
    ///
    /// @param amount of `unit`, what was attempted
    private void check(String call, int code, long amount, String unit) {
        if (code != Cuda.CUDA_SUCCESS()) {
            throw CudaException.of(this, call, code, amount + " " + unit);
        }
    }

    /// What a call writes to its first parameter.
    private int readInt(String call, ToIntFunction<MemorySegment> downcall) {
        return readInt(call, downcall, () -> "");
    }

    private int readInt(String call, ToIntFunction<MemorySegment> downcall, Supplier<String> attempt) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
            check(call, downcall.applyAsInt(value), attempt);
            return value.get(ValueLayout.JAVA_INT, 0);
        }
    }

    /// A number, handle or address that a call writes to its first parameter.
    private long readLong(String call, ToIntFunction<MemorySegment> downcall) {
        return readLong(call, downcall, () -> "");
    }

    private long readLong(String call, ToIntFunction<MemorySegment> downcall, Supplier<String> attempt) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_LONG);
            check(call, downcall.applyAsInt(value), attempt);
            return value.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private static MemorySegment pointer(long handle) {
        return MemorySegment.ofAddress(handle);
    }

    private static String bytes(long bytes) {
        return bytes + " " + BYTES;
    }

    /// For calls that [PanamaDriverProvider]'s oldest version has not.
    private void require(String call) {
        if (SymbolLookup.loaderLookup().find(call).isEmpty()) {
            throw new UnsupportedOperationException(call + ": the driver, for CUDA " + versionName(version)
                    + ", does not have it");
        }
    }

    @Override
    public String name() {
        return "cuda";
    }

    @Override
    public int version() {
        return version;
    }

    @Override
    public int deviceCount() {
        return readInt("cuDeviceGetCount", Cuda::cuDeviceGetCount);
    }

    private int device(int ordinal) {
        return readInt("cuDeviceGet", device -> Cuda.cuDeviceGet(device, ordinal), () -> "device " + ordinal);
    }

    @Override
    public String deviceName(int device) {
        int handle = device(device);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocate(NAME_BYTES);
            check("cuDeviceGetName", Cuda.cuDeviceGetName(name, NAME_BYTES, handle));
            return name.getString(0);
        }
    }

    @Override
    public int deviceAttribute(DeviceAttribute attribute, int device) {
        int handle = device(device);
        return readInt("cuDeviceGetAttribute", value -> Cuda.cuDeviceGetAttribute(value, attribute.code(), handle),
                attribute::toString);
    }

    @Override
    public long deviceTotalMemory(int device) {
        int handle = device(device);
        return readLong("cuDeviceTotalMem", value -> Cuda.cuDeviceTotalMem_v2(value, handle));
    }

    @Override
    public long primaryContextRetain(int device) {
        int handle = device(device);
        return readLong("cuDevicePrimaryCtxRetain", context -> Cuda.cuDevicePrimaryCtxRetain(context, handle),
                () -> "device " + device);
    }

    @Override
    public void primaryContextRelease(int device) {
        check("cuDevicePrimaryCtxRelease", Cuda.cuDevicePrimaryCtxRelease_v2(device(device)));
    }

    @Override
    public void contextSetCurrent(long context) {
        check("cuCtxSetCurrent", Cuda.cuCtxSetCurrent(pointer(context)));
    }

    @Override
    public long contextCurrent() {
        return readLong("cuCtxGetCurrent", Cuda::cuCtxGetCurrent);
    }

    @Override
    public void contextSynchronize() {
        check("cuCtxSynchronize", Cuda.cuCtxSynchronize());
    }

    @Override
    public LoadedModule moduleLoad(byte[] image, JitOptions options) {
        try (Arena arena = Arena.ofConfined()) {
            // One more byte than the image has: it ends in zero then, as the driver wants of PTX.
            MemorySegment source = arena.allocate(image.length + 1L, Long.BYTES);
            MemorySegment.copy(image, 0, source, ValueLayout.JAVA_BYTE, 0, image.length);
            MemorySegment log = arena.allocate(LOG_BYTES);
            MemorySegment errors = arena.allocate(LOG_BYTES);
            JitOptionArrays arrays = new JitOptionArrays(arena)
                    .add(Cuda.CU_JIT_INFO_LOG_BUFFER(), log.address())
                    .add(Cuda.CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES(), LOG_BYTES)
                    .add(Cuda.CU_JIT_ERROR_LOG_BUFFER(), errors.address())
                    .add(Cuda.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES(), LOG_BYTES)
                    .add(Cuda.CU_JIT_OPTIMIZATION_LEVEL(), options.optimizationLevel())
                    .add(Cuda.CU_JIT_GENERATE_LINE_INFO(), options.lineInfo() ? 1 : 0);
            if (options.maxRegisters() > 0) {
                arrays.add(Cuda.CU_JIT_MAX_REGISTERS(), options.maxRegisters());
            }
            MemorySegment module = arena.allocate(ValueLayout.JAVA_LONG);
            check("cuModuleLoadDataEx",
                    Cuda.cuModuleLoadDataEx(module, source, arrays.count(), arrays.options(), arrays.values()), () -> {
                        String said = errors.getString(0).strip();
                        return bytes(image.length) + (said.isEmpty() ? "" : ", the driver's compiler says: " + said);
                    });
            return new LoadedModule(module.get(ValueLayout.JAVA_LONG, 0), log.getString(0).strip());
        }
    }

    @Override
    public void moduleUnload(long module) {
        check("cuModuleUnload", Cuda.cuModuleUnload(pointer(module)));
    }

    @Override
    public long moduleFunction(long module, String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(name);
            return readLong("cuModuleGetFunction", function -> Cuda.cuModuleGetFunction(function, pointer(module), text),
                    () -> name);
        }
    }

    @Override
    public Global moduleGlobal(long module, String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(ValueLayout.JAVA_LONG);
            MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG);
            check("cuModuleGetGlobal", Cuda.cuModuleGetGlobal_v2(address, size, pointer(module), arena.allocateFrom(name)),
                    () -> name);
            return new Global(address.get(ValueLayout.JAVA_LONG, 0), size.get(ValueLayout.JAVA_LONG, 0));
        }
    }

    @Override
    public int functionAttribute(FunctionAttribute attribute, long function) {
        return readInt("cuFuncGetAttribute", value -> Cuda.cuFuncGetAttribute(value, attribute.code(), pointer(function)),
                attribute::toString);
    }

    @Override
    public void functionSetAttribute(FunctionAttribute attribute, long function, int value) {
        check("cuFuncSetAttribute", Cuda.cuFuncSetAttribute(pointer(function), attribute.code(), value),
                () -> attribute + " = " + value);
    }

    @Override
    public Optional<ParameterInfo> functionParameter(long function, int index) {
        require("cuFuncGetParamInfo");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment offset = arena.allocate(ValueLayout.JAVA_LONG);
            MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG);
            int code = Cuda.cuFuncGetParamInfo(pointer(function), index, offset, size);
            if (code == Cuda.CUDA_ERROR_INVALID_VALUE()) {
                return Optional.empty();
            }
            check("cuFuncGetParamInfo", code, () -> "parameter " + index);
            return Optional.of(new ParameterInfo(offset.get(ValueLayout.JAVA_LONG, 0), size.get(ValueLayout.JAVA_LONG, 0)));
        }
    }

    @Override
    public int occupancyBlocks(long function, int blockThreads, long dynamicSharedBytes) {
        return readInt("cuOccupancyMaxActiveBlocksPerMultiprocessor",
                blocks -> Cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, pointer(function), blockThreads,
                        dynamicSharedBytes),
                () -> "blocks of " + blockThreads + " threads, " + bytes(dynamicSharedBytes) + " of dynamic shared memory");
    }

    @Override
    public void launchKernel(long function, LaunchConfiguration configuration, long stream, KernelArguments arguments) {
        LaunchConfiguration c = configuration;
        if (!c.isPlain()) {
            launchKernelEx(function, c, stream, arguments);
        } else if (c.cooperative()) {
            int code = Cuda.cuLaunchCooperativeKernel(pointer(function), c.gridX(), c.gridY(), c.gridZ(), c.blockX(), c.blockY(),
                    c.blockZ(), c.dynamicSharedBytes(), pointer(stream), arguments.pointers());
            checkLaunch("cuLaunchCooperativeKernel", code, c, arguments);
        } else {
            int code = HotCalls.launchKernel(function, c.gridX(), c.gridY(), c.gridZ(), c.blockX(), c.blockY(), c.blockZ(),
                    c.dynamicSharedBytes(), stream, arguments.pointers());
            checkLaunch("cuLaunchKernel", code, c, arguments);
        }
    }

    private void launchKernelEx(long function, LaunchConfiguration configuration, long stream, KernelArguments arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = CUlaunchAttribute_st.allocateArray(3, arena);
            int count = 0;
            if (configuration.clusterX() > 1) {
                MemorySegment cluster = CUlaunchAttributeValue_union.clusterDim(
                        attribute(attributes, count++, Cuda.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION()));
                CUlaunchAttributeValue_union.clusterDim.x(cluster, configuration.clusterX());
                CUlaunchAttributeValue_union.clusterDim.y(cluster, 1);
                CUlaunchAttributeValue_union.clusterDim.z(cluster, 1);
            }
            if (configuration.programmatic()) {
                CUlaunchAttributeValue_union.programmaticStreamSerializationAllowed(
                        attribute(attributes, count++, Cuda.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION()), 1);
            }
            if (configuration.cooperative()) {
                CUlaunchAttributeValue_union.cooperative(
                        attribute(attributes, count++, Cuda.CU_LAUNCH_ATTRIBUTE_COOPERATIVE()), 1);
            }
            MemorySegment launch = CUlaunchConfig_st.allocate(arena);
            CUlaunchConfig_st.gridDimX(launch, configuration.gridX());
            CUlaunchConfig_st.gridDimY(launch, configuration.gridY());
            CUlaunchConfig_st.gridDimZ(launch, configuration.gridZ());
            CUlaunchConfig_st.blockDimX(launch, configuration.blockX());
            CUlaunchConfig_st.blockDimY(launch, configuration.blockY());
            CUlaunchConfig_st.blockDimZ(launch, configuration.blockZ());
            CUlaunchConfig_st.sharedMemBytes(launch, configuration.dynamicSharedBytes());
            CUlaunchConfig_st.hStream(launch, pointer(stream));
            CUlaunchConfig_st.attrs(launch, attributes);
            CUlaunchConfig_st.numAttrs(launch, count);
            checkLaunch("cuLaunchKernelEx",
                    Cuda.cuLaunchKernelEx(launch, pointer(function), arguments.pointers(), MemorySegment.NULL), configuration,
                    arguments);
        }
    }

    /// Begins an attribute; gives where its value goes.
    private static MemorySegment attribute(MemorySegment attributes, int index, int id) {
        MemorySegment attribute = CUlaunchAttribute_st.asSlice(attributes, index);
        CUlaunchAttribute_st.id(attribute, id);
        return CUlaunchAttribute_st.value(attribute);
    }

    /// Apart from [#check], whose lambda would be allocated for every launch.
    private void checkLaunch(String call, int code, LaunchConfiguration configuration, KernelArguments arguments) {
        if (code != Cuda.CUDA_SUCCESS()) {
            throw CudaException.of(this, call, code,
                    "%s, grid %d x %d x %d of blocks %d x %d x %d, %d bytes of dynamic shared memory".formatted(
                            arguments.function(), configuration.gridX(), configuration.gridY(), configuration.gridZ(),
                            configuration.blockX(), configuration.blockY(), configuration.blockZ(),
                            configuration.dynamicSharedBytes()));
        }
    }

    @Override
    public MemoryInfo memoryInfo() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment free = arena.allocate(ValueLayout.JAVA_LONG);
            MemorySegment total = arena.allocate(ValueLayout.JAVA_LONG);
            check("cuMemGetInfo", Cuda.cuMemGetInfo_v2(free, total));
            return new MemoryInfo(free.get(ValueLayout.JAVA_LONG, 0), total.get(ValueLayout.JAVA_LONG, 0));
        }
    }

    @Override
    public long memoryAllocate(long bytes) {
        return readLong("cuMemAlloc", address -> Cuda.cuMemAlloc_v2(address, bytes), () -> bytes(bytes));
    }

    @Override
    public void memoryFree(long address) {
        check("cuMemFree", Cuda.cuMemFree_v2(address));
    }

    @Override
    public long memoryAllocateAsync(long bytes, long stream) {
        return readLong("cuMemAllocAsync", address -> Cuda.cuMemAllocAsync(address, bytes, pointer(stream)), () -> bytes(bytes));
    }

    @Override
    public void memoryFreeAsync(long address, long stream) {
        check("cuMemFreeAsync", Cuda.cuMemFreeAsync(address, pointer(stream)));
    }

    @Override
    public void memoryPoolKeep(int device, long bytes) {
        int handle = device(device);
        long pool = readLong("cuDeviceGetDefaultMemPool", result -> Cuda.cuDeviceGetDefaultMemPool(result, handle));
        try (Arena arena = Arena.ofConfined()) {
            check("cuMemPoolSetAttribute", Cuda.cuMemPoolSetAttribute(pointer(pool), Cuda.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD(),
                    arena.allocateFrom(ValueLayout.JAVA_LONG, bytes)), () -> "keeping " + bytes(bytes));
        }
    }

    @Override
    public long hostAllocate(long bytes) {
        return readLong("cuMemHostAlloc",
                address -> Cuda.cuMemHostAlloc(address, bytes, Cuda.CU_MEMHOSTALLOC_PORTABLE() | Cuda.CU_MEMHOSTALLOC_DEVICEMAP()),
                () -> bytes(bytes));
    }

    @Override
    public void hostFree(long address) {
        check("cuMemFreeHost", Cuda.cuMemFreeHost(pointer(address)));
    }

    @Override
    public void hostRegister(long address, long bytes) {
        check("cuMemHostRegister", Cuda.cuMemHostRegister_v2(pointer(address), bytes,
                Cuda.CU_MEMHOSTREGISTER_PORTABLE() | Cuda.CU_MEMHOSTREGISTER_DEVICEMAP()), () -> bytes(bytes));
    }

    @Override
    public void hostUnregister(long address) {
        check("cuMemHostUnregister", Cuda.cuMemHostUnregister(pointer(address)));
    }

    @Override
    public long hostDevicePointer(long address) {
        return readLong("cuMemHostGetDevicePointer", result -> Cuda.cuMemHostGetDevicePointer_v2(result, pointer(address), 0));
    }

    @Override
    public void copyToDevice(long target, MemorySegment source) {
        check("cuMemcpyHtoD", Cuda.cuMemcpyHtoD_v2(target, source, source.byteSize()), () -> bytes(source.byteSize()));
    }

    @Override
    public void copyToHost(MemorySegment target, long source) {
        check("cuMemcpyDtoH", Cuda.cuMemcpyDtoH_v2(target, source, target.byteSize()), () -> bytes(target.byteSize()));
    }

    @Override
    public void copyToDeviceAsync(long target, MemorySegment source, long stream) {
        check("cuMemcpyHtoDAsync", HotCalls.copyToDevice(target, source, stream), source.byteSize(), BYTES);
    }

    @Override
    public void copyToHostAsync(MemorySegment target, long source, long stream) {
        check("cuMemcpyDtoHAsync", HotCalls.copyToHost(target, source, stream), target.byteSize(), BYTES);
    }

    @Override
    public void copyOnDeviceAsync(long target, long source, long bytes, long stream) {
        check("cuMemcpyDtoDAsync", HotCalls.copyOnDevice(target, source, bytes, stream), bytes, BYTES);
    }

    @Override
    public void fillBytesAsync(long target, byte value, long bytes, long stream) {
        check("cuMemsetD8Async", Cuda.cuMemsetD8Async(target, value, bytes, pointer(stream)), () -> bytes(bytes));
    }

    @Override
    public void fillWordsAsync(long target, int value, long count, long stream) {
        check("cuMemsetD32Async", HotCalls.fillWords(target, value, count, stream), count, "words");
    }

    @Override
    public long streamCreate(int priority) {
        return readLong("cuStreamCreateWithPriority",
                stream -> Cuda.cuStreamCreateWithPriority(stream, Cuda.CU_STREAM_NON_BLOCKING(), priority),
                () -> "priority " + priority);
    }

    @Override
    public void streamDestroy(long stream) {
        check("cuStreamDestroy", Cuda.cuStreamDestroy_v2(pointer(stream)));
    }

    @Override
    public void streamSynchronize(long stream) {
        check("cuStreamSynchronize", HotCalls.streamSynchronize(stream));
    }

    @Override
    public boolean streamQuery(long stream) {
        return isReady("cuStreamQuery", Cuda.cuStreamQuery(pointer(stream)));
    }

    private boolean isReady(String call, int code) {
        if (code == Cuda.CUDA_ERROR_NOT_READY()) {
            return false;
        }
        check(call, code);
        return true;
    }

    @Override
    public void streamWaitEvent(long stream, long event) {
        check("cuStreamWaitEvent", HotCalls.streamWaitEvent(stream, event));
    }

    @Override
    public long eventCreate(boolean timing) {
        int flags = timing ? Cuda.CU_EVENT_DEFAULT() : Cuda.CU_EVENT_DISABLE_TIMING();
        return readLong("cuEventCreate", event -> Cuda.cuEventCreate(event, flags));
    }

    @Override
    public void eventDestroy(long event) {
        check("cuEventDestroy", Cuda.cuEventDestroy_v2(pointer(event)));
    }

    @Override
    public void eventRecord(long event, long stream) {
        check("cuEventRecord", HotCalls.eventRecord(event, stream));
    }

    @Override
    public boolean eventQuery(long event) {
        return isReady("cuEventQuery", Cuda.cuEventQuery(pointer(event)));
    }

    @Override
    public void eventSynchronize(long event) {
        check("cuEventSynchronize", HotCalls.eventSynchronize(event));
    }

    @Override
    public float eventElapsedMillis(long start, long end) {
        return Float.intBitsToFloat(readInt("cuEventElapsedTime",
                millis -> Cuda.cuEventElapsedTime(millis, pointer(start), pointer(end))));
    }

    @Override
    public void streamBeginCapture(long stream) {
        // All threads may go on to allocate and load, and a virtual thread may end it from another carrier than it began it from.
        check("cuStreamBeginCapture", Cuda.cuStreamBeginCapture_v2(pointer(stream), Cuda.CU_STREAM_CAPTURE_MODE_RELAXED()));
    }

    @Override
    public long streamEndCapture(long stream) {
        return readLong("cuStreamEndCapture", graph -> Cuda.cuStreamEndCapture(pointer(stream), graph));
    }

    @Override
    public boolean streamIsCapturing(long stream) {
        return readInt("cuStreamIsCapturing", status -> Cuda.cuStreamIsCapturing(pointer(stream), status))
                != Cuda.CU_STREAM_CAPTURE_STATUS_NONE();
    }

    @Override
    public long graphNodeCount(long graph) {
        return readLong("cuGraphGetNodes", count -> Cuda.cuGraphGetNodes(pointer(graph), MemorySegment.NULL, count));
    }

    @Override
    public void graphDestroy(long graph) {
        check("cuGraphDestroy", Cuda.cuGraphDestroy(pointer(graph)));
    }

    @Override
    public long graphInstantiate(long graph) {
        return readLong("cuGraphInstantiateWithFlags",
                executable -> Cuda.cuGraphInstantiateWithFlags(executable, pointer(graph), 0));
    }

    @Override
    public boolean graphUpdate(long executable, long graph) {
        try (Arena arena = Arena.ofConfined()) {
            int code = Cuda.cuGraphExecUpdate_v2(pointer(executable), pointer(graph),
                    CUgraphExecUpdateResultInfo_st.allocate(arena));
            if (code == Cuda.CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE()) {
                return false;
            }
            check("cuGraphExecUpdate", code);
            return true;
        }
    }

    @Override
    public void graphLaunch(long executable, long stream) {
        check("cuGraphLaunch", HotCalls.graphLaunch(executable, stream));
    }

    @Override
    public void graphExecutableDestroy(long executable) {
        check("cuGraphExecDestroy", Cuda.cuGraphExecDestroy(pointer(executable)));
    }

    @Override
    public void tensorMapEncode(MemorySegment target, TensorMap map) {
        int rank = map.sizes().size();
        try (Arena arena = Arena.ofConfined()) {
            check("cuTensorMapEncodeTiled", Cuda.cuTensorMapEncodeTiled(target, map.elementType().ordinal(), rank,
                    pointer(map.address()),
                    arena.allocateFrom(ValueLayout.JAVA_LONG, map.sizes().stream().mapToLong(Long::longValue).toArray()),
                    arena.allocateFrom(ValueLayout.JAVA_LONG, map.strides().stream().mapToLong(Long::longValue).toArray()),
                    arena.allocateFrom(ValueLayout.JAVA_INT, map.box().stream().mapToInt(Integer::intValue).toArray()),
                    arena.allocateFrom(ValueLayout.JAVA_INT, IntStream.range(0, rank).map(_ -> 1).toArray()),
                    Cuda.CU_TENSOR_MAP_INTERLEAVE_NONE(), map.swizzle().ordinal(), Cuda.CU_TENSOR_MAP_L2_PROMOTION_L2_128B(),
                    Cuda.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE()), map::toString);
        }
    }

    @Override
    public String errorName(int code) {
        return errorText(text -> Cuda.cuGetErrorName(code, text), "CUDA_ERROR_" + code);
    }

    @Override
    public String errorDescription(int code) {
        return errorText(text -> Cuda.cuGetErrorString(code, text), "the driver does not describe it");
    }

    private static String errorText(ToIntFunction<MemorySegment> downcall, String otherwise) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(Cuda.C_POINTER);
            return downcall.applyAsInt(text) == Cuda.CUDA_SUCCESS() ? text.get(Cuda.C_POINTER, 0).getString(0) : otherwise;
        }
    }
}
