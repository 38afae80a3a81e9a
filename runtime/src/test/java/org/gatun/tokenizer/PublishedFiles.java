package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/// Published vocabularies with expected ids, under the system property `gatun.data`.
final class PublishedFiles {
    private PublishedFiles() {}

    /// The file or folder; the test is skipped where it is absent.
    static Path path(String name) {
        Path path = Path.of(System.getProperty("gatun.data", "no-data"), name);
        assumeTrue(Files.exists(path), () -> path + " is absent: set -Dgatun.data to the folder of published files");
        return path;
    }

    /// The texts of one of llama.cpp's `.inp` files.
    static List<String> texts(Path inputs) throws IOException {
        return Arrays.asList(Files.readString(inputs).split("\n__ggml_vocab_test__\n", -1));
    }

    /// The ids of one of llama.cpp's `.out` files, a row for each text.
    static List<int[]> ids(Path outputs) throws IOException {
        return Files.readString(outputs).lines().map(line -> line.isBlank() ? new int[0]
                : Arrays.stream(line.trim().split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
    }
}
