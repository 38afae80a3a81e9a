package org.gatun.cuda;

import java.lang.foreign.MemorySegment;

/// A queue of work on a device, done in its order and beside that of other streams.
///
/// Closed by whoever made it; work that is queued then still gets done. May be used by any thread, one at a time.
public final class CudaStream extends CudaResource {
    CudaStream(CudaContext context, long handle) {
        this(context, handle, true);
    }

    private CudaStream(CudaContext context, long handle, boolean owned) {
        super(context, handle, owned);
    }

    /// A stream that another library made and destroys, after the last use here. Closing it ends its use here only.
    ///
    /// @param handle of a stream of this context; 0 for its default stream
    /// @throws IllegalStateException if the context is closed
    public static CudaStream borrowed(CudaContext context, long handle) {
        context.handle();
        return new CudaStream(context, handle, false);
    }

    private CudaDriver ready() {
        context().makeCurrent();
        return context().driver();
    }

    /// Queues a kernel. Allocates nothing.
    ///
    /// @throws IllegalArgumentException if the kernel or the arguments are another context's or kernel's, or the device cannot
    ///     launch this
    /// @throws IllegalStateException if an argument is missing, or a buffer among them, the module or the stream is closed
    /// @throws CudaException if the driver refuses
    public void launch(CudaFunction function, LaunchConfiguration configuration, KernelArguments arguments) {
        long stream = handle();
        long kernel = function.checkLaunch(context(), configuration, arguments);
        ready().launchKernel(kernel, configuration, stream, arguments);
    }

    /// Queues a copy from the host. The source must stay alive and unchanged until the copy is done; page-locked memory is copied
    /// beside other work.
    ///
    /// @param source outside the heap
    /// @throws IndexOutOfBoundsException if it does not fit
    public void copyToDevice(DeviceBuffer target, long targetOffset, MemorySegment source) {
        target.checkContext(context());
        DeviceBuffer.checkNative(source);
        ready().copyToDeviceAsync(target.address(targetOffset, source.byteSize()), source, handle());
    }

    /// Queues a copy to the host. The target may be read once the stream is synchronised.
    ///
    /// @param target outside the heap
    /// @throws IndexOutOfBoundsException if there are not so many bytes
    public void copyToHost(MemorySegment target, DeviceBuffer source, long sourceOffset) {
        source.checkContext(context());
        DeviceBuffer.checkNative(target);
        ready().copyToHostAsync(target, source.address(sourceOffset, target.byteSize()), handle());
    }

    /// Queues a copy on the device; the ranges must not overlap.
    ///
    /// @throws IndexOutOfBoundsException if a range is not inside its buffer
    public void copy(DeviceBuffer target, long targetOffset, DeviceBuffer source, long sourceOffset, long bytes) {
        target.checkContext(context());
        source.checkContext(context());
        ready().copyOnDeviceAsync(target.address(targetOffset, bytes), source.address(sourceOffset, bytes), bytes, handle());
    }

    /// Queues filling a range with a byte.
    ///
    /// @throws IndexOutOfBoundsException if the range is not inside
    public void fill(DeviceBuffer target, long byteOffset, long bytes, byte value) {
        target.checkContext(context());
        ready().fillBytesAsync(target.address(byteOffset, bytes), value, bytes, handle());
    }

    /// Queues filling a whole buffer with a byte.
    public void fill(DeviceBuffer target, byte value) {
        fill(target, 0, target.byteSize(), value);
    }

    /// Queues filling a range with a 4-byte word.
    ///
    /// @param byteOffset a multiple of 4
    /// @throws IndexOutOfBoundsException if the range is not inside
    public void fillWords(DeviceBuffer target, long byteOffset, long count, int value) {
        target.checkContext(context());
        ready().fillWordsAsync(target.address(byteOffset, Math.multiplyExact(count, Integer.BYTES)), value, count, handle());
    }

    /// Memory of the device's pool, usable by this stream from here on; freed in the order of this stream too. The caller closes
    /// it.
    ///
    /// @throws OutOfDeviceMemoryException if there is not so much
    public DeviceBuffer allocate(long bytes) {
        DeviceBuffer.checkSize(bytes);
        return new DeviceBuffer(context(), ready().memoryAllocateAsync(bytes, handle()), bytes, this);
    }

    /// Notes the stream's present end in an event.
    public void record(CudaEvent event) {
        event.checkContext(context());
        ready().eventRecord(event.handle(), handle());
    }

    /// Lets what is queued from now on wait for an event, in whichever stream it was recorded.
    public void waitFor(CudaEvent event) {
        event.checkContext(context());
        ready().streamWaitEvent(handle(), event.handle());
    }

    /// Whether all queued work is done.
    ///
    /// @throws CudaException if some of it failed
    public boolean isDone() {
        long stream = handle();
        return ready().streamQuery(stream);
    }

    /// Waits for all queued work.
    ///
    /// @throws CudaException if some of it failed
    public void synchronize() {
        long stream = handle();
        ready().streamSynchronize(stream);
    }

    /// Records what is queued while `work` runs as a graph, without doing it; the caller closes the graph.
    ///
    /// @throws CudaException if something was called that cannot be recorded
    public CudaGraph capture(Runnable work) {
        long graph = record(work);
        try {
            long nodes = ready().graphNodeCount(graph);
            return new CudaGraph(context(), ready().graphInstantiate(graph), nodes);
        } finally {
            ready().graphDestroy(graph);
        }
    }

    /// Records anew and gives a graph of the same shape the new parameters.
    ///
    /// @return false if the shape differs: capture a new one then
    public boolean recapture(CudaGraph graph, Runnable work) {
        graph.checkContext(context());
        long executable = graph.handle();
        long recorded = record(work);
        try {
            return ready().graphUpdate(executable, recorded);
        } finally {
            ready().graphDestroy(recorded);
        }
    }

    private long record(Runnable work) {
        long stream = handle();
        ready().streamBeginCapture(stream);
        try {
            work.run();
        } catch (Throwable e) {
            try {
                ready().graphDestroy(ready().streamEndCapture(stream));
            } catch (RuntimeException later) {
                e.addSuppressed(later);
            }
            throw e;
        }
        return ready().streamEndCapture(stream);
    }

    /// Queues a graph: one call for all its work.
    public void launch(CudaGraph graph) {
        graph.checkContext(context());
        ready().graphLaunch(graph.handle(), handle());
    }

    @Override
    void release(CudaDriver driver, long handle) {
        driver.streamDestroy(handle);
    }

    @Override
    public String toString() {
        return "stream";
    }
}
