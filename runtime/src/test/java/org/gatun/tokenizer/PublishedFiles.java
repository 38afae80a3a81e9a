package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.gatun.format.GgufFile;

/// Published vocabularies with expected ids, under the system property `gatun.data`.
final class PublishedFiles {
    private PublishedFiles() {}

    /// The file or folder; the test is skipped where it is absent.
    static Path path(String name) {
        Path path = Path.of(System.getProperty("gatun.data", "no-data"), name);
        assumeTrue(Files.exists(path), () -> path + " is absent: set -Dgatun.data to the folder of published files");
        return path;
    }

    static Tokenizer gguf(Path file) throws IOException {
        try (GgufFile gguf = GgufFile.open(file)) {
            return Tokenizers.fromGguf(gguf.metadata());
        }
    }

    /// The texts that come with llama.cpp's vocabulary of this name.
    static List<String> texts(String vocabulary) throws IOException {
        Path inputs = path("ggml-vocab/ggml-vocab-" + vocabulary + ".gguf.inp");
        return Arrays.asList(Files.readString(inputs).split("\n__ggml_vocab_test__\n", -1));
    }

    /// The ids expected for these texts, a row each.
    static List<int[]> ids(String vocabulary) throws IOException {
        Path outputs = path("ggml-vocab/ggml-vocab-" + vocabulary + ".gguf.out");
        return Files.readString(outputs).lines().map(line -> line.isBlank() ? new int[0]
                : Arrays.stream(line.trim().split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
    }
}
