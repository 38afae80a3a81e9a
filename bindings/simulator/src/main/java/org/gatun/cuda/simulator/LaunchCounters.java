package org.gatun.cuda.simulator;

import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;

/// What a launch did, counted. The same launch counts the same every time, on any number of threads.
///
/// @param warpInstructions issued, guarded ones included
/// @param threadInstructions over the threads that were active
/// @param byClass thread instructions by class
/// @param global loads, stores and copies of global memory
/// @param shared loads and stores of shared memory
/// @param matrixInstructions issued by warps
/// @param barriers warps arrived at
/// @param divergentBranches where a warp's threads parted
public record LaunchCounters(long warpInstructions, long threadInstructions, Map<InstructionClass, Long> byClass, Global global,
        Shared shared, long matrixInstructions, long barriers, long divergentBranches) {
    /// @param requests of warps
    /// @param loadedBytes distinct bytes that the threads of each request asked for, summed
    /// @param storedBytes likewise
    /// @param loadedSectors of 32 bytes that these lie in
    /// @param storedSectors likewise
    public record Global(long requests, long loadedBytes, long storedBytes, long loadedSectors, long storedSectors) {
        /// Bytes asked for over bytes moved: 1 where every sector is used whole.
        public double coalescing() {
            long sectors = loadedSectors + storedSectors;
            return sectors == 0 ? 1 : (double) (loadedBytes + storedBytes) / (32 * sectors);
        }
    }

    /// @param requests of warps
    /// @param bankConflicts cycles lost since threads met in a bank
    public record Shared(long requests, long bankConflicts) {}

    public LaunchCounters {
        byClass = Collections.unmodifiableMap(new EnumMap<>(byClass));
    }

    /// The sum of two.
    public LaunchCounters plus(LaunchCounters other) {
        Map<InstructionClass, Long> sum = new EnumMap<>(byClass);
        other.byClass.forEach((kind, count) -> sum.merge(kind, count, Long::sum));
        return new LaunchCounters(warpInstructions + other.warpInstructions, threadInstructions + other.threadInstructions, sum,
                new Global(global.requests + other.global.requests, global.loadedBytes + other.global.loadedBytes,
                        global.storedBytes + other.global.storedBytes, global.loadedSectors + other.global.loadedSectors,
                        global.storedSectors + other.global.storedSectors),
                new Shared(shared.requests + other.shared.requests, shared.bankConflicts + other.shared.bankConflicts),
                matrixInstructions + other.matrixInstructions, barriers + other.barriers,
                divergentBranches + other.divergentBranches);
    }
}
