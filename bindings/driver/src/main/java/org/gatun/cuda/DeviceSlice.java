package org.gatun.cuda;

/// A part of a buffer on the device, as kernels take it. It does not own the buffer.
///
/// @param byteOffset from the buffer's beginning
/// @param byteSize of the part
public record DeviceSlice(DeviceBuffer buffer, long byteOffset, long byteSize) {
    /// @throws IndexOutOfBoundsException if it is not inside the buffer
    public DeviceSlice {
        if (byteOffset < 0 || byteSize < 0 || byteOffset > buffer.byteSize() - byteSize) {
            throw new IndexOutOfBoundsException(byteSize + " bytes at " + byteOffset + " of " + buffer);
        }
    }

    /// A part of this part.
    ///
    /// @throws IndexOutOfBoundsException if it is not inside
    public DeviceSlice slice(long offset, long size) {
        if (offset < 0 || size < 0 || offset > byteSize - size) {
            throw new IndexOutOfBoundsException(size + " bytes at " + offset + " of " + this);
        }
        return new DeviceSlice(buffer, byteOffset + offset, size);
    }
}
