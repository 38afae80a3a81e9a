package org.gatun.cuda.simulator;

/// The machine that is simulated, and how.
///
/// @param memoryBytes of the device
/// @param multiprocessors that it says it has
/// @param computeCapability that it says it has, times ten
/// @param threads of the host that run blocks
/// @param orderSeed 0 to run blocks and warps in their order; any other number for another order, always the same for the same
///     number: a right kernel does not care
/// @param countsWaits whether it says of each launch what warps waited for ([WaitCounters]), which takes it about twice the time
/// @param model null, or what says how long launches would take ([LaunchReport#time]). Then of launches whose blocks hear nothing of each
///     other only some blocks run, and results are not whole
public record SimulatorOptions(long memoryBytes, int multiprocessors, int computeCapability, int threads, long orderSeed,
        boolean countsWaits, TimeModel model) {
    /// Shared memory of a block, at most, if no device is modelled: as on compute capability 9.0.
    static final int MAX_SHARED_BYTES = 227 * 1024;

    public SimulatorOptions {
        if (memoryBytes < 1 || multiprocessors < 1 || threads < 1 || computeCapability < 50 || computeCapability > 129) {
            throw new IllegalArgumentException(
                    "%d bytes, %d multiprocessors, compute capability %d/10, %d threads: expected 1 at least, and 50 to 129"
                            .formatted(memoryBytes, multiprocessors, computeCapability, threads));
        }
    }

    /// 4 GiB, 4 multiprocessors, compute capability 9.0, all of the host's processors.
    public static SimulatorOptions defaults() {
        return new SimulatorOptions(4L << 30, 4, 90, Runtime.getRuntime().availableProcessors(), 0, false, null);
    }

    public SimulatorOptions withMemoryBytes(long bytes) {
        return new SimulatorOptions(bytes, multiprocessors, computeCapability, threads, orderSeed, countsWaits, model);
    }

    public SimulatorOptions withMultiprocessors(int count) {
        return new SimulatorOptions(memoryBytes, count, computeCapability, threads, orderSeed, countsWaits, model);
    }

    public SimulatorOptions withComputeCapability(int capability) {
        return new SimulatorOptions(memoryBytes, multiprocessors, capability, threads, orderSeed, countsWaits, model);
    }

    public SimulatorOptions withThreads(int count) {
        return new SimulatorOptions(memoryBytes, multiprocessors, computeCapability, count, orderSeed, countsWaits, model);
    }

    public SimulatorOptions withOrderSeed(long seed) {
        return new SimulatorOptions(memoryBytes, multiprocessors, computeCapability, threads, seed, countsWaits, model);
    }

    public SimulatorOptions withCountsWaits(boolean counts) {
        return new SimulatorOptions(memoryBytes, multiprocessors, computeCapability, threads, orderSeed, counts, model);
    }

    /// With the multiprocessors and the compute capability of a device, whose time is modelled.
    public SimulatorOptions withModel(TimeModel timeModel) {
        return new SimulatorOptions(memoryBytes, timeModel.device().multiprocessors(), timeModel.device().computeCapability(), threads,
                orderSeed, true, timeModel);
    }

    /// Shared memory that a block may have on this device.
    int sharedBytes() {
        return model == null ? MAX_SHARED_BYTES : (int) model.device().figure("block_shared_bytes");
    }
}
