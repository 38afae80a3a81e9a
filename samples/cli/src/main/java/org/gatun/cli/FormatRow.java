package org.gatun.cli;

import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// A model with its weights in a type, beside the same as it is stored.
///
/// @param name of the type
/// @param bytes of all weights
/// @param perplexity on the text
/// @param divergences mean Kullback–Leibler divergence, in nats a token, of its probabilities from those as stored, one for each of
///        [#TEMPERATURES]
/// @param agreement part of the tokens at which both find the same one most probable
/// @param tokensPerSecond of plain decoding
/// @param speedup over decoding as stored, prompt by prompt in turn
record FormatRow(String name, long bytes, double perplexity, List<Double> divergences, double agreement, double tokensPerSecond,
        double speedup) {
    /// Temperatures at which probabilities are compared.
    static final List<Double> TEMPERATURES = List.of(0.5, 1.0, 1.5);
    /// Names of the columns.
    static final List<String> COLUMNS = List.of("type", "MB", "perplexity", "KL at 0.5", "at 1", "at 1.5", "same token", "tokens/s",
            "speedup");

    /// As text, one a column.
    List<String> cells() {
        return List.of(name, format("%.2f", bytes / 1e6), format("%.3f", perplexity), format("%.5f", divergences.get(0)),
                format("%.5f", divergences.get(1)), format("%.5f", divergences.get(2)), format("%.1f %%", 100 * agreement),
                format("%.1f", tokensPerSecond), format("%.2f", speedup));
    }

    private static String format(String format, Object value) {
        return String.format(Locale.ROOT, format, value);
    }

    ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("type", name).put("bytes", bytes).put("perplexity", perplexity);
        ObjectNode divergence = json.putObject("kl_divergence");
        for (int i = 0; i < TEMPERATURES.size(); i++) {
            divergence.put(TEMPERATURES.get(i).toString(), divergences.get(i));
        }
        return json.put("same_token", agreement).put("tokens_per_second", tokensPerSecond).put("speedup", speedup);
    }
}
