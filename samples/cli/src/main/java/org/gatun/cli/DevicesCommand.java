package org.gatun.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.backend.Backends;
import org.gatun.cuda.CudaDevice;
import org.gatun.cuda.CudaDriverProvider;
import org.gatun.cuda.CudaDrivers;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// Lists backends and CUDA drivers.
@Command(name = "devices", description = "Lists what models and kernels can run on here, and why not on the rest.", footer = {
        "", "Examples:",
        "  gatun devices",
        "  gatun devices --json"})
final class DevicesCommand implements Callable<Integer> {
    private final Console console;

    @Option(names = "--json", description = "print a JSON list")
    private boolean json;

    DevicesCommand(Console console) {
        this.console = console;
    }

    /// @param name of the backend or the driver
    /// @param runs what can be run on it: models, kernels
    /// @param unavailable why it cannot be used, empty if it can
    private record Device(String name, String runs, String description, Optional<String> unavailable) {}

    @Override
    public Integer call() {
        List<Device> devices = new ArrayList<>();
        for (Backends.Availability backend : Backends.list()) {
            devices.add(new Device(backend.name(), "models", backend.description(), backend.unavailable()));
        }
        for (CudaDriverProvider provider : CudaDrivers.providers()) {
            switch (provider.probe()) {
                case CudaDriverProvider.Probe.Found(var driver) -> CudaDevice.all(driver).forEach(device ->
                        devices.add(new Device(provider.name(), "kernels", describe(device), Optional.empty())));
                case CudaDriverProvider.Probe.Absent(String reason) ->
                        devices.add(new Device(provider.name(), "kernels", "", Optional.of(reason)));
            }
        }
        if (json) {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            devices.forEach(device -> list.addObject().put("name", device.name).put("runs", device.runs)
                    .put("available", device.unavailable.isEmpty()).put("description", device.description)
                    .put("reason", device.unavailable.orElse(null)));
            console.println(list.toString());
        } else {
            devices.forEach(device -> console.println("%-10s  %-7s  %s".formatted(device.name, device.runs,
                    device.unavailable.map(reason -> "not available: " + reason).orElse(device.description))));
        }
        return 0;
    }

    private static String describe(CudaDevice device) {
        return String.format(Locale.ROOT, "%s, compute capability %d.%d, %d multiprocessors, %.1f GiB", device.name(),
                device.computeCapability() / 10, device.computeCapability() % 10, device.multiprocessors(),
                device.memoryBytes() / 0x1p30);
    }
}
