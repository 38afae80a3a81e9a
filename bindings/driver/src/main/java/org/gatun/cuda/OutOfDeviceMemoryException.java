package org.gatun.cuda;

/// The device has not the memory that was asked for. The context stays usable.
public final class OutOfDeviceMemoryException extends CudaException {
    private static final long serialVersionUID = 1L;

    static final int CODE = 2;

    /// @param details what was attempted, with sizes
    public OutOfDeviceMemoryException(String call, String details) {
        super(call, CODE, "CUDA_ERROR_OUT_OF_MEMORY", details);
    }
}
