package org.gatun.model.architecture;

import java.util.List;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.plan.RopeTable;

/// Llama 1 to 3 (Touvron et al. 2023, arXiv 2302.13971): the plainest of the decoders of [PreNormDecoder].
final class Llama extends PreNormArchitecture {
    Llama() {
        super(new Names("llama", "LlamaForCausalLM", List.of("llama"), "llama"));
    }

    @Override
    public Set<String> requiredParts() {
        return Set.of();
    }

    @Override
    public Set<String> attentionBiases() {
        return PreNormDecoder.ATTENTION_BIASES;
    }

    @Override
    public RopeTable.Pairing ggufPairing() {
        return RopeTable.Pairing.INTERLEAVED;
    }

    /// None, unless it is switched on, of which other programs know nothing.
    @Override
    public SlidingWindow window(ConfigKeys keys) throws FormatException {
        int stated = keys.integer("sliding_window", 0);
        if (stated > 0 && !keys.has("use_sliding_window")) {
            keys.warn("sliding_window", "is " + stated + ", which models of type " + this + " do not have: it is passed over");
        }
        return PreNormDecoder.switchedWindow(keys);
    }

    /// GGUF has no name of its own for models with a window.
    @Override
    public Architecture toldAs(ModelConfig config) {
        return config.window() > 0 ? Architectures.MISTRAL : this;
    }
}
