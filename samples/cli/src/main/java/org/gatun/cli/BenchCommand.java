package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.ModelOptions;
import org.gatun.model.Session;
import org.gatun.speculative.Speculation;
import org.gatun.speculative.SpeculationMethod;
import org.gatun.tensor.DType;
import org.gatun.tokenizer.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// Compares methods on the same prompts. The methods take turns prompt by prompt, so that noise of the machine meets them
/// all alike.
@Command(name = "bench", description = "Runs the same prompts through several methods, and compares speed and text.", footer = {
        "", "Times are of decoding; reading the prompts is not counted.",
        "", "Examples:",
        "  gatun bench",
        "  gatun bench --speculate none,draft:most=4,draft:most=8 --max-tokens 64",
        "  gatun bench --model target.gguf --draft draft.gguf --prompts questions.jsonl",
        "  gatun bench --report report.html",
        "  gatun bench --formats all --text story.txt"})
final class BenchCommand implements Callable<Integer> {
    private static final String ALL = "all";
    private static final int WARM_UP_TOKENS = 16;
    /// A round that takes less is repeated.
    private static final long SHORT_NANOS = 3_000_000_000L;
    private static final int ROUNDS = 5;

    private final Console console;

    @Mixin
    private ModelChoice models;

    @Mixin
    private GenerationChoice choice;

    @Option(names = "--speculate", paramLabel = "METHOD[:OPTION=N...],...", defaultValue = ALL,
            description = "methods to compare, with commas between; all (default) for every one that the models allow")
    private String methods;

    @Option(names = "--prompts", paramLabel = "FILE",
            description = "JSON Lines with \"prompt\" or, as in Spec-Bench, \"turns\", of which the first is taken; "
                    + "by default ten beginnings of stories")
    private Optional<Path> prompts;

    @Option(names = "--formats", paramLabel = "TYPE,...",
            description = "compare types of weights instead of methods, with commas between; all for every one: size, perplexity, "
                    + "divergence from the model as stored, speed")
    private Optional<String> formats;

    @Option(names = "--text", paramLabel = "FILE", description = "with --formats, the text to predict; by default what the model as "
            + "stored tells after the prompts")
    private Optional<Path> text;

    @Option(names = "--report", paramLabel = "FILE", description = "write a page with plots")
    private Optional<Path> report;

    @Option(names = "--json", description = "print a JSON list")
    private boolean json;

    BenchCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        if (formats.isPresent()) {
            compareFormats(formats.get());
            return 0;
        }
        List<BenchRow> rows = rows();
        GenerationOptions options = choice.options(0, Speculation.NONE);
        List<String> texts = texts();
        try (OpenModels opened = models.open(console); Session session = opened.openSession(console)) {
            measure(rows, encode(texts, session), options, opened, session);
            Optional<BenchRow> plain = rows.stream().filter(row -> row.method().equals(Speculation.NONE)).findFirst();
            boolean greedy = options.sampling().temperature() == 0;
            if (json) {
                ArrayNode list = JsonNodeFactory.instance.arrayNode();
                rows.forEach(row -> list.add(row.json(plain, greedy)));
                console.println(list.toString());
            } else {
                printTable(rows, plain, greedy);
            }
            if (report.isPresent()) {
                String subject = opened.target().name() + opened.draft().map(draft -> " with " + draft.name()).orElse("")
                        + ", " + opened.backend().description() + ", " + options.maxTokens() + " tokens at most, temperature "
                        + options.sampling().temperature();
                Files.writeString(report.get(), new BenchReport(subject, rows, plain, greedy).html());
                console.note("wrote " + report.get());
            }
        }
        return 0;
    }

    private List<String> texts() throws IOException {
        return prompts.isPresent() ? BenchPrompts.parse(console.read(prompts.get()), prompts.get()) : BenchPrompts.STORIES;
    }

    private void compareFormats(String names) throws IOException {
        List<DType> types = names.equals(ALL) ? ModelOptions.WEIGHT_TYPES
                : Arrays.stream(names.split(",", -1)).map(name -> ModelChoice.weightType("--formats", name.strip())).toList();
        Optional<String> content = text.isPresent() ? Optional.of(console.read(text.get())) : Optional.empty();
        List<FormatRow> rows = new FormatsBench(console, models, choice.options(0, Speculation.NONE), texts(), content).rows(types);
        List<List<String>> cells = rows.stream().map(FormatRow::cells).toList();
        if (json) {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            rows.forEach(row -> list.add(row.json()));
            console.println(list.toString());
        } else {
            printFormats(FormatRow.COLUMNS);
            cells.forEach(this::printFormats);
        }
        if (report.isPresent()) {
            List<String> labels = rows.stream().map(FormatRow::name).toList();
            Files.writeString(report.get(), new HtmlPage(models.model.map(Path::toString).orElse("embedded target")
                    + ", its weights in several types; divergence of probabilities at a temperature from those of the model as stored")
                    .table(FormatRow.COLUMNS, cells)
                    .heading("Megabytes").bars(labels, rows.stream().map(row -> row.bytes() / 1e6).toList())
                    .heading("Perplexity").bars(labels, rows.stream().map(FormatRow::perplexity).toList())
                    .heading("Divergence at temperature 1").bars(labels, rows.stream().map(row -> row.divergences().get(1)).toList())
                    .heading("Tokens a second").bars(labels, rows.stream().map(FormatRow::tokensPerSecond).toList())
                    .html());
            console.note("wrote " + report.get());
        }
    }

    private void printFormats(List<String> cells) {
        StringBuilder line = new StringBuilder("%-16s".formatted(cells.getFirst()));
        cells.stream().skip(1).forEach(cell -> line.append("%11s".formatted(cell)));
        console.println(line.toString());
    }

    /// A row without outcomes for each method asked for.
    private List<BenchRow> rows() {
        Stream<String> names = methods.equals(ALL)
                ? SpeculationMethod.ALL.stream().filter(method -> models.hasDraft() || !method.needsDraftModel())
                        .map(SpeculationMethod::name)
                : Arrays.stream(methods.split(",", -1)).map(String::strip);
        return names.map(name -> new BenchRow(name, models.speculation(Optional.of(name)), new ArrayList<>())).toList();
    }

    /// The prompts that fit the context.
    private List<int[]> encode(List<String> texts, Session session) {
        Tokenizer tokenizer = session.model().tokenizer();
        List<int[]> fitting = texts.stream().map(text -> tokenizer.encode(text, Tokenizer.Special.ADD))
                .filter(tokens -> tokens.length > 0 && tokens.length < session.capacity()).toList();
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

    /// Runs every prompt through every method, in turn, so that what else the machine does meets all alike. Where that is
    /// over soon it is done again, the first round forgotten as warm-up; the median of each prompt counts.
    private void measure(List<BenchRow> rows, List<int[]> prompts, GenerationOptions options, OpenModels opened, Session session) {
        GenerationOptions warmUp = options.withMaxTokens(Math.min(WARM_UP_TOKENS, options.maxTokens()));
        rows.forEach(row -> generate(prompts.getFirst(), warmUp.withSpeculation(row.method()), opened, session));
        long begun = System.nanoTime();
        List<List<Outcome>> once = round(rows, prompts, options, opened, session, "measuring");
        List<List<List<Outcome>>> rounds = new ArrayList<>(List.of(once));
        if (System.nanoTime() - begun < SHORT_NANOS) {
            rounds.clear();
            for (int i = 1; i <= ROUNDS; i++) {
                rounds.add(round(rows, prompts, options, opened, session, "measuring, round " + i + " of " + ROUNDS));
            }
        }
        for (int row = 0; row < rows.size(); row++) {
            for (int prompt = 0; prompt < prompts.size(); prompt++) {
                int method = row;
                int number = prompt;
                List<Outcome> sorted = rounds.stream().map(round -> round.get(method).get(number))
                        .sorted(Comparator.comparingDouble(Outcome::seconds)).toList();
                rows.get(row).outcomes().add(sorted.get(sorted.size() / 2));
            }
        }
    }

    /// One outcome for each method and prompt.
    private List<List<Outcome>> round(List<BenchRow> rows, List<int[]> prompts, GenerationOptions options, OpenModels opened,
            Session session, String what) {
        List<List<Outcome>> outcomes = rows.stream().<List<Outcome>>map(_ -> new ArrayList<>()).toList();
        try (Progress progress = new Progress(console, what, (long) prompts.size() * rows.size())) {
            long done = 0;
            for (int[] prompt : prompts) {
                for (int row = 0; row < rows.size(); row++) {
                    outcomes.get(row).add(generate(prompt, options.withSpeculation(rows.get(row).method()), opened, session));
                    progress.at(++done);
                }
            }
        }
        return outcomes;
    }

    private static Outcome generate(int[] prompt, GenerationOptions options, OpenModels opened, Session session) {
        try (Generation generation = new Generation(session, prompt, opened.draft(), options)) {
            return Outcome.of(generation, _ -> true);
        }
    }

    private void printTable(List<BenchRow> rows, Optional<BenchRow> plain, boolean greedy) {
        console.println("%-20s %8s %8s %9s %9s %8s %9s%s".formatted(
                "method", "prompts", "tokens", "seconds", "tokens/s", "speedup", "accepted", greedy ? "  identical to none" : ""));
        for (BenchRow row : rows) {
            console.println(String.format(Locale.ROOT, "%-20s %8d %8d %9.2f %9.1f %8s %9.2f%s",
                    row.name(), row.outcomes().size(), row.tokens(), row.seconds(), row.tokensPerSecond(),
                    plain.map(other -> String.format(Locale.ROOT, "%.2f", row.speedup(other))).orElse("-"),
                    row.meanAcceptedLength(),
                    greedy ? plain.map(other -> row.isIdenticalTo(other) ? "  yes" : "  no").orElse("  -") : ""));
        }
    }
}
