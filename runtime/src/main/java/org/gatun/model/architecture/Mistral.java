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

/// Mistral (Jiang et al. 2023, arXiv 2310.06825): a sliding window in all layers. GGUF writes it as a Llama that has one.
final class Mistral implements Architecture {
    private static final Names NAMES = new Names("mistral", "MistralForCausalLM", List.of("mistral"), "llama");

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

    /// In all layers, unless it is switched off.
    @Override
    public SlidingWindow window(ConfigKeys keys) throws FormatException {
        int size = keys.integer("sliding_window", 0);
        boolean on = keys.bool("use_sliding_window", true);
        keys.integer("max_window_layers", 0); // stated for the sake of others, and of no meaning here
        return new SlidingWindow(on ? size : 0, 0);
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
