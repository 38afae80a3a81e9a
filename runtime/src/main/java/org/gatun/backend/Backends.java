package org.gatun.backend;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.backend.reference.ReferenceBackend;
import org.gatun.cuda.CudaDevice;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaDrivers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What this machine can run on.
public final class Backends {
    private static final Logger LOG = LoggerFactory.getLogger(Backends.class);
    /// The name that leaves the choice to Gatun.
    public static final String AUTO = "auto";

    private static final String SIMULATOR = "simulator";

    private Backends() {}

    /// A backend and whether it can be opened here.
    ///
    /// @param name on the command line
    /// @param description what it would run on
    /// @param unavailable why it cannot be opened, empty if it can
    public record Availability(String name, String description, Optional<String> unavailable) {}

    /// Every backend, the preferred one first: CUDA drivers by name, `cpu`, `reference`, and the simulator of CUDA.
    public static List<Availability> list() {
        List<Availability> drivers = new ArrayList<>();
        for (CudaDriverProvider provider : CudaDrivers.providers()) {
            switch (provider.probe()) {
                case CudaDriverProvider.Probe.Found(CudaDriver driver) -> CudaDevice.all(driver).forEach(device ->
                        drivers.add(new Availability(provider.name(), describe(device), Optional.empty())));
                case CudaDriverProvider.Probe.Absent(String reason) ->
                        drivers.add(new Availability(provider.name(), "CUDA kernels", Optional.of(reason)));
            }
        }
        List<Availability> host = List.of(
                new Availability("cpu", "C kernels on this machine's processor" + (CpuBackend.instructionSets().isEmpty() ? ""
                        : ", instruction sets " + String.join(", ", CpuBackend.instructionSets())), CpuBackend.unavailableReason()),
                new Availability("reference", "plain Java, slow and exact", Optional.empty()));
        return Stream.of(drivers.stream().filter(driver -> !driver.name().equals(SIMULATOR)), host.stream(),
                drivers.stream().filter(driver -> driver.name().equals(SIMULATOR))).flatMap(part -> part).toList();
    }

    private static String describe(CudaDevice device) {
        return String.format(Locale.ROOT, "%s, compute capability %d.%d, %d multiprocessors, %.1f GiB", device.name(),
                device.computeCapability() / 10, device.computeCapability() % 10, device.multiprocessors(),
                device.memoryBytes() / 0x1p30);
    }

    /// Opens a backend with as many threads as there are processors.
    public static Backend open(String name) {
        return open(name, Runtime.getRuntime().availableProcessors());
    }

    /// Opens a backend; the caller closes it.
    ///
    /// @param name `auto` for the best one that works here, but never the simulator
    /// @param threads where the backend uses threads of the host
    /// @throws IllegalArgumentException if there is no such backend, or it is not available here
    public static Backend open(String name, int threads) {
        return open(name, CpuOptions.threads(threads));
    }

    /// Opens a backend; the caller closes it.
    ///
    /// @param name `auto` for the best one that works here, but never the simulator
    /// @param options if it is `cpu`
    /// @throws IllegalArgumentException if there is no such backend, or it is not available here
    public static Backend open(String name, CpuOptions options) {
        return switch (name) {
            case AUTO -> openBest(options);
            case "cpu" -> {
                CpuBackend.unavailableReason().ifPresent(reason -> {
                    throw new IllegalArgumentException("backend cpu is not available: " + reason);
                });
                yield CpuBackend.open(options);
            }
            case "reference" -> new ReferenceBackend();
            default -> {
                List<String> drivers = CudaDrivers.providers().stream().map(CudaDriverProvider::name).toList();
                if (!drivers.contains(name)) {
                    throw new IllegalArgumentException("unknown backend '" + name + "': expected " + AUTO + ", cpu, reference"
                            + drivers.stream().map(driver -> ", " + driver).collect(Collectors.joining()));
                }
                yield CudaBackend.open(CudaDrivers.open(name), 0);
            }
        };
    }

    private static Backend openBest(CpuOptions options) {
        for (CudaDriverProvider provider : CudaDrivers.providers()) {
            if (!provider.name().equals(SIMULATOR)
                    && provider.probe() instanceof CudaDriverProvider.Probe.Found(CudaDriver driver)) {
                try {
                    return CudaBackend.open(driver, 0);
                } catch (RuntimeException e) {
                    LOG.warn("backend {} cannot be used: {}", provider.name(), e.getMessage());
                }
            }
        }
        return openHost(options);
    }

    /// Opens the best backend that needs no device.
    public static Backend openHost(int threads) {
        return openHost(CpuOptions.threads(threads));
    }

    /// Opens the best backend that needs no device.
    ///
    /// @param options if it is `cpu`
    public static Backend openHost(CpuOptions options) {
        Optional<String> unavailable = CpuBackend.unavailableReason();
        if (unavailable.isEmpty()) {
            return open("cpu", options);
        }
        LOG.warn("backend cpu is not available ({}): using the slow reference backend", unavailable.get());
        return new ReferenceBackend();
    }
}
