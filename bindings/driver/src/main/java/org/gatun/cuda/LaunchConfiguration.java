package org.gatun.cuda;

/// How many threads run a kernel, and with what. A value: comparable, printable, to be made once and used often.
///
/// @param gridX blocks; `gridY` and `gridZ` alike
/// @param blockX threads of a block; `blockY` and `blockZ` alike
/// @param dynamicSharedBytes shared memory a block has besides what the kernel declares
/// @param clusterX blocks of a cluster along x; 1 for no clusters
/// @param cooperative whether all blocks run at a time, so that they may wait for each other
/// @param programmatic whether the kernel may start before the one before it in the stream ends (compute capability 9.0)
public record LaunchConfiguration(int gridX, int gridY, int gridZ, int blockX, int blockY, int blockZ, int dynamicSharedBytes,
        int clusterX, boolean cooperative, boolean programmatic) {
    public LaunchConfiguration {
        if (gridX < 1 || gridY < 1 || gridZ < 1 || blockX < 1 || blockY < 1 || blockZ < 1 || clusterX < 1) {
            throw new IllegalArgumentException("grid %d x %d x %d of blocks %d x %d x %d, clusters of %d: expected 1 at least of each"
                    .formatted(gridX, gridY, gridZ, blockX, blockY, blockZ, clusterX));
        }
        if (dynamicSharedBytes < 0) {
            throw new IllegalArgumentException(dynamicSharedBytes + " bytes of dynamic shared memory: expected 0 or more");
        }
    }

    /// A row of blocks.
    public static LaunchConfiguration of(int blocks, int threads) {
        return new LaunchConfiguration(blocks, 1, 1, threads, 1, 1, 0, 1, false, false);
    }

    public static LaunchConfiguration of(int gridX, int gridY, int threads) {
        return new LaunchConfiguration(gridX, gridY, 1, threads, 1, 1, 0, 1, false, false);
    }

    public LaunchConfiguration withDynamicSharedBytes(int bytes) {
        return new LaunchConfiguration(gridX, gridY, gridZ, blockX, blockY, blockZ, bytes, clusterX, cooperative, programmatic);
    }

    public LaunchConfiguration asCooperative() {
        return new LaunchConfiguration(gridX, gridY, gridZ, blockX, blockY, blockZ, dynamicSharedBytes, clusterX, true, programmatic);
    }

    /// Threads of a block.
    public int blockThreads() {
        return Math.multiplyExact(Math.multiplyExact(blockX, blockY), blockZ);
    }

    /// Blocks of the grid.
    public long blocks() {
        return Math.multiplyExact((long) gridX * gridY, (long) gridZ);
    }

    /// Whether it asks neither for clusters nor for an early start, which need `cuLaunchKernelEx`.
    public boolean isPlain() {
        return clusterX == 1 && !programmatic;
    }
}
