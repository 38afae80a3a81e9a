package org.gatun.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.SafetensorsFile;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.Tokenizer;
import org.gatun.tokenizer.Tokenizers;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// A model as Hugging Face stores it: safetensors with `config.json` and a tokenizer beside.
final class SafetensorsCheckpoint implements Checkpoint {
    private static final Set<String> ARCHITECTURES = Set.of("llama", "mistral", "qwen2", "qwen3");

    /// A GGUF file without tensors, which a model has its tokenizer in that was written from GGUF.
    static final String TOKENIZER_GGUF = "tokenizer.gguf";

    private final SafetensorsFile file;
    private final Arena arena = Arena.ofShared(); // of weights that are arranged anew
    private final ObjectNode json;
    private final ModelConfig config;
    private final Map<String, Tensor> weights;
    private final Tokenizer tokenizer;
    private final Optional<String> chatTemplate;

    private SafetensorsCheckpoint(SafetensorsFile file) throws IOException {
        this.file = file;
        try {
            json = file.json("config.json").orElseThrow(() -> new FormatException(
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
        Path gguf = directory.resolve(TOKENIZER_GGUF);
        if (Files.exists(gguf)) {
            try (GgufFile header = GgufFile.open(gguf)) {
                return Tokenizers.fromGguf(header.metadata());
            }
        }
        throw new FormatException(directory, -1, "no tokenizer: expected tokenizer.json, tokenizer.model or tokenizer.gguf");
    }

    private Map<String, Tensor> weightsByGgufName(int layers) throws FormatException {
        Map<String, Tensor> weights = new LinkedHashMap<>();
        for (String name : HuggingFaceNames.ggufNames(layers)) {
            weight(HuggingFaceNames.of(name)).ifPresent(tensor -> weights.put(name, tensor));
        }
        return weights;
    }

    private Optional<Tensor> weight(String name) throws FormatException {
        Optional<Tensor> fourBits = FourBitWeight.read(file.path(), file.tensors(), name, arena);
        Optional<Tensor> eightBits = EightBitWeight.read(file.path(), file.tensors(), name, arena);
        Optional<Tensor> sparse = SparseWeight.read(file.path(), file.tensors(), name);
        Optional<Tensor> nvfp4 = Nvfp4Weight.read(file.path(), file.tensors(), name, arena);
        Optional<Tensor> plain = Optional.ofNullable(file.tensors().get(name));
        Optional<Tensor> weight = nvfp4.or(() -> fourBits).or(() -> eightBits).or(() -> sparse).or(() -> plain);
        if (weight.isPresent() && weight.get().dtype() == DType.F8_E4M3) {
            throw new FormatException(file.path(), -1, "tensor " + name + ": weights of F8_E4M3 are not supported");
        }
        return weight;
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
        JsonNode ropeParameters = json.path("rope_parameters");
        JsonNode scaling = ropeParameters.isObject() ? ropeParameters : json.path("rope_scaling");
        double base = rotaryBase(json);
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

    /// What `config.json` says.
    ObjectNode configJson() {
        return json;
    }

    /// The wavelength base of rotary positions.
    double rotaryBase() {
        return rotaryBase(json);
    }

    // Newer files keep base and scaling together under rope_parameters, older ones apart.
    private static double rotaryBase(JsonNode json) {
        return json.path("rope_parameters").path("rope_theta").asDouble(json.path("rope_theta").asDouble(10_000));
    }

    /// The folder with the weights and what belongs to them.
    Path directory() {
        return directory(file.path());
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
