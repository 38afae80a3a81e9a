package org.gatun.cuda;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// The calls of the CUDA driver that Gatun uses, as the driver has them: handles and device addresses are `long`s, sizes are
/// bytes, and nothing is checked that the driver does not check. [CudaContext] and its kin stand above and are what to use.
///
/// Implemented over Panama, over JCuda, and by the simulator, which needs no GPU. Every method throws [CudaException] with the
/// call, the error and the sizes involved where the driver answers anything but success; one that an implementation does not
/// have throws [UnsupportedOperationException] with its name.
///
/// Calls act on the context that is current on the calling thread ([#contextSetCurrent]), as in the driver itself. Thread-safe
/// as far as the driver is.
public interface CudaDriver {
    /// The name on the command line: `cuda`, `jcuda` or `simulator`.
    String name();

    /// The version of CUDA that the driver supports, times 1000, plus ten times the minor one: 13.0 is 13000.
    int version();

    int deviceCount();

    String deviceName(int device);

    int deviceAttribute(DeviceAttribute attribute, int device);

    long deviceTotalMemory(int device);

    /// The device's context that all libraries of the process share; paired with [#primaryContextRelease].
    long primaryContextRetain(int device);

    void primaryContextRelease(int device);

    /// @param context 0 for none
    void contextSetCurrent(long context);

    /// The context that is current on this thread, 0 if there is none.
    long contextCurrent();

    /// Waits for all work of the current context.
    void contextSynchronize();

    /// Loads PTX (ended by a zero byte or not) or a cubin.
    ///
    /// @throws CudaException with the compiler's log
    LoadedModule moduleLoad(byte[] image, JitOptions options);

    /// @param handle of the module
    /// @param log what the driver's compiler said, empty if nothing
    record LoadedModule(long handle, String log) {}

    void moduleUnload(long module);

    /// @throws CudaException `CUDA_ERROR_NOT_FOUND` if the module has no such kernel
    long moduleFunction(long module, String name);

    /// The address and size of a variable of the module.
    Global moduleGlobal(long module, String name);

    /// @param address on the device
    record Global(long address, long byteSize) {}

    int functionAttribute(FunctionAttribute attribute, long function);

    void functionSetAttribute(FunctionAttribute attribute, long function, int value);

    /// Where the kernel's parameter lies among its parameters; empty past the last one. Drivers before 12.4 do not say.
    Optional<ParameterInfo> functionParameter(long function, int index);

    record ParameterInfo(long offset, long byteSize) {}

    /// Blocks of this size that one multiprocessor holds at a time.
    int occupancyBlocks(long function, int blockThreads, long dynamicSharedBytes);

    /// Launches a kernel; copies the arguments before it returns. Allocates nothing.
    ///
    /// @param stream 0 for the default stream
    void launchKernel(long function, LaunchConfiguration configuration, long stream, KernelArguments arguments);

    /// Free and total bytes of the current context's device.
    MemoryInfo memoryInfo();

    record MemoryInfo(long freeBytes, long totalBytes) {}

    /// @throws OutOfDeviceMemoryException if there is not so much
    long memoryAllocate(long bytes);

    void memoryFree(long address);

    /// Allocates from the device's pool in the order of a stream.
    ///
    /// @throws OutOfDeviceMemoryException if there is not so much
    long memoryAllocateAsync(long bytes, long stream);

    void memoryFreeAsync(long address, long stream);

    /// How many bytes the device's pool keeps when it is idle, instead of giving them back.
    void memoryPoolKeep(int device, long bytes);

    /// Page-locked memory of the host, its address. Mapped into the device's addresses as well.
    long hostAllocate(long bytes);

    void hostFree(long address);

    /// Page-locks memory that is there already.
    void hostRegister(long address, long bytes);

    void hostUnregister(long address);

    /// The address by which a kernel reaches page-locked memory.
    long hostDevicePointer(long address);

    /// From the host, in the default stream, waiting until the source may be used again: memory that is not page-locked may have to be
    /// copied on the device yet.
    void copyToDevice(long target, MemorySegment source);

    /// To the host, waiting until all is there.
    void copyToHost(MemorySegment target, long source);

    /// From the host in the order of a stream; page-locked memory must not change until the copy is done.
    void copyToDeviceAsync(long target, MemorySegment source, long stream);

    void copyToHostAsync(MemorySegment target, long source, long stream);

    void copyOnDeviceAsync(long target, long source, long bytes, long stream);

    void fillBytesAsync(long target, byte value, long bytes, long stream);

    /// @param count of 4-byte words
    void fillWordsAsync(long target, int value, long count, long stream);

    /// A stream that does not wait for the default one.
    ///
    /// @param priority lower goes first; 0 is usual
    long streamCreate(int priority);

    void streamDestroy(long stream);

    /// @param stream 0 for the default stream
    void streamSynchronize(long stream);

    /// Whether all of the stream's work is done.
    boolean streamQuery(long stream);

    void streamWaitEvent(long stream, long event);

    /// @param timing whether [#eventElapsedMillis] will be asked
    long eventCreate(boolean timing);

    void eventDestroy(long event);

    void eventRecord(long event, long stream);

    boolean eventQuery(long event);

    void eventSynchronize(long event);

    float eventElapsedMillis(long start, long end);

    /// From now until [#streamEndCapture] the stream's work is recorded instead of done.
    void streamBeginCapture(long stream);

    /// The recorded graph; destroyed with [#graphDestroy].
    ///
    /// @throws CudaException if something was called in between that cannot be recorded
    long streamEndCapture(long stream);

    boolean streamIsCapturing(long stream);

    long graphNodeCount(long graph);

    void graphDestroy(long graph);

    /// An executable of the graph; destroyed with [#graphExecutableDestroy].
    long graphInstantiate(long graph);

    /// Gives the executable the parameters of a graph of the same shape; false if the shape differs.
    boolean graphUpdate(long executable, long graph);

    void graphLaunch(long executable, long stream);

    void graphExecutableDestroy(long executable);

    /// Writes the 128 bytes of a tensor map (for bulk tensor copies; compute capability 9.0).
    void tensorMapEncode(MemorySegment target, TensorMap map);

    /// The driver's name of an error, such as `CUDA_ERROR_INVALID_VALUE`.
    String errorName(int code);

    /// The driver's sentence on an error.
    String errorDescription(int code);
}
