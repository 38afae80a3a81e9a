package org.gatun.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Memory on a device. Owns it, unless it is [#borrowed]; closed by whoever made it. Used by any thread.
///
/// The copies here wait until they are done, but not for work in streams: synchronise with a stream that uses the buffer first,
/// or copy in the stream's order ([CudaStream]).
public final class DeviceBuffer extends CudaResource {
    private static final long DEFAULT_STREAM = 0;

    private final long byteSize;
    private final CudaStream stream;

    /// @param stream in whose order it was allocated and is freed, null for none
    DeviceBuffer(CudaContext context, long address, long byteSize, CudaStream stream) {
        super(context, address);
        this.byteSize = byteSize;
        this.stream = stream;
    }

    private DeviceBuffer(CudaContext context, long address, long byteSize) {
        super(context, address, false);
        this.byteSize = byteSize;
        stream = null;
    }

    /// Memory that another library allocated and frees, after the last use here. Closing the buffer ends its use here only.
    ///
    /// @param address of memory that the context reaches
    /// @throws IllegalArgumentException if the size is not positive
    /// @throws IllegalStateException if the context is closed
    public static DeviceBuffer borrowed(CudaContext context, long address, long bytes) {
        checkSize(bytes);
        context.handle();
        return new DeviceBuffer(context, address, bytes);
    }

    static void checkSize(long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException(bytes + " bytes: expected 1 or more");
        }
    }

    static void checkNative(MemorySegment memory) {
        if (!memory.isNative()) {
            throw new IllegalArgumentException("memory on the heap: expected native memory, from an Arena or a PinnedBuffer");
        }
    }

    /// In bytes.
    public long byteSize() {
        return byteSize;
    }

    /// All of it.
    public DeviceSlice slice() {
        return slice(0, byteSize);
    }

    /// A part of it.
    ///
    /// @throws IndexOutOfBoundsException if it is not inside
    public DeviceSlice slice(long byteOffset, long bytes) {
        return new DeviceSlice(this, byteOffset, bytes);
    }

    /// Its address on the device.
    ///
    /// @throws IllegalStateException if it is closed
    public long address() {
        return handle();
    }

    /// The address of one of its bytes, or of its end.
    ///
    /// @throws IndexOutOfBoundsException if that is outside
    /// @throws IllegalStateException if it is closed
    public long address(long byteOffset) {
        if (byteOffset < 0 || byteOffset > byteSize) {
            throw new IndexOutOfBoundsException("byte " + byteOffset + " of " + this);
        }
        return handle() + byteOffset;
    }

    /// The address of a range.
    long address(long byteOffset, long bytes) {
        if (byteOffset < 0 || bytes < 0 || byteOffset > byteSize - bytes) {
            throw new IndexOutOfBoundsException(bytes + " bytes at " + byteOffset + " of " + this);
        }
        return handle() + byteOffset;
    }

    /// Copies a segment to the beginning, waiting until it is done.
    public void copyFrom(MemorySegment source) {
        copyFrom(0, source);
    }

    /// Copies a segment, on the heap or outside, waiting until it is done.
    ///
    /// @throws IndexOutOfBoundsException if it does not fit
    public void copyFrom(long byteOffset, MemorySegment source) {
        long target = address(byteOffset, source.byteSize());
        context().makeCurrent();
        if (source.isNative()) {
            copyFromNative(target, source);
        } else {
            try (Arena arena = Arena.ofConfined()) {
                copyFromNative(target, arena.allocate(source.byteSize(), Long.BYTES).copyFrom(source));
            }
        }
    }

    /// The driver returns as soon as memory that is not page-locked may be used again; what it then still has to copy is done in the default
    /// stream, for which no other waits. The device's copy is there after this wait.
    private void copyFromNative(long target, MemorySegment source) {
        context().driver().copyToDevice(target, source);
        context().driver().streamSynchronize(DEFAULT_STREAM);
    }

    /// Fills a segment from the beginning, waiting until it is done.
    public void copyTo(MemorySegment target) {
        copyTo(0, target);
    }

    /// Fills a segment, on the heap or outside, waiting until it is done.
    ///
    /// @throws IndexOutOfBoundsException if there are not so many bytes
    public void copyTo(long byteOffset, MemorySegment target) {
        long source = address(byteOffset, target.byteSize());
        context().makeCurrent();
        if (target.isNative()) {
            context().driver().copyToHost(target, source);
        } else {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment copy = arena.allocate(Math.max(1, target.byteSize()), Long.BYTES).asSlice(0, target.byteSize());
                context().driver().copyToHost(copy, source);
                target.copyFrom(copy);
            }
        }
    }

    @Override
    void release(CudaDriver driver, long address) {
        if (stream == null) {
            driver.memoryFree(address);
        } else {
            driver.memoryFreeAsync(address, stream.isOpen() ? stream.handle() : 0);
        }
    }

    @Override
    public String toString() {
        return "device buffer of " + byteSize + " bytes";
    }
}
