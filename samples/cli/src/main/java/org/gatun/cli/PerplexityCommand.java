package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.gatun.model.Session;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.JsonNodeFactory;

/// Measures how well a model predicts a text.
@Command(name = "perplexity", description = "Measures how well a model predicts a text: lower is better.", footer = {
        "", "The text is cut into windows as long as the context. Each begins with the beginning-of-text token, if the model",
        "has one, and every token after the first is predicted from those before it in its window.",
        "", "Examples:",
        "  gatun perplexity --text story.txt",
        "  gatun perplexity --model model.gguf --text wiki.txt --context 512 --json"})
final class PerplexityCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    private ModelChoice models;

    @Option(names = "--text", required = true, paramLabel = "FILE", description = "the text in UTF-8, - for standard input")
    private Path text;

    @Option(names = "--json", description = "print one JSON object")
    private boolean json;

    PerplexityCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        String content = console.read(text);
        try (OpenModels opened = models.open(console); Session session = opened.openSession(console)) {
            // beyond what a model was trained for it would be measured where it is not meant to be used
            int window = models.context.orElse(Math.min(session.capacity(), opened.target().config().contextLength()));
            if (window < 2) {
                throw new IllegalArgumentException("--context " + window + ": expected 2 or more, so that there is a token to predict");
            }
            TextWindows windows = TextWindows.of(opened.target().tokenizer(), content, window);
            int predicted = windows.predicted();
            if (predicted == 0) {
                throw new IllegalArgumentException("--text " + text + ": found no token to predict, expected more text");
            }
            double logLikelihood = 0;
            try (Progress progress = new Progress(console, "reading " + text, windows.windows().size())) {
                for (int i = 0; i < windows.windows().size(); i++) {
                    logLikelihood += logLikelihood(session, windows.windows().get(i));
                    progress.at(i);
                }
            }
            double perplexity = Math.exp(-logLikelihood / predicted);
            console.println(json
                    ? JsonNodeFactory.instance.objectNode().put("perplexity", perplexity).put("tokens", predicted).toString()
                    : String.format(Locale.ROOT, "perplexity %.4f over %d tokens", perplexity, predicted));
        }
        return 0;
    }

    /// Sum of the log-probabilities of all tokens of a window but the first.
    private static double logLikelihood(Session session, int[] window) {
        double sum = 0;
        for (int start = 0; start + 1 < window.length; ) {
            int rows = TextWindows.read(session, window, start);
            for (int row = 0; row < rows; row++) {
                sum += TextWindows.logProbabilities(session, row)[window[start + row + 1]];
            }
            start += rows;
        }
        return sum;
    }
}
