package org.gatun.cli;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.model.convert.ColumnNorms;
import org.gatun.model.convert.ModelQuantizer;
import org.gatun.model.convert.ModelQuantizer.Result;
import org.gatun.model.convert.WeightTypes;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Writes a model with its weights in another type.
@Command(name = "quantize", description = "Writes a model with its weights in another type, as GGUF or safetensors.", footer = {
        "", "OUT is GGUF if its name ends in .gguf, else a directory with safetensors, config.json and the tokenizer. GGUF takes f32,",
        "f16, bf16, q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1, q4_0, mxfp4 and nvfp4; safetensors f32, f16, bf16, nf4, fp4, nvfp4, int8",
        "and the sparse types.",
        "", "Examples:",
        "  gatun quantize model.gguf small.gguf --type q4_0",
        "  gatun quantize model.gguf small --type nf4 --layers types.txt",
        "  gatun quantize model.gguf sparse --type sparse_2_4_f16 --calibrate story.txt"})
final class QuantizeCommand implements Callable<Integer> {
    private static final int PERMILLE = 1000;

    private final Console console;

    @Parameters(paramLabel = "IN", description = "GGUF file, safetensors file, or directory with safetensors and config.json")
    private Path in;

    @Parameters(paramLabel = "OUT", description = "what to write")
    private Path out;

    @Option(names = "--type", required = true, paramLabel = "TYPE",
            description = "type of the matrices of the layers; embedding, head and norms stay as they are")
    private String type;

    @Option(names = "--layers", paramLabel = "FILE",
            description = "other types for some weights, one rule a line, the first that matches counts: "
                    + "'blk.*.ffn_down.weight = q8_0', or 'output.weight = same'")
    private Optional<Path> layers;

    @Option(names = "--double-quantize",
            description = "store the scales of NF4 and FP4 in 8 bits too, as bitsandbytes does: 4.13 bits a weight instead of 4.5")
    private boolean doubleQuantize;

    @Option(names = "--calibrate", paramLabel = "FILE",
            description = "text to measure the inputs of the matrices on, so that sparse types keep the weights that matter there")
    private Optional<Path> calibrate;

    @Option(names = "--force", description = "replace what is there")
    private boolean force;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    QuantizeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        WeightTypes types = types();
        if (!force) {
            refuseToReplace();
        }
        try (ModelQuantizer model = ModelQuantizer.open(in)) {
            Optional<ColumnNorms> norms = calibrate.isPresent() ? Optional.of(measure(model, calibrate.get())) : Optional.empty();
            List<Result> results;
            try (Progress progress = new Progress(console, "writing " + out, PERMILLE)) {
                results = model.write(out, types, norms, part -> progress.at((long) (part * PERMILLE)));
            }
            if (json) {
                printJson(results);
            } else {
                printTable(results);
            }
        }
        return 0;
    }

    private WeightTypes types() throws IOException {
        WeightTypes types = withRules();
        try {
            return doubleQuantize ? types.withNestedMagnitudes() : types;
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--double-quantize: " + e.getMessage(), e);
        }
    }

    private WeightTypes withRules() throws IOException {
        WeightTypes all;
        try {
            all = new WeightTypes(WeightTypes.parse(type));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--type: " + e.getMessage(), e);
        }
        if (layers.isEmpty()) {
            return all;
        }
        try {
            return all.withRules(console.read(layers.get()));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--layers " + layers.get() + ": " + e.getMessage(), e);
        }
    }

    private void refuseToReplace() throws IOException {
        try {
            ModelQuantizer.requireAbsent(out);
        } catch (FileAlreadyExistsException e) {
            throw new IllegalArgumentException(out + " is there already: expected another name, or --force to replace it", e);
        }
    }

    private ColumnNorms measure(ModelQuantizer model, Path text) throws IOException {
        String content = console.read(text);
        try (Backend backend = Backends.openHost(Runtime.getRuntime().availableProcessors());
                Progress progress = new Progress(console, "reading " + text, PERMILLE)) {
            return model.measureInputs(content, backend, part -> progress.at((long) (part * PERMILLE)));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--calibrate " + text + ": " + e.getMessage(), e);
        }
    }

    private static long sum(List<Result> results, boolean before) {
        return results.stream().mapToLong(result -> before ? result.bytesBefore() : result.bytesAfter()).sum();
    }

    private void printTable(List<Result> results) {
        console.println("%-34s %-9s %-16s %12s %12s %10s %10s".formatted(
                "weight", "from", "to", "bytes", "bytes now", "rel. error", "max. error"));
        for (Result result : results) {
            console.println(String.format(Locale.ROOT, "%-34s %-9s %-16s %12d %12d %10.6f %10.6f", result.name(), result.from(),
                    result.to(), result.bytesBefore(), result.bytesAfter(), result.relativeError(), result.largestError()));
        }
        long before = sum(results, true);
        long after = sum(results, false);
        console.println(String.format(Locale.ROOT, "%-61s %12d %12d  (%.3f)", "all", before, after, (double) after / before));
    }

    private void printJson(List<Result> results) {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("out", out.toString())
                .put("bytes_before", sum(results, true)).put("bytes_after", sum(results, false));
        ArrayNode weights = json.putArray("weights");
        for (Result result : results) {
            weights.addObject().put("name", result.name()).put("from", result.from().name()).put("to", result.to().name())
                    .put("bytes_before", result.bytesBefore()).put("bytes_after", result.bytesAfter())
                    .put("relative_rms_error", result.relativeError()).put("max_abs_error", result.largestError());
        }
        console.println(json.toString());
    }
}
