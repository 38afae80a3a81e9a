package org.gatun.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Session;
import org.gatun.sampling.Sampler;
import org.gatun.sampling.Sampling;
import org.gatun.sampling.SamplingContext;
import org.gatun.speculative.method.Speculation;
import org.gatun.tokenizer.Tokenizer;

/// Compares types of weights: how much they take, how well the model still predicts a text, how far its probabilities and samples are from
/// those of the model as stored at a sweep of temperatures, and how fast it decodes. The model as stored stays open beside each type, reads the same windows and decodes
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
        int[] sameSamples = new int[divergences.length];
        List<Sampler> samplers = FormatRow.TEMPERATURES.stream().map(temperature -> new Sampler(
                new Sampling(temperature, 0, 1, 0, 1, options.sampling().seed()), stored.vocabularySize())).toList();
        double logLikelihood = 0;
        int tokens = 0;
        int same = 0;
        for (TextWindows text : texts) {
            for (int[] window : text.windows()) {
                for (int start = 0; start + 1 < window.length; ) {
                    int rows = TextWindows.read(stored, window, start);
                    double[][] expected = new double[rows][];
                    int[][] sampled = new int[rows][];
                    for (int row = 0; row < rows; row++) {
                        expected[row] = TextWindows.logProbabilities(stored, row);
                        sampled[row] = samples(samplers, stored, row, start + row + 1);
                    }
                    if (other != stored) {
                        TextWindows.read(other, window, start);
                    }
                    for (int row = 0; row < rows; row++) {
                        double[] found = TextWindows.logProbabilities(other, row);
                        int[] alsoSampled = samples(samplers, other, row, start + row + 1);
                        logLikelihood += found[window[start + row + 1]];
                        same += largest(found) == largest(expected[row]) ? 1 : 0;
                        for (int i = 0; i < divergences.length; i++) {
                            divergences[i] += divergence(expected[row], found, FormatRow.TEMPERATURES.get(i));
                            sameSamples[i] += alsoSampled[i] == sampled[row][i] ? 1 : 0;
                        }
                    }
                    tokens += rows;
                    start += rows;
                }
            }
        }
        List<Double> meanDivergences = new ArrayList<>();
        List<Double> sameSampled = new ArrayList<>();
        for (int i = 0; i < divergences.length; i++) {
            meanDivergences.add(divergences[i] / tokens);
            sameSampled.add((double) sameSamples[i] / tokens);
        }
        Decoding decoding = decode(stored, other);
        return new FormatRow(name, other.model().weightBytes(), Math.exp(-logLikelihood / tokens), meanDivergences, sameSampled,
                (double) same / tokens, decoding.sameText, decoding.tokensPerSecond, decoding.speedup);
    }

    /// What each sampler samples after a row of the last pass.
    private static int[] samples(List<Sampler> samplers, Session session, int row, int position) {
        SamplingContext context = new SamplingContext(); // no penalty asks for the window
        return samplers.stream().mapToInt(sampler -> sampler.sample(session.logits(), row, position, context)).toArray();
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

    /// How a model decodes beside the one as stored.
    ///
    /// @param sameText mean number of tokens that are the same from the start
    private record Decoding(double tokensPerSecond, double speedup, double sameText) {}

    /// Both decode, prompt by prompt in turn.
    private Decoding decode(Session stored, Session other) {
        double[] tokens = new double[2];
        double[] seconds = new double[2];
        int[][] texts = new int[2][];
        double same = 0;
        List<Session> sessions = List.of(stored, other);
        sessions.forEach(session -> generate(prompts.getFirst(), session, options.withMaxTokens(WARM_UP_TOKENS)));
        for (String prompt : prompts) {
            for (int i = 0; i < 2; i++) {
                Outcome outcome = generate(prompt, sessions.get(i), options);
                texts[i] = outcome.tokens();
                tokens[i] += outcome.tokens().length;
                seconds[i] += outcome.seconds();
            }
            int difference = Arrays.mismatch(texts[0], texts[1]);
            same += difference < 0 ? texts[0].length : difference;
        }
        double speed = tokens[1] / seconds[1];
        return new Decoding(speed, speed * seconds[0] / tokens[0], same / prompts.size());
    }

    private static Outcome generate(String prompt, Session session, GenerationOptions options) {
        int[] tokens = session.model().tokenizer().encode(prompt, Tokenizer.Special.ADD);
        try (Generation generation = new Generation(session, tokens, Optional.empty(), options)) {
            return Outcome.of(generation, _ -> true);
        }
    }
}
