package org.gatun.model.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.gatun.format.FileAccess;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.model.architecture.ModelConfig;
import org.gatun.tensor.Tensor;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizer;

/// A model file, whatever its format: sizes, weights by their GGUF names, tokenizer.
///
/// Owns the mapping that its tensors view; closed by whoever opened it.
public sealed interface Checkpoint extends AutoCloseable permits GgufCheckpoint, SafetensorsCheckpoint, QuantizedCheckpoint, RandomCheckpoint {

    /// Opens a GGUF file, a safetensors file, or a directory of safetensors.
    ///
    /// @param report is told what becomes of everything that the files say, as far as they are read if it fails
    /// @throws FormatException if it is none of these, damaged, or says what is not supported
    static Checkpoint open(Path path, FormatReport report) throws IOException {
        return open(path, report, FileAccess.MAPPED);
    }

    /// As the other, with a choice how the files are read.
    static Checkpoint open(Path path, FormatReport report, FileAccess access) throws IOException {
        boolean safetensors = Files.isDirectory(path) && Files.exists(path.resolve("config.json"))
                || path.toString().endsWith(".safetensors") || path.toString().endsWith(".safetensors.index.json");
        if (!safetensors && Files.isDirectory(path)) {
            throw new FormatException(path, -1, "found a folder without config.json: expected a GGUF file, or a folder with config.json"
                    + " and safetensors");
        }
        try {
            return safetensors ? SafetensorsCheckpoint.open(path, report, access) : GgufCheckpoint.open(path, report, access);
        } catch (InternalError fault) {
            throw FormatException.ofFault(path, fault);
        }
    }

    /// Its sizes.
    ModelConfig config();

    /// The weight that GGUF calls `name`.
    Optional<Tensor> find(String name);

    /// Its tokenizer.
    Tokenizer tokenizer();

    /// Its chat template, if it brings one.
    Optional<ChatTemplate> chatTemplate();

    /// Checks that nobody wrote to its files since they were opened.
    ///
    /// @throws FormatException if somebody did
    void requireUnchanged() throws FormatException;

    /// Frees its weights and unmaps its files; sizes, tokenizer, template and the shapes of weights stay. Closing twice is harmless.
    @Override
    void close();
}
