package org.gatun.tokenizer;

import static org.gatun.tokenizer.PublishedFiles.path;
import static org.gatun.tokenizer.PublishedFiles.texts;
import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.format.Metadata;
import org.gatun.tokenizer.Tokenizer.Special;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Published vocabularies against published ids, and against each other where one vocabulary comes in several forms.
/// The ids of `ggml-vocab` were made with the Hugging Face tokenizers of the models, by `convert_hf_to_gguf_update.py`
/// of llama.cpp; those of `tiktoken` by tiktoken, for the tests of jtokkit.
class PublishedVocabularyGoldenTest {

    @TestFactory
    Stream<DynamicTest> encode_ggufVocabulary_givesPublishedIds() throws IOException {
        List<String> names;
        try (Stream<Path> all = Files.list(path("ggml-vocab"))) {
            names = all.filter(f -> f.toString().endsWith(".gguf") && Files.exists(Path.of(f + ".out")))
                    .map(f -> f.getFileName().toString().replaceAll("ggml-vocab-|\\.gguf", "")).sorted().toList();
        }
        assertFalse(names.isEmpty(), "ggml-vocab has no vocabulary with expected ids");
        return names.stream().map(name -> DynamicTest.dynamicTest(name, () -> assertGives(
                PublishedFiles.gguf(path("ggml-vocab/ggml-vocab-" + name + ".gguf")), texts(name),
                PublishedFiles.ids(name))));
    }

    @Test
    void encode_llama3Files_givesPublishedIds() throws IOException {
        assertGives(Tokenizers.fromBpeFiles(path("llama3-tokenizer/encoder.json"), path("llama3-tokenizer/vocab.bpe"),
                "llama-bpe"), texts("llama-bpe"), PublishedFiles.ids("llama-bpe"));
    }

    @Test
    void encode_gpt2Files_givesPublishedIds() throws IOException {
        assertGives(Tokenizers.fromBpeFiles(path("gpt2-bpe/gpt2_vocab.json"), path("gpt2-bpe/gpt2_merges.txt"),
                "gpt-2"), texts("gpt-2"), PublishedFiles.ids("gpt-2"));
    }

    @Test
    void encode_llama2Model_givesPublishedIds() throws IOException {
        assertGives(Tokenizers.fromSentencePiece(path("llama2-tokenizer/tokenizer.model")), texts("llama-spm"),
                PublishedFiles.ids("llama-spm"));
    }

    @Test
    void encode_llama2FlatForm_givesPublishedIds() throws IOException {
        assertGives(Tokenizers.fromGguf(flatForm(path("llama2-tokenizer/tokenizer.bin"), 32000)), texts("llama-spm"),
                PublishedFiles.ids("llama-spm"));
    }

    /// The flat form of llama2.c, as the metadata that a GGUF file would have.
    private static Metadata flatForm(Path file, int size) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).position(4);
        List<String> pieces = new ArrayList<>();
        float[] scores = new float[size];
        int[] types = new int[size];
        for (int id = 0; id < size; id++) {
            scores[id] = in.getFloat();
            byte[] piece = new byte[in.getInt()];
            in.get(piece);
            pieces.add(new String(piece, StandardCharsets.UTF_8).replace(' ', '\u2581'));
            types[id] = id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
        }
        return new Metadata(file, Map.of("tokenizer.ggml.model", "llama", "tokenizer.ggml.tokens", pieces,
                "tokenizer.ggml.scores", scores, "tokenizer.ggml.token_type", types));
    }

    @ParameterizedTest
    @CsvSource({"phi3, phi-3", "gpt2-style, gpt-2", "bge-small-en-v1.5, bert-bge"})
    void encode_tokenizerJson_givesPublishedIds(String json, String vocabulary) throws IOException {
        Tokenizer tokenizer = Tokenizers.fromTokenizerJson(path("hf-tokenizer-json/" + json + "-tokenizer.json"));
        if (json.equals("gpt2-style")) { // has tokens for runs of blanks besides those of GPT-2
            List<String> texts = texts(vocabulary).stream().filter(text -> !text.contains("  ")).toList();
            Tokenizer gpt2 = PublishedFiles.gguf(path("ggml-vocab/ggml-vocab-gpt-2.gguf"));
            assertGives(tokenizer, texts, texts.stream().map(text -> gpt2.encode(text, Special.NONE)).toList());
        } else {
            assertGives(tokenizer, texts(vocabulary), PublishedFiles.ids(vocabulary));
        }
    }

    @ParameterizedTest
    @CsvSource({"phi3, phi-3", "bge-small-en-v1.5, bert-bge"})
    void decode_tokenizerJson_agreesWithGguf(String json, String vocabulary) throws IOException {
        Tokenizer tokenizer = Tokenizers.fromTokenizerJson(path("hf-tokenizer-json/" + json + "-tokenizer.json"));
        Tokenizer gguf = PublishedFiles.gguf(path("ggml-vocab/ggml-vocab-" + vocabulary + ".gguf"));
        assertEquals(gguf.beginOfText(), tokenizer.beginOfText());
        for (int[] ids : PublishedFiles.ids(vocabulary)) {
            String text = gguf.decode(ids);
            assertEquals(json.equals("phi3") ? text : cleaned(tokenizer, ids), tokenizer.decode(ids));
        }
        for (String text : texts(vocabulary)) {
            assertArrayEquals(gguf.encode(text, Special.ADD), tokenizer.encode(text, Special.ADD), text);
        }
    }

    /// What the decoder of WordPiece says: a blank before each piece that begins a word, but for some punctuation.
    private static String cleaned(Tokenizer tokenizer, int[] ids) {
        StringBuilder text = new StringBuilder();
        for (int id : IntStream.of(ids).filter(id -> tokenizer.bytes(id).length > 0).toArray()) { // no special tokens
            String piece = tokenizer.piece(id);
            boolean joins = piece.startsWith("##") || text.isEmpty() || piece.matches("[.?!,]");
            text.append(joins ? "" : " ").append(piece.startsWith("##") && !text.isEmpty() ? piece.substring(2) : piece);
        }
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"cl100k_base", "r50k_base"})
    void encode_tiktokenRanks_givesPublishedIds(String encoding) throws IOException {
        Tokenizer tokenizer = Tokenizers.fromTiktoken(path("tiktoken/" + encoding + ".tiktoken"), encoding);
        List<List<String>> rows = csv(path("tiktoken/" + encoding + "_encodings.csv"));
        assertEquals(List.of("input", "output", "outputMaxTokens10"), rows.removeFirst());
        assertFalse(rows.isEmpty());
        for (List<String> row : rows) {
            int[] ids = tokenizer.encode(row.get(0), Special.NONE);
            assertArrayEquals(ids(row.get(1)), ids, row.get(0));
            assertArrayEquals(ids(row.get(2)), upToTen(tokenizer, row.get(0), ids), row.get(0));
            assertEquals(row.get(0), tokenizer.decode(ids));
        }
    }

    /// The longest prefix of at most ten tokens that ends between characters, as the third column has it.
    private static int[] upToTen(Tokenizer tokenizer, String text, int[] ids) {
        int count = Math.min(10, ids.length);
        while (!text.startsWith(tokenizer.decode(Arrays.copyOf(ids, count)))) {
            count--;
        }
        return Arrays.copyOf(ids, count);
    }

    private static int[] ids(String list) {
        return Pattern.compile("\\d+").matcher(list).results().map(MatchResult::group).mapToInt(Integer::parseInt)
                .toArray();
    }

    /// Rows of a CSV file with quoted fields.
    private static List<List<String>> csv(Path file) throws IOException {
        String text = Files.readString(file);
        List<List<String>> rows = new ArrayList<>();
        List<String> row = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' && quoted && i + 1 < text.length() && text.charAt(i + 1) == '"') {
                field.append(text.charAt(++i));
            } else if (c == '"') {
                quoted = !quoted;
            } else if (quoted || c != ',' && c != '\n') {
                field.append(c);
            } else {
                row.add(field.toString());
                field.setLength(0);
                if (c == '\n') {
                    rows.add(row);
                    row = new ArrayList<>();
                }
            }
        }
        if (!row.isEmpty()) {
            row.add(field.toString());
            rows.add(row);
        }
        return rows;
    }

    /// The model's rules drop byte order marks and surplus blanks; it has no piece for a few of the characters.
    @Test
    void decode_unigramCorpus_givesTextBack() throws IOException {
        Tokenizer tokenizer = Tokenizers.fromSentencePiece(path("sentencepiece/test_model.model"));
        List<String> lines = Files.readAllLines(path("sentencepiece/botchan.txt"));
        int unknown = 0;
        for (String line : lines) {
            int[] ids = tokenizer.encode(line, Special.NONE);
            if (IntStream.of(ids).anyMatch(id -> id == 0)) {
                unknown++;
            } else {
                assertEquals(line.replace("\uFEFF", "").strip().replaceAll(" +", " "), tokenizer.decode(ids));
            }
        }
        assertTrue(unknown < lines.size() / 20, unknown + " of " + lines.size() + " lines have unknown characters");
    }

    /// Ids from the README of sentencepiece's Python binding.
    @Test
    void encode_unigramModel_givesKnownPieces() throws IOException {
        Tokenizer tokenizer = Tokenizers.fromSentencePiece(path("sentencepiece/test_model.model"));
        assertEquals(1000, tokenizer.vocabularySize());
        assertArrayEquals(new int[] {284, 47, 11, 4, 15, 400}, tokenizer.encode("This is a test", Special.NONE));
        assertArrayEquals(new int[] {151, 88, 21, 887}, tokenizer.encode("Hello world", Special.NONE));
    }

    private static void assertGives(Tokenizer tokenizer, List<String> texts, List<int[]> ids) {
        assertAll(IntStream.range(0, ids.size()).mapToObj(i -> () -> assertArrayEquals(ids.get(i),
                tokenizer.encode(texts.get(i), Special.NONE), () -> "text " + i + ": " + texts.get(i))));
    }
}
