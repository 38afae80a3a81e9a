package org.gatun.model;

import java.util.List;
import java.util.Optional;
import org.gatun.format.FormatException;
import tools.jackson.databind.JsonNode;

/// The sliding window that `config.json` speaks of.
///
/// @param size in tokens, 0 for none
/// @param fromLayer first layer that has it
record HuggingFaceWindow(int size, int fromLayer) {
    private static final HuggingFaceWindow NONE = new HuggingFaceWindow(0, 0);

    /// Mistral has it in all layers; Qwen, if it is switched on, from a layer on, or in those that `layer_types` names; Llama never.
    static HuggingFaceWindow read(JsonKeys keys, String architecture, int layers) throws FormatException {
        int stated = keys.integer("sliding_window", 0);
        boolean on = keys.bool("use_sliding_window", architecture.equals("mistral"));
        int from = keys.integer("max_window_layers", 0);
        int size = on ? stated : 0;
        if (architecture.equals("llama") && stated > 0 && !keys.has("use_sliding_window")) {
            keys.warn("sliding_window", "is " + stated + ", which models of type llama do not have: it is passed over");
        }
        Optional<JsonNode> types = keys.find("layer_types");
        if (types.isPresent()) {
            return ofTypes(keys, types.get().valueStream().map(type -> type.asString("")).toList(), layers, size);
        }
        return new HuggingFaceWindow(size, architecture.equals("mistral") ? 0 : from);
    }

    private static HuggingFaceWindow ofTypes(JsonKeys keys, List<String> types, int layers, int size) throws FormatException {
        if (types.size() != layers || !types.stream().allMatch(type -> type.equals("full_attention") || type.equals("sliding_attention"))) {
            throw keys.failure("layer_types", "full_attention or sliding_attention for each of the " + layers + " layers");
        }
        int first = types.indexOf("sliding_attention");
        if (first < 0) {
            return NONE;
        }
        if (size == 0 || types.subList(first, layers).contains("full_attention")) {
            keys.refuse("layer_types", size == 0 ? "names layers with a sliding window, of which sliding_window does not tell the size"
                    : "a window of some of the layers only is not supported, but from a layer on");
        }
        return new HuggingFaceWindow(size, first);
    }
}
