package org.gatun.generation;

import java.util.List;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;

/// How a text is continued.
///
/// @param maxTokens most tokens to generate; fewer if the context is full
/// @param sampling how tokens are chosen
/// @param speculation how tokens are drafted
/// @param stopStrings generation ends before the first of these
/// @param ignoreEndOfText whether to go on after an end-of-text token
public record GenerationOptions(
        int maxTokens, Sampling sampling, Speculation speculation, List<String> stopStrings, boolean ignoreEndOfText) {

    /// 256 tokens, the most probable ones, plain decoding.
    public static final GenerationOptions STANDARD =
            new GenerationOptions(256, Sampling.GREEDY, Speculation.NONE, List.of(), false);

    /// @throws IllegalArgumentException if `maxTokens` is negative or a stop string is empty
    public GenerationOptions {
        if (maxTokens < 0) {
            throw new IllegalArgumentException("max tokens " + maxTokens + ": expected 0 or more");
        }
        stopStrings = List.copyOf(stopStrings);
        if (stopStrings.contains("")) {
            throw new IllegalArgumentException("a stop string is empty: expected at least one character");
        }
    }

    /// These options with another number of tokens.
    public GenerationOptions withMaxTokens(int maxTokens) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText);
    }

    /// These options with another way to choose tokens.
    public GenerationOptions withSampling(Sampling sampling) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText);
    }

    /// These options with another way to draft.
    public GenerationOptions withSpeculation(Speculation speculation) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText);
    }

    /// These options with other stop strings.
    public GenerationOptions withStopStrings(List<String> stopStrings) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText);
    }

    /// These options, going on after an end of text or not.
    public GenerationOptions withIgnoreEndOfText(boolean ignoreEndOfText) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText);
    }
}
