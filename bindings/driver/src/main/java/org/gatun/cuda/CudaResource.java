package org.gatun.cuda;

/// Something on a device that belongs to a context and is closed once.
///
/// Kept in its context's list while open, so that closing the context closes what was forgotten.
abstract sealed class CudaResource implements AutoCloseable
        permits CudaEvent, CudaGraph, CudaModule, CudaStream, DeviceBuffer, PinnedBuffer {
    private final CudaContext context;
    private final long handle;
    private final boolean owned;
    private volatile boolean closed;

    CudaResource(CudaContext context, long handle) {
        this(context, handle, true);
    }

    /// @param owned whether closing it gives it back to the driver
    CudaResource(CudaContext context, long handle, boolean owned) {
        this.context = context;
        this.handle = handle;
        this.owned = owned;
        context.add(this);
    }

    /// The context it was made in.
    public final CudaContext context() {
        return context;
    }

    /// Whether [#close] was not called yet, here or on the context.
    public final boolean isOpen() {
        return !closed;
    }

    /// @throws IllegalStateException if it is closed
    final void checkOpen() {
        if (closed) {
            throw new IllegalStateException(this + " is closed");
        }
    }

    /// The driver's handle or address.
    ///
    /// @throws IllegalStateException if it is closed
    public final long handle() {
        checkOpen();
        return handle;
    }

    /// @throws IllegalArgumentException if it is another context's
    final void checkContext(CudaContext expected) {
        if (context != expected) {
            throw new IllegalArgumentException(this + " belongs to another context");
        }
    }

    /// Gives it back to the driver, unless it is borrowed. The second time does nothing.
    @Override
    public final void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        context.remove(this);
        if (owned) {
            context.makeCurrent();
            release(context.driver(), handle);
        }
    }

    abstract void release(CudaDriver driver, long handle);
}
