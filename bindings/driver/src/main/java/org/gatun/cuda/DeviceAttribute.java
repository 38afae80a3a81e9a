package org.gatun.cuda;

/// A whole number that a device says of itself; the driver's numbering.
public enum DeviceAttribute {
    MAX_THREADS_PER_BLOCK(1),
    MAX_BLOCK_X(2),
    MAX_BLOCK_Y(3),
    MAX_BLOCK_Z(4),
    MAX_GRID_X(5),
    MAX_GRID_Y(6),
    MAX_GRID_Z(7),
    MAX_SHARED_BYTES_PER_BLOCK(8),
    WARP_SIZE(10),
    MAX_REGISTERS_PER_BLOCK(12),
    CLOCK_KILOHERTZ(13),
    MULTIPROCESSORS(16),
    MEMORY_CLOCK_KILOHERTZ(36),
    MEMORY_BUS_BITS(37),
    L2_BYTES(38),
    MAX_THREADS_PER_MULTIPROCESSOR(39),
    UNIFIED_ADDRESSING(41),
    COMPUTE_CAPABILITY_MAJOR(75),
    COMPUTE_CAPABILITY_MINOR(76),
    COOPERATIVE_LAUNCH(95),
    /// What a kernel may have when it asks with [FunctionAttribute#MAX_DYNAMIC_SHARED_BYTES].
    MAX_SHARED_BYTES_PER_BLOCK_OPT_IN(97),
    MEMORY_POOLS(115);

    private final int code;

    DeviceAttribute(int code) {
        this.code = code;
    }

    /// The driver's `CUdevice_attribute`.
    public int code() {
        return code;
    }
}
