package org.gatun.cuda;

/// A call of the CUDA driver that failed.
public class CudaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    static final int UNSUPPORTED_PTX_VERSION = 222;
    private static final int ILLEGAL_ADDRESS = 700;
    private static final int LAUNCH_TIMEOUT = 702;
    private static final int ASSERT = 710;
    private static final int HARDWARE_STACK_ERROR = 714;
    private static final int ILLEGAL_INSTRUCTION = 715;
    private static final int MISALIGNED_ADDRESS = 716;
    private static final int LAUNCH_FAILED = 719;

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
        String details = (attempt.isEmpty() ? "" : attempt + ": ") + driver.errorDescription(code) + advice(code);
        return code == OutOfDeviceMemoryException.CODE ? new OutOfDeviceMemoryException(call, details)
                : new CudaException(call, code, driver.errorName(code), details);
    }

    /// What the driver's sentence does not say.
    private static String advice(int code) {
        return switch (code) {
            case UNSUPPORTED_PTX_VERSION -> " (the driver is older than the kernels)";
            case ILLEGAL_ADDRESS, LAUNCH_TIMEOUT, ASSERT, HARDWARE_STACK_ERROR, ILLEGAL_INSTRUCTION, MISALIGNED_ADDRESS, LAUNCH_FAILED ->
                    " (the context is lost, with all it holds: open it anew)";
            default -> "";
        };
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
