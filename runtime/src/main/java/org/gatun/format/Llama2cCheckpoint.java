package org.gatun.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tensor.Tensor;

/// A checkpoint of karpathy/llama2.c (`export.py`): the layouts "legacy" and version 1, both of f32. Tensors are views
/// of the mapped file under the names that GGUF files use.
///
/// The tensors live until [#close]; the file must not be changed meanwhile.
public final class Llama2cCheckpoint implements AutoCloseable {
    private static final String EXPECTED = "a llama2.c checkpoint";
    private static final int VERSION_1_MAGIC = 0x616b3432;
    private static final int VERSION_1_HEADER_BYTES = 256;
    private static final int LEGACY_HEADER_BYTES = 7 * 4;
    private static final String ROTARY_TABLES = "rotary tables";
    private static final int MAX_LAYERS = 10_000;
    private static final int MAX_WIDTH = 1 << 20;
    private static final int MAX_ROWS = 1 << 24;

    private final MappedFile mapping;
    private final Config config;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    /// Sizes of the model, as its header has them.
    ///
    /// @param hidden elements of a hidden state
    /// @param intermediate elements inside a feed-forward layer
    /// @param layers number of blocks
    /// @param heads of queries
    /// @param kvHeads of keys and values
    /// @param vocabulary number of tokens
    /// @param contextLength most tokens in a text
    /// @param sharedClassifier whether the output matrix is the embedding
    public record Config(int hidden, int intermediate, int layers, int heads, int kvHeads, int vocabulary,
            int contextLength, boolean sharedClassifier) {

        /// Elements of one head.
        public int headDim() {
            return hidden / heads;
        }

        private int kvDim() {
            return headDim() * kvHeads;
        }

        private String fault() {
            boolean positive = IntStream.of(hidden, intermediate, layers, heads, kvHeads, vocabulary, contextLength)
                    .allMatch(size -> size > 0);
            if (!positive || Math.max(hidden, intermediate) > MAX_WIDTH || layers > MAX_LAYERS
                    || Math.max(vocabulary, contextLength) > MAX_ROWS) {
                return "sizes that are positive and not huge";
            }
            if (hidden % heads != 0 || headDim() % 2 != 0 || heads % kvHeads != 0) {
                return "heads that divide the hidden size evenly, and kvHeads that divide the heads";
            }
            return "";
        }
    }

    private Llama2cCheckpoint(MappedFile mapping) throws FormatException {
        this.mapping = mapping;
        HeaderReader in = new HeaderReader(mapping.path(), mapping.bytes());
        int first = in.intValue("header");
        if (first == GgufFile.MAGIC) {
            throw in.failure(0, "found a GGUF file, which needs no import: expected " + EXPECTED);
        }
        boolean legacy = first != VERSION_1_MAGIC;
        int version = legacy ? 0 : in.intValue("version");
        if (version > 1 || version < 0) {
            throw in.failure(4, "found llama2.c layout version " + version + (version == 2 ? " (int8)" : "")
                    + ": expected 1 or the legacy layout, both of f32");
        }
        config = readConfig(in, legacy, first);
        long normBytes = 2L * config.layers * config.hidden * Float.BYTES;
        if (normBytes > mapping.bytes().byteSize()) { // before the shapes of so many layers are listed
            throw new FormatException(mapping.path(), -1, "found " + mapping.bytes().byteSize() + " bytes: expected at least "
                    + normBytes + " bytes for " + config + "; the file is damaged, or not " + EXPECTED + " of f32");
        }
        Map<String, Shape> shapes = shapes(legacy);
        long offset = legacy ? LEGACY_HEADER_BYTES : VERSION_1_HEADER_BYTES;
        long byteSize = offset + shapes.values().stream().mapToLong(Llama2cCheckpoint::byteSize).sum();
        if (byteSize != mapping.bytes().byteSize()) {
            throw new FormatException(mapping.path(), -1, "found " + mapping.bytes().byteSize() + " bytes: expected "
                    + byteSize + " bytes for " + config + "; the file is damaged, or not " + EXPECTED + " of f32");
        }
        for (Map.Entry<String, Shape> entry : shapes.entrySet()) {
            long size = byteSize(entry.getValue());
            MemorySegment data = mapping.bytes().asSlice(offset, size);
            tensors.put(entry.getKey(), new Tensor(entry.getKey(), DType.F32, entry.getValue(), data));
            offset += size;
        }
        tensors.remove(ROTARY_TABLES);
    }

    /// Maps a checkpoint; the caller closes it.
    ///
    /// @throws FormatException if the header makes no sense, or the file has not exactly the size that it asks for
    /// @throws IOException if it cannot be read
    public static Llama2cCheckpoint open(Path path) throws IOException {
        MappedFile mapping = MappedFile.open(path, EXPECTED);
        try {
            return new Llama2cCheckpoint(mapping);
        } catch (InternalError fault) {
            mapping.close();
            throw FormatException.ofFault(path, fault);
        } catch (Throwable failure) {
            mapping.close();
            throw failure;
        }
    }

    /// The file.
    public Path path() {
        return mapping.path();
    }

    /// Sizes of the model.
    public Config config() {
        return config;
    }

    /// The tensors, all f32, by their names in GGUF files; `output.weight` only if the classifier is not shared.
    public Map<String, Tensor> tensors() {
        if (!mapping.isOpen()) {
            throw new IllegalStateException("llama2.c checkpoint " + mapping.path() + " is closed");
        }
        return Collections.unmodifiableMap(tensors);
    }

    /// Unmaps the file, after which its tensors must not be used. Closing twice is harmless.
    @Override
    public void close() {
        mapping.close();
    }

    /// Puts a vocabulary into a GGUF file as SentencePiece's.
    ///
    /// @param tokenizer the `tokenizer.bin` that belongs to the checkpoint
    /// @throws FormatException if it is damaged, or has not as many tokens as the checkpoint
    /// @throws IOException if it cannot be read
    public void putVocabulary(Path tokenizer, GgufWriter writer) throws IOException {
        Llama2cVocabulary.read(tokenizer, config.vocabulary).putInto(writer);
    }

    private static Config readConfig(HeaderReader in, boolean legacy, int first) throws FormatException {
        int hidden = legacy ? first : in.intValue("dim");
        int intermediate = in.intValue("hidden_dim");
        int layers = in.intValue("n_layers");
        int heads = in.intValue("n_heads");
        int kvHeads = in.intValue("n_kv_heads");
        int vocabulary = in.intValue("vocab_size");
        int contextLength = in.intValue("seq_len");
        boolean shared = legacy ? vocabulary > 0 : in.byteValue("shared_classifier") != 0;
        Config config = new Config(hidden, intermediate, layers, heads, kvHeads,
                legacy ? Math.abs(vocabulary) : vocabulary, contextLength, shared);
        if (!config.fault().isEmpty()) {
            throw in.failure(0, "found " + config + ": expected " + config.fault() + ", as in " + EXPECTED);
        }
        return config;
    }

    private static long byteSize(Shape shape) {
        return DType.F32.byteSize(shape);
    }

    /// What follows the header, in order; the limits of sizes keep the sum within a `long`.
    private Map<String, Shape> shapes(boolean legacy) {
        long hidden = config.hidden;
        Shape vector = Shape.of(hidden);
        Shape square = Shape.of(hidden, hidden);
        Shape keys = Shape.of(config.kvDim(), hidden);
        Shape up = Shape.of(config.intermediate, hidden);
        Shape embedding = Shape.of(config.vocabulary, hidden);
        Map<String, Shape> shapes = new LinkedHashMap<>();
        if (legacy) {
            shapes.put("token_embd.weight", embedding);
            putLayers(shapes, "attn_norm", vector);
        } else {
            putLayers(shapes, "attn_norm", vector);
            putLayers(shapes, "ffn_norm", vector);
            shapes.put("output_norm.weight", vector);
            shapes.put("token_embd.weight", embedding);
        }
        putLayers(shapes, "attn_q", square);
        putLayers(shapes, "attn_k", keys);
        putLayers(shapes, "attn_v", keys);
        putLayers(shapes, "attn_output", square);
        if (legacy) {
            putLayers(shapes, "ffn_norm", vector);
        }
        putLayers(shapes, "ffn_gate", up);
        putLayers(shapes, "ffn_down", Shape.of(hidden, config.intermediate));
        putLayers(shapes, "ffn_up", up);
        if (legacy) {
            shapes.put("output_norm.weight", vector);
            shapes.put(ROTARY_TABLES, Shape.of(config.contextLength, config.headDim()));
        }
        if (!config.sharedClassifier) {
            shapes.put("output.weight", embedding);
        }
        return shapes;
    }

    private void putLayers(Map<String, Shape> shapes, String name, Shape shape) {
        for (int layer = 0; layer < config.layers; layer++) {
            shapes.put("blk." + layer + "." + name + ".weight", shape);
        }
    }
}
