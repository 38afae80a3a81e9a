package org.gatun.cuda.simulator;

import org.gatun.cuda.CudaException;

/// A kernel failed on the simulator. The context stays usable, unlike on a GPU.
public final class KernelFaultException extends CudaException {
    private static final long serialVersionUID = 1L;

    private final transient KernelFault fault;

    KernelFaultException(String call, KernelFault fault) {
        super(call, code(fault), SimulatorError.name(code(fault)), fault.toString());
        this.fault = fault;
    }

    private static int code(KernelFault fault) {
        return switch (fault.kind()) {
            case OUT_OF_BOUNDS, USE_AFTER_FREE, READ_ONLY -> SimulatorError.ILLEGAL_ADDRESS;
            case MISALIGNED -> SimulatorError.MISALIGNED_ADDRESS;
            default -> SimulatorError.LAUNCH_FAILED;
        };
    }

    /// What was found.
    public KernelFault fault() {
        return fault;
    }
}
