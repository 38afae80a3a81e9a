package org.gatun.model.convert;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.LongConsumer;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.GgufWriter;
import org.gatun.format.TensorData;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.model.checkpoint.Checkpoint;
import org.gatun.model.checkpoint.GgufCheckpoint;
import org.gatun.model.checkpoint.Nvfp4Weight;
import org.gatun.model.checkpoint.QuantizedCheckpoint;
import org.gatun.model.checkpoint.RandomCheckpoint;
import org.gatun.model.checkpoint.RopeScaling;
import org.gatun.model.checkpoint.SafetensorsCheckpoint;
import org.gatun.model.checkpoint.WeightParts;
import org.gatun.plan.RopeTable;
import org.gatun.tensor.DType;
import org.gatun.tensor.Shape;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizers;

/// Writes weights on their way, with the sizes and the tokenizer of their model, as one GGUF file.
final class GgufModelWriter {
    private GgufModelWriter() {}

    static void write(Checkpoint source, List<WeightConversion> weights, Path target, LongConsumer progress) throws IOException {
        GgufWriter writer = new GgufWriter();
        switch (source) {
            case GgufCheckpoint gguf -> writer.putAll(gguf.file());
            case SafetensorsCheckpoint safetensors -> putModel(writer, safetensors);
            case RandomCheckpoint _, QuantizedCheckpoint _ -> throw new IllegalArgumentException("not a model in a file");
        }
        for (WeightConversion weight : weights) {
            add(writer, weight);
        }
        writer.write(target, progress);
    }

    private static void add(GgufWriter writer, WeightConversion weight) {
        Shape shape = weight.source().shape();
        if (weight.dtype() != DType.NVFP4) {
            writer.tensor(weight.name(), weight.dtype(), shape, weight.data());
            return;
        }
        writer.tensor(weight.name(), DType.NVFP4_BLOCKS, shape, weight.data(Math.toIntExact(DType.NVFP4_BLOCKS.rowBytes(shape.columns())),
                (_, row, target) -> Nvfp4Weight.writeGguf(row, target)));
        writer.tensor(Nvfp4Weight.scaleName(weight.name()), DType.F32, Shape.of(1), channel -> {
            MemorySegment scale = MemorySegment.ofArray(new byte[Float.BYTES]);
            scale.set(WeightParts.FLOAT, 0, weight.tensorScale());
            channel.write(scale.asByteBuffer());
        });
    }

    private static void putModel(GgufWriter writer, SafetensorsCheckpoint model) throws IOException {
        ModelConfig config = model.config();
        if (config.windowFromLayer() > 0 && config.window() > 0) {
            throw new IllegalArgumentException("a sliding window from layer " + config.windowFromLayer()
                    + " on cannot be told in GGUF: write a directory with safetensors");
        }
        String architecture = config.architecture().names().ggufWritten();
        writer.putString("general.architecture", architecture)
                .putUint32(architecture + ".vocab_size", config.vocabulary())
                .putUint32(architecture + ".block_count", config.layers())
                .putUint32(architecture + ".context_length", config.contextLength())
                .putUint32(architecture + ".embedding_length", config.hidden())
                .putUint32(architecture + ".feed_forward_length", config.intermediate())
                .putUint32(architecture + ".attention.head_count", config.heads())
                .putUint32(architecture + ".attention.head_count_kv", config.kvHeads())
                .putUint32(architecture + ".attention.key_length", config.headDim())
                .putUint32(architecture + ".attention.value_length", config.headDim())
                .putFloat32(architecture + ".attention.layer_norm_rms_epsilon", config.normEpsilon())
                .putUint32(architecture + ".rope.dimension_count", 2L * config.rope().pairs());
        if (config.window() > 0) {
            writer.putUint32(architecture + ".attention.sliding_window", config.window());
        }
        putRope(writer, architecture, config.rope(), model.rotaryBase());
        model.chatTemplate().ifPresent(template -> putChatTemplate(writer, template));
        if (!model.endTokens().isEmpty()) {
            writer.putInt32s(GgufCheckpoint.END_TOKENS, model.endTokens().stream().mapToInt(Integer::intValue).toArray());
        }
        putTokenizer(writer, model.directory());
    }

    /// The template called `default` has a key of its own, others have one below it.
    private static void putChatTemplate(GgufWriter writer, ChatTemplate template) {
        List<String> others = template.sources().keySet().stream().filter(name -> !name.equals("default")).toList();
        if (!others.isEmpty()) {
            writer.putStrings("tokenizer.chat_templates", others);
        }
        template.sources().forEach((name, source) -> writer.putString(
                name.equals("default") ? "tokenizer.chat_template" : "tokenizer.chat_template." + name, source));
    }

    /// Scaled frequencies are told by their quotients from those without scaling.
    private static void putRope(GgufWriter writer, String architecture, RopeTable rope, double base) {
        if (rope.attentionFactor() != 1) {
            throw new IllegalArgumentException("rope scaling of kind yarn cannot be written to GGUF: write a directory with safetensors");
        }
        writer.putFloat32(architecture + ".rope.freq_base", (float) base);
        float[] plain = new RopeScaling.None().table(rope.pairing(), 2 * rope.pairs(), (float) base).inverseFrequencies();
        float[] scaled = rope.inverseFrequencies();
        MemorySegment quotients = MemorySegment.ofArray(new byte[plain.length * Float.BYTES]);
        boolean differ = false;
        for (int i = 0; i < plain.length; i++) {
            quotients.set(WeightParts.FLOAT, (long) i * Float.BYTES, plain[i] / scaled[i]);
            differ |= plain[i] != scaled[i];
        }
        if (differ) {
            writer.tensor("rope_freqs.weight", DType.F32, Shape.of(plain.length), TensorData.of(quotients));
        }
    }

    private static void putTokenizer(GgufWriter writer, Path directory) throws IOException {
        Path json = directory.resolve("tokenizer.json");
        Path gguf = directory.resolve(SafetensorsCheckpoint.TOKENIZER_GGUF);
        if (Files.exists(json)) {
            writer.putString(Tokenizers.HUGGING_FACE_KEY, Files.readString(json));
        } else if (Files.exists(gguf)) {
            try (GgufFile header = GgufFile.open(gguf)) {
                writer.putAll(header);
            }
        } else {
            throw new FormatException(directory, -1,
                    "the tokenizer is in tokenizer.model: expected tokenizer.json to write GGUF, or write a directory with safetensors");
        }
    }
}
