package org.gatun.sampling;

/// What makes tokens that were there already less probable. They are taken in this order, in f32.
///
/// The repetition penalty looks at the text, prompt and all, as far as the last [Sampling#REPETITION_WINDOW] tokens go. The other two
/// count *generated* tokens only, those behind the prompt, however long ago: as OpenAI's API and vLLM define them. In a tree a row
/// counts the tokens of its own path too.
///
/// @param repetition divides positive and multiplies negative logits of recent tokens (Keskar et al. 2019, arXiv 1909.05858); 1 for none
/// @param frequency is taken from a token's logit as often as it was generated; from -2 to 2, 0 for none
/// @param presence is taken from the logits of all tokens that were generated; from -2 to 2, 0 for none
public record Penalties(double repetition, double frequency, double presence) {
    /// The logits as they are.
    public static final Penalties NONE = new Penalties(1, 0, 0);

    /// @throws IllegalArgumentException if a penalty is out of its range
    public Penalties {
        Sampling.require(repetition > 0 && repetition < Double.POSITIVE_INFINITY, "repetition-penalty", repetition, "more than 0");
        Sampling.require(frequency >= -2 && frequency <= 2, "frequency-penalty", frequency, "from -2 to 2");
        Sampling.require(presence >= -2 && presence <= 2, "presence-penalty", presence, "from -2 to 2");
    }

    /// Whether it matters how often tokens were generated.
    public boolean countTokens() {
        return frequency != 0 || presence != 0;
    }
}
