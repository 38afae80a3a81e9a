package org.gatun.cuda.simulator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.DeviceAttribute;
import org.gatun.cuda.FunctionAttribute;
import org.gatun.cuda.JitOptions;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;
import org.gatun.cuda.TensorMap;

/// A CUDA driver with one simulated device.
///
/// Work in a stream is done when something waits for it, no sooner: what a program forgot to wait for is missing, every time. A
/// kernel's fault is thrown by the call that waited, and the rest of its stream's work is dropped; the context stays usable.
/// Thread-safe; one call at a time. Approximate functions and matrix products are computed as PTX documents them, not bit for bit as
/// a GPU does.
public final class SimulatorDriver implements CudaDriver {
    private static final int VERSION = 13000;
    private static final int NEWEST_PTX = 90;
    private static final int DEFAULT_SHARED_BYTES = 48 * 1024;
    private static final int REPORTS_KEPT = 4096;
    /// Copies of memory that is not page-locked wait for the default stream up to this size; larger ones are there at once, to save memory.
    private static final int MAX_STAGED_BYTES = 1 << 24;

    private final SimulatorOptions options;
    private final GlobalMemory memory;
    private final ExecutorService executor;
    private final Map<Long, Object> handles = new HashMap<>();
    private final Map<Long, Arena> hostArenas = new HashMap<>();
    private final Map<Thread, Long> currentContexts = new HashMap<>();
    private final Deque<LaunchReport> reports = new ArrayDeque<>();
    private final SimulatedStream defaultStream = new SimulatedStream();
    private final Map<Long, Integer> dynamicSharedLimits = new HashMap<>();
    private long nextHandle = 1;
    private long context;
    private int contextUsers;

    private SimulatorDriver(SimulatorOptions options) {
        this.options = options;
        memory = new GlobalMemory(options.memoryBytes());
        executor = Executors.newFixedThreadPool(Math.max(1, options.threads() - 1),
                Thread.ofPlatform().daemon().name("gatun-simulator-", 0).factory());
    }

    /// A driver of its own, with its own device and memory.
    public static SimulatorDriver open(SimulatorOptions options) {
        return new SimulatorDriver(options);
    }

    /// Buffers, modules, streams, events, graphs and pieces of host memory that are not freed; the context too.
    public synchronized int liveHandles() {
        return handles.size() + memory.count();
    }

    /// What each launch did since the last call, the oldest first; the newest 4096 at most.
    public synchronized List<LaunchReport> takeReports() {
        List<LaunchReport> taken = List.copyOf(reports);
        reports.clear();
        return taken;
    }

    private CudaException failure(String call, int code, String attempt) {
        return CudaException.of(this, call, code, attempt);
    }

    private long handle(Object object) {
        handles.put(nextHandle, object);
        return nextHandle++;
    }

    private <T> T object(String call, Class<T> type, long handle) {
        Object object = handles.get(handle);
        if (!type.isInstance(object)) {
            throw failure(call, SimulatorError.INVALID_HANDLE, "handle " + handle);
        }
        return type.cast(object);
    }

    private void checkContext(String call) {
        if (currentContexts.getOrDefault(Thread.currentThread(), 0L) == 0) {
            throw failure(call, SimulatorError.INVALID_CONTEXT, "");
        }
    }

    @Override
    public String name() {
        return "simulator";
    }

    @Override
    public int version() {
        return VERSION;
    }

    @Override
    public int deviceCount() {
        return 1;
    }

    private void checkDevice(String call, int device) {
        if (device != 0) {
            throw failure(call, SimulatorError.INVALID_DEVICE, "device " + device);
        }
    }

    @Override
    public String deviceName(int device) {
        checkDevice("cuDeviceGetName", device);
        return "Gatun simulator";
    }

    @Override
    public int deviceAttribute(DeviceAttribute attribute, int device) {
        checkDevice("cuDeviceGetAttribute", device);
        return switch (attribute) {
            case MAX_THREADS_PER_BLOCK, MAX_BLOCK_X, MAX_BLOCK_Y -> 1024;
            case MAX_BLOCK_Z -> 64;
            case MAX_GRID_X -> Integer.MAX_VALUE;
            case MAX_GRID_Y, MAX_GRID_Z -> 65535;
            case MAX_SHARED_BYTES_PER_BLOCK -> DEFAULT_SHARED_BYTES;
            case WARP_SIZE -> Warp.SIZE;
            case MAX_REGISTERS_PER_BLOCK -> 65536;
            case CLOCK_KILOHERTZ, MEMORY_CLOCK_KILOHERTZ, MEMORY_BUS_BITS, L2_BYTES -> 0;
            case MULTIPROCESSORS -> options.multiprocessors();
            case MAX_THREADS_PER_MULTIPROCESSOR -> 2048;
            case UNIFIED_ADDRESSING, COOPERATIVE_LAUNCH, MEMORY_POOLS -> 1;
            case COMPUTE_CAPABILITY_MAJOR -> options.computeCapability() / 10;
            case COMPUTE_CAPABILITY_MINOR -> options.computeCapability() % 10;
            case MAX_SHARED_BYTES_PER_BLOCK_OPT_IN -> options.sharedBytes();
        };
    }

    @Override
    public long deviceTotalMemory(int device) {
        checkDevice("cuDeviceTotalMem", device);
        return memory.capacity();
    }

    @Override
    public synchronized long primaryContextRetain(int device) {
        checkDevice("cuDevicePrimaryCtxRetain", device);
        if (contextUsers++ == 0) {
            context = handle("context");
        }
        return context;
    }

    @Override
    public synchronized void primaryContextRelease(int device) {
        checkDevice("cuDevicePrimaryCtxRelease", device);
        if (contextUsers == 0) {
            throw failure("cuDevicePrimaryCtxRelease", SimulatorError.INVALID_CONTEXT, "");
        }
        if (--contextUsers == 0) {
            handles.remove(context);
            currentContexts.clear();
        }
    }

    @Override
    public synchronized void contextSetCurrent(long newContext) {
        if (newContext != 0 && (newContext != context || contextUsers == 0)) {
            throw failure("cuCtxSetCurrent", SimulatorError.INVALID_CONTEXT, "context " + newContext);
        }
        currentContexts.keySet().removeIf(thread -> !thread.isAlive());
        currentContexts.put(Thread.currentThread(), newContext);
    }

    @Override
    public synchronized long contextCurrent() {
        return currentContexts.getOrDefault(Thread.currentThread(), 0L);
    }

    @Override
    public synchronized void contextSynchronize() {
        checkContext("cuCtxSynchronize");
        checkNoCapture("cuCtxSynchronize");
        finishAll("cuCtxSynchronize");
    }

    @Override
    public synchronized LoadedModule moduleLoad(byte[] image, JitOptions jit) {
        checkContext("cuModuleLoadDataEx");
        int end = image.length;
        while (end > 0 && image[end - 1] == 0) {
            end--;
        }
        try {
            Program program = Program.of(new String(image, 0, end, StandardCharsets.UTF_8));
            Ptx ptx = program.ptx();
            if (ptx.version() > NEWEST_PTX) {
                throw failure("cuModuleLoadDataEx", SimulatorError.UNSUPPORTED_PTX_VERSION,
                        "PTX %d.%d, %d.%d is the newest known".formatted(ptx.version() / 10, ptx.version() % 10, NEWEST_PTX / 10,
                                NEWEST_PTX % 10));
            }
            if (ptx.target() > options.computeCapability() || ptx.targetOnly() && ptx.target() < options.computeCapability()) {
                throw failure("cuModuleLoadDataEx", SimulatorError.NO_BINARY_FOR_GPU, "PTX for sm_%d%s, the device is sm_%d"
                        .formatted(ptx.target(), ptx.targetOnly() ? "a" : "", options.computeCapability()));
            }
            return new LoadedModule(handle(SimulatedModule.load(program, memory)), "");
        } catch (PtxException e) {
            throw failure("cuModuleLoadDataEx", SimulatorError.INVALID_PTX, e.getMessage());
        } catch (ArithmeticException | IndexOutOfBoundsException e) {
            throw failure("cuModuleLoadDataEx", SimulatorError.INVALID_PTX, "a number that is out of all bounds");
        } catch (SimulatedModule.OutOfMemory e) {
            throw failure("cuModuleLoadDataEx", SimulatorError.OUT_OF_MEMORY, "the module's variables");
        }
    }

    @Override
    public synchronized void moduleUnload(long handle) {
        SimulatedModule module = object("cuModuleUnload", SimulatedModule.class, handle);
        finishAll("cuModuleUnload");
        handles.remove(handle);
        handles.keySet().removeAll(module.functions.values());
        dynamicSharedLimits.keySet().removeAll(module.functions.values());
        module.unload(memory);
    }

    @Override
    public synchronized long moduleFunction(long handle, String name) {
        SimulatedModule module = object("cuModuleGetFunction", SimulatedModule.class, handle);
        Long known = module.functions.get(name);
        if (known != null) {
            return known;
        }
        Kernel kernel = compiled(module, name);
        if (kernel == null) {
            throw failure("cuModuleGetFunction", SimulatorError.NOT_FOUND, "kernel " + name);
        }
        long function = handle(kernel);
        module.functions.put(name, function);
        return function;
    }

    private Kernel compiled(SimulatedModule module, String name) {
        try {
            return module.kernel(name);
        } catch (PtxException e) {
            throw failure("cuModuleGetFunction", SimulatorError.INVALID_PTX, e.getMessage());
        } catch (ArithmeticException | IndexOutOfBoundsException e) {
            throw failure("cuModuleGetFunction", SimulatorError.INVALID_PTX, "kernel " + name + ": a number that is out of all bounds");
        }
    }

    @Override
    public synchronized Global moduleGlobal(long handle, String name) {
        Allocation allocation = object("cuModuleGetGlobal", SimulatedModule.class, handle).globals.get(name);
        if (allocation == null) {
            throw failure("cuModuleGetGlobal", SimulatorError.NOT_FOUND, "variable " + name);
        }
        return new Global(allocation.base, allocation.size);
    }

    private Kernel kernel(String call, long function) {
        return object(call, Kernel.class, function);
    }

    @Override
    public synchronized int functionAttribute(FunctionAttribute attribute, long function) {
        Kernel kernel = kernel("cuFuncGetAttribute", function);
        return switch (attribute) {
            case MAX_THREADS_PER_BLOCK -> kernel.maxThreads() == 0 ? 1024 : kernel.maxThreads();
            case STATIC_SHARED_BYTES -> kernel.sharedBytes();
            case CONST_BYTES -> kernel.constantMemory().length;
            case LOCAL_BYTES -> kernel.localBytes();
            case REGISTERS -> 0; // PTX has as many as it likes
            case PTX_VERSION, BINARY_VERSION -> options.computeCapability();
            case MAX_DYNAMIC_SHARED_BYTES -> dynamicSharedLimit(function, kernel);
        };
    }

    private int dynamicSharedLimit(long function, Kernel kernel) {
        return dynamicSharedLimits.getOrDefault(function, DEFAULT_SHARED_BYTES - kernel.dynamicSharedOffset());
    }

    @Override
    public synchronized void functionSetAttribute(FunctionAttribute attribute, long function, int value) {
        Kernel kernel = kernel("cuFuncSetAttribute", function);
        if (attribute != FunctionAttribute.MAX_DYNAMIC_SHARED_BYTES || value < 0
                || value > options.sharedBytes() - kernel.dynamicSharedOffset()) {
            throw failure("cuFuncSetAttribute", SimulatorError.INVALID_VALUE, attribute + " of kernel " + kernel.name() + " to " + value);
        }
        dynamicSharedLimits.put(function, value);
    }

    @Override
    public synchronized Optional<ParameterInfo> functionParameter(long function, int index) {
        List<Kernel.Parameter> parameters = kernel("cuFuncGetParamInfo", function).parameters();
        return index < 0 || index >= parameters.size() ? Optional.empty()
                : Optional.of(new ParameterInfo(parameters.get(index).offset(), parameters.get(index).byteSize()));
    }

    @Override
    public synchronized int occupancyBlocks(long function, int blockThreads, long dynamicSharedBytes) {
        Kernel kernel = kernel("cuOccupancyMaxActiveBlocksPerMultiprocessor", function);
        long shared = kernel.dynamicSharedOffset() + dynamicSharedBytes;
        if (blockThreads < 1 || blockThreads > 1024 || shared > SimulatorOptions.MAX_SHARED_BYTES) {
            return 0;
        }
        int rounded = (blockThreads + Warp.SIZE - 1) / Warp.SIZE * Warp.SIZE;
        long byShared = shared == 0 ? 32 : SimulatorOptions.MAX_SHARED_BYTES / shared;
        return (int) Math.min(Math.min(32, 2048 / rounded), byShared);
    }

    @Override
    public synchronized void launchKernel(long function, LaunchConfiguration configuration, long stream, KernelArguments arguments) {
        checkContext("cuLaunchKernel");
        Kernel kernel = kernel("cuLaunchKernel", function);
        checkLaunch(kernel, configuration, dynamicSharedLimit(function, kernel));
        if (arguments.count() != kernel.parameters().size()) {
            throw failure("cuLaunchKernel", SimulatorError.INVALID_VALUE, "kernel %s with %d arguments, it has %d parameters"
                    .formatted(kernel.name(), arguments.count(), kernel.parameters().size()));
        }
        byte[] parameters = new byte[kernel.parameterBytes()];
        for (int i = 0; i < arguments.count(); i++) {
            Kernel.Parameter parameter = kernel.parameters().get(i);
            MemorySegment.copy(arguments.value(i), MemoryOperation.BYTE, 0, parameters, parameter.offset(), parameter.byteSize());
        }
        enqueue("cuLaunchKernel", stream, new Work.Launch(kernel, configuration, parameters));
    }

    private void checkLaunch(Kernel kernel, LaunchConfiguration configuration, int dynamicSharedLimit) {
        String attempt = "kernel " + kernel.name() + ", " + configuration;
        checkClusters(kernel, configuration, attempt);
        if (configuration.blockThreads() > 1024 || configuration.gridY() > 65535 || configuration.gridZ() > 65535) {
            throw failure("cuLaunchKernel", SimulatorError.INVALID_VALUE, attempt);
        }
        if (kernel.maxThreads() != 0 && configuration.blockThreads() > kernel.maxThreads()) {
            throw failure("cuLaunchKernel", SimulatorError.LAUNCH_OUT_OF_RESOURCES,
                    attempt + ": it was compiled for " + kernel.maxThreads() + " threads a block at most");
        }
        if (configuration.dynamicSharedBytes() > dynamicSharedLimit) {
            throw failure("cuLaunchKernel", SimulatorError.INVALID_VALUE,
                    attempt + ": more than " + dynamicSharedLimit + " bytes of dynamic shared memory must be allowed first");
        }
        if (configuration.cooperative() && configuration.blocks() > (long) options.multiprocessors()
                * Math.max(1, 2048 / configuration.blockThreads())) {
            throw failure("cuLaunchCooperativeKernel", SimulatorError.COOPERATIVE_LAUNCH_TOO_LARGE, attempt);
        }
    }

    private void checkClusters(Kernel kernel, LaunchConfiguration configuration, String attempt) {
        ClusterShape shape = kernel.cluster(configuration);
        if (shape.equals(ClusterShape.BLOCK)) {
            return;
        }
        if (options.computeCapability() < 90) {
            throw failure("cuLaunchKernelEx", SimulatorError.INVALID_VALUE, attempt + ": the device has no clusters");
        }
        boolean another = configuration.clusterX() > 1 && !shape.equals(new ClusterShape(configuration.clusterX(), 1, 1));
        if (another || shape.blocks() > ClusterShape.MAX_BLOCKS || configuration.gridX() % shape.x() != 0
                || configuration.gridY() % shape.y() != 0 || configuration.gridZ() % shape.z() != 0) {
            throw failure("cuLaunchKernel", SimulatorError.INVALID_CLUSTER_SIZE, attempt + ": clusters of " + shape);
        }
        if (configuration.cooperative()) {
            throw new UnsupportedOperationException("cuLaunchCooperativeKernel with clusters: the simulator does not do both");
        }
    }

    @Override
    public MemoryInfo memoryInfo() {
        return new MemoryInfo(memory.free(), memory.capacity());
    }

    @Override
    public synchronized long memoryAllocate(long bytes) {
        checkContext("cuMemAlloc");
        checkNoCapture("cuMemAlloc");
        return allocate("cuMemAlloc", bytes);
    }

    private long allocate(String call, long bytes) {
        if (bytes <= 0) {
            throw failure(call, SimulatorError.INVALID_VALUE, bytes + " bytes");
        }
        Allocation allocation = memory.allocate(bytes);
        if (allocation == null) {
            throw failure(call, SimulatorError.OUT_OF_MEMORY, "%d bytes, %d of %d are free".formatted(bytes, memory.free(),
                    memory.capacity()));
        }
        return allocation.base;
    }

    @Override
    public synchronized void memoryFree(long address) {
        finishAll("cuMemFree");
        free("cuMemFree", address);
    }

    private void free(String call, long address) {
        if (!memory.free(address)) {
            throw failure(call, SimulatorError.INVALID_VALUE, "address 0x%x: %s".formatted(address, memory.describe(address)));
        }
    }

    @Override
    public synchronized long memoryAllocateAsync(long bytes, long stream) {
        checkContext("cuMemAllocAsync");
        stream("cuMemAllocAsync", stream);
        return allocate("cuMemAllocAsync", bytes);
    }

    @Override
    public synchronized void memoryFreeAsync(long address, long stream) {
        Allocation allocation = memory.find(address);
        if (allocation == null || allocation.base != address) {
            throw failure("cuMemFreeAsync", SimulatorError.INVALID_VALUE,
                    "address 0x%x: %s".formatted(address, memory.describe(address)));
        }
        enqueue("cuMemFreeAsync", stream, new Work.FreeMemory(address));
    }

    @Override
    public void memoryPoolKeep(int device, long bytes) {
        checkDevice("cuMemPoolSetAttribute", device);
    }

    @Override
    public synchronized long hostAllocate(long bytes) {
        checkContext("cuMemHostAlloc");
        if (bytes <= 0) {
            throw failure("cuMemHostAlloc", SimulatorError.INVALID_VALUE, bytes + " bytes");
        }
        Arena arena = Arena.ofShared();
        MemorySegment segment = arena.allocate(bytes, 4096);
        memory.add(Allocation.host(memory, segment, arena));
        hostArenas.put(segment.address(), arena);
        return segment.address();
    }

    @Override
    public synchronized void hostFree(long address) {
        finishAll("cuMemFreeHost");
        if (hostArenas.remove(address) == null) {
            throw failure("cuMemFreeHost", SimulatorError.INVALID_VALUE, "address 0x%x".formatted(address));
        }
        free("cuMemFreeHost", address);
    }

    @Override
    public synchronized void hostRegister(long address, long bytes) {
        checkContext("cuMemHostRegister");
        if (memory.find(address) != null) {
            throw failure("cuMemHostRegister", SimulatorError.INVALID_VALUE, "address 0x%x is registered already".formatted(address));
        }
        memory.add(Allocation.host(memory, MemorySegment.ofAddress(address).reinterpret(bytes), null));
    }

    @Override
    public synchronized void hostUnregister(long address) {
        finishAll("cuMemHostUnregister");
        free("cuMemHostUnregister", address);
    }

    @Override
    public synchronized long hostDevicePointer(long address) {
        if (memory.find(address) == null) {
            throw failure("cuMemHostGetDevicePointer", SimulatorError.INVALID_VALUE, "address 0x%x".formatted(address));
        }
        return address;
    }

    @Override
    public synchronized void copyToDevice(long target, MemorySegment source) {
        checkContext("cuMemcpyHtoD");
        checkNoCapture("cuMemcpyHtoD");
        finish("cuMemcpyHtoD", defaultStream);
        range("cuMemcpyHtoD", target, source.byteSize());
        boolean pageLocked = source.isNative() && memory.find(source.address()) != null;
        if (pageLocked || source.byteSize() > MAX_STAGED_BYTES) {
            run("cuMemcpyHtoD", new Work.CopyToDevice(target, source));
        } else { // the source may be used again at once, but the copy is there for who waits for the default stream
            MemorySegment staged = MemorySegment.ofArray(source.toArray(MemoryOperation.BYTE));
            enqueue("cuMemcpyHtoD", 0, new Work.CopyToDevice(target, staged));
        }
    }

    @Override
    public synchronized void copyToHost(MemorySegment target, long source) {
        checkContext("cuMemcpyDtoH");
        checkNoCapture("cuMemcpyDtoH");
        finish("cuMemcpyDtoH", defaultStream);
        run("cuMemcpyDtoH", new Work.CopyToHost(target, source));
    }

    @Override
    public synchronized void copyToDeviceAsync(long target, MemorySegment source, long stream) {
        range("cuMemcpyHtoDAsync", target, source.byteSize());
        enqueue("cuMemcpyHtoDAsync", stream, new Work.CopyToDevice(target, source));
    }

    @Override
    public synchronized void copyToHostAsync(MemorySegment target, long source, long stream) {
        range("cuMemcpyDtoHAsync", source, target.byteSize());
        enqueue("cuMemcpyDtoHAsync", stream, new Work.CopyToHost(target, source));
    }

    @Override
    public synchronized void copyOnDeviceAsync(long target, long source, long bytes, long stream) {
        range("cuMemcpyDtoDAsync", target, bytes);
        range("cuMemcpyDtoDAsync", source, bytes);
        enqueue("cuMemcpyDtoDAsync", stream, new Work.CopyOnDevice(target, source, bytes));
    }

    @Override
    public synchronized void fillBytesAsync(long target, byte value, long bytes, long stream) {
        range("cuMemsetD8Async", target, bytes);
        enqueue("cuMemsetD8Async", stream, new Work.Fill(target, value, 1, bytes));
    }

    @Override
    public synchronized void fillWordsAsync(long target, int value, long count, long stream) {
        if ((target & 3) != 0) {
            throw failure("cuMemsetD32Async", SimulatorError.INVALID_VALUE, "address 0x%x is no multiple of 4".formatted(target));
        }
        range("cuMemsetD32Async", target, Math.multiplyExact(count, Integer.BYTES));
        enqueue("cuMemsetD32Async", stream, new Work.Fill(target, value, 4, count));
    }

    private Allocation range(String call, long address, long bytes) {
        Allocation allocation = memory.find(address);
        if (bytes == 0 && allocation == null) {
            allocation = memory.find(address - 1);
        }
        if (allocation == null || !allocation.contains(address, bytes)) {
            throw failure(call, SimulatorError.INVALID_VALUE, "%d bytes at 0x%x: %s".formatted(bytes, address,
                    allocation == null ? memory.describe(address) : "it ends past a buffer of %d bytes".formatted(allocation.size)));
        }
        return allocation;
    }

    @Override
    public synchronized long streamCreate(int priority) {
        checkContext("cuStreamCreateWithPriority");
        return handle(new SimulatedStream());
    }

    private SimulatedStream stream(String call, long handle) {
        return handle == 0 ? defaultStream : object(call, SimulatedStream.class, handle);
    }

    @Override
    public synchronized void streamDestroy(long handle) {
        SimulatedStream stream = object("cuStreamDestroy", SimulatedStream.class, handle);
        handles.remove(handle);
        finish("cuStreamDestroy", stream);
    }

    @Override
    public synchronized void streamSynchronize(long handle) {
        SimulatedStream stream = stream("cuStreamSynchronize", handle);
        refuseWhileCapturing("cuStreamSynchronize", stream);
        finish("cuStreamSynchronize", stream);
    }

    @Override
    public synchronized boolean streamQuery(long handle) {
        SimulatedStream stream = stream("cuStreamQuery", handle);
        refuseWhileCapturing("cuStreamQuery", stream);
        boolean done = stream.queue.isEmpty();
        finishOne("cuStreamQuery", stream); // so that asking again and again comes to an end
        return done;
    }

    @Override
    public synchronized void streamWaitEvent(long handle, long event) {
        SimulatedStream stream = stream("cuStreamWaitEvent", handle);
        SimulatedEvent.Record entry = object("cuStreamWaitEvent", SimulatedEvent.class, event).last;
        if (entry == null) {
            return;
        }
        if (entry.capture == null) {
            refuseWhileCapturing("cuStreamWaitEvent", stream);
            stream.queue.add(new Work.AwaitEvent(entry));
            return;
        }
        if (stream.capture != null && stream.capture != entry.capture || entry.capture.invalidated) {
            throw failure("cuStreamWaitEvent", SimulatorError.STREAM_CAPTURE_INVALIDATED, "");
        }
        if (stream.capture == null) {
            stream.capture = entry.capture;
            entry.capture.streams.add(stream);
            entry.capture.unjoined.add(stream);
        }
        entry.capture.unjoined.remove(entry.stream);
    }

    @Override
    public synchronized long eventCreate(boolean timing) {
        checkContext("cuEventCreate");
        return handle(new SimulatedEvent(timing));
    }

    @Override
    public synchronized void eventDestroy(long event) {
        object("cuEventDestroy", SimulatedEvent.class, event);
        handles.remove(event);
    }

    @Override
    public synchronized void eventRecord(long handle, long streamHandle) {
        SimulatedEvent event = object("cuEventRecord", SimulatedEvent.class, handle);
        SimulatedStream stream = stream("cuEventRecord", streamHandle);
        SimulatedEvent.Record entry = new SimulatedEvent.Record(stream, stream.capture);
        event.last = entry;
        if (stream.capture == null) {
            stream.queue.add(new Work.RecordEvent(event, entry));
        }
    }

    @Override
    public synchronized boolean eventQuery(long handle) {
        SimulatedEvent.Record entry = recorded("cuEventQuery", handle);
        if (entry == null || entry.done) {
            return true;
        }
        finishOne("cuEventQuery", entry.stream);
        return false;
    }

    private SimulatedEvent.Record recorded(String call, long handle) {
        SimulatedEvent.Record entry = object(call, SimulatedEvent.class, handle).last;
        if (entry != null && entry.capture != null) {
            throw failure(call, SimulatorError.STREAM_CAPTURE_UNSUPPORTED, "an event that was recorded into a graph");
        }
        return entry;
    }

    @Override
    public synchronized void eventSynchronize(long handle) {
        SimulatedEvent.Record entry = recorded("cuEventSynchronize", handle);
        if (entry != null) {
            finishUntil("cuEventSynchronize", entry);
        }
    }

    @Override
    public synchronized float eventElapsedMillis(long start, long end) {
        SimulatedEvent first = object("cuEventElapsedTime", SimulatedEvent.class, start);
        SimulatedEvent second = object("cuEventElapsedTime", SimulatedEvent.class, end);
        if (first.last == null || second.last == null || !first.timing || !second.timing) {
            throw failure("cuEventElapsedTime", SimulatorError.INVALID_HANDLE, "an event without a time");
        }
        if (!first.last.done || !second.last.done) {
            throw failure("cuEventElapsedTime", SimulatorError.NOT_READY, "");
        }
        return (second.last.nanos - first.last.nanos) / 1e6f;
    }

    @Override
    public synchronized void streamBeginCapture(long handle) {
        SimulatedStream stream = object("cuStreamBeginCapture", SimulatedStream.class, handle);
        if (stream.capture != null) {
            throw failure("cuStreamBeginCapture", SimulatorError.ILLEGAL_STATE, "the stream is being captured already");
        }
        stream.capture = new Capture(stream);
    }

    @Override
    public synchronized long streamEndCapture(long handle) {
        SimulatedStream stream = stream("cuStreamEndCapture", handle);
        Capture capture = stream.capture;
        if (capture == null) {
            throw failure("cuStreamEndCapture", SimulatorError.ILLEGAL_STATE, "the stream is not being captured");
        }
        if (capture.origin != stream) {
            throw failure("cuStreamEndCapture", SimulatorError.STREAM_CAPTURE_UNMATCHED, "");
        }
        capture.streams.forEach(each -> each.capture = null);
        if (capture.invalidated) {
            throw failure("cuStreamEndCapture", SimulatorError.STREAM_CAPTURE_INVALIDATED, "");
        }
        if (!capture.unjoined.isEmpty()) {
            throw failure("cuStreamEndCapture", SimulatorError.STREAM_CAPTURE_UNJOINED, "");
        }
        return handle(new RecordedGraph(List.copyOf(capture.nodes)));
    }

    private record RecordedGraph(List<Work> nodes) {}

    private static final class ExecutableGraph {
        private List<Work> nodes;

        ExecutableGraph(List<Work> nodes) {
            this.nodes = nodes;
        }
    }

    @Override
    public synchronized boolean streamIsCapturing(long handle) {
        return stream("cuStreamIsCapturing", handle).capture != null;
    }

    private void refuseWhileCapturing(String call, SimulatedStream stream) {
        if (stream.capture != null) {
            stream.capture.invalidated = true;
            throw failure(call, SimulatorError.STREAM_CAPTURE_UNSUPPORTED, "");
        }
    }

    /// Calls that wait for the device, or allocate on it, must not be made by a thread that captures a stream.
    private void checkNoCapture(String call) {
        for (Object object : handles.values()) {
            if (object instanceof SimulatedStream stream && stream.capture != null
                    && stream.capture.thread == Thread.currentThread()) {
                refuseWhileCapturing(call, stream);
            }
        }
    }

    @Override
    public synchronized long graphNodeCount(long graph) {
        return object("cuGraphGetNodes", RecordedGraph.class, graph).nodes.size();
    }

    @Override
    public synchronized void graphDestroy(long graph) {
        object("cuGraphDestroy", RecordedGraph.class, graph);
        handles.remove(graph);
    }

    @Override
    public synchronized long graphInstantiate(long graph) {
        return handle(new ExecutableGraph(object("cuGraphInstantiate", RecordedGraph.class, graph).nodes));
    }

    @Override
    public synchronized boolean graphUpdate(long executable, long graph) {
        ExecutableGraph old = object("cuGraphExecUpdate", ExecutableGraph.class, executable);
        List<Work> nodes = object("cuGraphExecUpdate", RecordedGraph.class, graph).nodes;
        if (nodes.size() != old.nodes.size()) {
            return false;
        }
        for (int i = 0; i < nodes.size(); i++) {
            if (!Work.sameShape(nodes.get(i), old.nodes.get(i))) {
                return false;
            }
        }
        old.nodes = nodes;
        return true;
    }

    @Override
    public synchronized void graphLaunch(long executable, long stream) {
        checkContext("cuGraphLaunch");
        enqueue("cuGraphLaunch", stream, new Work.Graph(object("cuGraphLaunch", ExecutableGraph.class, executable).nodes));
    }

    @Override
    public synchronized void graphExecutableDestroy(long executable) {
        object("cuGraphExecDestroy", ExecutableGraph.class, executable);
        handles.remove(executable);
    }

    @Override
    public void tensorMapEncode(MemorySegment target, TensorMap map) {
        throw new UnsupportedOperationException("cuTensorMapEncodeTiled: the simulator has no bulk tensor copies");
    }

    @Override
    public String errorName(int code) {
        return SimulatorError.name(code);
    }

    @Override
    public String errorDescription(int code) {
        return SimulatorError.description(code);
    }

    private void enqueue(String call, long handle, Work work) {
        SimulatedStream stream = stream(call, handle);
        if (stream.capture == null) {
            stream.queue.add(work);
        } else if (stream.capture.invalidated) {
            throw failure(call, SimulatorError.STREAM_CAPTURE_INVALIDATED, "");
        } else {
            stream.capture.add(stream, work);
        }
    }

    private void finishAll(String call) {
        finish(call, defaultStream);
        for (Object object : new ArrayList<>(handles.values())) {
            if (object instanceof SimulatedStream stream) {
                finish(call, stream);
            }
        }
    }

    private void finish(String call, SimulatedStream stream) {
        while (finishOne(call, stream)) {
            // until nothing is left
        }
    }

    private void finishUntil(String call, SimulatedEvent.Record entry) {
        while (!entry.done && finishOne(call, entry.stream)) {
            // until it is reached
        }
    }

    /// Does the first piece of a stream's work; false if there is none.
    private boolean finishOne(String call, SimulatedStream stream) {
        Work work = stream.queue.poll();
        if (work == null) {
            return false;
        }
        try {
            run(call, work);
        } catch (RuntimeException e) {
            for (Work dropped : stream.queue) {
                if (dropped instanceof Work.RecordEvent(_, SimulatedEvent.Record entry)) {
                    entry.done = true;
                }
            }
            stream.queue.clear();
            throw e;
        }
        return true;
    }

    private void run(String call, Work work) {
        switch (work) {
            case Work.Launch launch -> run(call, launch);
            case Work.CopyToDevice(long target, MemorySegment source) -> {
                Allocation allocation = range(call, target, source.byteSize());
                MemorySegment.copy(source, 0, allocation.data, target - allocation.base, source.byteSize());
                allocation.markWritten(target - allocation.base, source.byteSize());
            }
            case Work.CopyToHost(MemorySegment target, long source) -> {
                Allocation allocation = range(call, source, target.byteSize());
                MemorySegment.copy(allocation.data, source - allocation.base, target, 0, target.byteSize());
            }
            case Work.CopyOnDevice(long target, long source, long bytes) -> {
                Allocation to = range(call, target, bytes);
                Allocation from = range(call, source, bytes);
                to.copyFrom(target - to.base, from, source - from.base, bytes);
            }
            case Work.Fill(long target, int value, int width, long count) -> {
                Allocation allocation = range(call, target, width * count);
                long offset = target - allocation.base;
                if (width == 1) {
                    allocation.data.asSlice(offset, count).fill((byte) value);
                } else {
                    for (long i = 0; i < count; i++) {
                        allocation.data.set(MemoryOperation.INT, offset + 4 * i, value);
                    }
                }
                allocation.markWritten(offset, width * count);
            }
            case Work.FreeMemory(long address) -> free(call, address);
            case Work.RecordEvent(_, SimulatedEvent.Record entry) -> {
                entry.done = true;
                entry.nanos = System.nanoTime();
            }
            case Work.AwaitEvent(SimulatedEvent.Record entry) -> finishUntil(call, entry);
            case Work.Graph(List<Work> nodes) -> nodes.forEach(node -> run(call, node));
        }
    }

    private void run(String call, Work.Launch launch) {
        LaunchRun run = new LaunchRun(launch.kernel(), launch.configuration(), launch.parameters(), memory, options);
        try {
            LaunchCounters counters = run.run(executor, options.threads());
            if (reports.size() == REPORTS_KEPT) {
                reports.removeFirst();
            }
            reports.addLast(new LaunchReport(launch.kernel().name(), launch.configuration(), counters, run.waits(), run.time()));
        } catch (Warp.Fault e) {
            throw new KernelFaultException(call, e.fault());
        }
    }
}
