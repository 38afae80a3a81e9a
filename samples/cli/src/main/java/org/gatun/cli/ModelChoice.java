package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.backend.KvLayout;
import org.gatun.backend.cpu.CpuBackend;
import org.gatun.backend.cpu.CpuOptions;
import org.gatun.backend.cuda.CudaBackend;
import org.gatun.cuda.CudaException;
import org.gatun.format.FileAccess;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.plan.ActivationQuantization;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.stories.StoryModels;
import picocli.CommandLine.Option;

/// The options that say which models run on what.
final class ModelChoice {

    @Option(names = "--model", paramLabel = "FILE",
            description = "GGUF file, safetensors file, or directory with safetensors and config.json; "
                    + "without it the embedded story models are used")
    Optional<Path> model;

    @Option(names = "--draft", paramLabel = "FILE", description = "smaller model with the same vocabulary, to draft")
    Optional<Path> draft;

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = Backends.AUTO,
            description = "auto (default), cpu, reference, cuda or simulator; see 'gatun devices'")
    String backend;

    @Option(names = "--threads", paramLabel = "N", description = "threads of the cpu backend; all processors by default")
    Optional<Integer> threads;

    @Option(names = "--instruction-set", paramLabel = "NAME",
            description = "of the cpu backend: avx512, avx2, neon or portable, see 'gatun devices'; the best by default")
    Optional<String> instructionSet;

    @Option(names = "--quantize", paramLabel = "TYPE",
            description = "bring the weights of the layers to a type when loading: q8_0, q5_1, q5_0, q4_1, q4_0, nf4, fp4, mxfp4, nvfp4, "
                    + "int8, f16, bf16, f32, or one of sparse_2_4_f16, ..., see the guide; embedding and head stay as they are")
    Optional<String> quantize;

    @Option(names = "--activations", paramLabel = "FORM",
            description = "only for weights of INT8, from a file or by --quantize int8: how exactly the values that they are multiplied "
                    + "with are kept. none (default): as they are; int8: rounded to 8 bits (W8A8), which changes texts a little; "
                    + "int8-outliers: the same, but values of 6 and more, which rounding hurts most, stay as they are. A model without "
                    + "such weights is refused with the last two")
    Optional<String> activations;

    @Option(names = "--kv-type", paramLabel = "TYPE",
            description = "store keys and values as f16 (default), bf16, q8_0, which takes about half, or f32, which CUDA does not take")
    Optional<String> kvType;

    @Option(names = "--context", paramLabel = "N",
            description = "how many tokens prompt and answer may have together (an English word has one or two); memory for them is "
                    + "taken at the start. By default as many as the model was trained for, but at least " + ModelOptions.MIN_CONTEXT
                    + " and at most " + ModelOptions.MAX_CONTEXT + ". A longer prompt is refused, and an answer ends when they are used up")
    Optional<Integer> context;

    @Option(names = "--no-mmap",
            description = "read the model's files into memory instead of mapping them, for file systems that cannot map or are slow at it; "
                    + "takes their size in memory until the model is ready")
    boolean reads;

    /// Models with random weights instead of any from a file.
    Optional<RandomShape> random = Optional.empty();

    private boolean warnedOfThreads; // some commands open models more than once

    /// Whether there is a model that can draft.
    boolean hasDraft() {
        return model.isEmpty() || draft.isPresent() || random.isPresent();
    }

    /// The method asked for, or the one that suits the models.
    ///
    /// @param text as given to `--speculate`
    Speculation speculation(Optional<String> text) {
        if (text.isEmpty()) {
            return hasDraft() ? SpeculationMethod.parse("draft") : Speculation.NONE;
        }
        try {
            Speculation speculation = SpeculationMethod.parse(text.get());
            if (speculation.requirements().draftModel() && !hasDraft()) {
                throw new IllegalArgumentException("found no draft model, expected --draft FILE");
            }
            return speculation;
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--speculate " + text.get() + ": " + e.getMessage(), e);
        }
    }

    /// Opens the models; the caller closes them. Where the backend is left to Gatun and a device cannot take the models, the processor
    /// does.
    OpenModels open(Console console) throws IOException {
        return open(console, new WeightFormat(quantize.map(type -> WeightFormat.type("--quantize", type)), activations()));
    }

    private ActivationQuantization activations() {
        try {
            return activations.map(ActivationQuantization::parse).orElse(ActivationQuantization.NONE);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--activations: " + e.getMessage(), e);
        }
    }

    /// As the other, in a format, whatever `--quantize` and `--activations` say.
    OpenModels open(Console console, WeightFormat format) throws IOException {
        if (random.isPresent() && (model.isPresent() || draft.isPresent())) {
            throw new IllegalArgumentException("--random " + random.get().name() + " with --model or --draft: give one or the other");
        }
        if (draft.isPresent() && model.isEmpty()) {
            throw new IllegalArgumentException("--draft " + draft.get() + " without --model: give the model that it drafts for");
        }
        OpenModels opened = requireMemory(open(openBackend(console), format), console);
        if (backend.equals(Backends.AUTO) && opened.backend() instanceof CudaBackend) {
            try {
                opened.prepare(console);
            } catch (CudaException | IllegalArgumentException e) {
                console.note("gatun: backend " + opened.backend().name() + " cannot be used: " + e.getMessage());
                opened.close();
                return requireMemory(open(Backends.openHost(cpuOptions()), format), console);
            }
        }
        return opened;
    }

    private OpenModels open(Backend opened, WeightFormat format) throws IOException {
        ModelOptions options = new ModelOptions(inRange("--context", context, KvLayout.MAX_SLOTS, 0),
                kvType.map(name -> WeightFormat.type("--kv-type", name, KvLayout.TYPES)).orElse(ModelOptions.STANDARD.kvType()),
                format.type(), format.activations(), reads ? FileAccess.READ : FileAccess.MAPPED);
        try {
            if (random.isPresent()) {
                return random.get().open(opened, options);
            }
            if (model.isEmpty()) {
                StoryModels pair = StoryModels.open(opened, options);
                return new OpenModels(opened, pair.target(), Optional.of(pair.draft()), Optional.of(pair));
            }
            Model target = Model.load(model.get(), opened, options);
            try {
                Optional<Model> second = draft.isPresent()
                        ? Optional.of(Model.load(draft.get(), opened, options)) : Optional.empty();
                return new OpenModels(opened, target, second, Optional.empty());
            } catch (IOException | RuntimeException e) {
                target.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private Backend openBackend(Console console) {
        CpuOptions options = cpuOptions();
        int processors = Runtime.getRuntime().availableProcessors();
        if (options.threads() > processors && !warnedOfThreads) {
            warnedOfThreads = true;
            console.note("gatun: warning: --threads " + options.threads() + ": this process may use " + processors
                    + (processors == 1 ? " processor" : " processors") + "; more threads than that wait for each other");
        }
        if (instructionSet.isPresent() && !backend.equals(Backends.AUTO) && !backend.equals("cpu")) {
            throw new IllegalArgumentException("--instruction-set " + instructionSet.get() + " with --backend " + backend
                    + ": expected --backend cpu");
        }
        try {
            return Backends.open(backend, options);
        } catch (IllegalArgumentException e) {
            String given = "--backend " + backend + threads.map(count -> " --threads " + count).orElse("")
                    + instructionSet.map(name -> " --instruction-set " + name).orElse("");
            throw new IllegalArgumentException(given + ": " + e.getMessage(), e);
        }
    }

    private CpuOptions cpuOptions() {
        return new CpuOptions(inRange("--threads", threads, CpuOptions.MAX_THREADS,
                Math.min(Runtime.getRuntime().availableProcessors(), CpuOptions.MAX_THREADS)), instructionSet);
    }

    /// Compares what models will take with what the machine, or the container, has, while nothing is taken yet. Closes them if it is too
    /// much.
    private static OpenModels requireMemory(OpenModels opened, Console console) {
        if (opened.backend() instanceof CpuBackend) { // a device has its own memory, and the reference backend leaves weights in the file
            try {
                HostMemory.read().flatMap(opened.need()::problem).ifPresent(problem -> console.note("gatun: warning: " + problem));
            } catch (IllegalArgumentException e) {
                opened.close();
                throw e;
            }
        }
        return opened;
    }

    private static int inRange(String option, Optional<Integer> value, int max, int standard) {
        if (value.isPresent() && (value.get() < 1 || value.get() > max)) {
            throw new IllegalArgumentException(option + " " + value.get() + ": expected 1 or more, up to " + max);
        }
        return value.orElse(standard);
    }
}
