package org.gatun.cuda;

/// A call of the CUDA driver that failed.
public class CudaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final int code;
    private final String errorName;
    private final String details;

    /// @param call of the driver, such as `cuMemAlloc`
    /// @param code of the driver
    /// @param errorName such as `CUDA_ERROR_OUT_OF_MEMORY`
    /// @param details what was attempted, with sizes, and the driver's sentence
    public CudaException(String call, int code, String errorName, String details) {
        super(call + ": " + errorName + " (" + code + "): " + details);
        this.call = call;
        this.code = code;
        this.errorName = errorName;
        this.details = details;
    }

    /// The exception for a failed call of a driver.
    ///
    /// @param attempt what was attempted, with sizes; empty if the call says it all
    public static CudaException of(CudaDriver driver, String call, int code, String attempt) {
        String details = (attempt.isEmpty() ? "" : attempt + ": ") + driver.errorDescription(code);
        return code == OutOfDeviceMemoryException.CODE ? new OutOfDeviceMemoryException(call, details)
                : new CudaException(call, code, driver.errorName(code), details);
    }

    /// The driver's call that failed.
    public final String call() {
        return call;
    }

    /// The driver's number of the error.
    public final int code() {
        return code;
    }

    /// What was attempted, and the driver's sentence.
    public final String details() {
        return details;
    }

    /// The driver's name of the error.
    public final String errorName() {
        return errorName;
    }
}
