package org.gatun.cuda;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// What a device is and can do.
///
/// @param ordinal its number
/// @param name as the driver has it
/// @param computeCapability ten times the major number plus the minor one: 90 for 9.0
/// @param memoryBytes in all
/// @param maxSharedBytes of a block, when a kernel asks for it
/// @param maxBlock threads of a block along x, y and z
/// @param maxGrid blocks of a grid along x, y and z
public record CudaDevice(int ordinal, String name, int computeCapability, int multiprocessors, long memoryBytes, int l2Bytes,
        int maxSharedBytes, int maxThreadsPerBlock, List<Integer> maxBlock, List<Integer> maxGrid) {
    public CudaDevice {
        maxBlock = List.copyOf(maxBlock);
        maxGrid = List.copyOf(maxGrid);
    }

    /// Asks the driver.
    ///
    /// @throws IllegalArgumentException if there is no such device
    public static CudaDevice of(CudaDriver driver, int ordinal) {
        int count = driver.deviceCount();
        if (ordinal < 0 || ordinal >= count) {
            throw new IllegalArgumentException("device " + ordinal + ": driver " + driver.name() + " has " + count);
        }
        return new CudaDevice(ordinal, driver.deviceName(ordinal),
                10 * driver.deviceAttribute(DeviceAttribute.COMPUTE_CAPABILITY_MAJOR, ordinal)
                        + driver.deviceAttribute(DeviceAttribute.COMPUTE_CAPABILITY_MINOR, ordinal),
                driver.deviceAttribute(DeviceAttribute.MULTIPROCESSORS, ordinal), driver.deviceTotalMemory(ordinal),
                driver.deviceAttribute(DeviceAttribute.L2_BYTES, ordinal),
                driver.deviceAttribute(DeviceAttribute.MAX_SHARED_BYTES_PER_BLOCK_OPT_IN, ordinal),
                driver.deviceAttribute(DeviceAttribute.MAX_THREADS_PER_BLOCK, ordinal),
                attributes(driver, ordinal, DeviceAttribute.MAX_BLOCK_X, DeviceAttribute.MAX_BLOCK_Y, DeviceAttribute.MAX_BLOCK_Z),
                attributes(driver, ordinal, DeviceAttribute.MAX_GRID_X, DeviceAttribute.MAX_GRID_Y, DeviceAttribute.MAX_GRID_Z));
    }

    /// Every device of a driver.
    public static List<CudaDevice> all(CudaDriver driver) {
        return IntStream.range(0, driver.deviceCount()).mapToObj(ordinal -> of(driver, ordinal)).toList();
    }

    private static List<Integer> attributes(CudaDriver driver, int ordinal, DeviceAttribute... attributes) {
        return Arrays.stream(attributes).map(attribute -> driver.deviceAttribute(attribute, ordinal)).toList();
    }

    /// @throws IllegalArgumentException if the device cannot launch this
    void check(LaunchConfiguration configuration, String kernel) {
        checkSizes(kernel, "blocks", maxBlock, configuration.blockX(), configuration.blockY(), configuration.blockZ());
        checkSizes(kernel, "a grid", maxGrid, configuration.gridX(), configuration.gridY(), configuration.gridZ());
        long threads = (long) configuration.blockX() * configuration.blockY() * configuration.blockZ();
        if (threads > maxThreadsPerBlock) {
            throw new IllegalArgumentException("kernel %s: found blocks of %d threads, %s takes %d at most".formatted(kernel, threads,
                    name, maxThreadsPerBlock));
        }
        if (configuration.dynamicSharedBytes() > maxSharedBytes) {
            throw new IllegalArgumentException("kernel %s: found %d bytes of dynamic shared memory, %s has %d".formatted(kernel,
                    configuration.dynamicSharedBytes(), name, maxSharedBytes));
        }
    }

    private void checkSizes(String kernel, String what, List<Integer> max, int x, int y, int z) {
        if (x > max.get(0) || y > max.get(1) || z > max.get(2)) {
            throw new IllegalArgumentException("kernel %s: found %s of %d x %d x %d, %s takes %d x %d x %d at most".formatted(kernel,
                    what, x, y, z, name, max.get(0), max.get(1), max.get(2)));
        }
    }
}
