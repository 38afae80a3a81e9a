package org.gatun.cli;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.generation.GenerationOptions;
import org.gatun.sampling.LogitBias;
import org.gatun.sampling.Penalties;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;
import picocli.CommandLine.Option;

/// The options that say how tokens are chosen, and how many.
final class GenerationChoice {

    @Option(names = "--max-tokens", paramLabel = "N", defaultValue = "256", description = "most tokens to generate; 256 by default")
    int maxTokens;

    @Option(names = "--temperature", paramLabel = "T", description = "0 takes the most probable token; higher is more varied")
    Optional<Double> temperature;

    @Option(names = "--top-k", paramLabel = "K", defaultValue = "0",
            description = "sample among the K most probable tokens; 0 (default) for all")
    int topK;

    @Option(names = "--top-p", paramLabel = "P", defaultValue = "1",
            description = "sample among the most probable tokens that have this probability together; 1 (default) for all")
    double topP;

    @Option(names = "--min-p", paramLabel = "P", defaultValue = "0",
            description = "drop tokens below this fraction of the largest probability; 0 (default) for none")
    double minP;

    @Option(names = "--repetition-penalty", paramLabel = "R", defaultValue = "1",
            description = "above 1 makes recent tokens less probable; 1 (default) does nothing")
    double repetitionPenalty;

    @Option(names = "--frequency-penalty", paramLabel = "F", defaultValue = "0",
            description = "taken from a token's logit as often as it was generated, -2 to 2; 0 (default) does nothing")
    double frequencyPenalty;

    @Option(names = "--presence-penalty", paramLabel = "P", defaultValue = "0",
            description = "taken from the logits of all tokens generated, -2 to 2; 0 (default) does nothing")
    double presencePenalty;

    @Option(names = "--logit-bias", paramLabel = "TOKEN:BIAS",
            description = "add BIAS, -100 to 100, to the logit of a token, given by its number; repeatable")
    List<String> logitBias = List.of();

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0",
            description = "of the random numbers; the same seed (default 0) gives the same text")
    long seed;

    /// These settings, without stop strings.
    ///
    /// @param standardTemperature if none was given
    GenerationOptions options(double standardTemperature, Speculation speculation) {
        if (maxTokens < 0) {
            throw new IllegalArgumentException("--max-tokens " + maxTokens + ": expected 0 or more");
        }
        try {
            Sampling sampling = new Sampling(temperature.orElse(standardTemperature), topK, topP, minP,
                    new Penalties(repetitionPenalty, frequencyPenalty, presencePenalty), bias(), seed, 0);
            return new GenerationOptions(maxTokens, sampling, speculation, List.of(), false, Optional.empty());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--" + e.getMessage(), e); // settings are named like the options
        }
    }

    private LogitBias bias() {
        Map<Integer, Double> byToken = new HashMap<>();
        for (String option : logitBias) {
            String[] parts = option.split(":", -1);
            try {
                if (parts.length == 2 && byToken.put(Integer.valueOf(parts[0]), Double.valueOf(parts[1])) == null) {
                    continue;
                }
            } catch (NumberFormatException e) {
                // said below
            }
            throw new IllegalArgumentException("logit-bias " + option + ": expected the number of a token, each once, a colon and a number, "
                    + "such as 42:-1.5");
        }
        return LogitBias.of(byToken);
    }
}
