package org.gatun.model.architecture;

import java.util.List;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.plan.RopeTable;

/// Qwen 3 (Yang et al. 2025, arXiv 2505.09388): norms on the heads of queries and keys.
final class Qwen3 extends PreNormArchitecture {
    Qwen3() {
        super(new Names("qwen3", "Qwen3ForCausalLM", List.of("qwen3"), "qwen3"));
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
}
