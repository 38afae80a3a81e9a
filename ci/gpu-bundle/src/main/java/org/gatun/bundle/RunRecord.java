package org.gatun.bundle;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.gatun.cuda.CudaDevice;
import org.gatun.cuda.CudaDriver;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// What a run found, as one JSON object in a file that is written anew with each addition.
final class RunRecord implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Path file;
    private final ObjectNode root = JSON.createObjectNode();

    private RunRecord(Path file) {
        this.file = file;
    }

    /// Begins a record with what the machine is.
    static RunRecord begin(CudaDriver driver, Path directory) throws IOException {
        Files.createDirectories(directory);
        RunRecord record = new RunRecord(directory.resolve("record.json"));
        CudaDevice device = CudaDevice.of(driver, 0);
        record.root.put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString())
                .put("commit", commit())
                .put("gpu", !driver.name().equals("simulator"))
                .put("driver", driver.name())
                .put("cuda_version", driver.version() / 1000 + "." + driver.version() % 1000 / 10)
                .put("device", device.name())
                .put("compute_capability", device.computeCapability() / 10 + "." + device.computeCapability() % 10)
                .put("multiprocessors", device.multiprocessors())
                .put("memory_bytes", device.memoryBytes())
                .put("l2_bytes", device.l2Bytes())
                .put("processors", Runtime.getRuntime().availableProcessors());
        record.save();
        return record;
    }

    /// The commit that the bundle was built from.
    private static String commit() throws IOException {
        Path noted = Path.of(System.getProperty("gatun.bundle", "."), "commit");
        return Files.exists(noted) ? Files.readString(noted).strip() : "unknown";
    }

    Path file() {
        return file;
    }

    /// What it runs on, for people.
    String machine() {
        return "%s, compute capability %s, %d multiprocessors, driver %s for CUDA %s".formatted(root.get("device").asString(),
                root.get("compute_capability").asString(), root.get("multiprocessors").asInt(), root.get("driver").asString(),
                root.get("cuda_version").asString());
    }

    void tests(GpuTests.Outcome outcome) {
        ObjectNode tests = root.putObject("tests").put("passed", outcome.passed()).put("failed", outcome.failures().size())
                .put("skipped", outcome.skips().size()).put("cut", outcome.cut());
        outcome.failures().forEach(tests.putArray("failures")::add);
        outcome.skips().forEach(tests.putArray("skips")::add);
        save();
    }

    /// Sets a part of it.
    ObjectNode part(String name) {
        return root.withObjectProperty(name);
    }

    /// Adds a line to a list of it; saved with the next [#save].
    ObjectNode line(String list) {
        ArrayNode lines = root.withArrayProperty(list);
        return lines.addObject();
    }

    void save() {
        try {
            Path written = file.resolveSibling(file.getFileName() + ".new");
            Files.writeString(written, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
            Files.move(written, file, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        save();
    }
}
