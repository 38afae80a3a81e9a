package org.gatun.model.architecture;

import java.util.List;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.plan.RopeTable;

/// Mistral (Jiang et al. 2023, arXiv 2310.06825): a sliding window in all layers. GGUF writes it as a Llama that has one.
final class Mistral extends PreNormArchitecture {
    Mistral() {
        super(new Names("mistral", "MistralForCausalLM", List.of("mistral"), "llama"));
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

    /// In all layers, unless it is switched off.
    @Override
    public SlidingWindow window(ConfigKeys keys) throws FormatException {
        int size = keys.integer("sliding_window", 0);
        boolean on = keys.bool("use_sliding_window", true);
        keys.integer("max_window_layers", 0); // stated for the sake of others, and of no meaning here
        return new SlidingWindow(on ? size : 0, 0);
    }
}
