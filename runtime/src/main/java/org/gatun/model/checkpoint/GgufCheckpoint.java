package org.gatun.model.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.format.FileAccess;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufType;
import org.gatun.format.Metadata;
import org.gatun.model.architecture.Architecture;
import org.gatun.model.architecture.Architectures;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.architecture.SlidingWindow;
import org.gatun.model.architecture.WeightNames;
import org.gatun.plan.RopeTable;
import org.gatun.quantize.Codec;
import org.gatun.tensor.DType;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizer;
import org.gatun.tokenizer.Tokenizers;

/// A model in GGUF.
public final class GgufCheckpoint implements Checkpoint {
    private static final String ROPE_FACTORS = "rope_freqs.weight";

    /// Tokens that end a text beside those that the tokenizer knows: Gatun's own key, for what `config.json` says.
    public static final String END_TOKENS = "gatun.end_token_ids";

    private final GgufFile file;
    private final ModelConfig config;
    private final Tokenizer tokenizer;
    private final Optional<ChatTemplate> chatTemplate;
    private final Arena arena = Arena.ofShared(); // of weights that are arranged anew
    private final Map<String, Tensor> weights;

    private GgufCheckpoint(GgufFile file, ModelConfig config, GgufKeys keys, FormatReport report) throws FormatException {
        this.file = file;
        this.config = config;
        try {
            weights = readWeights(keys, report);
            tokenizer = EndTokens.added(Tokenizers.fromGguf(file.metadata(), report),
                    Arrays.stream(file.metadata().integers(END_TOKENS).orElse(new int[0])).boxed().toList());
            chatTemplate = ChatTemplate.fromGguf(file.metadata());
            report.requireSupported(file.path());
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /// The weights of the model by name, each with its scale.
    private Map<String, Tensor> readWeights(GgufKeys keys, FormatReport report) throws FormatException {
        Path source = file.metadata().source();
        Map<String, Tensor> stored = file.tensors();
        ModelTensors tensors = ModelTensors.ofGguf(keys.file());
        Set<String> required = config.architecture().requiredParts();
        Set<String> wanted = new LinkedHashSet<>();
        for (String name : config.architecture().weightNames().ofGguf(config.layers())) {
            if (required.contains(WeightNames.part(name)) && !stored.containsKey(name) && !file.unreadable().containsKey(name)) {
                throw new FormatException(source, -1, "tensor " + name + " is missing, which models of architecture "
                        + config.architecture() + " have");
            }
            wanted.add(name);
        }
        wanted.add(ROPE_FACTORS);
        Set<String> taken = new LinkedHashSet<>(wanted);
        Map<String, Tensor> read = new LinkedHashMap<>();
        for (Tensor tensor : stored.values()) {
            if (!wanted.contains(tensor.name())) {
                continue;
            }
            String scale = Nvfp4Weight.scaleName(tensor.name());
            if (tensor.dtype() == DType.NVFP4_BLOCKS) {
                taken.add(scale);
                read.put(tensor.name(), Nvfp4Weight.ofGguf(source, stored, tensor, arena));
            } else if (!scale.equals(tensor.name()) && stored.containsKey(scale)) {
                throw new FormatException(source, -1, "tensor " + tensor.name() + " of " + tensor.dtype() + " has a scale "
                        + scale + " beside it: expected one only of a weight of NVFP4");
            } else {
                tensors.requireNumbers(report, tensor);
                read.put(tensor.name(), ModelTensors.shaped(tensor.name(), tensor));
            }
        }
        tensors.note(report, stored.values(), file.unreadable(), wanted, taken, GgufType.supported(),
                "architecture " + config.architecture());
        return Collections.unmodifiableMap(read);
    }

    static GgufCheckpoint open(Path path, FormatReport report, FileAccess access) throws IOException {
        return of(GgufFile.open(path, access), report);
    }

    /// Reads the header; `file` is closed with this checkpoint, or now if it fails.
    ///
    /// @throws FormatException if it is damaged, or says what is not supported
    public static GgufCheckpoint of(GgufFile file, FormatReport report) throws IOException {
        try {
            GgufKeys keys = new GgufKeys(file.metadata(), report);
            Architecture architecture = requireKind(keys, file.metadata(), report);
            int tokens = file.metadata().strings("tokenizer.ggml.tokens").map(List::size).orElse(0);
            ModelConfig config = readConfig(architecture, keys, file, tokens);
            keys.finish();
            return new GgufCheckpoint(file, config, keys, report);
        } catch (Throwable e) {
            file.close();
            throw e;
        }
    }

    /// Refuses what is no model of an architecture that is known.
    private static Architecture requireKind(GgufKeys keys, Metadata metadata, FormatReport report) throws FormatException {
        Stream.of("general.alignment", "general.type", "general.quantization_version", "split.no", "split.count", "split.tensors.count",
                END_TOKENS).forEach(keys::noteRead);
        String type = metadata.string("general.type").orElse("model");
        if (!type.equals("model")) {
            report.refuse(keys.file(), "general.type", "found " + type + ", expected a model");
        }
        if (metadata.integer("general.quantization_version").orElse(2) != 2) {
            report.refuse(keys.file(), "general.quantization_version", "found "
                    + metadata.integer("general.quantization_version").get() + ", expected 2; convert the model anew");
        }
        Optional<Architecture> architecture = Architectures.ofGguf(keys.architecture());
        if (architecture.isEmpty()) {
            report.refuse(keys.file(), "general.architecture", "architecture '" + keys.architecture()
                    + "' is not supported: expected one of " + Architectures.ggufNames());
        }
        report.requireSupported(metadata.source());
        return architecture.orElseThrow();
    }

    private static ModelConfig readConfig(Architecture architecture, GgufKeys keys, GgufFile file, int vocabulary)
            throws FormatException {
        Path source = file.metadata().source();
        int layers = keys.integer("block_count");
        int heads = keys.integer("attention.head_count");
        int hidden = keys.integer("embedding_length");
        int headDim = keys.integer("attention.key_length", heads <= 0 ? 0 : hidden / heads);
        int rotated = keys.integer("rope.dimension_count", headDim);
        if (keys.integer("attention.value_length", headDim) != headDim) {
            throw new FormatException(source, -1, "keys and values of different lengths are not supported");
        }
        if (rotated <= 0 || rotated % 2 != 0 || rotated > headDim) {
            throw new FormatException(source, -1, keys.prefixed("rope.dimension_count") + " is " + rotated
                    + ": expected an even number up to the head size " + headDim);
        }
        int context = keys.integer("context_length", 2048);
        RopeTable.Pairing pairing = architecture.ggufPairing();
        SlidingWindow window = window(keys, layers);
        try {
            RopeTable rope = ropeScaling(keys, context).table(pairing, rotated, keys.number("rope.freq_base", 10_000));
            double attention = keys.number("rope.scaling.attn_factor", 1);
            RopeTable scaled = new RopeTable(pairing, rope.inverseFrequencies(), (float) (rope.attentionFactor() * attention));
            return new ModelConfig(architecture, keys.integer("vocab_size", vocabulary), layers, hidden,
                    keys.integer("feed_forward_length"), heads, keys.integer("attention.head_count_kv", heads), headDim,
                    (float) keys.number("attention.layer_norm_rms_epsilon", 1e-5),
                    withFrequencyFactors(scaled, Optional.ofNullable(file.tensors().get(ROPE_FACTORS))),
                    window.size(), window.fromLayer(), context);
        } catch (IllegalArgumentException e) {
            throw new FormatException(source, -1, e.getMessage(), e);
        }
    }

    /// The pattern says which layers have the window: yes or no for each, or every how many layers one has not; 0 stands for none.
    private static SlidingWindow window(GgufKeys keys, int layers) throws FormatException {
        int size = keys.integer("attention.sliding_window", 0);
        Optional<Object> pattern = keys.find("attention.sliding_window_pattern");
        if (pattern.isEmpty() || size == 0) {
            return new SlidingWindow(size, 0);
        }
        if (pattern.get() instanceof Number period) {
            return switch (period.intValue()) {
                case 0 -> new SlidingWindow(size, 0);
                case 1 -> SlidingWindow.NONE;
                default -> {
                    keys.refuse("attention.sliding_window_pattern", "a window of some of the layers only is not supported");
                    yield SlidingWindow.NONE;
                }
            };
        }
        List<Boolean> windowed = pattern.get() instanceof boolean[] flags ? IntStream.range(0, flags.length).mapToObj(i -> flags[i]).toList()
                : Arrays.stream(keys.integers("attention.sliding_window_pattern")).mapToObj(flag -> flag != 0).toList();
        int from = windowed.indexOf(true) < 0 ? layers : windowed.indexOf(true);
        if (windowed.size() != layers || windowed.subList(from, layers).contains(false)) {
            keys.refuse("attention.sliding_window_pattern", "a window of some of the layers only is not supported");
        }
        return from == layers ? SlidingWindow.NONE : new SlidingWindow(size, from);
    }

    /// A factor without a type is linear scaling, as files of 2023 have it, which also called it `rope.scale_linear`.
    private static RopeScaling ropeScaling(GgufKeys keys, int context) throws FormatException {
        String type = keys.text("rope.scaling.type").orElse("linear");
        double linear = keys.number("rope.scale_linear", 1);
        double stated = keys.number("rope.scaling.factor", linear);
        double factor = stated == 0 ? 1 : stated;
        int original = keys.integer("rope.scaling.original_context_length", context);
        return switch (type) {
            case "none", "" -> new RopeScaling.None();
            case "linear" -> factor == 1 ? new RopeScaling.None() : new RopeScaling.Linear(factor);
            case "yarn" -> new RopeScaling.Yarn(factor, original,
                    keys.number("rope.scaling.yarn_beta_fast", 32), keys.number("rope.scaling.yarn_beta_slow", 1),
                    keys.number("rope.scaling.yarn_attn_factor", 1) * RopeScaling.Yarn.standardAttentionFactor(factor), true);
            default -> {
                keys.refuse("rope.scaling.type", "rope scaling '" + type + "' is not supported: expected none, linear or yarn");
                yield new RopeScaling.None();
            }
        };
    }

    /// GGUF writes the scaling of Llama 3 as divisors of the frequencies.
    private static RopeTable withFrequencyFactors(RopeTable table, Optional<Tensor> factors) {
        if (factors.isEmpty()) {
            return table;
        }
        Tensor tensor = ModelTensors.shaped(ROPE_FACTORS, factors.get());
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

    /// The file, open as long as this.
    public GgufFile file() {
        return file;
    }

    /// The wavelength base of rotary positions.
    public double rotaryBase() throws FormatException {
        Metadata metadata = file.metadata();
        return metadata.number(metadata.string("general.architecture").orElseThrow() + ".rope.freq_base").orElse(10_000.0);
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
    public Set<String> names() {
        return weights.keySet();
    }

    @Override
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    @Override
    public Optional<ChatTemplate> chatTemplate() {
        return chatTemplate;
    }

    @Override
    public void requireUnchanged() throws FormatException {
        file.requireUnchanged();
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
        file.close();
    }
}
