package org.gatun.model.architecture;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.gatun.backend.LayerState;
import org.gatun.format.FormatException;
import org.gatun.plan.ActivationQuantization;
import org.gatun.plan.LayerProgram;
import org.gatun.plan.Plan;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.Tensor;

/// Llama 1 to 3 (Touvron et al. 2023, arXiv 2302.13971): the plainest of the decoders of [PreNormDecoder].
final class Llama implements Architecture {
    private static final Names NAMES = new Names("llama", "LlamaForCausalLM", List.of("llama"), "llama");

    @Override
    public Names names() {
        return NAMES;
    }

    @Override
    public WeightNames weightNames() {
        return PreNormDecoder.WEIGHTS;
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

    @Override
    public LayerState.Attention layerState(ModelConfig config, int layer) {
        return PreNormDecoder.layerState(config, layer);
    }

    @Override
    public Plan record(ModelConfig config, Function<String, Optional<Tensor>> weights, ActivationQuantization activations,
            LayerProgram program) {
        return new PreNormDecoder(config, weights, activations).record(program);
    }

    @Override
    public String toString() {
        return NAMES.modelType();
    }
}
