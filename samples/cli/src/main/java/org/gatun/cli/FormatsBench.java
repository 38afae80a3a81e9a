package org.gatun.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;
import org.gatun.tokenizer.Tokenizer;

/// Compares types of weights: how much they take, how well the model still predicts a text, how far its probabilities are from those of
/// the model as stored, and how fast it decodes. The model as stored stays open beside each type, reads the same windows and decodes
/// the same prompts in turn.
final class FormatsBench {
    private static final int WARM_UP_TOKENS = 16;

    private final Console console;
    private final ModelChoice models;
    private final GenerationOptions options;
    private final List<String> prompts;
    private final Optional<String> text;

    /// @param text to predict; without it what the model as stored tells after the prompts
    FormatsBench(Console console, ModelChoice models, GenerationOptions options, List<String> prompts, Optional<String> text) {
        this.console = console;
        this.models = models;
        this.options = options.withSpeculation(Speculation.NONE);
        this.prompts = prompts;
        this.text = text;
    }

    /// A row for the model as stored and one for each format.
    List<FormatRow> rows(List<WeightFormat> formats) throws IOException {
        List<FormatRow> rows = new ArrayList<>();
        try (OpenModels stored = models.open(console, WeightFormat.AS_STORED); Session session = stored.openSession(console);
                Progress progress = new Progress(console, "measuring", formats.size() + 1L)) {
            List<TextWindows> windows = windows(session);
            rows.add(measure(WeightFormat.AS_STORED.toString(), windows, session, session));
            for (WeightFormat format : formats) {
                progress.at(rows.size());
                try (OpenModels opened = models.open(console, format); Session other = opened.openSession(console)) {
                    rows.add(measure(format.toString(), windows, session, other));
                }
            }
        }
        return rows;
    }

    private List<TextWindows> windows(Session session) {
        Tokenizer tokenizer = session.model().tokenizer();
        int length = Math.min(session.capacity(), session.model().config().contextLength());
        List<String> texts = text.map(List::of).orElseGet(() -> prompts.stream().map(prompt -> prompt + generate(prompt, session,
                options.withSampling(new Sampling(1, 0, 1, 0, 1, 0))).text()).toList());
        List<TextWindows> windows = texts.stream().map(one -> TextWindows.of(tokenizer, one, length)).toList();
        if (windows.stream().mapToInt(TextWindows::predicted).sum() == 0) {
            throw new IllegalArgumentException("--text: found no token to predict, expected more text");
        }
        return windows;
    }

    private FormatRow measure(String name, List<TextWindows> texts, Session stored, Session other) {
        double[] divergences = new double[FormatRow.TEMPERATURES.size()];
        double logLikelihood = 0;
        int tokens = 0;
        int same = 0;
        for (TextWindows text : texts) {
            for (int[] window : text.windows()) {
                for (int start = 0; start + 1 < window.length; ) {
                    int rows = TextWindows.read(stored, window, start);
                    double[][] expected = new double[rows][];
                    for (int row = 0; row < rows; row++) {
                        expected[row] = TextWindows.logProbabilities(stored, row);
                    }
                    if (other != stored) {
                        TextWindows.read(other, window, start);
                    }
                    for (int row = 0; row < rows; row++) {
                        double[] found = TextWindows.logProbabilities(other, row);
                        logLikelihood += found[window[start + row + 1]];
                        same += largest(found) == largest(expected[row]) ? 1 : 0;
                        for (int i = 0; i < divergences.length; i++) {
                            divergences[i] += divergence(expected[row], found, FormatRow.TEMPERATURES.get(i));
                        }
                    }
                    tokens += rows;
                    start += rows;
                }
            }
        }
        List<Double> means = new ArrayList<>();
        for (double sum : divergences) {
            means.add(sum / tokens);
        }
        double[] speeds = speeds(stored, other);
        return new FormatRow(name, other.model().weightBytes(), Math.exp(-logLikelihood / tokens), means, (double) same / tokens,
                speeds[1], speeds[1] / speeds[0]);
    }

    /// Sum of `p · log(p / q)`, both at a temperature.
    static double divergence(double[] p, double[] q, double temperature) {
        double logOfP = logOfSum(p, temperature);
        double logOfQ = logOfSum(q, temperature);
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            double logP = p[i] / temperature - logOfP;
            sum += Math.exp(logP) * (logP - (q[i] / temperature - logOfQ));
        }
        return sum;
    }

    private static double logOfSum(double[] logarithms, double temperature) {
        double largest = logarithms[largest(logarithms)] / temperature;
        double sum = 0;
        for (double logarithm : logarithms) {
            sum += Math.exp(logarithm / temperature - largest);
        }
        return largest + Math.log(sum);
    }

    private static int largest(double[] numbers) {
        int largest = 0;
        for (int i = 1; i < numbers.length; i++) {
            largest = numbers[i] > numbers[largest] ? i : largest;
        }
        return largest;
    }

    /// Tokens a second of both, prompt by prompt in turn.
    private double[] speeds(Session stored, Session other) {
        double[] tokens = new double[2];
        double[] seconds = new double[2];
        List<Session> sessions = List.of(stored, other);
        sessions.forEach(session -> generate(prompts.getFirst(), session, options.withMaxTokens(WARM_UP_TOKENS)));
        for (String prompt : prompts) {
            for (int i = 0; i < 2; i++) {
                Outcome outcome = generate(prompt, sessions.get(i), options);
                tokens[i] += outcome.tokens().length;
                seconds[i] += outcome.seconds();
            }
        }
        return new double[] {tokens[0] / seconds[0], tokens[1] / seconds[1]};
    }

    private static Outcome generate(String prompt, Session session, GenerationOptions options) {
        int[] tokens = session.model().tokenizer().encode(prompt, Tokenizer.Special.ADD);
        try (Generation generation = new Generation(session, tokens, Optional.empty(), options)) {
            return Outcome.of(generation, _ -> true);
        }
    }
}
