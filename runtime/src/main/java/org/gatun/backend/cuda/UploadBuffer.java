package org.gatun.backend.cuda;

import java.lang.foreign.MemorySegment;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.DeviceSlice;
import org.gatun.cuda.PinnedBuffer;

/// Memory on the host and on the device for what a pass brings of any size: one copy takes there as much as there is, in whole pages.
final class UploadBuffer implements AutoCloseable {
    private static final int MIN_PAGES = 16;
    private static final int PAGE = 1 << 12;

    private final CudaContext context;
    private PinnedBuffer host;
    private DeviceBuffer device;
    private MemorySegment[] parts; // the first page of the host's, the first two and so on, each made when first copied
    private long size;

    UploadBuffer(CudaContext context) {
        this.context = context;
        allocate(MIN_PAGES);
    }

    private void allocate(int pages) {
        long bytes = (long) pages * PAGE;
        PinnedBuffer larger = context.allocatePinned(bytes);
        try {
            device = context.allocate(bytes);
        } catch (Throwable e) {
            larger.close();
            throw e;
        }
        host = larger;
        parts = new MemorySegment[pages];
    }

    /// Makes room for the next pass; the passes before must be done.
    ///
    /// @param bytes that it has to write
    /// @return whether the buffer is in another place from now on
    boolean grow(long bytes) {
        size = bytes;
        if (bytes <= host.byteSize()) {
            return false;
        }
        PinnedBuffer smallerHost = host;
        DeviceBuffer smallerDevice = device;
        allocate(Math.max(Math.toIntExact(Math.ceilDiv(bytes, PAGE)), 2 * parts.length));
        smallerHost.close();
        smallerDevice.close();
        return true;
    }

    /// Where to write.
    MemorySegment host() {
        return host.memory();
    }

    /// Queues the copy to the device of what there was to write.
    void upload(CudaStream stream) {
        int last = (int) (Math.max(0, size - 1) / PAGE);
        if (parts[last] == null) {
            parts[last] = host.memory().asSlice(0, (last + 1L) * PAGE);
        }
        stream.copyToDevice(device, 0, parts[last]);
    }

    /// Where it is copied to.
    DeviceSlice slice() {
        return device.slice();
    }

    @Override
    public void close() {
        host.close();
        device.close();
    }
}
