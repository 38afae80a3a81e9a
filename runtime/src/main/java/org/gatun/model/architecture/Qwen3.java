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

/// Qwen 3 (Yang et al. 2025, arXiv 2505.09388): norms on the heads of queries and keys.
final class Qwen3 implements Architecture {
    private static final Names NAMES = new Names("qwen3", "Qwen3ForCausalLM", List.of("qwen3"), "qwen3");

    @Override
    public Names names() {
        return NAMES;
    }

    @Override
    public WeightNames weightNames() {
        return PreNormDecoder.WEIGHTS_WITH_HEAD_NORMS;
    }

    @Override
    public Set<String> requiredParts() {
        return PreNormDecoder.HEAD_NORMS;
    }

    @Override
    public Set<String> attentionBiases() {
        return PreNormDecoder.ATTENTION_BIASES;
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
