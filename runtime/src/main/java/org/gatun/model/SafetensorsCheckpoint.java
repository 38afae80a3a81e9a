package org.gatun.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.SafetensorsFile;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.Tokenizer;
import org.gatun.tokenizer.Tokenizers;
import tools.jackson.databind.JsonNode;

/// A model as Hugging Face stores it: safetensors with `config.json` and a tokenizer beside.
final class SafetensorsCheckpoint implements Checkpoint {
    private static final Set<String> ARCHITECTURES = Set.of("llama", "mistral", "qwen2", "qwen3");

    /// Parts of a block: what GGUF calls them, and what Hugging Face does.
    private static final Map<String, String> BLOCK_PARTS = Map.of(
            "attn_norm", "input_layernorm",
            "attn_q", "self_attn.q_proj",
            "attn_k", "self_attn.k_proj",
            "attn_v", "self_attn.v_proj",
            "attn_q_norm", "self_attn.q_norm",
            "attn_k_norm", "self_attn.k_norm",
            "attn_output", "self_attn.o_proj",
            "ffn_norm", "post_attention_layernorm",
            "ffn_gate", "mlp.gate_proj");

    private final SafetensorsFile file;
    private final Arena arena = Arena.ofShared(); // of weights that are arranged anew
    private final ModelConfig config;
    private final Map<String, Tensor> weights;
    private final Tokenizer tokenizer;
    private final Optional<String> chatTemplate;

    private SafetensorsCheckpoint(SafetensorsFile file) throws IOException {
        this.file = file;
        try {
            JsonNode json = file.json("config.json").orElseThrow(() -> new FormatException(
                file.path(), -1, "config.json is missing beside the weights: expected the sizes of the model there"));
            config = readConfig(file.path(), json);
            weights = weightsByGgufName(config.layers());
            tokenizer = readTokenizer(directory(file.path()));
            chatTemplate = file.json("tokenizer_config.json").map(settings -> settings.path("chat_template"))
                .filter(JsonNode::isString).map(JsonNode::stringValue);
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    static SafetensorsCheckpoint open(Path path) throws IOException {
        return new SafetensorsCheckpoint(SafetensorsFile.open(path));
    }

    private static Path directory(Path path) {
        return Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
    }

    private static Tokenizer readTokenizer(Path directory) throws IOException {
        Path json = directory.resolve("tokenizer.json");
        if (Files.exists(json)) {
            return Tokenizers.fromTokenizerJson(json);
        }
        Path sentencePiece = directory.resolve("tokenizer.model");
        if (Files.exists(sentencePiece)) {
            return Tokenizers.fromSentencePiece(sentencePiece);
        }
        throw new FormatException(directory, -1, "no tokenizer: expected tokenizer.json or tokenizer.model");
    }

    private Map<String, Tensor> weightsByGgufName(int layers) throws FormatException {
        Map<String, Tensor> weights = new HashMap<>();
        put(weights, "token_embd.weight", "model.embed_tokens.weight");
        put(weights, "output_norm.weight", "model.norm.weight");
        put(weights, "output.weight", "lm_head.weight");
        for (int layer = 0; layer < layers; layer++) {
            String block = "blk." + layer + ".";
            String theirs = "model.layers." + layer + ".";
            for (Map.Entry<String, String> part : BLOCK_PARTS.entrySet()) {
                put(weights, block + part.getKey() + ".weight", theirs + part.getValue() + ".weight");
                put(weights, block + part.getKey() + ".bias", theirs + part.getValue() + ".bias");
            }
            for (String direction : List.of("up", "down")) {
                put(weights, block + "ffn_" + direction + ".weight", theirs + "mlp." + direction + "_proj.weight");
            }
        }
        return weights;
    }

    private void put(Map<String, Tensor> weights, String name, String theirName) throws FormatException {
        Optional<Tensor> quantized = FourBitWeight.read(file.path(), file.tensors(), theirName, arena);
        quantized.or(() -> Optional.ofNullable(file.tensors().get(theirName))).ifPresent(tensor -> weights.put(name, tensor));
    }

    private static ModelConfig readConfig(Path path, JsonNode json) throws FormatException {
        String architecture = json.path("model_type").asString("");
        if (!ARCHITECTURES.contains(architecture)) {
            throw new FormatException(path, -1, "model_type '" + architecture
                    + "' in config.json is not supported: expected one of llama, mistral, qwen2, qwen3");
        }
        int heads = integer(path, json, "num_attention_heads");
        int hidden = integer(path, json, "hidden_size");
        int headDim = json.path("head_dim").asInt(heads <= 0 ? 0 : hidden / heads);
        // Newer files keep base and scaling together under rope_parameters, older ones apart.
        JsonNode ropeParameters = json.path("rope_parameters");
        JsonNode scaling = ropeParameters.isObject() ? ropeParameters : json.path("rope_scaling");
        double base = ropeParameters.path("rope_theta").asDouble(json.path("rope_theta").asDouble(10_000));
        int context = json.path("max_position_embeddings").asInt(2048);
        boolean windowed = json.path("use_sliding_window").asBoolean(architecture.equals("mistral"));
        try {
            return new ModelConfig(architecture, integer(path, json, "vocab_size"), integer(path, json, "num_hidden_layers"),
                    hidden, integer(path, json, "intermediate_size"), heads, json.path("num_key_value_heads").asInt(heads),
                    headDim, (float) json.path("rms_norm_eps").asDouble(1e-6),
                    ropeScaling(path, scaling, context).table(RopeTable.Pairing.SPLIT, headDim, base),
                    windowed ? json.path("sliding_window").asInt(0) : 0,
                    architecture.equals("mistral") ? 0 : json.path("max_window_layers").asInt(0), context);
        } catch (IllegalArgumentException | NegativeArraySizeException e) {
            throw new FormatException(path, -1, "config.json: " + e.getMessage(), e);
        }
    }

    private static RopeScaling ropeScaling(Path path, JsonNode scaling, int context) throws FormatException {
        String type = scaling.path("rope_type").asString(scaling.path("type").asString("default"));
        double factor = scaling.path("factor").asDouble(1);
        int originalContext = scaling.path("original_max_position_embeddings").asInt(context);
        return switch (type) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(factor);
            case "llama3" -> new RopeScaling.Llama3(factor, scaling.path("low_freq_factor").asDouble(1),
                    scaling.path("high_freq_factor").asDouble(4), originalContext);
            case "yarn" -> new RopeScaling.Yarn(factor, originalContext, scaling.path("beta_fast").asDouble(32),
                    scaling.path("beta_slow").asDouble(1), scaling.path("attention_factor")
                            .asDouble(RopeScaling.Yarn.standardAttentionFactor(factor)));
            default -> throw new FormatException(path, -1, "rope scaling '" + type
                    + "' in config.json is not supported: expected default, linear, llama3 or yarn");
        };
    }

    private static int integer(Path path, JsonNode json, String key) throws FormatException {
        if (!json.path(key).isInt()) {
            throw new FormatException(path, -1, "config.json: " + key + " is " + json.path(key) + ": expected a whole number");
        }
        return json.path(key).asInt();
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public Optional<Tensor> find(String name) {
        return Optional.ofNullable(weights.get(name));
    }

    @Override
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    @Override
    public Optional<String> chatTemplate() {
        return chatTemplate;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
        file.close();
    }
}
