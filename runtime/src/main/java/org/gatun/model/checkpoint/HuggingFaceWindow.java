package org.gatun.model.checkpoint;

import java.util.List;
import java.util.Optional;
import org.gatun.format.FormatException;
import org.gatun.model.architecture.Architecture;
import org.gatun.model.architecture.SlidingWindow;
import tools.jackson.databind.JsonNode;

/// Reads the sliding window that `config.json` speaks of.
final class HuggingFaceWindow {
    private HuggingFaceWindow() {}

    /// That of the architecture, in the layers that `layer_types` names, if it is there.
    static SlidingWindow read(JsonKeys keys, Architecture architecture, int layers) throws FormatException {
        SlidingWindow window = architecture.window(keys);
        Optional<JsonNode> types = keys.find("layer_types");
        return types.isEmpty() ? window
                : ofTypes(keys, types.get().valueStream().map(type -> type.asString("")).toList(), layers, window.size());
    }

    private static SlidingWindow ofTypes(JsonKeys keys, List<String> types, int layers, int size) throws FormatException {
        if (types.size() != layers || !types.stream().allMatch(type -> type.equals("full_attention") || type.equals("sliding_attention"))) {
            throw keys.failure("layer_types", "full_attention or sliding_attention for each of the " + layers + " layers");
        }
        int first = types.indexOf("sliding_attention");
        if (first < 0) {
            return SlidingWindow.NONE;
        }
        if (size == 0 || types.subList(first, layers).contains("full_attention")) {
            keys.refuse("layer_types", size == 0 ? "names layers with a sliding window, of which sliding_window does not tell the size"
                    : "a window of some of the layers only is not supported, but from a layer on");
        }
        return new SlidingWindow(size, first);
    }
}
