package org.gatun.cuda;

/// A whole number of a kernel; the driver's numbering.
public enum FunctionAttribute {
    MAX_THREADS_PER_BLOCK(0),
    /// Shared memory that the kernel declares.
    STATIC_SHARED_BYTES(1),
    CONST_BYTES(2),
    /// Memory of a thread: spilled registers and indexed arrays.
    LOCAL_BYTES(3),
    REGISTERS(4),
    PTX_VERSION(5),
    BINARY_VERSION(6),
    /// May be set, up to what the device gives.
    MAX_DYNAMIC_SHARED_BYTES(8);

    private final int code;

    FunctionAttribute(int code) {
        this.code = code;
    }

    /// The driver's `CUfunction_attribute`.
    public int code() {
        return code;
    }
}
