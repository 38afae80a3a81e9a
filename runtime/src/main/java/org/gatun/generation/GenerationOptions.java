package org.gatun.generation;

import java.util.List;
import java.util.Optional;
import org.gatun.constraint.CompiledConstraint;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.method.Speculation;

/// How a text is continued.
///
/// @param maxTokens most tokens to generate; fewer if the context is full
/// @param sampling how tokens are chosen
/// @param speculation how tokens are drafted
/// @param stopStrings generation ends before the first of these
/// @param ignoreEndOfText whether to go on after an end-of-text token
/// @param constraint what the text is to be, compiled for the model's tokenizer
public record GenerationOptions(int maxTokens, Sampling sampling, Speculation speculation, List<String> stopStrings,
        boolean ignoreEndOfText, Optional<CompiledConstraint> constraint) {

    /// 256 tokens, the most probable ones, plain decoding.
    public static final GenerationOptions STANDARD =
            new GenerationOptions(256, Sampling.GREEDY, Speculation.NONE, List.of(), false, Optional.empty());

    /// @throws IllegalArgumentException if `maxTokens` is negative, a stop string is empty, or a text is to go on after an end that a
    ///         constraint asks for
    public GenerationOptions {
        if (maxTokens < 0) {
            throw new IllegalArgumentException("max tokens " + maxTokens + ": expected 0 or more");
        }
        if (ignoreEndOfText && constraint.isPresent()) {
            throw new IllegalArgumentException("a constraint says where the text ends: expected not to ignore the end of a text");
        }
        stopStrings = List.copyOf(stopStrings);
        if (stopStrings.contains("")) {
            throw new IllegalArgumentException("a stop string is empty: expected at least one character");
        }
    }

    /// These options with another number of tokens.
    public GenerationOptions withMaxTokens(int maxTokens) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText, constraint);
    }

    /// These options with another way to choose tokens.
    public GenerationOptions withSampling(Sampling sampling) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText, constraint);
    }

    /// These options with another way to draft.
    public GenerationOptions withSpeculation(Speculation speculation) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText, constraint);
    }

    /// These options with other stop strings.
    public GenerationOptions withStopStrings(List<String> stopStrings) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText, constraint);
    }

    /// These options, going on after an end of text or not.
    public GenerationOptions withIgnoreEndOfText(boolean ignoreEndOfText) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText, constraint);
    }

    /// These options, writing what a constraint allows and nothing else. With room for too few tokens the text is unfinished.
    ///
    /// @param constraint compiled for the tokenizer of the model
    public GenerationOptions withConstraint(CompiledConstraint constraint) {
        return new GenerationOptions(maxTokens, sampling, speculation, stopStrings, ignoreEndOfText, Optional.of(constraint));
    }
}
