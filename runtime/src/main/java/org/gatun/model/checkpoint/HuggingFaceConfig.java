package org.gatun.model.checkpoint;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.model.architecture.Architecture;
import org.gatun.model.architecture.Architectures;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.architecture.SlidingWindow;
import org.gatun.model.architecture.WeightNames;
import org.gatun.plan.RopeTable;
import tools.jackson.databind.JsonNode;

/// What `config.json` says about a model: its sizes, and which weights it has.
///
/// @param model its sizes
/// @param tied whether the embedding is the head too
/// @param headRequired whether it has a head of its own
/// @param parts parts of a block that some models have and others not, as in GGUF: `attn_q.bias`
record HuggingFaceConfig(ModelConfig model, boolean tied, boolean headRequired, Set<String> parts) {
    static final double ROTARY_BASE = 10_000;

    private static final Set<String> ACTIVATIONS = Set.of("silu", "swish");
    private static final Set<String> FOUR_BIT_FORMATS = Set.of("nvfp4-pack-quantized");

    /// Reads it; what is not supported is noted, and the sizes are then of no use.
    ///
    /// @throws FormatException if it has no sizes of a model
    static HuggingFaceConfig read(Path path, JsonKeys keys) throws FormatException {
        String type = keys.text("model_type").orElse("");
        Optional<Architecture> found = Architectures.ofModelType(type);
        if (found.isEmpty()) {
            keys.refuse("model_type", "'" + type + "' is not supported: expected one of " + Architectures.modelTypes());
            keys.requireSupported();
        }
        Architecture architecture = found.orElseThrow();
        requireTask(keys);
        requireActivation(keys);
        requireQuantization(keys);
        int layers = keys.integer("num_hidden_layers");
        int heads = keys.ofLayers("num_attention_heads", layers);
        int hidden = keys.integer("hidden_size");
        int headDim = keys.ofLayers("head_dim", layers, heads <= 0 ? 0 : hidden / heads);
        int context = keys.integer("max_position_embeddings", 2048);
        boolean tied = keys.bool("tie_word_embeddings", false);
        boolean headRequired = keys.has("tie_word_embeddings") && !tied;
        RopeTable rope = rope(path, keys, headDim, context);
        SlidingWindow window = HuggingFaceWindow.read(keys, architecture, layers);
        try {
            ModelConfig model = new ModelConfig(architecture, keys.integer("vocab_size"), layers, hidden,
                    keys.ofLayers("intermediate_size", layers), heads, keys.ofLayers("num_key_value_heads", layers, heads), headDim,
                    (float) keys.number("rms_norm_eps", 1e-6), rope, window.size(), window.fromLayer(), context);
            return new HuggingFaceConfig(model, tied, headRequired, parts(keys, architecture));
        } catch (IllegalArgumentException e) {
            throw new FormatException(path, -1, "config.json: " + e.getMessage(), e);
        }
    }

    /// Whether the model may have a weight, by its GGUF name.
    boolean has(String name) {
        String part = WeightNames.part(name);
        return part.endsWith(".bias") ? parts.contains(part) : !(tied && part.equals("output.weight"));
    }

    /// Whether it must have it, for those that the architecture takes or leaves.
    boolean requires(String name) {
        return parts.contains(WeightNames.part(name)) || headRequired && name.equals("output.weight");
    }

    private static Set<String> parts(JsonKeys keys, Architecture architecture) throws FormatException {
        boolean attention = keys.bool("attention_bias", false);
        boolean feedForward = keys.bool("mlp_bias", false);
        Set<String> parts = new HashSet<>(architecture.requiredParts());
        if (attention) {
            parts.addAll(architecture.attentionBiases());
        }
        if (feedForward) {
            parts.addAll(List.of("ffn_gate.bias", "ffn_up.bias", "ffn_down.bias"));
        }
        return parts;
    }

    private static void requireTask(JsonKeys keys) {
        Optional<JsonNode> named = keys.find("architectures");
        if (named.isPresent() && !named.get().isEmpty()
                && named.get().valueStream().noneMatch(name -> name.asString("").endsWith("ForCausalLM"))) {
            keys.refuse("architectures", "found " + named.get() + ", expected one of ...ForCausalLM, which writes texts");
        }
    }

    private static void requireActivation(JsonKeys keys) throws FormatException {
        for (String key : List.of("hidden_act", "hidden_activation")) {
            String name = keys.text(key).orElse("silu");
            if (!ACTIVATIONS.contains(name)) {
                keys.refuse(key, "activation '" + name + "' is not supported: expected silu");
            }
        }
    }

    /// The weights show in which types they are stored; what is looked at is whether it is one that is read.
    private static void requireQuantization(JsonKeys keys) throws FormatException {
        Optional<JsonKeys> quantization = keys.object("quantization_config");
        if (quantization.isEmpty()) {
            return;
        }
        JsonKeys inner = quantization.get();
        boolean bits = inner.bool("load_in_8bit", false) || inner.bool("load_in_4bit", false);
        String method = inner.text("quant_method").orElse(bits ? "bitsandbytes" : "none");
        switch (method) {
            case "bitsandbytes" -> { }
            case "compressed-tensors" -> {
                String format = inner.text("format").orElse("");
                if (!FOUR_BIT_FORMATS.contains(format)) {
                    inner.refuse("format", "weights of '" + format + "' are not supported: expected nvfp4-pack-quantized");
                }
                for (String key : List.of("sparsity_config", "transform_config")) {
                    if (inner.find(key).filter(node -> !node.isEmpty()).isPresent()) {
                        inner.refuse(key, "weights turned about or thinned out so are not supported");
                    }
                }
            }
            case "modelopt" -> {
                String algorithm = inner.text("quant_algo").orElse("");
                if (!algorithm.equals("NVFP4")) {
                    inner.refuse("quant_algo", "weights of '" + algorithm + "' are not supported: expected NVFP4");
                }
            }
            default -> inner.refuse("quant_method", "weights quantized by '" + method
                    + "' are not supported: expected bitsandbytes, compressed-tensors or modelopt");
        }
    }

    private static RopeTable rope(Path path, JsonKeys keys, int headDim, int context) throws FormatException {
        Optional<JsonKeys> parameters = keys.object("rope_parameters");
        Optional<JsonKeys> scaling = keys.object("rope_scaling");
        double older = keys.number("rope_theta", ROTARY_BASE);
        // newer files keep base and scaling together under rope_parameters, older ones apart
        double base = parameters.isPresent() ? parameters.get().number("rope_theta", older) : older;
        boolean both = !keys.isEmpty("rope_parameters") && !keys.isEmpty("rope_scaling");
        Optional<JsonKeys> stated = keys.isEmpty("rope_parameters") ? scaling.or(() -> parameters) : parameters;
        RopeScaling found = stated.isPresent() ? ropeScaling(stated.get(), context) : new RopeScaling.None();
        stated.ifPresent(inner -> inner.finish(UnreadKeys.OF_ROPE));
        if (both) {
            RopeScaling other = ropeScaling(scaling.get(), context);
            scaling.get().finish(UnreadKeys.OF_ROPE);
            if (!other.equals(found)) {
                keys.refuse("rope_scaling", "says other than rope_parameters: expected one of them, or the same in both");
            }
        }
        try {
            return found.table(RopeTable.Pairing.SPLIT, headDim, base);
        } catch (IllegalArgumentException e) {
            throw new FormatException(path, -1, "config.json: " + e.getMessage(), e);
        }
    }

    /// A factor without a type is linear scaling, as in GGUF.
    private static RopeScaling ropeScaling(JsonKeys scaling, int context) throws FormatException {
        Optional<String> older = scaling.text("type");
        Optional<String> stated = scaling.text("rope_type").or(() -> older);
        double factor = scaling.number("factor", 1);
        String type = stated.orElse(factor == 1 ? "default" : "linear");
        int original = scaling.integer("original_max_position_embeddings", context);
        switch (type) {
            case "default" -> {
                if (factor != 1) {
                    scaling.refuse("factor", "is " + factor + " though the type is default: expected a type that has a factor");
                }
                return new RopeScaling.None();
            }
            case "linear" -> {
                return new RopeScaling.Linear(scaling.number("factor"));
            }
            case "llama3" -> {
                return new RopeScaling.Llama3(scaling.number("factor"), scaling.number("low_freq_factor"),
                        scaling.number("high_freq_factor"), scaling.integer("original_max_position_embeddings"));
            }
            case "yarn" -> {
                double stretch = scaling.has("factor") ? factor : (double) context / original;
                double weight = scaling.number("mscale", 0);
                double ofAll = scaling.number("mscale_all_dim", 0);
                double standard = weight != 0 && ofAll != 0
                        ? RopeScaling.Yarn.attentionFactor(stretch, weight) / RopeScaling.Yarn.attentionFactor(stretch, ofAll)
                        : RopeScaling.Yarn.standardAttentionFactor(stretch);
                return new RopeScaling.Yarn(stretch, original, scaling.number("beta_fast", 32), scaling.number("beta_slow", 1),
                        scaling.number("attention_factor", standard), scaling.bool("truncate", true));
            }
            default -> {
                scaling.refuse(scaling.has("rope_type") ? "rope_type" : "type",
                        "rope scaling '" + type + "' is not supported: expected default, linear, llama3 or yarn");
                return new RopeScaling.None();
            }
        }
    }
}
