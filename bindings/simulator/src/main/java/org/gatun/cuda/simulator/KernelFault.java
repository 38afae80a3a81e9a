package org.gatun.cuda.simulator;

/// Something a kernel did that it must not, found by the simulator.
///
/// @param kind of the fault
/// @param kernel its name
/// @param ptxLine in the PTX as it was loaded
/// @param source file and line of the CUDA source, empty if the PTX does not say
/// @param instruction as PTX writes it
/// @param block index in the grid along x, y and z, such as `(3, 0, 0)`
/// @param thread index in the block
/// @param address of the access, 0 where there is none
/// @param message what was found
public record KernelFault(Kind kind, String kernel, int ptxLine, String source, String instruction, String block, String thread,
        long address, String message) {
    /// What can be wrong.
    public enum Kind {
        OUT_OF_BOUNDS, MISALIGNED, USE_AFTER_FREE, UNINITIALIZED_GLOBAL, UNINITIALIZED_SHARED, UNINITIALIZED_LOCAL,
        UNINITIALIZED_REGISTER, SHARED_RACE, DIVERGENT_BARRIER, MISSING_WARP_MEMBER, ASYNC_COPY_NOT_AWAITED, DEADLOCK,
        BLOCK_ENDED, READ_ONLY, TRAP, LIMIT,
        /// Shared memory that a thread wrote is read by the tensor cores with no `fence.proxy.async` of that thread between.
        PROXY_NOT_FENCED,
        /// A `wgmma` takes registers with no `wgmma.fence` since they were written.
        PRODUCT_NOT_FENCED,
        /// Registers or shared memory of a `wgmma` are touched before it was waited for.
        PRODUCT_NOT_AWAITED
    }

    @Override
    public String toString() {
        return "%s: %s, kernel %s, block %s, thread %s, PTX line %d%s: %s".formatted(kind, message, kernel, block, thread, ptxLine,
                source.isEmpty() ? "" : " (" + source + ")", instruction);
    }
}
