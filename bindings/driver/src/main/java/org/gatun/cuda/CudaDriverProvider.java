package org.gatun.cuda;

/// Finds one kind of [CudaDriver]. Found by [java.util.ServiceLoader]; see [CudaDrivers].
public interface CudaDriverProvider {
    /// The name on the command line.
    String name();

    /// Looks for the driver and its devices; never throws.
    Probe probe();

    /// What a look for a driver found.
    sealed interface Probe {
        /// @param driver initialised, with a device at least
        record Found(CudaDriver driver) implements Probe {}

        /// @param reason why it cannot be used, in words for a person, with what to do
        record Absent(String reason) implements Probe {}
    }
}
