package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.GgufFile;
import org.gatun.format.Metadata;
import org.gatun.format.SafetensorsFile;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.tensor.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Shows what is in a model file.
@Command(name = "inspect", description = "Shows the header, the tensors and the memory needs of a GGUF or safetensors file, and what becomes of everything "
                + "that it says: what is read, what changes nothing, and what is not supported.", footer = {
        "", "Examples:",
        "  gatun inspect model.gguf",
        "  gatun inspect model.safetensors --json"})
final class InspectCommand implements Callable<Integer> {
    private static final int MAX_VALUE_LENGTH = 80;
    private static final Pattern LAYER = Pattern.compile("(blk\\.|layers\\.)\\d+\\.");

    private final Console console;

    @Parameters(paramLabel = "FILE", description = "GGUF file, safetensors file or index, or directory of safetensors")
    private Path file;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    InspectCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        String name = file.toString();
        if (Files.isDirectory(file) || name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json")) {
            try (SafetensorsFile safetensors = SafetensorsFile.open(file)) {
                show("safetensors", safetensors.metadata(), safetensors.tensors(), safetensors.unreadable());
            }
        } else {
            try (GgufFile gguf = GgufFile.open(file)) {
                show("GGUF version " + gguf.version(), gguf.metadata(), gguf.tensors(), gguf.unreadable());
            }
        }
        return 0;
    }

    /// @param unreadable types of tensors that are of none that is read, by name
    private void show(String format, Metadata metadata, Map<String, Tensor> tensors, Map<String, String> unreadable) throws IOException {
        long parameters = tensors.values().stream().mapToLong(tensor -> tensor.shape().elements()).sum();
        long bytes = tensors.values().stream().mapToLong(tensor -> tensor.data().byteSize()).sum();
        ObjectNode result = JsonNodeFactory.instance.objectNode()
                .put("file", file.toString()).put("format", format).put("parameters", parameters).put("tensor_bytes", bytes);
        FormatReport report = new FormatReport();
        addNeeds(result, bytes, report);
        if (json) {
            ObjectNode values = result.putObject("metadata");
            metadata.values().forEach((key, value) -> values.put(key, summary(value)));
            tensors.values().forEach(tensor -> {
                ObjectNode entry = result.withArray("tensors").addObject().put("name", tensor.name())
                        .put("dtype", tensor.dtype().name()).put("bytes", tensor.data().byteSize());
                tensor.shape().dimensions().forEach(dimension -> entry.withArray("shape").add(dimension));
            });
            unreadable.forEach((tensor, type) -> result.withArray("tensors").addObject().put("name", tensor).put("dtype", type));
            addReport(result.putObject("report"), report);
            console.println(result.toString());
            return;
        }
        console.println(file + ": " + format);
        metadata.values().forEach((key, value) -> console.println("  %-40s  %s".formatted(key, summary(value))));
        console.println(tensors.size() + unreadable.size() + " tensors");
        tensors.values().forEach(tensor -> console.println("  %-40s  %-5s %-20s  %s".formatted(
                tensor.name(), tensor.dtype(), tensor.shape(), megabytes(tensor.data().byteSize()))));
        unreadable.forEach((tensor, type) -> console.println("  %-40s  %-5s not read".formatted(summary(tensor), summary(type))));
        console.println(String.format(Locale.ROOT, "%,d parameters in %s", parameters, megabytes(bytes)));
        showReport(report);
        console.println(result.has("unsupported") ? "cannot be run: " + result.get("unsupported").stringValue()
                : "memory needed: %s of weights and %s of KV cache for %d tokens".formatted(megabytes(bytes),
                        megabytes(result.get("kv_cache_bytes").longValue()), result.get("context").intValue()));
    }

    private static void addReport(ObjectNode result, FormatReport report) {
        for (FormatReport.Use use : FormatReport.Use.values()) {
            ArrayNode list = result.putArray(switch (use) {
                case READ -> "read";
                case IGNORED -> "changes_nothing";
                case UNSUPPORTED -> "not_supported";
            });
            for (FormatReport.Entry entry : report.entries(use)) {
                ObjectNode one = list.addObject().put("file", entry.file()).put("name", entry.name());
                if (use != FormatReport.Use.READ) {
                    one.put("reason", entry.reason());
                }
            }
        }
        ArrayNode warnings = result.putArray("warnings");
        report.warnings().forEach(warnings::add);
    }

    private void showReport(FormatReport report) {
        show("read", report.entries(FormatReport.Use.READ));
        show("changes nothing", report.entries(FormatReport.Use.IGNORED));
        show("not supported", report.entries(FormatReport.Use.UNSUPPORTED));
        report.warnings().forEach(warning -> console.println("warning: " + warning));
    }

    /// What has the same name in every layer, and the same reason, is one line.
    private void show(String title, List<FormatReport.Entry> entries) {
        Map<String, Integer> lines = new LinkedHashMap<>();
        entries.forEach(entry -> lines.merge("  %-40s".formatted(entry.file() + ": " + summary(LAYER.matcher(entry.name()).replaceFirst("$1*.")))
                + (entry.reason().isEmpty() ? "" : "  " + summary(entry.reason())), 1, Integer::sum));
        console.println(title + (lines.isEmpty() ? ": nothing" : ""));
        lines.forEach((line, count) -> console.println(count == 1 ? line.stripTrailing() : line.stripTrailing() + " (" + count + ")"));
    }

    /// Adds what running it would take, or why it cannot be run.
    private void addNeeds(ObjectNode result, long bytes, FormatReport report) throws IOException {
        try (Backend backend = Backends.open("reference"); Model model = Model.load(file, backend, ModelOptions.STANDARD, report)) {
            long kv = model.kvLayout().byteSize(model.contextLength());
            result.put("context", model.contextLength()).put("kv_cache_bytes", kv).put("memory_bytes", bytes + kv);
        } catch (FormatException e) {
            result.put("unsupported", e.getMessage());
        }
    }

    /// A value in one short line; arrays by their length and beginning.
    private static String summary(Object value) {
        String text = switch (value) {
            case int[] array -> array.length + " integers";
            case long[] array -> array.length + " integers";
            case float[] array -> array.length + " numbers";
            case double[] array -> array.length + " numbers";
            case boolean[] array -> array.length + " booleans";
            case List<?> list -> list.size() + " values" + beginning(list);
            default -> value.toString();
        };
        String line = text.replaceAll("\\p{Cntrl}", " ");
        return line.length() <= MAX_VALUE_LENGTH ? line : line.substring(0, MAX_VALUE_LENGTH) + " ...";
    }

    private static String beginning(List<?> list) {
        StringBuilder text = new StringBuilder(": ");
        for (Iterator<?> values = list.iterator(); values.hasNext() && text.length() < MAX_VALUE_LENGTH; ) {
            text.append(values.next()).append(values.hasNext() ? ", " : "");
        }
        return text.toString();
    }

    private static String megabytes(long bytes) {
        return String.format(Locale.ROOT, bytes < 100_000 ? "%.4f MB" : "%,.1f MB", bytes / 1e6);
    }
}
