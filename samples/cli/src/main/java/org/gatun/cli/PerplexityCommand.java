package org.gatun.cli;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.gatun.model.Session;
import org.gatun.tokenizer.Tokenizer;
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
            Tokenizer tokenizer = opened.target().tokenizer();
            int[] tokens = tokenizer.encode(content, Tokenizer.Special.NONE);
            int[] first = tokenizer.beginOfText().stream().toArray();
            // beyond what a model was trained for it would be measured where it is not meant to be used
            int window = models.context.orElse(Math.min(session.capacity(), opened.target().config().contextLength()));
            int step = window - first.length;
            if (window < 2) {
                throw new IllegalArgumentException("--context " + window + ": expected 2 or more, so that there is a token to predict");
            }
            double logLikelihood = 0;
            int predicted = 0;
            try (Progress progress = new Progress(console, "reading " + text, tokens.length)) {
                for (int from = 0; from < tokens.length; from += step) {
                    int[] piece = Arrays.copyOf(first, first.length + Math.min(step, tokens.length - from));
                    System.arraycopy(tokens, from, piece, first.length, piece.length - first.length);
                    logLikelihood += logLikelihood(session, piece);
                    predicted += piece.length - 1;
                    progress.at(from);
                }
            }
            if (predicted == 0) {
                throw new IllegalArgumentException("--text " + text + ": found " + tokens.length
                        + " tokens, expected more, so that there is one to predict");
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
        session.rewind(0);
        double sum = 0;
        int most = session.maxTreeRows();
        for (int start = 0; start + 1 < window.length; start += most) {
            int rows = Math.min(most, window.length - 1 - start);
            session.pass().beginCausal(start);
            for (int row = 0; row < rows; row++) {
                session.pass().addRow(window[start + row]);
                session.pass().select(row);
            }
            session.run();
            for (int row = 0; row < rows; row++) {
                sum += logProbability(session.logits(), row, session.vocabularySize(), window[start + row + 1]);
            }
        }
        return sum;
    }

    /// @param logits `[rows, vocabulary] f32`
    private static double logProbability(MemorySegment logits, int row, int vocabulary, int token) {
        long start = (long) row * vocabulary;
        double largest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabulary; i++) {
            largest = Math.max(largest, logits.getAtIndex(ValueLayout.JAVA_FLOAT, start + i));
        }
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Math.exp(logits.getAtIndex(ValueLayout.JAVA_FLOAT, start + i) - largest);
        }
        return logits.getAtIndex(ValueLayout.JAVA_FLOAT, start + token) - largest - Math.log(sum);
    }
}
