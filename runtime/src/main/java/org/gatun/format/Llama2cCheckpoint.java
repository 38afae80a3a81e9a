package org.gatun.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongConsumer;
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
    private static final int MAX_LAYERS = 10_000;
    private static final int MAX_WIDTH = 1 << 20;
    private static final int MAX_ROWS = 1 << 24;
    private static final float NORM_EPSILON = 1e-5f;
    private static final float ROPE_BASE = 10_000;

    private final MappedFile mapping;
    private final Config config;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    /// Sizes of the model, as its header has them.
    ///
    /// @param hidden elements of a hidden state
    /// @param intermediate elements inside a feed-forward layer
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
            if (Math.min(Math.min(hidden, intermediate), Math.min(layers, heads)) <= 0
                    || Math.min(kvHeads, Math.min(vocabulary, contextLength)) <= 0
                    || Math.max(hidden, intermediate) > MAX_WIDTH || layers > MAX_LAYERS
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
        HeaderReader in = new HeaderReader(mapping.path(), mapping.bytes(), mapping.bytes().byteSize());
        int first = in.intValue("header");
        boolean legacy = first != VERSION_1_MAGIC;
        if (first == GgufFile.MAGIC) {
            throw in.failure(0, "found a GGUF file, which needs no import: expected " + EXPECTED);
        } else if (legacy) {
            in = new HeaderReader(mapping.path(), mapping.bytes(), mapping.bytes().byteSize());
        } else {
            int version = in.intValue("version");
            if (version != 1) {
                throw in.failure(4, "found llama2.c layout version " + version
                        + (version == 2 ? " (int8)" : "") + ": expected 1 or the legacy layout, both of f32");
            }
        }
        config = readConfig(in, legacy);
        if (fileBytes(legacy) != mapping.bytes().byteSize()) {
            throw new FormatException(mapping.path(), -1, "found " + mapping.bytes().byteSize() + " bytes: expected "
                    + fileBytes(legacy) + " bytes for " + config + "; the file is damaged, or not " + EXPECTED + " of f32");
        }
        readTensors(in, legacy);
    }

    /// Maps a checkpoint; the caller closes it.
    ///
    /// @throws FormatException if the header makes no sense, or the file has not exactly the size that it asks for
    /// @throws IOException if it cannot be read
    public static Llama2cCheckpoint open(Path path) throws IOException {
        MappedFile mapping = MappedFile.open(path, EXPECTED);
        try {
            return new Llama2cCheckpoint(mapping);
        } catch (IOException | RuntimeException | Error failure) {
            mapping.close();
            throw failure;
        }
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

    /// Writes checkpoint and vocabulary as a GGUF file of architecture `llama`.
    ///
    /// @param tokenizer the `tokenizer.bin` that belongs to the checkpoint
    /// @param progress told the bytes written so far
    /// @throws FormatException if the tokenizer is damaged, or has not as many tokens as the checkpoint
    /// @throws IOException if a file cannot be read or written
    /// @throws IllegalStateException if the checkpoint is closed
    public void writeGguf(Path tokenizer, Path target, LongConsumer progress) throws IOException {
        GgufWriter writer = new GgufWriter()
                .putString("general.architecture", "llama")
                .putString("general.name", mapping.path().getFileName().toString())
                .putUint32("general.file_type", 0)
                .putUint32("llama.context_length", config.contextLength)
                .putUint32("llama.embedding_length", config.hidden)
                .putUint32("llama.feed_forward_length", config.intermediate)
                .putUint32("llama.block_count", config.layers)
                .putUint32("llama.attention.head_count", config.heads)
                .putUint32("llama.attention.head_count_kv", config.kvHeads)
                .putFloat32("llama.attention.layer_norm_rms_epsilon", NORM_EPSILON)
                .putUint32("llama.rope.dimension_count", config.headDim())
                .putFloat32("llama.rope.freq_base", ROPE_BASE)
                .putUint32("llama.vocab_size", config.vocabulary);
        Llama2cVocabulary.read(tokenizer, config.vocabulary).putInto(writer);
        tensors().values().forEach(writer::tensor);
        writer.write(target, progress);
    }

    private static Config readConfig(HeaderReader in, boolean legacy) throws FormatException {
        int hidden = in.intValue("dim");
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
        if (!legacy) {
            in.skip(VERSION_1_HEADER_BYTES - in.position(), "header");
        }
        return config;
    }

    /// Bytes that a file of this config has; the limits of sizes keep it within a `long`.
    private long fileBytes(boolean legacy) {
        long hidden = config.hidden;
        long layer = 2 * hidden + 2 * hidden * hidden + 2 * hidden * config.kvDim() + 3 * hidden * config.intermediate;
        long embeddings = hidden * config.vocabulary * (config.sharedClassifier ? 1 : 2);
        long floats = layer * config.layers + embeddings + hidden + (legacy ? rotaryFloats() : 0);
        return 4 * floats + (legacy ? 7 * 4 : VERSION_1_HEADER_BYTES);
    }

    /// Size of the tables of cosines and sines in a legacy file, which are skipped.
    private long rotaryFloats() {
        return (long) config.contextLength * config.headDim();
    }

    private void readTensors(HeaderReader in, boolean legacy) throws FormatException {
        long hidden = config.hidden;
        Shape vector = Shape.of(hidden);
        Shape square = Shape.of(hidden, hidden);
        Shape keys = Shape.of(config.kvDim(), hidden);
        Shape up = Shape.of(config.intermediate, hidden);
        Shape down = Shape.of(hidden, config.intermediate);
        Shape embedding = Shape.of(config.vocabulary, hidden);
        if (legacy) {
            readTensor(in, "token_embd.weight", embedding);
            readLayers(in, "attn_norm", vector);
        } else {
            readLayers(in, "attn_norm", vector);
            readLayers(in, "ffn_norm", vector);
            readTensor(in, "output_norm.weight", vector);
            readTensor(in, "token_embd.weight", embedding);
        }
        readLayers(in, "attn_q", square);
        readLayers(in, "attn_k", keys);
        readLayers(in, "attn_v", keys);
        readLayers(in, "attn_output", square);
        if (legacy) {
            readLayers(in, "ffn_norm", vector);
        }
        readLayers(in, "ffn_gate", up);
        readLayers(in, "ffn_down", down);
        readLayers(in, "ffn_up", up);
        if (legacy) {
            readTensor(in, "output_norm.weight", vector);
            in.skip(4 * rotaryFloats(), "rotary tables");
        }
        if (!config.sharedClassifier) {
            readTensor(in, "output.weight", embedding);
        }
    }

    private void readLayers(HeaderReader in, String name, Shape shape) throws FormatException {
        for (int layer = 0; layer < config.layers; layer++) {
            readTensor(in, "blk." + layer + "." + name + ".weight", shape);
        }
    }

    private void readTensor(HeaderReader in, String name, Shape shape) throws FormatException {
        long start = in.position();
        in.skip(DType.F32.byteSize(shape.elements()), name);
        MemorySegment data = mapping.bytes().asSlice(start, in.position() - start);
        tensors.put(name, new Tensor(name, DType.F32, shape, data));
    }
}
