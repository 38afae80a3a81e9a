package org.gatun.model.checkpoint;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.gatun.format.FileAccess;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.GgufFile;
import org.gatun.format.SafetensorsFile;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.architecture.WeightNames;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizer;
import org.gatun.tokenizer.Tokenizers;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// A model as Hugging Face stores it: safetensors with `config.json` and a tokenizer beside.
public final class SafetensorsCheckpoint implements Checkpoint {
    private static final String CONFIG = "config.json";
    private static final String GENERATION_CONFIG = "generation_config.json";
    private static final String EMBEDDING = "model.embed_tokens.weight";
    private static final String HEAD = "lm_head.weight";

    /// A GGUF file without tensors, which a model has its tokenizer in that was written from GGUF.
    public static final String TOKENIZER_GGUF = "tokenizer.gguf";

    private final SafetensorsFile file;
    private final Arena arena = Arena.ofShared(); // of weights that are arranged anew
    private final ObjectNode json;
    private final ModelConfig config;
    private final Map<String, Tensor> weights;
    private final List<Integer> endTokens;
    private final Tokenizer tokenizer;
    private final Optional<ChatTemplate> chatTemplate;

    private SafetensorsCheckpoint(SafetensorsFile file, FormatReport report) throws IOException {
        this.file = file;
        try {
            json = file.json(CONFIG).orElseThrow(() -> new FormatException(
                file.path(), -1, "config.json is missing beside the weights: expected the sizes of the model there"));
            JsonKeys keys = new JsonKeys(file.path(), CONFIG, json, report);
            HuggingFaceConfig read = HuggingFaceConfig.read(file.path(), keys);
            config = read.model();
            endTokens = endTokens(keys, config.vocabulary(), report);
            keys.finish(UnreadKeys.OF_CONFIG);
            noteRemarks(report);
            report.requireSupported(file.path());
            weights = readWeights(read, report);
            tokenizer = EndTokens.added(readTokenizer(directory(file.path()), report), endTokens);
            chatTemplate = ChatTemplate.open(directory(file.path()));
            report.requireSupported(file.path());
        } catch (Throwable e) {
            close();
            throw e;
        }
    }

    static SafetensorsCheckpoint open(Path path, FormatReport report, FileAccess access) throws IOException {
        return new SafetensorsCheckpoint(SafetensorsFile.open(path, access), report);
    }

    /// The tokens that end a text by `config.json` and `generation_config.json`, each a number or a list.
    private List<Integer> endTokens(JsonKeys keys, int vocabulary, FormatReport report) throws IOException {
        Optional<JsonKeys> generation = file.json(GENERATION_CONFIG).map(
                object -> new JsonKeys(file.path(), GENERATION_CONFIG, object, report));
        List<Integer> tokens = new ArrayList<>(EndTokens.read(keys, vocabulary));
        if (generation.isPresent()) {
            tokens.addAll(EndTokens.read(generation.get(), vocabulary));
            generation.get().finish(UnreadKeys.OF_GENERATION);
        }
        return tokens.stream().distinct().toList();
    }

    private void noteRemarks(FormatReport report) throws IOException {
        String name = String.valueOf(file.path().getFileName());
        file.metadata().values().forEach((key, value) -> UnreadKeys.OF_REMARKS.note(report, name, "__metadata__.", key, value));
        file.index().ifPresent(index -> {
            JsonKeys keys = new JsonKeys(file.path(), name, index, report);
            keys.find("weight_map");
            keys.finish(UnreadKeys.OF_REMARKS);
        });
    }

    private static Path directory(Path path) {
        return Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
    }

    private static Tokenizer readTokenizer(Path directory, FormatReport report) throws IOException {
        Path json = directory.resolve("tokenizer.json");
        if (Files.exists(json)) {
            return Tokenizers.fromTokenizerJson(json, report);
        }
        Path sentencePiece = directory.resolve("tokenizer.model");
        if (Files.exists(sentencePiece)) {
            return Tokenizers.fromSentencePiece(sentencePiece);
        }
        Path gguf = directory.resolve(TOKENIZER_GGUF);
        if (Files.exists(gguf)) {
            try (GgufFile header = GgufFile.open(gguf)) {
                return Tokenizers.fromGguf(header.metadata(), report);
            }
        }
        throw new FormatException(directory, -1, "no tokenizer: expected tokenizer.json, tokenizer.model or tokenizer.gguf");
    }

    /// Checks that there may be so many layers, before their names are made.
    private void requireLayers(int layers) throws FormatException {
        int tensors = file.tensors().size() + file.unreadable().size();
        if (layers > tensors) {
            throw new FormatException(file.path(), -1, "config.json: num_hidden_layers is " + layers + ", found " + tensors
                    + " tensors: expected several for each layer");
        }
    }

    /// The weights by their GGUF names.
    private Map<String, Tensor> readWeights(HuggingFaceConfig read, FormatReport report) throws FormatException {
        ModelTensors tensors = ModelTensors.ofHuggingFace(String.valueOf(file.path().getFileName()));
        TakenTensors taken = new TakenTensors(file.tensors());
        Map<String, Tensor> found = new LinkedHashMap<>();
        requireLayers(config.layers());
        Set<String> wanted = new LinkedHashSet<>();
        WeightNames names = config.architecture().weightNames();
        for (String name : names.ofGguf(config.layers())) {
            String theirs = names.ofHuggingFace(name);
            if (read.has(name)) {
                wanted.add(theirs);
                Optional<Tensor> weight = weight(taken, theirs);
                weight.ifPresent(tensor -> {
                    tensors.requireNumbers(report, tensor);
                    found.put(name, ModelTensors.shaped(name, tensor));
                });
                if (weight.isEmpty() && read.requires(name) && !file.unreadable().containsKey(theirs)) {
                    throw new FormatException(file.path(), -1, "tensor " + theirs + " is missing, which config.json speaks of");
                }
            }
        }
        List<Tensor> others = new ArrayList<>(file.tensors().values());
        if (read.tied() && file.tensors().containsKey(HEAD)) {
            noteTiedHead(report, tensors.file());
            others.removeIf(tensor -> tensor.name().equals(HEAD));
        }
        tensors.note(report, others, file.unreadable(), wanted, taken.names(), SafetensorsFile.supported(),
                "architecture " + config.architecture() + " of config.json");
        return found;
    }

    /// A head beside an embedding that config.json says is the head too: the embedding is, as it is in the Hugging Face library.
    private void noteTiedHead(FormatReport report, String name) {
        report.ignore(name, HEAD, "config.json says that the embedding is the head too");
        Tensor head = file.tensors().get(HEAD);
        Tensor embedding = file.tensors().get(EMBEDDING);
        if (embedding == null || head.dtype() != embedding.dtype() || head.data().byteSize() != embedding.data().byteSize()
                || differ(head.data(), embedding.data())) {
            report.warn(name + ": " + HEAD + " is other than " + EMBEDDING + ", but tie_word_embeddings of config.json is true: it is "
                    + "passed over");
        }
    }

    /// Whether some of the pieces differ that are looked at.
    private static boolean differ(MemorySegment one, MemorySegment other) {
        long pieceBytes = Math.min(4096, one.byteSize());
        long pieces = 64;
        for (long i = 0; i < pieces; i++) {
            long at = (one.byteSize() - pieceBytes) / pieces * i;
            if (one.asSlice(at, pieceBytes).mismatch(other.asSlice(at, pieceBytes)) >= 0) {
                return true;
            }
        }
        return false;
    }

    private Optional<Tensor> weight(Map<String, Tensor> tensors, String name) throws FormatException {
        Optional<Tensor> nvfp4 = Nvfp4Weight.read(file.path(), tensors, name, arena);
        if (nvfp4.isPresent()) {
            return nvfp4;
        }
        Optional<Tensor> fourBits = FourBitWeight.read(file.path(), tensors, name, arena);
        Optional<Tensor> eightBits = EightBitWeight.read(file.path(), tensors, name, arena);
        Optional<Tensor> sparse = SparseWeight.read(file.path(), tensors, name);
        return fourBits.or(() -> eightBits).or(() -> sparse).or(() -> Optional.ofNullable(tensors.get(name)));
    }

    /// A view of the tensors that notes which of them are taken.
    private static final class TakenTensors extends AbstractMap<String, Tensor> {
        private final Map<String, Tensor> all;
        private final Set<String> taken = new HashSet<>();

        TakenTensors(Map<String, Tensor> all) {
            this.all = all;
        }

        Set<String> names() {
            return taken;
        }

        @Override
        public Tensor get(Object name) {
            Tensor tensor = all.get(name);
            if (tensor != null) {
                taken.add(tensor.name());
            }
            return tensor;
        }

        @Override
        public boolean containsKey(Object name) {
            return all.containsKey(name);
        }

        @Override
        public Set<Entry<String, Tensor>> entrySet() {
            return all.entrySet();
        }
    }

    /// What `config.json` says.
    public ObjectNode configJson() {
        return json;
    }

    /// The wavelength base of rotary positions.
    public double rotaryBase() {
        return json.path("rope_parameters").path("rope_theta").asDouble(json.path("rope_theta").asDouble(HuggingFaceConfig.ROTARY_BASE));
    }

    /// The tokens that end a text beside those that the tokenizer knows.
    public List<Integer> endTokens() {
        return endTokens;
    }

    /// The folder with the weights and what belongs to them.
    public Path directory() {
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
