package org.gatun.backend;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.reference.ReferenceBackend;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What this machine can run on.
public final class Backends {
    private static final Logger LOG = LoggerFactory.getLogger(Backends.class);

    private Backends() {}

    /// A backend and whether it can be opened here.
    ///
    /// @param name on the command line
    /// @param description what it would run on
    /// @param unavailable why it cannot be opened, empty if it can
    public record Availability(String name, String description, Optional<String> unavailable) {}

    /// Every backend, the preferred one first.
    public static List<Availability> list() {
        List<Availability> list = new ArrayList<>();
        list.add(new Availability("cpu", "C kernels on this machine's processor", CpuBackend.unavailableReason()));
        list.add(new Availability("reference", "plain Java, slow and exact", Optional.empty()));
        return list;
    }

    /// Opens a backend with as many threads as there are processors.
    public static Backend open(String name) {
        return open(name, Runtime.getRuntime().availableProcessors());
    }

    /// Opens a backend; the caller closes it.
    ///
    /// @param name `auto` for the best one that works here
    /// @param threads where the backend uses threads of the host
    /// @throws IllegalArgumentException if there is no such backend, or it is not available here
    public static Backend open(String name, int threads) {
        return switch (name) {
            case "auto" -> {
                Optional<String> unavailable = CpuBackend.unavailableReason();
                if (unavailable.isEmpty()) {
                    yield open("cpu", threads);
                }
                LOG.warn("backend cpu is not available ({}): using the slow reference backend", unavailable.get());
                yield open("reference", threads);
            }
            case "cpu" -> {
                CpuBackend.unavailableReason().ifPresent(reason -> {
                    throw new IllegalArgumentException("backend cpu is not available: " + reason);
                });
                yield CpuBackend.open(CpuOptions.threads(threads));
            }
            case "reference" -> new ReferenceBackend();
            default -> throw new IllegalArgumentException(
                    "unknown backend '" + name + "': expected auto, cpu or reference");
        };
    }
}
