package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.gatun.constraint.CompiledConstraint;
import org.gatun.constraint.Constraint;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Session;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.method.Speculation;
import org.gatun.tokenizer.Tokenizer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/// Continues a prompt.
@Command(name = "generate", description = "Continues a prompt, and prints the text as it comes.", footer = {
        "", "Examples:",
        "  gatun generate --prompt \"Once upon a time\"",
        "  gatun generate --prompt \"The dog\" --temperature 0.8 --seed 7 --max-tokens 100",
        "  gatun generate --model target.gguf --draft draft.gguf --prompt-file a.txt",
        "  gatun generate --prompt \"A list: \" --constrain json",
        "  gatun generate --prompt \"The end\" --speculate lookup:max=6 --json"})
final class GenerateCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelChoice models;

    @Mixin
    private GenerationChoice choice;

    @ArgGroup(multiplicity = "1")
    private Prompt prompt;

    @Option(names = "--speculate", paramLabel = "METHOD[:OPTION=N...]",
            description = "how tokens are drafted: none, draft, lookup, auto and others (docs/guide.md); draft by default if there is a draft model, else none")
    private Optional<String> speculate;

    @Option(names = "--constrain", paramLabel = "KIND[:...]", description = ConstraintChoice.DESCRIPTION)
    private Optional<String> constrain;

    @Option(names = "--stop", paramLabel = "TEXT", description = "end before this text; may be given several times")
    private List<String> stop = List.of();

    @Option(names = "--ignore-eos", description = "go on after the end of a text")
    private boolean ignoreEndOfText;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    /// Where the prompt comes from.
    private static final class Prompt {
        @Option(names = "--prompt", paramLabel = "TEXT", description = "the beginning; empty for a text from nothing")
        private String text;

        @Option(names = "--prompt-file", paramLabel = "FILE", description = "file with the beginning, - for standard input")
        private Path file;
    }

    GenerateCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        if (stop.contains("")) {
            throw new IllegalArgumentException("--stop: found an empty text, expected at least one character");
        }
        if (ignoreEndOfText && constrain.isPresent()) {
            throw new IllegalArgumentException("--constrain " + constrain.get() + " says where the text ends: expected it without --ignore-eos");
        }
        Speculation speculation = models.speculation(speculate);
        GenerationOptions options =
                choice.options(0, speculation).withStopStrings(stop).withIgnoreEndOfText(ignoreEndOfText);
        Optional<Constraint> constraint = constrain.isPresent() ? Optional.of(ConstraintChoice.parse(constrain.get(), console))
                : Optional.empty();
        String text = prompt.file == null ? prompt.text : console.read(prompt.file);
        long begun = System.nanoTime();
        try (OpenModels opened = models.open(console); Session session = opened.openSession(console);
                Drafter drafter = opened.openDrafter(speculation)) {
            long loaded = System.nanoTime();
            Tokenizer tokenizer = session.model().tokenizer();
            int[] tokens = tokenizer.encode(text, Tokenizer.Special.ADD);
            Optional<CompiledConstraint> compiled = constraint.map(each -> each.compile(tokenizer));
            compiled.ifPresent(each -> each.notes().forEach(note -> console.note("--constrain: " + note)));
            GenerationOptions constrained = compiled.map(options::withConstraint).orElse(options);
            try (Generation generation = opened.begin(session, tokens, drafter, constrained, console);
                    Interruption _ = new Interruption(generation::cancel)) {
                double promptSeconds = seconds(loaded);
                Outcome outcome = Outcome.of(generation, piece -> json || console.print(piece));
                String backend = opened.backend().name();
                ObjectNode result = outcome.json(speculation, backend).put("load_seconds", (loaded - begun) / 1e9)
                        .put("prompt_seconds", promptSeconds).put("first_token_seconds", promptSeconds + outcome.firstSeconds());
                if (console.print((json ? result : "") + "\n")) {
                    console.note(outcome.summary(speculation, backend) + promptRate(tokens.length, promptSeconds));
                }
            }
        }
        return 0;
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) / 1e9;
    }

    /// How fast the prompt was read, but for its last token, which is in the first pass of decoding.
    private static String promptRate(int tokens, double seconds) {
        return tokens < 2 ? "" : String.format(Locale.ROOT, "; prompt of %d tokens, %.1f tokens/s", tokens, (tokens - 1) / seconds);
    }
}
