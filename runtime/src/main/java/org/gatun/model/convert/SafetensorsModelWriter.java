package org.gatun.model.convert;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongConsumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.gatun.format.AtomicOutput;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.format.Metadata;
import org.gatun.format.SafetensorsWriter;
import org.gatun.format.TensorData;
import org.gatun.model.architecture.Architecture;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.architecture.WeightNames;
import org.gatun.model.checkpoint.Checkpoint;
import org.gatun.model.checkpoint.EightBitWeight;
import org.gatun.model.checkpoint.GgufCheckpoint;
import org.gatun.model.checkpoint.NestedMagnitudes;
import org.gatun.model.checkpoint.Nvfp4Weight;
import org.gatun.model.checkpoint.QuantizedCheckpoint;
import org.gatun.model.checkpoint.RandomCheckpoint;
import org.gatun.model.checkpoint.RopeScaling;
import org.gatun.model.checkpoint.SafetensorsCheckpoint;
import org.gatun.model.checkpoint.SparseWeight;
import org.gatun.model.checkpoint.WeightParts;
import org.gatun.plan.RopeTable;
import org.gatun.quantize.Codebook;
import org.gatun.tensor.DType;
import org.gatun.tensor.DType.Block;
import org.gatun.tensor.DType.Plain;
import org.gatun.tensor.DType.Sparse;
import org.gatun.tensor.Shape;
import org.gatun.tokenizer.ChatTemplate;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Writes weights on their way as a directory with `model.safetensors`, `config.json` and what the tokenizer needs. Quantized weights have
/// the parts that bitsandbytes gives them; for sparse ones, see [SparseWeight].
final class SafetensorsModelWriter {
    private static final String WEIGHTS = "model.safetensors";
    private static final String CONFIG = "config.json";
    private static final int STATE_BYTES = 256;
    private static final Pattern FILE_OF_A_MODEL = Pattern.compile(".+\\.(safetensors|json|gguf|model|jinja)|(vocab|merges)\\.txt");

    private final SafetensorsWriter writer = new SafetensorsWriter();

    private final WeightNames names;

    private SafetensorsModelWriter(WeightNames names) {
        this.names = names;
    }

    /// Writes into a folder of another name, which then takes the name of the target with all that is in it: another model that was
    /// there goes, with its tokenizer, and files that are no model's stay.
    static void write(Checkpoint source, List<WeightConversion> weights, Path target, LongConsumer progress) throws IOException {
        if (Files.exists(target) && !Files.isDirectory(target)) {
            throw new IOException(target + " is a file: expected FILE.gguf, or the name of a directory to write");
        }
        List<Path> kept = filesOfNoModel(target);
        try (AtomicOutput output = AtomicOutput.folder(target)) {
            Path made = output.path();
            writeConfig(source, weights, made);
            SafetensorsModelWriter all = new SafetensorsModelWriter(source.config().architecture().weightNames());
            weights.forEach(all::add);
            all.writer.write(made.resolve(WEIGHTS), progress);
            for (Path file : kept) {
                if (!Files.exists(made.resolve(file.getFileName()))) {
                    Files.copy(file, made.resolve(file.getFileName()), StandardCopyOption.COPY_ATTRIBUTES, LinkOption.NOFOLLOW_LINKS);
                }
            }
            output.commit();
        }
    }

    /// What else is in the folder to be replaced.
    ///
    /// @throws IOException if there is a folder in it: a home directory, say, named by mistake
    private static List<Path> filesOfNoModel(Path target) throws IOException {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(target)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(target)) {
                for (Path entry : entries) {
                    if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                        throw new IOException(target + " holds the folder " + entry.getFileName()
                                + ": expected a folder with files only, as it is replaced as a whole; name another");
                    }
                    if (!FILE_OF_A_MODEL.matcher(entry.getFileName().toString()).matches()) {
                        found.add(entry);
                    }
                }
            }
        }
        return found;
    }

    private void add(WeightConversion weight) {
        String name = names.ofHuggingFace(weight.name());
        Shape shape = weight.source().shape();
        switch (weight.dtype()) {
            case Block.NF4, Block.FP4 -> addFourBits(name, weight);
            case Block.NVFP4 -> {
                int blocks = Math.toIntExact(shape.columns() / Nvfp4Weight.BLOCK);
                writer.tensor(name + "_packed", DType.U8, Shape.of(shape.rows(), shape.columns() / 2),
                        weight.data(Math.toIntExact(shape.columns() / 2), (_, row, target) -> Nvfp4Weight.writeCodes(row, target)));
                writer.tensor(name + "_scale", DType.F8_E4M3, Shape.of(shape.rows(), blocks),
                        weight.data(blocks, (_, row, target) -> Nvfp4Weight.writeScales(row, target)));
                writer.tensor(name + "_global_scale", DType.F32, Shape.of(1),
                        channel -> channel.write(WeightParts.bytes(new float[] {1 / weight.tensorScale()}).asByteBuffer()));
            }
            case Block.INT8 -> {
                int header = DType.INT8.headerBytes();
                writer.tensor(name, DType.I8, shape, weight.data(Math.toIntExact(shape.columns()),
                        (_, row, target) -> target.copyFrom(row.asSlice(header))));
                writer.tensor(EightBitWeight.partName(name, "SCB"), DType.F32, Shape.of(shape.rows()),
                        weight.data(Float.BYTES, (row, _, target) -> WeightConversion.largestMagnitude(row, target)));
                addBytes(EightBitWeight.partName(name, "weight_format"), new byte[1], Shape.of());
            }
            case Sparse _ -> {
                writer.tensor(name, DType.U8, Shape.of(shape.rows(), weight.dtype().rowBytes(shape.columns())), weight.data());
                byte[] type = SparseWeight.nameOf(weight.dtype()).getBytes(StandardCharsets.UTF_8);
                addBytes(name + SparseWeight.TYPE, type, Shape.of(type.length));
            }
            case Plain _, Block _ -> writer.tensor(name, weight.dtype(), shape, weight.data());
        }
    }

    /// Encoded once for the largest magnitudes and once for the codes, as each must be written whole.
    private void addFourBits(String name, WeightConversion weight) {
        DType dtype = weight.dtype();
        Shape shape = weight.source().shape();
        String kind = SparseWeight.nameOf(dtype);
        ObjectNode state = JsonNodeFactory.instance.objectNode().put("quant_type", kind).put("blocksize", dtype.blockElements())
                .put("dtype", "bfloat16");
        state.putArray("shape").add(shape.rows()).add(shape.columns());
        writer.tensor(name + ".quant_map", DType.F32, Shape.of(16), TensorData.of(WeightParts.bytes(Codebook.of(dtype))));
        String stateName = name + ".quant_state.bitsandbytes__" + kind;
        if (weight.nestsMagnitudes()) {
            addNested(name, weight, stateName, state);
        } else {
            writer.tensor(name + ".absmax", DType.F32, Shape.of(weight.blocks()), weight.magnitudes());
            addCodes(name, weight);
            byte[] json = state.toString().getBytes(StandardCharsets.UTF_8);
            addBytes(stateName, json, Shape.of(json.length));
        }
    }

    private void addCodes(String name, WeightConversion weight) {
        int blocks = weight.source().columns() / weight.dtype().blockElements();
        int blockBytes = weight.dtype().blockBytes();
        int codes = blockBytes - Float.BYTES;
        writer.tensor(name, DType.U8, Shape.of(weight.source().shape().elements() / 2, 1), weight.data(blocks * codes, (_, row, target) -> {
            for (int block = 0; block < blocks; block++) {
                MemorySegment.copy(row, (long) block * blockBytes + Float.BYTES, target, (long) block * codes, codes);
            }
        }));
    }

    /// With largest magnitudes of 8 bits. Tensors of bytes are written after those of numbers, in the order added, so that these
    /// magnitudes are made twice, and those of one weight only are in memory.
    private void addNested(String name, WeightConversion weight, String stateName, ObjectNode state) {
        writer.tensor(name + ".nested_absmax", DType.F32, Shape.of(NestedMagnitudes.groups(weight.blocks())), channel -> {
            TensorData.of(weight.nested().largest()).writeTo(channel);
            weight.forgetNested();
        });
        writer.tensor(name + ".nested_quant_map", DType.F32, Shape.of(NestedMagnitudes.ENTRIES),
                TensorData.of(NestedMagnitudes.standardCodebook()));
        writer.tensor(name + ".absmax", DType.U8, Shape.of(weight.blocks()),
                channel -> TensorData.of(weight.nested().codes()).writeTo(channel));
        addCodes(name, weight);
        state.put("nested_blocksize", NestedMagnitudes.GROUP).put("nested_dtype", "float32");
        writer.tensor(stateName, DType.U8, Shape.of(STATE_BYTES), channel -> {
            byte[] json = state.put("nested_offset", (double) weight.nested().offset()).toString().getBytes(StandardCharsets.UTF_8);
            byte[] padded = Arrays.copyOf(json, STATE_BYTES); // its length was said before its offset was known
            Arrays.fill(padded, json.length, STATE_BYTES, (byte) ' ');
            channel.write(ByteBuffer.wrap(padded));
            weight.forgetNested();
        });
    }

    private void addBytes(String name, byte[] bytes, Shape shape) {
        writer.tensor(name, DType.U8, shape, TensorData.of(MemorySegment.ofArray(bytes)));
    }

    private static void writeConfig(Checkpoint source, List<WeightConversion> weights, Path directory) throws IOException {
        ObjectNode config = switch (source) {
            case GgufCheckpoint gguf -> {
                new GgufWriter().putAll(gguf.file()).write(directory.resolve(SafetensorsCheckpoint.TOKENIZER_GGUF));
                Optional<ChatTemplate> template = gguf.chatTemplate();
                if (template.isPresent()) {
                    writeJson(directory.resolve("tokenizer_config.json"), tokenizerConfig(template.get()));
                }
                yield config(gguf);
            }
            case SafetensorsCheckpoint safetensors -> {
                copyCompanions(safetensors.directory(), directory);
                ObjectNode theirs = safetensors.configJson().deepCopy();
                theirs.remove("quantization_config");
                yield theirs;
            }
            case RandomCheckpoint _, QuantizedCheckpoint _ -> throw new IllegalArgumentException("not a model in a file");
        };
        Set<DType> types = new HashSet<>();
        weights.stream().filter(weight -> WeightNames.isBlockMatrix(weight.name())).forEach(weight -> types.add(weight.dtype()));
        if (types.equals(Set.of(DType.INT8))) {
            config.putObject("quantization_config").put("quant_method", "bitsandbytes").put("load_in_8bit", true);
        } else if (types.equals(Set.of(DType.NF4)) || types.equals(Set.of(DType.FP4))) {
            config.putObject("quantization_config").put("quant_method", "bitsandbytes").put("load_in_4bit", true)
                    .put("bnb_4bit_quant_type", SparseWeight.nameOf(types.iterator().next())).put("bnb_4bit_compute_dtype", "bfloat16")
                    .put("bnb_4bit_use_double_quant", weights.stream().anyMatch(WeightConversion::nestsMagnitudes));
        }
        if (types.equals(Set.of(DType.NVFP4))) {
            putNvfp4(config);
        }
        writeJson(directory.resolve(CONFIG), config);
    }

    /// What compressed-tensors calls a model with weights of NVFP4, and activations in full.
    private static void putNvfp4(ObjectNode config) {
        ObjectNode quantization = config.putObject("quantization_config").put("quant_method", "compressed-tensors")
                .put("format", "nvfp4-pack-quantized").put("quantization_status", "compressed");
        quantization.putArray("ignore").add("lm_head");
        ObjectNode group = quantization.putObject("config_groups").putObject("group_0");
        group.putArray("targets").add("Linear");
        group.putObject("weights").put("num_bits", 4).put("type", "float").put("strategy", "tensor_group")
                .put("group_size", Nvfp4Weight.BLOCK).put("symmetric", true).put("dynamic", false);
    }

    private static void writeJson(Path file, ObjectNode json) throws IOException {
        try {
            Files.writeString(file, JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
        } catch (FileSystemException e) {
            throw e; // names the file itself
        } catch (IOException e) {
            throw new IOException(file + " could not be written: " + e.getMessage(), e);
        }
    }

    /// All that belongs to a tokenizer: small files that are neither weights nor their index.
    private static void copyCompanions(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                String name = file.getFileName().toString();
                if (name.matches(".*\\.(json|model|txt|jinja)|tokenizer\\.gguf") && !name.endsWith(".index.json")
                        && !name.equals(CONFIG)) {
                    Files.copy(file, to.resolve(name));
                }
            }
        }
    }

    /// The chat template as Hugging Face has it: one, or a list of named ones.
    private static ObjectNode tokenizerConfig(ChatTemplate template) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("bos_token", template.beginOfText()).put("eos_token", template.endOfText());
        if (template.sources().keySet().equals(Set.of("default"))) {
            return json.put("chat_template", template.sources().get("default"));
        }
        ArrayNode list = json.putArray("chat_template");
        template.sources().forEach((name, source) -> list.addObject().put("name", name).put("template", source));
        return json;
    }

    /// Sizes as Hugging Face has them.
    private static ObjectNode config(GgufCheckpoint gguf) throws FormatException {
        ModelConfig config = gguf.config();
        Metadata metadata = gguf.file().metadata();
        double base = gguf.rotaryBase();
        RopeTable rope = config.rope();
        if (!rope.equals(new RopeScaling.None().table(rope.pairing(), 2 * rope.pairs(), base))) {
            throw new IllegalArgumentException(metadata.source() + " scales its rotary positions, which cannot be told in config.json: "
                    + "write FILE.gguf");
        }
        Architecture.Names names = config.architecture().toldAs(config).names();
        ObjectNode json = JsonNodeFactory.instance.objectNode()
                .put("model_type", names.modelType())
                .put("vocab_size", config.vocabulary())
                .put("hidden_size", config.hidden())
                .put("intermediate_size", config.intermediate())
                .put("num_hidden_layers", config.layers())
                .put("num_attention_heads", config.heads())
                .put("num_key_value_heads", config.kvHeads())
                .put("head_dim", config.headDim())
                .put("rms_norm_eps", Double.parseDouble(Float.toString(config.normEpsilon())))
                .put("rope_theta", base)
                .put("max_position_embeddings", config.contextLength())
                .put("hidden_act", "silu")
                .put("attention_bias", gguf.find("blk.0.attn_output.bias").isPresent())
                .put("mlp_bias", gguf.find("blk.0.ffn_up.bias").isPresent())
                .put("tie_word_embeddings", gguf.find("output.weight").isEmpty());
        json.putArray("architectures").add(names.className());
        if (config.window() > 0) {
            json.put("sliding_window", config.window()).put("use_sliding_window", true).put("max_window_layers", 0);
        }
        return json;
    }
}
