package org.gatun.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// What Hugging Face calls the weights that GGUF has names for.
final class HuggingFaceNames {
    private static final Map<String, String> OUTER = Map.of("token_embd", "model.embed_tokens", "output_norm", "model.norm",
            "output", "lm_head");
    private static final Map<String, String> OF_BLOCK = Map.ofEntries(
            Map.entry("attn_norm", "input_layernorm"),
            Map.entry("attn_q", "self_attn.q_proj"),
            Map.entry("attn_k", "self_attn.k_proj"),
            Map.entry("attn_v", "self_attn.v_proj"),
            Map.entry("attn_q_norm", "self_attn.q_norm"),
            Map.entry("attn_k_norm", "self_attn.k_norm"),
            Map.entry("attn_output", "self_attn.o_proj"),
            Map.entry("ffn_norm", "post_attention_layernorm"),
            Map.entry("ffn_gate", "mlp.gate_proj"),
            Map.entry("ffn_up", "mlp.up_proj"),
            Map.entry("ffn_down", "mlp.down_proj"));

    private HuggingFaceNames() {}

    /// The GGUF names of all weights that a model of so many layers may have: those that [Transformer] asks for.
    static List<String> ggufNames(int layers) {
        List<String> names = new ArrayList<>();
        OUTER.keySet().stream().sorted().forEach(part -> names.add(part + ".weight"));
        for (int layer = 0; layer < layers; layer++) {
            for (String part : OF_BLOCK.keySet().stream().sorted().toList()) {
                names.add("blk." + layer + "." + part + ".weight");
                if (!part.endsWith("norm")) {
                    names.add("blk." + layer + "." + part + ".bias");
                }
            }
        }
        return names;
    }

    /// Their name of a weight.
    ///
    /// @param name as in GGUF
    /// @throws IllegalArgumentException if they have none
    static String of(String name) {
        String[] parts = name.split("\\.");
        if (parts.length == 2 && OUTER.containsKey(parts[0])) {
            return OUTER.get(parts[0]) + "." + parts[1];
        }
        if (parts.length == 4 && parts[0].equals("blk") && OF_BLOCK.containsKey(parts[2])) {
            return "model.layers." + parts[1] + "." + OF_BLOCK.get(parts[2]) + "." + parts[3];
        }
        throw new IllegalArgumentException("tensor " + name + " has no name in safetensors models: write FILE.gguf");
    }
}
