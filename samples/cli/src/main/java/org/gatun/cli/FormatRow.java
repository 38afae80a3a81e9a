package org.gatun.cli;

import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// A model with its weights in a type, beside the same as it is stored.
///
/// @param name of the type
/// @param bytes of all weights
/// @param perplexity on the text
/// @param divergences mean Kullback–Leibler divergence, in nats a token, of its probabilities from those as stored, one for each of
///        [#TEMPERATURES]
/// @param sameSamples part of the tokens at which both sample the same one with the same random numbers, one for each of [#TEMPERATURES]
/// @param sameToken part of the tokens at which both find the same one most probable
/// @param sameText mean number of generated tokens before the first that differs from those of the model as stored
/// @param tokensPerSecond of plain decoding
/// @param speedup over decoding as stored, prompt by prompt in turn
record FormatRow(String name, long bytes, double perplexity, List<Double> divergences, List<Double> sameSamples, double sameToken,
        double sameText, double tokensPerSecond, double speedup) {
    /// Temperatures at which probabilities and samples are compared.
    static final List<Double> TEMPERATURES = List.of(0.1, 0.3, 0.5, 0.7, 1.0, 1.5);
    /// Names of the columns.
    static final List<String> COLUMNS = List.of("type", "MB", "perplexity", "same token", "same text", "tokens/s", "speedup");
    /// Names of the columns of what depends on the temperature.
    static final List<String> SWEEP_COLUMNS = Stream.concat(Stream.of("type"), TEMPERATURES.stream().map(t -> "at " + t)).toList();

    /// What is alike at all temperatures, as text, one a column.
    List<String> cells() {
        return List.of(name, format("%.2f", bytes / 1e6), format("%.3f", perplexity), format("%.1f %%", 100 * sameToken),
                format("%.1f", sameText), format("%.1f", tokensPerSecond), format("%.2f", speedup));
    }

    /// Divergences as text, one a column.
    List<String> divergenceCells() {
        return Stream.concat(Stream.of(name), divergences.stream().map(divergence -> format("%.5f", divergence))).toList();
    }

    /// Equal samples as text, one a column.
    List<String> sameSampleCells() {
        return Stream.concat(Stream.of(name), sameSamples.stream().map(part -> format("%.1f %%", 100 * part))).toList();
    }

    private static String format(String format, Object value) {
        return String.format(Locale.ROOT, format, value);
    }

    ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("type", name).put("bytes", bytes).put("perplexity", perplexity);
        byTemperature(json.putObject("kl_divergence"), divergences);
        byTemperature(json.putObject("same_sample"), sameSamples);
        return json.put("same_token", sameToken).put("same_text_tokens", sameText).put("tokens_per_second", tokensPerSecond).put("speedup", speedup);
    }

    private static void byTemperature(ObjectNode json, List<Double> values) {
        for (int i = 0; i < TEMPERATURES.size(); i++) {
            json.put(TEMPERATURES.get(i).toString(), values.get(i));
        }
    }
}
