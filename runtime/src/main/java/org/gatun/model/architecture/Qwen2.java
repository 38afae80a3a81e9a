package org.gatun.model.architecture;

import java.util.List;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.plan.RopeTable;

/// Qwen 2 (Yang et al. 2024, arXiv 2407.10671): biases on queries, keys and values, never on what attention puts out.
final class Qwen2 extends PreNormArchitecture {
    private static final Set<String> BIASES = Set.of("attn_q.bias", "attn_k.bias", "attn_v.bias");

    Qwen2() {
        super(new Names("qwen2", "Qwen2ForCausalLM", List.of("qwen2"), "qwen2"));
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
}
