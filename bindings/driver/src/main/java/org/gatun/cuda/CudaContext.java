package org.gatun.cuda;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;

/// A device's context: where memory, modules and streams live.
///
/// Owns what is made in it: closing the context closes what is still open, newest first. It is the device's primary context,
/// shared with every library of the process, unless it is [#borrowed]. Used by any thread; it makes itself current on the
/// calling thread.
public final class CudaContext implements AutoCloseable {
    /// The context that was last made current through here, and on which thread: if both fit, nothing need be done.
    private record Current(Thread thread, CudaContext context) {}

    private static final AtomicReference<Current> CURRENT = new AtomicReference<>();

    private final CudaDriver driver;
    private final CudaDevice device;
    private final long handle;
    private final boolean owned;
    private final Set<CudaResource> resources = new LinkedHashSet<>();
    private volatile boolean closed;

    private CudaContext(CudaDriver driver, CudaDevice device, long handle, boolean owned) {
        this.driver = driver;
        this.device = device;
        this.handle = handle;
        this.owned = owned;
    }

    /// Opens a device's context; the caller closes it.
    ///
    /// @throws IllegalArgumentException if there is no such device
    /// @throws CudaException if the device cannot be used
    public static CudaContext open(CudaDriver driver, int ordinal) {
        CudaDevice device = CudaDevice.of(driver, ordinal);
        return new CudaContext(driver, device, driver.primaryContextRetain(ordinal), true);
    }

    /// A context that another library made and destroys, after this one is closed. Closing it closes what was made in it here,
    /// and leaves the context.
    ///
    /// @param ordinal of the context's device
    /// @throws IllegalArgumentException if there is no such device
    public static CudaContext borrowed(CudaDriver driver, int ordinal, long handle) {
        return new CudaContext(driver, CudaDevice.of(driver, ordinal), handle, false);
    }

    public CudaDriver driver() {
        return driver;
    }

    public CudaDevice device() {
        return device;
    }

    /// The driver's handle, for other libraries.
    ///
    /// @throws IllegalStateException if the context is closed
    public long handle() {
        checkOpen();
        return handle;
    }

    /// Makes this the calling thread's context. Needed only after another library made its own current.
    public void use() {
        checkOpen();
        CURRENT.set(new Current(Thread.currentThread(), this));
        driver.contextSetCurrent(handle);
    }

    /// The cheap form for every call: does nothing if this context was the last to be made current, and by this thread. Of virtual threads
    /// that is not known: the driver has a context for each thread of the system, and they change these.
    void makeCurrent() {
        if (Thread.currentThread().isVirtual()) {
            driver.contextSetCurrent(handle);
            return;
        }
        Current current = CURRENT.get();
        if (current == null || current.context != this || current.thread != Thread.currentThread()) {
            CURRENT.set(new Current(Thread.currentThread(), this));
            driver.contextSetCurrent(handle);
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException(this + " is closed");
        }
    }

    private CudaDriver ready() {
        checkOpen();
        makeCurrent();
        return driver;
    }

    /// Waits for all work in the context.
    ///
    /// @throws CudaException if some of it failed
    public void synchronize() {
        ready().contextSynchronize();
    }

    /// Free and total bytes.
    public CudaDriver.MemoryInfo memoryInfo() {
        return ready().memoryInfo();
    }

    /// Memory on the device, of undefined content; the caller closes it.
    ///
    /// @throws IllegalArgumentException if the size is not positive
    /// @throws OutOfDeviceMemoryException if there is not so much
    public DeviceBuffer allocate(long bytes) {
        DeviceBuffer.checkSize(bytes);
        return new DeviceBuffer(this, ready().memoryAllocate(bytes), bytes, null);
    }

    /// Memory on the device with the content of a segment.
    ///
    /// @throws OutOfDeviceMemoryException if there is not so much
    public DeviceBuffer allocateFrom(MemorySegment source) {
        DeviceBuffer buffer = allocate(source.byteSize());
        try {
            buffer.copyFrom(source);
            return buffer;
        } catch (Throwable e) {
            buffer.close();
            throw e;
        }
    }

    /// Page-locked memory of the host; the caller closes it.
    ///
    /// @throws IllegalArgumentException if the size is not positive
    /// @throws CudaException if there is not so much
    public PinnedBuffer allocatePinned(long bytes) {
        DeviceBuffer.checkSize(bytes);
        return PinnedBuffer.allocated(this, ready().hostAllocate(bytes), bytes);
    }

    /// Page-locks memory that is there already, until the buffer is closed; that must be before the memory goes.
    ///
    /// @param memory outside the heap
    public PinnedBuffer register(MemorySegment memory) {
        DeviceBuffer.checkSize(memory.byteSize());
        DeviceBuffer.checkNative(memory);
        ready().hostRegister(memory.address(), memory.byteSize());
        return PinnedBuffer.registered(this, memory);
    }

    /// A stream; the caller closes it.
    public CudaStream createStream() {
        return createStream(0);
    }

    /// @param priority lower goes first
    public CudaStream createStream(int priority) {
        return new CudaStream(this, ready().streamCreate(priority));
    }

    /// An event that only orders work; the caller closes it.
    public CudaEvent createEvent() {
        return new CudaEvent(this, ready().eventCreate(false), false);
    }

    /// An event that also notes the time.
    public CudaEvent createTimingEvent() {
        return new CudaEvent(this, ready().eventCreate(true), true);
    }

    /// Compiles and loads PTX; the caller closes the module.
    ///
    /// @param name of the module in messages, such as its file's
    /// @throws CudaException with the compiler's log if it cannot be compiled
    public CudaModule load(String name, String ptx) {
        return load(name, ptx, JitOptions.DEFAULT);
    }

    /// Compiles and loads PTX; the caller closes the module.
    ///
    /// @throws CudaException with the compiler's log if it cannot be compiled
    public CudaModule load(String name, String ptx, JitOptions options) {
        return CudaModule.load(this, ready(), name, ptx, options);
    }

    void add(CudaResource resource) {
        synchronized (resources) {
            resources.add(resource);
        }
    }

    void remove(CudaResource resource) {
        synchronized (resources) {
            resources.remove(resource);
        }
    }

    /// How many buffers, streams, events, modules and graphs are open in it.
    public int openResources() {
        synchronized (resources) {
            return resources.size();
        }
    }

    /// Closes what is still open in it, newest first, and gives the context back, unless it is borrowed. The second time does
    /// nothing.
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        RuntimeException failure = null;
        List<CudaResource> open;
        synchronized (resources) {
            open = List.copyOf(resources).reversed();
        }
        for (CudaResource resource : open) {
            failure = attempt(resource::close, failure);
        }
        CURRENT.set(null);
        if (owned) {
            failure = attempt(() -> driver.primaryContextRelease(device.ordinal()), failure);
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static RuntimeException attempt(Runnable step, RuntimeException earlier) {
        try {
            step.run();
            return earlier;
        } catch (RuntimeException e) {
            if (earlier == null) {
                return e;
            }
            earlier.addSuppressed(e);
            return earlier;
        }
    }

    @Override
    public String toString() {
        return "context of " + device.name();
    }
}
