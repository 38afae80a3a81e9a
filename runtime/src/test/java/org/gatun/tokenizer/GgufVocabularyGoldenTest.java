package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Every vocabulary of llama.cpp's `models/ggml-vocab-*.gguf` that comes with texts and expected ids. The ids were made
/// by the Hugging Face tokenizers of the models, with `convert_hf_to_gguf_update.py` of llama.cpp.
class GgufVocabularyGoldenTest {

    @TestFactory
    Stream<DynamicTest> encode_publishedTexts_givesPublishedIds() throws IOException {
        Path folder = PublishedFiles.path("ggml-vocab");
        List<Path> files;
        try (Stream<Path> all = Files.list(folder)) {
            files = all.filter(f -> f.toString().endsWith(".gguf") && Files.exists(Path.of(f + ".out"))).sorted()
                    .toList();
        }
        assertFalse(files.isEmpty(), () -> folder + " has no vocabulary with expected ids");
        return files.stream().map(file -> DynamicTest.dynamicTest(file.getFileName().toString(), () -> {
            List<String> texts = PublishedFiles.texts(Path.of(file + ".inp"));
            List<int[]> ids = PublishedFiles.ids(Path.of(file + ".out"));
            Tokenizer tokenizer = Tokenizers.fromGguf(GgufHeader.read(file));
            assertAll(IntStream.range(0, ids.size()).mapToObj(i -> () -> assertArrayEquals(ids.get(i),
                    tokenizer.encode(texts.get(i), Tokenizer.Special.NONE), () -> "line " + i + ": " + texts.get(i))));
        }));
    }
}
