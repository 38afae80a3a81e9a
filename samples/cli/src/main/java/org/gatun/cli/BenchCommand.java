package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gatun.format.AtomicOutput;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Session;
import org.gatun.speculative.method.Speculation;
import org.gatun.speculative.method.SpeculationMethod;
import org.gatun.tokenizer.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Compares methods on the same prompts.
@Command(name = "bench", description = "Runs the same prompts through several methods, and compares speed and text.", footer = {
        "", "Times are of decoding; reading the prompts is not counted. Methods take turns prompt by prompt; each has one drafter for all",
        "prompts of a round, and what that learns from one serves the next.",
        "", "Examples:",
        "  gatun bench",
        "  gatun bench --speculate none,draft:max=4,draft:max=8 --max-tokens 64",
        "  gatun bench --model target.gguf --draft draft.gguf --prompts questions.jsonl",
        "  gatun bench --random 170m:q8_0 --acceptance 0.8 --max-tokens 64",
        "  gatun bench --report report.html",
        "  gatun bench --formats all --text story.txt",
        "  gatun bench --schemas schemas.jsonl.gz --model tokenizer.json"})
final class BenchCommand implements Callable<Integer> {
    private static final String ALL = "all";

    private final Console console;

    @Mixin
    private ModelChoice models;

    @Mixin
    private GenerationChoice choice;

    @Option(names = "--speculate", paramLabel = "METHOD[:OPTION=N...],...", defaultValue = ALL,
            description = "methods to compare, with commas between; all (default) for every one that the models allow")
    private String methods;

    @Option(names = "--prompts", paramLabel = "FILE",
            description = "JSON Lines with \"prompt\" or, as in Spec-Bench, \"turns\", of which the first is taken, and \"category\"; "
                    + "by default ten beginnings of stories")
    private Optional<Path> prompts;

    @Option(names = "--rounds", paramLabel = "N", description = "how often to run all; by default 3, or 5 where a round is over in "
            + "seconds, after one to warm up")
    private Optional<Integer> rounds;

    @Option(names = "--acceptance", paramLabel = "R", description = "synthetic acceptance: make proposals right at this rate, from 0 "
            + "to 1, whatever the methods propose; measures the engine, not a method")
    private Optional<Double> acceptance;

    @Option(names = "--random", paramLabel = "SHAPE:TYPE", description = "a Llama of 170m or 1b with random weights of a type such as "
            + "q8_0, and a smaller one to draft, instead of models from files; prompts are then token numbers")
    private Optional<String> random;

    @Option(names = "--formats", paramLabel = "TYPE,...",
            description = "compare types of weights instead of methods, with commas between; int8/int8 or int8/int8-outliers for "
                    + "activations in 8 bits too, all for every one: size, perplexity, "
                    + "divergence from the model as stored at several temperatures, speed")
    private Optional<String> formats;

    @Option(names = "--text", paramLabel = "FILE", description = "with --formats, the text to predict; by default what the model as "
            + "stored tells after the prompts")
    private Optional<Path> text;

    @Option(names = "--schemas", paramLabel = "FILE", description = "measure constraints instead: JSON Lines, .gz too, with a JSON Schema in "
            + "schema and documents in tests; --model may be a vocabulary alone, or tokenizer.json")
    private Optional<Path> schemas;

    @Option(names = "--one-in", paramLabel = "N", defaultValue = "1", description = "with --schemas, take one of N lines")
    private int oneIn;

    @Option(names = "--report", paramLabel = "FILE", description = "write a page with plots")
    private Optional<Path> report;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    BenchCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        if (schemas.isPresent()) {
            measureSchemas(schemas.get());
            return 0;
        }
        models.random = random.map(RandomShape::parse);
        if (formats.isPresent()) {
            compareFormats(formats.get());
            return 0;
        }
        List<BenchRow> rows = rows();
        if (rounds.isPresent() && rounds.get() < 1) {
            throw new IllegalArgumentException("--rounds " + rounds.get() + ": expected 1 or more");
        }
        if (acceptance.isPresent() && !(acceptance.get() >= 0 && acceptance.get() <= 1)) {
            throw new IllegalArgumentException("--acceptance " + acceptance.get() + ": expected 0 to 1");
        }
        GenerationOptions options = choice.options(0, Speculation.NONE);
        List<BenchPrompts.Prompt> texts = texts();
        try (OpenModels opened = models.open(console); Session session = opened.openSession(console)) {
            List<String> categories = new ArrayList<>();
            List<int[]> fitting = encode(texts, session, categories);
            new BenchRun(opened, session, fitting, options, acceptance, console).measure(rows, rounds);
            String subject = opened.target().name() + opened.draft().map(draft -> " with " + draft.name()).orElse("")
                    + ", " + opened.backend().description() + ", " + options.maxTokens() + " tokens at most, temperature "
                    + options.sampling().temperature();
            BenchResult result = new BenchResult(subject, rows, categories, options.sampling().temperature() == 0, acceptance);
            if (json) {
                console.println(result.json().toString());
            } else {
                result.lines().forEach(console::println);
            }
            if (report.isPresent()) {
                AtomicOutput.write(report.get(), new BenchReport(result).html());
                console.note("wrote " + report.get());
            }
        }
        return 0;
    }

    private List<BenchPrompts.Prompt> texts() throws IOException {
        return prompts.isPresent() ? BenchPrompts.parse(console.read(prompts.get()), prompts.get())
                : random.isPresent() ? RandomShape.prompts() : BenchPrompts.STORIES;
    }

    private void measureSchemas(Path file) throws IOException {
        if (oneIn < 1) {
            throw new IllegalArgumentException("--one-in " + oneIn + ": expected 1 or more");
        }
        SchemasBench bench = new SchemasBench(TokenizeCommand.tokenizer(models.model));
        bench.run(file, oneIn, console);
        if (json) {
            console.println(bench.json().toString());
        } else {
            bench.lines().forEach(console::println);
        }
    }

    private void compareFormats(String names) throws IOException {
        List<WeightFormat> types = names.equals(ALL) ? WeightFormat.all()
                : Arrays.stream(names.split(",", -1)).map(name -> WeightFormat.parse("--formats", name.strip())).toList();
        Optional<String> content = text.isPresent() ? Optional.of(console.read(text.get())) : Optional.empty();
        List<String> beginnings = texts().stream().map(BenchPrompts.Prompt::text).toList();
        FormatsReport result = new FormatsReport(
                new FormatsBench(console, models, choice.options(0, Speculation.NONE), beginnings, content).rows(types));
        if (json) {
            console.println(result.json().toString());
        } else {
            result.lines().forEach(console::println);
        }
        if (report.isPresent()) {
            AtomicOutput.write(report.get(), result.html(models.model.map(Path::toString).orElse("embedded target")));
            console.note("wrote " + report.get());
        }
    }

    /// A row without rounds for each method asked for.
    private List<BenchRow> rows() {
        Stream<String> names = methods.equals(ALL)
                ? SpeculationMethod.ALL.stream().map(SpeculationMethod::name)
                        .filter(name -> models.hasDraft() || !SpeculationMethod.parse(name).requirements().draftModel())
                : Arrays.stream(methods.split(",", -1)).map(String::strip);
        return names.map(name -> new BenchRow(name, models.speculation(Optional.of(name)), new ArrayList<>())).toList();
    }

    /// The prompts that fit the context; adds the category of each.
    private List<int[]> encode(List<BenchPrompts.Prompt> texts, Session session, List<String> categories) {
        Tokenizer tokenizer = session.model().tokenizer();
        List<int[]> fitting = new ArrayList<>();
        for (BenchPrompts.Prompt text : texts) {
            int[] tokens = tokenizer.encode(text.text(), Tokenizer.Special.ADD);
            if (tokens.length > 0 && tokens.length < session.capacity()) {
                fitting.add(tokens);
                categories.add(text.category());
            }
        }
        if (fitting.isEmpty()) {
            throw new IllegalArgumentException("--prompts: none of " + texts.size() + " fits the context of "
                    + session.capacity() + " tokens; give a larger --context");
        }
        if (fitting.size() < texts.size()) {
            console.note((texts.size() - fitting.size()) + " of " + texts.size() + " prompts do not fit the context of "
                    + session.capacity() + " tokens and are left out");
        }
        return fitting;
    }
}
