package org.gatun.cuda;

import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/// The drivers on the module or class path.
public final class CudaDrivers {
    private CudaDrivers() {}

    /// Every kind of driver, the preferred one first: `cuda`, `jcuda`, `simulator`, as far as their jars are there.
    public static List<CudaDriverProvider> providers() {
        return ServiceLoader.load(CudaDriverProvider.class, CudaDrivers.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparing(CudaDriverProvider::name))
                .toList();
    }

    /// Opens a driver by name.
    ///
    /// @throws IllegalArgumentException if there is no such kind, or it cannot be used here, with the reason
    public static CudaDriver open(String name) {
        for (CudaDriverProvider provider : providers()) {
            if (provider.name().equals(name)) {
                return switch (provider.probe()) {
                    case CudaDriverProvider.Probe.Found(CudaDriver driver) -> driver;
                    case CudaDriverProvider.Probe.Absent(String reason) -> throw new IllegalArgumentException(
                            "driver " + name + " is not available: " + reason);
                };
            }
        }
        throw new IllegalArgumentException("unknown driver '" + name + "': expected one of "
                + providers().stream().map(CudaDriverProvider::name).toList());
    }
}
