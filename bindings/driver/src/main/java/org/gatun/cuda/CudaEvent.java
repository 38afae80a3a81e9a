package org.gatun.cuda;

/// A point in a stream's work. Closed by whoever made it. Used by any thread.
public final class CudaEvent extends CudaResource {
    private final boolean timing;

    CudaEvent(CudaContext context, long handle, boolean timing) {
        super(context, handle);
        this.timing = timing;
    }

    /// Whether the work before it is done; true if it was never recorded.
    public boolean isDone() {
        long event = handle();
        context().makeCurrent();
        return context().driver().eventQuery(event);
    }

    /// Waits for the work before it.
    ///
    /// @throws CudaException if some of it failed
    public void synchronize() {
        long event = handle();
        context().makeCurrent();
        context().driver().eventSynchronize(event);
    }

    /// Milliseconds on the device from an earlier event to this one, both recorded and done.
    ///
    /// @throws IllegalStateException if one of them does not note the time
    public float millisSince(CudaEvent start) {
        start.checkContext(context());
        if (!timing || !start.timing) {
            throw new IllegalStateException("an event that does not note the time: expected one of createTimingEvent");
        }
        context().makeCurrent();
        return context().driver().eventElapsedMillis(start.handle(), handle());
    }

    @Override
    void release(CudaDriver driver, long handle) {
        driver.eventDestroy(handle);
    }

    @Override
    public String toString() {
        return "event";
    }
}
