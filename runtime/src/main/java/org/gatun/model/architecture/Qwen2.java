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

/// Qwen 2 (Yang et al. 2024, arXiv 2407.10671): biases on queries, keys and values, never on what attention puts out.
final class Qwen2 implements Architecture {
    private static final Names NAMES = new Names("qwen2", "Qwen2ForCausalLM", List.of("qwen2"), "qwen2");
    private static final Set<String> BIASES = Set.of("attn_q.bias", "attn_k.bias", "attn_v.bias");

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
        return BIASES;
    }

    @Override
    public Set<String> attentionBiases() {
        return BIASES;
    }

    @Override
    public RopeTable.Pairing ggufPairing() {
        return RopeTable.Pairing.SPLIT;
    }

    @Override
    public SlidingWindow window(ConfigKeys keys) throws FormatException {
        return PreNormDecoder.switchedWindow(keys);
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
