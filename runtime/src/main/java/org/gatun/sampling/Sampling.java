package org.gatun.sampling;

/// How the next token is chosen from the logits of a row. The steps, in this order: bias, penalties, the tokens that a [TokenMasks]
/// allows, temperature, softmax, top-k, top-p, min-p, one sample of what is left.
///
/// @param temperature divides the logits; 0 takes the largest logit (lowest id on ties) and ignores top-k, top-p and min-p
/// @param topK keep the k most probable tokens; 0 for all
/// @param topP keep the smallest set of most probable tokens with at least this mass (Holtzman et al. 2020,
///        arXiv 1904.09751); 1 for all
/// @param minP keep tokens with at least this fraction of the largest probability (Nguyen et al. 2024,
///        arXiv 2407.01082); 0 for all
/// @param penalties what is less probable for being there already
/// @param logitBias what is added to logits first of all
/// @param seed of the random numbers; the same seed gives the same text
/// @param stream tells apart texts of one prompt and seed: each has random numbers of its own
public record Sampling(double temperature, int topK, double topP, double minP, Penalties penalties, LogitBias logitBias, long seed,
        int stream) {
    /// How many of the latest tokens the repetition penalty looks at.
    public static final int REPETITION_WINDOW = 64;

    /// The most probable token, always.
    public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 1, 0);

    /// @throws IllegalArgumentException if a setting is out of its range
    public Sampling {
        require(temperature >= 0 && temperature < Double.POSITIVE_INFINITY, "temperature", temperature, "0 or more");
        require(topK >= 0, "top-k", topK, "0 (all) or more");
        require(topP > 0 && topP <= 1, "top-p", topP, "more than 0, at most 1");
        require(minP >= 0 && minP <= 1, "min-p", minP, "from 0 to 1");
        require(stream >= 0 && stream < CounterRandom.STREAMS, "stream", stream, "from 0 on, below " + CounterRandom.STREAMS);
    }

    /// No bias, no penalty but that of repetition, and the first stream.
    ///
    /// @throws IllegalArgumentException if a setting is out of its range
    public Sampling(double temperature, int topK, double topP, double minP, double repetitionPenalty, long seed) {
        this(temperature, topK, topP, minP, new Penalties(repetitionPenalty, 0, 0), LogitBias.NONE, seed, 0);
    }

    /// These settings with another temperature.
    public Sampling withTemperature(double temperature) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    /// These settings with another top-k.
    public Sampling withTopK(int topK) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    /// These settings with another top-p.
    public Sampling withTopP(double topP) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    /// These settings with another min-p.
    public Sampling withMinP(double minP) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    /// These settings with other penalties.
    public Sampling withPenalties(Penalties penalties) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    /// These settings with another repetition penalty.
    public Sampling withRepetitionPenalty(double repetition) {
        return withPenalties(new Penalties(repetition, penalties.frequency(), penalties.presence()));
    }

    /// These settings with another frequency penalty.
    public Sampling withFrequencyPenalty(double frequency) {
        return withPenalties(new Penalties(penalties.repetition(), frequency, penalties.presence()));
    }

    /// These settings with another presence penalty.
    public Sampling withPresencePenalty(double presence) {
        return withPenalties(new Penalties(penalties.repetition(), penalties.frequency(), presence));
    }

    /// These settings with another bias.
    public Sampling withLogitBias(LogitBias logitBias) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    /// These settings with another seed.
    public Sampling withSeed(long seed) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    /// These settings with another stream.
    public Sampling withStream(int stream) {
        return new Sampling(temperature, topK, topP, minP, penalties, logitBias, seed, stream);
    }

    static void require(boolean valid, String setting, Object found, String expected) {
        if (!valid) {
            throw new IllegalArgumentException(setting + " " + found + ": expected " + expected);
        }
    }
}
