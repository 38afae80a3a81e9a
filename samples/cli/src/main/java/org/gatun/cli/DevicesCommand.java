package org.gatun.cli;

import java.util.concurrent.Callable;
import org.gatun.backend.Backends;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// Lists backends.
@Command(name = "devices", description = "Lists what models can run on here, and why not on the rest.", footer = {
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

    @Override
    public Integer call() {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (Backends.Availability device : Backends.list()) {
            if (json) {
                list.addObject().put("name", device.name()).put("available", device.unavailable().isEmpty())
                        .put("description", device.description()).put("reason", device.unavailable().orElse(null));
            } else {
                console.println("%-10s  %s".formatted(device.name(),
                        device.unavailable().map(reason -> "not available: " + reason).orElse(device.description())));
            }
        }
        if (json) {
            console.println(list.toString());
        }
        return 0;
    }
}
