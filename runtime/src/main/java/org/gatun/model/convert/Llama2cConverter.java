package org.gatun.model.convert;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.LongConsumer;
import org.gatun.format.FormatException;
import org.gatun.format.GgufWriter;
import org.gatun.format.Llama2cCheckpoint;
import org.gatun.model.architecture.Architectures;

/// Writes a checkpoint of llama2.c and its vocabulary as a GGUF file.
public final class Llama2cConverter {
    private static final float NORM_EPSILON = 1e-5f;
    private static final float ROPE_BASE = 10_000;

    private Llama2cConverter() {}

    /// Writes it; what is there is replaced when all is written.
    ///
    /// @param tokenizer the `tokenizer.bin` that belongs to the checkpoint
    /// @param progress told the bytes written so far
    /// @throws FormatException if the tokenizer is damaged, or has not as many tokens as the checkpoint
    /// @throws IOException if a file cannot be read or written
    /// @throws IllegalStateException if the checkpoint is closed
    public static void write(Llama2cCheckpoint checkpoint, Path tokenizer, Path target, LongConsumer progress) throws IOException {
        Llama2cCheckpoint.Config config = checkpoint.config();
        String architecture = Architectures.plain().names().ggufWritten();
        GgufWriter writer = new GgufWriter()
                .putString("general.architecture", architecture)
                .putString("general.name", checkpoint.path().getFileName().toString())
                .putUint32("general.file_type", 0)
                .putUint32(architecture + ".context_length", config.contextLength())
                .putUint32(architecture + ".embedding_length", config.hidden())
                .putUint32(architecture + ".feed_forward_length", config.intermediate())
                .putUint32(architecture + ".block_count", config.layers())
                .putUint32(architecture + ".attention.head_count", config.heads())
                .putUint32(architecture + ".attention.head_count_kv", config.kvHeads())
                .putFloat32(architecture + ".attention.layer_norm_rms_epsilon", NORM_EPSILON)
                .putUint32(architecture + ".rope.dimension_count", config.headDim())
                .putFloat32(architecture + ".rope.freq_base", ROPE_BASE)
                .putUint32(architecture + ".vocab_size", config.vocabulary());
        checkpoint.putVocabulary(tokenizer, writer);
        checkpoint.tensors().values().forEach(writer::tensor);
        try {
            writer.write(target, progress);
        } catch (InternalError fault) {
            throw FormatException.ofFault(checkpoint.path(), fault);
        }
    }
}
