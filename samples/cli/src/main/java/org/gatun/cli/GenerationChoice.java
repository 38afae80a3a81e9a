package org.gatun.cli;

import java.util.List;
import java.util.Optional;
import org.gatun.generation.GenerationOptions;
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
            Sampling sampling = new Sampling(
                    temperature.orElse(standardTemperature), topK, topP, minP, repetitionPenalty, seed);
            return new GenerationOptions(maxTokens, sampling, speculation, List.of(), false);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("--" + e.getMessage(), e); // settings are named like the options
        }
    }
}
