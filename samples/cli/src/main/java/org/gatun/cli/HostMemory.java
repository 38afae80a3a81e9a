package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// The memory that this process may take, by what Linux says of the machine and of the control groups (container) that it runs in.
///
/// @param memoryBytes that there are
/// @param swapBytes that may be taken besides
/// @param availableBytes that are free or can be freed at once
/// @param owner whose they are: `this machine` or `this container`
record HostMemory(long memoryBytes, long swapBytes, long availableBytes, String owner) {
    private static final long KIBIBYTE = 1024;

    /// Of this process; empty on other systems.
    static Optional<HostMemory> read() {
        return read(Path.of("/"));
    }

    /// @param root where `proc` and `sys` are
    static Optional<HostMemory> read(Path root) {
        Optional<HostMemory> memory = machine(root.resolve("proc/meminfo"));
        for (String line : lines(root.resolve("proc/self/cgroup"))) {
            String[] parts = line.split(":", 3); // number, controllers, path
            if (parts.length == 3 && (parts[1].isEmpty() || List.of(parts[1].split(",")).contains("memory"))) {
                Path mount = root.resolve(parts[1].isEmpty() ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
                // A group is bound by the limits of those around it. Seen from a container, its path may be one that is not there.
                for (Path group = mount.resolve(parts[2].substring(1)).normalize(); group.startsWith(mount); group = group.getParent()) {
                    Optional<HostMemory> limit = group(group);
                    memory = memory.map(whole -> limit.map(whole::within).orElse(whole));
                }
            }
        }
        return memory;
    }

    /// The same bound by a limit.
    private HostMemory within(HostMemory limit) {
        return new HostMemory(Math.min(memoryBytes, limit.memoryBytes), Math.min(swapBytes, limit.swapBytes),
                Math.min(availableBytes, limit.availableBytes), limit.memoryBytes < memoryBytes ? limit.owner : owner);
    }

    /// With swap; more cannot be had.
    long totalBytes() {
        return memoryBytes + swapBytes;
    }

    private static Optional<HostMemory> machine(Path file) {
        OptionalLong total = field(file, "MemTotal:");
        OptionalLong available = field(file, "MemAvailable:");
        if (total.isEmpty() || available.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new HostMemory(total.getAsLong() * KIBIBYTE, field(file, "SwapTotal:").orElse(0) * KIBIBYTE,
                available.getAsLong() * KIBIBYTE, "this machine"));
    }

    /// Of a control group of version 2 or 1; empty if it has no limit.
    private static Optional<HostMemory> group(Path folder) {
        boolean second = Files.exists(folder.resolve("memory.max"));
        OptionalLong limit = number(folder.resolve(second ? "memory.max" : "memory.limit_in_bytes"));
        OptionalLong used = number(folder.resolve(second ? "memory.current" : "memory.usage_in_bytes"));
        if (limit.isEmpty()) {
            return Optional.empty();
        }
        Path statistics = folder.resolve("memory.stat");
        long files = field(statistics, "inactive_file").orElse(0) + field(statistics, "active_file").orElse(0); // given back when asked for
        return Optional.of(new HostMemory(limit.getAsLong(), number(folder.resolve("memory.swap.max")).orElse(Long.MAX_VALUE),
                Math.clamp(limit.getAsLong() - used.orElse(0) + files, 0, limit.getAsLong()), "this container"));
    }

    /// A file of one number; empty if it is not there or says `max`.
    private static OptionalLong number(Path file) {
        return lines(file).stream().findFirst().map(HostMemory::parse).orElse(OptionalLong.empty());
    }

    /// The number after a name.
    private static OptionalLong field(Path file, String name) {
        return lines(file).stream().filter(line -> line.startsWith(name + " ")).findFirst()
                .map(line -> parse(line.substring(name.length()).strip().split(" ")[0])).orElse(OptionalLong.empty());
    }

    private static OptionalLong parse(String text) {
        try {
            return OptionalLong.of(Long.parseLong(text.strip()));
        } catch (NumberFormatException _) {
            return OptionalLong.empty();
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException _) {
            return List.of(); // another system, or another version of control groups
        }
    }
}
