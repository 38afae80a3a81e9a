package org.gatun.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Page-locked memory of the host: copies to and from it run beside other work, and kernels can reach it.
///
/// Owns the memory, or only its being locked ([CudaContext#register]); closed by whoever made it, once no stream uses it any
/// more. Used by any thread.
public final class PinnedBuffer extends CudaResource {
    private final MemorySegment memory;
    private final Arena arena;

    private PinnedBuffer(CudaContext context, MemorySegment memory, Arena arena) {
        super(context, memory.address());
        this.memory = memory;
        this.arena = arena;
    }

    static PinnedBuffer allocated(CudaContext context, long address, long bytes) {
        Arena arena = Arena.ofShared();
        return new PinnedBuffer(context, MemorySegment.ofAddress(address).reinterpret(bytes, arena, null), arena);
    }

    static PinnedBuffer registered(CudaContext context, MemorySegment memory) {
        return new PinnedBuffer(context, memory, null);
    }

    /// The memory; gone when the buffer is closed.
    public MemorySegment memory() {
        checkOpen();
        return memory;
    }

    /// The address by which kernels reach it.
    ///
    /// @throws IllegalStateException if it is closed
    public long deviceAddress() {
        checkOpen();
        context().makeCurrent();
        return context().driver().hostDevicePointer(memory.address());
    }

    /// In bytes.
    public long byteSize() {
        return memory.byteSize();
    }

    @Override
    void release(CudaDriver driver, long address) {
        if (arena == null) {
            driver.hostUnregister(address);
        } else {
            arena.close();
            driver.hostFree(address);
        }
    }

    @Override
    public String toString() {
        return "pinned buffer of " + memory.byteSize() + " bytes";
    }
}
