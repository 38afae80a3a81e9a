package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.Metadata;
import org.gatun.format.SafetensorsFile;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.tensor.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Shows what is in a model file.
@Command(name = "inspect", description = "Shows the header, the tensors and the memory needs of a GGUF or safetensors file.", footer = {
        "", "Examples:",
        "  gatun inspect model.gguf",
        "  gatun inspect model.safetensors --json"})
final class InspectCommand implements Callable<Integer> {
    private static final int MAX_VALUE_LENGTH = 80;

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
                show("safetensors", safetensors.metadata(), safetensors.tensors());
            }
        } else {
            try (GgufFile gguf = GgufFile.open(file)) {
                show("GGUF version " + gguf.version(), gguf.metadata(), gguf.tensors());
            }
        }
        return 0;
    }

    private void show(String format, Metadata metadata, Map<String, Tensor> tensors) throws IOException {
        long parameters = tensors.values().stream().mapToLong(tensor -> tensor.shape().elements()).sum();
        long bytes = tensors.values().stream().mapToLong(tensor -> tensor.data().byteSize()).sum();
        ObjectNode result = JsonNodeFactory.instance.objectNode()
                .put("file", file.toString()).put("format", format).put("parameters", parameters).put("tensor_bytes", bytes);
        addNeeds(result, bytes);
        if (json) {
            ObjectNode values = result.putObject("metadata");
            metadata.values().forEach((key, value) -> values.put(key, summary(value)));
            tensors.values().forEach(tensor -> {
                ObjectNode entry = result.withArray("tensors").addObject().put("name", tensor.name())
                        .put("dtype", tensor.dtype().name()).put("bytes", tensor.data().byteSize());
                tensor.shape().dimensions().forEach(dimension -> entry.withArray("shape").add(dimension));
            });
            console.println(result.toString());
            return;
        }
        console.println(file + ": " + format);
        metadata.values().forEach((key, value) -> console.println("  %-40s  %s".formatted(key, summary(value))));
        console.println(tensors.size() + " tensors");
        tensors.values().forEach(tensor -> console.println("  %-40s  %-5s %-20s  %s".formatted(
                tensor.name(), tensor.dtype(), tensor.shape(), megabytes(tensor.data().byteSize()))));
        console.println(String.format(Locale.ROOT, "%,d parameters in %s", parameters, megabytes(bytes)));
        console.println(result.has("unsupported") ? "cannot be run: " + result.get("unsupported").stringValue()
                : "memory needed: %s of weights and %s of KV cache for %d tokens".formatted(megabytes(bytes),
                        megabytes(result.get("kv_cache_bytes").longValue()), result.get("context").intValue()));
    }

    /// Adds what running it would take, or why it cannot be run.
    private void addNeeds(ObjectNode result, long bytes) throws IOException {
        try (Backend backend = Backends.open("reference"); Model model = Model.load(file, backend, ModelOptions.STANDARD)) {
            long kv = model.config().kvShape(model.contextLength(), ModelOptions.STANDARD.kvType()).byteSize();
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
