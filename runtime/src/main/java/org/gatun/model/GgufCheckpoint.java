package org.gatun.model;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.Metadata;
import org.gatun.plan.RopeTable;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.Tokenizer;
import org.gatun.tokenizer.Tokenizers;

/// A model in one GGUF file.
final class GgufCheckpoint implements Checkpoint {
    /// Architectures whose files hold queries and keys permuted for interleaved rotation; the others rotate halves.
    private static final Set<String> INTERLEAVED = Set.of("llama", "mistral");
    private static final Set<String> SPLIT = Set.of("qwen2", "qwen3");

    private final GgufFile file;
    private final ModelConfig config;
    private final Tokenizer tokenizer;
    private final Arena arena = Arena.ofShared(); // of weights that are arranged anew
    private final Map<String, Tensor> weights;

    private GgufCheckpoint(GgufFile file, ModelConfig config, Tokenizer tokenizer) throws FormatException {
        this.file = file;
        this.config = config;
        this.tokenizer = tokenizer;
        try {
            weights = readWeights();
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /// All tensors, but the scales of others, which are part of them.
    private Map<String, Tensor> readWeights() throws FormatException {
        Map<String, Tensor> stored = file.tensors();
        Map<String, Tensor> read = new LinkedHashMap<>(stored);
        for (Tensor tensor : stored.values()) {
            String scale = Nvfp4Weight.scaleName(tensor.name());
            if (tensor.dtype() == DType.NVFP4_BLOCKS) {
                read.put(tensor.name(), Nvfp4Weight.ofGguf(file.metadata().source(), stored, tensor, arena));
                read.remove(scale);
                read.remove(scale.replaceFirst("scale$", "input_scale"));
            } else if (!scale.equals(tensor.name()) && stored.containsKey(scale)) {
                throw new FormatException(file.metadata().source(), -1, "tensor " + tensor.name() + " of " + tensor.dtype() + " has a scale "
                        + scale + " beside it: expected one only of a weight of NVFP4");
            }
        }
        return Collections.unmodifiableMap(read);
    }

    static GgufCheckpoint open(Path path) throws IOException {
        return of(GgufFile.open(path));
    }

    /// Reads the header; `file` is closed with this checkpoint, or now if it fails.
    static GgufCheckpoint of(GgufFile file) throws IOException {
        try {
            Tokenizer tokenizer = Tokenizers.fromGguf(file.metadata());
            return new GgufCheckpoint(file, readConfig(file, tokenizer.vocabularySize()), tokenizer);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static ModelConfig readConfig(GgufFile file, int vocabulary) throws FormatException {
        Keys keys = new Keys(file.metadata());
        if (!INTERLEAVED.contains(keys.architecture) && !SPLIT.contains(keys.architecture)) {
            throw new FormatException(file.metadata().source(), -1, "architecture '" + keys.architecture
                    + "' is not supported: expected one of llama, mistral, qwen2, qwen3");
        }
        int heads = keys.integer("attention.head_count");
        int hidden = keys.integer("embedding_length");
        int headDim = keys.integer("attention.key_length", heads <= 0 ? 0 : hidden / heads);
        int rotated = keys.integer("rope.dimension_count", headDim);
        if (keys.integer("attention.value_length", headDim) != headDim) {
            throw new FormatException(keys.metadata.source(), -1, "keys and values of different lengths are not supported");
        }
        if (rotated <= 0 || rotated % 2 != 0 || rotated > headDim) {
            throw new FormatException(keys.metadata.source(), -1, keys.architecture + ".rope.dimension_count is " + rotated
                    + ": expected an even number up to the head size " + headDim);
        }
        RopeTable.Pairing pairing = INTERLEAVED.contains(keys.architecture) ? RopeTable.Pairing.INTERLEAVED
                : RopeTable.Pairing.SPLIT;
        RopeTable rope = ropeScaling(keys).table(pairing, rotated, keys.number("rope.freq_base", 10_000));
        try {
            return new ModelConfig(keys.architecture, keys.integer("vocab_size", vocabulary), keys.integer("block_count"), hidden,
                    keys.integer("feed_forward_length"), heads, keys.integer("attention.head_count_kv", heads), headDim,
                    (float) keys.number("attention.layer_norm_rms_epsilon", 1e-5),
                    withFrequencyFactors(rope, Optional.ofNullable(file.tensors().get("rope_freqs.weight"))),
                    keys.integer("attention.sliding_window", 0), 0, keys.integer("context_length", 2048));
        } catch (IllegalArgumentException e) {
            throw new FormatException(keys.metadata.source(), -1, e.getMessage(), e);
        }
    }

    private static RopeScaling ropeScaling(Keys keys) throws FormatException {
        String type = keys.metadata.string(keys.architecture + ".rope.scaling.type").orElse("none");
        double factor = keys.number("rope.scaling.factor", 1);
        return switch (type) {
            case "none" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(factor);
            case "yarn" -> new RopeScaling.Yarn(factor,
                    keys.integer("rope.scaling.original_context_length", keys.integer("context_length", 2048)),
                    keys.number("rope.scaling.yarn_beta_fast", 32), keys.number("rope.scaling.yarn_beta_slow", 1),
                    keys.number("rope.scaling.attn_factor", 1) * RopeScaling.Yarn.standardAttentionFactor(factor));
            default -> throw new FormatException(keys.metadata.source(), -1, "rope scaling '" + type
                    + "' is not supported: expected none, linear or yarn");
        };
    }

    /// GGUF writes the scaling of Llama 3 as divisors of the frequencies.
    private static RopeTable withFrequencyFactors(RopeTable table, Optional<Tensor> factors) {
        if (factors.isEmpty()) {
            return table;
        }
        Tensor tensor = factors.get();
        float[] frequencies = table.inverseFrequencies();
        if (tensor.columns() != frequencies.length) {
            throw new IllegalArgumentException("tensor " + tensor.name() + " " + tensor.shape() + ": expected "
                    + frequencies.length + " elements");
        }
        float[] divisors = new float[frequencies.length];
        Codec.of(tensor.dtype()).decode(tensor.data(), 0, divisors, 0, divisors.length);
        for (int pair = 0; pair < frequencies.length; pair++) {
            frequencies[pair] /= divisors[pair];
        }
        return new RopeTable(table.pairing(), frequencies, table.attentionFactor());
    }

    /// Header values under the prefix of the architecture.
    private static final class Keys {
        private final Metadata metadata;
        private final String architecture;

        Keys(Metadata metadata) throws FormatException {
            this.metadata = metadata;
            architecture = metadata.string("general.architecture").orElseThrow(
                    () -> new FormatException(metadata.source(), -1, "general.architecture is missing"));
        }

        int integer(String key) throws FormatException {
            return metadata.integer(architecture + "." + key).orElseThrow(() -> new FormatException(
                    metadata.source(), -1, architecture + "." + key + " is missing: is this a model, or a vocabulary only?"));
        }

        int integer(String key, int standard) throws FormatException {
            return metadata.integer(architecture + "." + key).orElse(standard);
        }

        double number(String key, double standard) throws FormatException {
            return metadata.number(architecture + "." + key).orElse(standard);
        }
    }

    /// The file, open as long as this.
    GgufFile file() {
        return file;
    }

    @Override
    public ModelConfig config() {
        return config;
    }

    @Override
    public Optional<Tensor> find(String name) {
        return Optional.ofNullable(weights.get(name));
    }

    /// The names of its weights, in the order of the file.
    Set<String> names() {
        return weights.keySet();
    }

    @Override
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    @Override
    public Optional<String> chatTemplate() {
        return Optional.ofNullable(file.metadata().values().get("tokenizer.chat_template"))
                .filter(String.class::isInstance).map(String.class::cast);
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
        file.close();
    }
}
