package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.FormatReport.Use;
import org.gatun.format.Metadata;
import org.gatun.test.TestScale;
import org.gatun.tokenizer.Tokenizer.Special;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Every kind of tokenizer on small vocabularies made here.
class TokenizersTest {
    private static final String SPACE = "\u2581";
    private static final Special PARSE = new Special(false, true);

    @TempDir
    Path folder;

    /// A GGUF vocabulary under construction.
    private static final class Gguf {
        final Map<String, Object> values = new HashMap<>();
        final List<String> tokens = new ArrayList<>();
        final List<Integer> types = new ArrayList<>();
        final List<Float> scores = new ArrayList<>();

        Gguf(String model) {
            values.put("tokenizer.ggml.model", model);
        }

        Gguf add(String token, int type, double score) {
            tokens.add(token);
            types.add(type);
            scores.add((float) score);
            return this;
        }

        Gguf put(String key, Object value) {
            values.put("tokenizer.ggml." + key, value);
            return this;
        }

        Gguf bytes() {
            IntStream.range(0, 256).forEach(b -> add("<0x%02X>".formatted(b), 6, 0));
            return this;
        }

        Metadata metadata() {
            values.putIfAbsent("tokenizer.ggml.tokens", tokens);
            values.putIfAbsent("tokenizer.ggml.token_type", types.stream().mapToInt(t -> t).toArray());
            float[] array = new float[scores.size()];
            for (int i = 0; i < array.length; i++) {
                array[i] = scores.get(i);
            }
            values.putIfAbsent("tokenizer.ggml.scores", array);
            return new Metadata(Path.of("small.gguf"), values);
        }

        Tokenizer read() {
            try {
                return Tokenizers.fromGguf(metadata());
            } catch (FormatException e) {
                throw new AssertionError(e);
            }
        }
    }

    /// Ids: 0 unknown, 1 begin, 2 end, 3 to 258 bytes, from 259 `▁`, `a`, `b`, `ab`, `▁a`, `▁ab`, `é`, then `<mark>`.
    private static Gguf scored() {
        return new Gguf("llama").add("<unk>", 2, 0).add("<s>", 3, 0).add("</s>", 3, 0).bytes().add(SPACE, 1, -10)
                .add("a", 1, -11).add("b", 1, -12).add("ab", 1, -1).add(SPACE + "a", 1, -2).add(SPACE + "ab", 1, -3)
                .add("é", 1, -20).add("<mark>", 4, 0);
    }

    /// The 256 letters of bytes as ids 0 to 255, then `Ġa` 256, `ab` 257, `Ġab` 258, `<|end|>` 259, `<mark>` 260,
    /// `<marker>` 261.
    private static Gguf bytePairs() {
        Gguf gguf = new Gguf("gpt2");
        IntStream.range(0, 256).forEach(b -> gguf.add(String.valueOf(ByteAlphabet.letter(b)), 1, 0));
        return gguf.add("Ġa", 1, 0).add("ab", 1, 0).add("Ġab", 1, 0).add("<|end|>", 3, 0).add("<mark>", 4, 0)
                .add("<marker>", 4, 0).put("pre", "gpt-2").put("merges", List.of("a b", "Ġ a", "Ġ ab"));
    }

    private static Gguf wordPieces() {
        return new Gguf("bert").add("[UNK]", 3, 0).add("[CLS]", 3, 0).add("[SEP]", 3, 0).add(SPACE + "play", 1, 0)
                .add("ing", 1, 0).add(SPACE + ",", 1, 0).add(SPACE + "国", 1, 0).add("play", 1, 0)
                .put("unknown_token_id", 0L).put("cls_token_id", 1L).put("seperator_token_id", 2L);
    }

    private static Gguf unigram() {
        return new Gguf("t5").add("<pad>", 3, 0).add("</s>", 3, 0).add("<unk>", 2, 0).add(SPACE, 1, -3)
                .add("a", 1, -4).add("b", 1, -4).add("ab", 1, -5).add(SPACE + "a", 1, -4).add(SPACE + "ab", 1, -9)
                .put("remove_extra_whitespaces", true);
    }

    @Test
    void encode_scoredPairs_joinsBestScoreFirst() {
        Tokenizer tokenizer = scored().read();
        assertArrayEquals(new int[] {1, 264}, tokenizer.encode("ab", Special.ADD));
        assertArrayEquals(new int[] {264, 264, 259}, tokenizer.encode("ab ab ", Special.NONE));
        assertArrayEquals(new int[] {263, 260}, tokenizer.encode("aa", Special.NONE));
        assertArrayEquals(new int[] {}, tokenizer.encode("", Special.NONE));
        assertArrayEquals(new int[] {1}, tokenizer.encode("", Special.ADD));
        assertEquals(OptionalInt.of(1), tokenizer.beginOfText());
        assertTrue(tokenizer.isEndOfText(2));
        assertFalse(tokenizer.isEndOfText(1) || tokenizer.isEndOfText(-1) || tokenizer.isEndOfText(999_999));
    }

    @Test
    void encode_characterWithoutPiece_fallsBackToBytes() {
        assertArrayEquals(new int[] {259, 3 + 0xE2, 3 + 0x82, 3 + 0xAC, 265},
                scored().read().encode("€é", Special.NONE));
        Gguf few = new Gguf("llama").add("<unk>", 2, 0).add("<s>", 3, 0).add("</s>", 3, 0).add("a", 1, 0)
                .put("add_space_prefix", false);
        assertArrayEquals(new int[] {3, 0, 3}, few.read().encode("a€a", Special.NONE));
    }

    @Test
    void encode_specialTokens_onlyWhereWanted() {
        Tokenizer tokenizer = scored().read();
        assertArrayEquals(new int[] {264, 266, 264}, tokenizer.encode("ab<mark>ab", Special.NONE));
        assertArrayEquals(new int[] {264, 2, 264}, tokenizer.encode("ab</s>ab", PARSE));
        assertFalse(IntStream.of(tokenizer.encode("ab</s>ab", Special.NONE)).anyMatch(id -> id == 2));
        Tokenizer bytes = bytePairs().read();
        assertArrayEquals(new int[] {261, 260, 257}, bytes.encode("<marker><mark>ab", Special.NONE));
        assertArrayEquals(new int[] {259}, bytes.encode("<|end|>", PARSE));
        assertEquals(7, bytes.encode("<|end|>", Special.NONE).length);
        assertTrue(bytes.isEndOfText(259));
    }

    @Test
    void decode_leadingSpace_droppedWhereEncodingAddsIt() {
        Tokenizer tokenizer = scored().read();
        assertEquals("ab ab", tokenizer.decode(1, 264, 264));
        assertEquals(" ab", tokenizer.decode(tokenizer.encode(" ab", Special.NONE)));
        assertEquals("ab<mark>ab", tokenizer.decode(tokenizer.encode("ab<mark>ab", Special.NONE)));
        assertEquals(" ab", scored().put("add_space_prefix", false).read().decode(264));
        assertEquals(" ab", bytePairs().read().decode(258));
        TextStream continued = tokenizer.stream();
        continued.append(264);
        assertEquals(" ab", continued.append(264));
    }

    @Test
    void stream_characterInSeveralTokens_waitsForTheLast() {
        TextStream stream = scored().read().stream();
        assertEquals("", stream.append(3 + 0xE2));
        assertEquals("", stream.append(3 + 0x82));
        assertEquals("€", stream.append(3 + 0xAC));
        assertEquals("", stream.append(3 + 0xF0));
        assertEquals("\uFFFDa", stream.append(260));
        assertEquals("", stream.append(3 + 0xE2));
        assertEquals("\uFFFD", stream.finish());
        assertEquals("", stream.finish());
    }

    @Test
    void bytes_eachKind_givesWhatItStandsFor() {
        Tokenizer tokenizer = scored().read();
        assertArrayEquals(" ab".getBytes(StandardCharsets.UTF_8), tokenizer.bytes(264));
        assertArrayEquals(new byte[] {(byte) 0xFF}, tokenizer.bytes(258));
        assertArrayEquals(new byte[0], tokenizer.bytes(0));
        assertArrayEquals(new byte[0], tokenizer.bytes(2));
        assertArrayEquals("<mark>".getBytes(StandardCharsets.UTF_8), tokenizer.bytes(266));
        assertEquals(SPACE + "ab", tokenizer.piece(264));
        for (int id : new int[] {-1, 267, Integer.MAX_VALUE}) {
            assertThrows(IndexOutOfBoundsException.class, () -> tokenizer.bytes(id));
            assertThrows(IndexOutOfBoundsException.class, () -> tokenizer.piece(id));
            assertThrows(IndexOutOfBoundsException.class, () -> tokenizer.decode(id));
        }
    }

    @Test
    void encode_bytePairs_mergesByRank() {
        Tokenizer tokenizer = bytePairs().read();
        assertArrayEquals(new int[] {257, 258, 256}, tokenizer.encode("ab ab a", Special.ADD));
        Tokenizer begun = bytePairs().put("add_bos_token", true).put("bos_token_id", 259L).put("add_eos_token", true)
                .put("eos_token_id", 259L).read();
        assertArrayEquals(new int[] {259, 257, 259}, begun.encode("ab", Special.ADD));
    }

    @Test
    void encode_wholeWords_ignoresMerges() {
        Gguf gguf = bytePairs().put("merges", List.of("Ġ a"));
        assertArrayEquals(new int[] {256, 'b'}, gguf.read().encode(" ab", Special.NONE));
        assertArrayEquals(new int[] {258}, gguf.put("pre", "llama-bpe").read().encode(" ab", Special.NONE));
    }

    @Test
    void encode_mergeWithoutToken_fallsApartIntoBytes() {
        Tokenizer tokenizer = bytePairs().put("merges", List.of("x y", "xy z")).read();
        assertEquals("xyz", tokenizer.decode(tokenizer.encode("xyz", Special.NONE)));
        assertEquals(3, tokenizer.encode("xyz", Special.NONE).length);
    }

    @Test
    void encode_oddMerges_stillTerminates() {
        Tokenizer tokenizer = bytePairs().put("merges", List.of("a b", "a b", "ab a", "b a", "  b", "a b c", "aba b", "ab ab",
                "abab abab")).read();
        assertEquals("abababab", tokenizer.decode(tokenizer.encode("abababab", Special.NONE)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a", "ab", "a ", " b"})
    void fromGguf_mergeWithoutTwoSides_isRefusedByName(String merge) {
        assertRefused(bytePairs().put("merges", List.of("a b", merge)), "tokenizer.ggml.merges: merge 1 is '" + merge
                + "': expected two tokens with a blank between");
    }

    @Test
    void fromGguf_unknownPreTokenizer_isRefusedWithTheKnownOnes() {
        assertRefused(bytePairs().put("pre", "from-the-future"), "tokenizer.ggml.pre is 'from-the-future', which is not known: expected ");
        assertRefused(bytePairs().put("pre", "from-the-future"), ", llama-bpe, ");
        assertRefused(bytePairs().put("pre", "from-the-future"), ", youtu");
    }

    @Test
    void fromGguf_noPreTokenizer_warnsAndUsesTheDefault() throws FormatException {
        FormatReport report = new FormatReport();
        Gguf gguf = bytePairs();
        gguf.values.remove("tokenizer.ggml.pre");

        assertArrayEquals(new int[] {257, 258}, Tokenizers.fromGguf(gguf.metadata(), report).encode("ab ab", Special.NONE));
        assertEquals(1, report.warnings().size(), () -> report.warnings().toString());
        assertTrue(report.warnings().getFirst().startsWith("tokenizer.ggml.pre is missing"), report.warnings().getFirst());
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
    void fromGguf_scoreThatIsNoNumber_isRefusedWhereScoresCut(double score) {
        for (Gguf gguf : List.of(scored(), unigram())) {
            assertRefused(gguf.add("x", 1, score), "tokenizer.ggml.scores of token " + (gguf.tokens.size() - 1) + " is " + (float) score
                    + ": expected a finite number");
        }
        assertArrayEquals(new int[] {257}, bytePairs().add("x!", 1, score).read().encode("ab", Special.NONE));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 7, 99})
    void fromGguf_tokenOfNoType_isRefusedByName(int type) {
        for (Gguf gguf : List.of(scored(), bytePairs(), wordPieces(), unigram())) {
            assertRefused(gguf.add("x!", type, 0), "tokenizer.ggml.token_type of token " + (gguf.tokens.size() - 1) + " is " + type
                    + ": expected 1 to 6, or 0");
        }
        assertArrayEquals(new int[] {264}, scored().add("x!", 0, 0).read().encode("ab", Special.NONE));
    }

    private static void assertRefused(Gguf gguf, String part) {
        String message = assertThrows(FormatException.class, () -> Tokenizers.fromGguf(gguf.metadata())).getMessage();
        assertTrue(message.startsWith("small.gguf: ") && message.contains(part), message);
    }

    @Test
    void encode_wordPieces_followsBert() {
        Tokenizer tokenizer = wordPieces().read();
        assertArrayEquals(new int[] {1, 3, 4, 5, 6, 3, 2}, tokenizer.encode("PLÁYing,国play\u0000", Special.ADD));
        assertArrayEquals(new int[] {0, 3}, tokenizer.encode("playx  play", Special.NONE));
        assertEquals("playing ,", tokenizer.decode(1, 3, 4, 5, 2));
    }

    @Test
    void encode_unigram_takesMostProbableCut() {
        Tokenizer tokenizer = unigram().read();
        assertArrayEquals(new int[] {3, 6, 1}, tokenizer.encode("ab", Special.ADD)); // -8 against -8 and -9
        assertArrayEquals(new int[] {7, 7}, tokenizer.encode("  a   a ", Special.NONE));
        assertArrayEquals(new int[] {7, 2, 4}, tokenizer.encode("axya", Special.NONE));
        assertArrayEquals(new int[] {}, tokenizer.encode("   ", Special.NONE));
        assertEquals("a ab", tokenizer.decode(tokenizer.encode("a ab", Special.NONE)));
    }

    @Test
    void encode_loneSurrogatesAndZeros_survive() {
        for (Tokenizer tokenizer : List.of(scored().read(), bytePairs().read())) {
            assertEquals("a\uFFFDb\uFFFD", tokenizer.decode(tokenizer.encode("a\uD800b\uDC00", Special.NONE)));
            assertEquals("\0\0a\0", tokenizer.decode(tokenizer.encode("\0\0a\0", Special.NONE)));
        }
        wordPieces().read().encode("\uD800\0", Special.NONE);
        unigram().read().encode("\uD800\0", Special.NONE);
    }

    /// A million characters of one word, or of what a pre-tokenizer might choke on.
    @ParameterizedTest
    @ValueSource(strings = {"a", "ab", " ", "\n", "1", "!", "é", "國", "🦙", "'s", "a🦙", " \n", "A", "aB", "\u0301", "\r\n\t"})
    void encode_hugeText_takesLinearTime(String unit) {
        String text = unit.repeat(1_000_000 / unit.length()) + "x";
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            for (Tokenizer tokenizer : List.of(scored().read(), bytePairs().read())) {
                assertEquals(text, tokenizer.decode(tokenizer.encode(text, Special.NONE)));
            }
            wordPieces().read().encode(text, Special.NONE);
            unigram().read().encode(text, Special.NONE);
        });
    }

    @Test
    void encode_millionsOfCharacters_works() {
        int pairs = TestScale.rounds(1_000_000, 5_000_000);
        String text = "ab".repeat(pairs);
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            assertEquals(pairs, bytePairs().read().encode(text, Special.NONE).length);
            assertEquals(pairs, scored().read().encode(text, Special.NONE).length);
        });
    }

    @Test
    void encodeDecode_randomText_givesTextBack() {
        Random random = new Random(20261120);
        List<Tokenizer> tokenizers = List.of(bytePairs().read(), bytePairs().put("pre", "llama-bpe").read(),
                scored().read());
        for (int i = 0; i < 2000; i++) {
            String text = random.ints(random.nextInt(40), 0, Character.MAX_CODE_POINT + 1)
                    .map(c -> random.nextBoolean() ? c % 128 : c)
                    .filter(c -> c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE)
                    .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
            for (Tokenizer tokenizer : tokenizers) {
                assertEquals(text, tokenizer.decode(tokenizer.encode(text, Special.NONE)));
            }
        }
    }

    @Test
    void fromGguf_partsThatDoNotFit_throws() {
        for (Gguf damaged : List.of(
                new Gguf("rwkv").add("a", 1, 0),
                scored().put("model", 7L), new Gguf("llama").put("tokens", List.of(1L)),
                scored().put("token_type", new int[] {1}), scored().put("scores", new float[] {1}),
                scored().put("precompiled_charsmap", new int[] {1, 2, 3}),
                scored().put("precompiled_charsmap", new int[] {4, 0, 0, 0, 1, 1, 1, 1, 1}),
                new Gguf("gpt2").add("a", 1, 0))) {
            FormatException e = assertThrows(FormatException.class, () -> Tokenizers.fromGguf(damaged.metadata()));
            assertTrue(e.getMessage().startsWith("small.gguf: "), e.getMessage());
        }
        assertThrows(FormatException.class, () -> Tokenizers.fromGguf(new Metadata(Path.of("x"), Map.of())));
    }

    /// Writers put -1, also as an unsigned number, where a model has no such token.
    @ParameterizedTest
    @ValueSource(longs = {-1, 0xFFFF_FFFFL, 100_000, Long.MAX_VALUE})
    void fromGguf_specialIdThatIsNoToken_warnsAndTakesTheUsual(long id) throws FormatException {
        FormatReport report = new FormatReport();
        Tokenizer tokenizer = Tokenizers.fromGguf(scored().put("bos_token_id", id).put("eot_token_id", id).metadata(), report);
        assertEquals(OptionalInt.of(1), tokenizer.beginOfText());
        assertArrayEquals(new int[] {1, 264}, tokenizer.encode("ab", Special.ADD));
        assertEquals(2, report.warnings().size(), () -> report.warnings().toString());
        assertTrue(report.warnings().getFirst().startsWith("tokenizer.ggml.bos_token_id is "), report.warnings().getFirst());
    }

    @Test
    void fromGguf_keys_areNotedAndUnknownOnesWarnedOf() throws FormatException {
        FormatReport report = new FormatReport();
        Tokenizers.fromGguf(bytePairs().put("padding_token_id", 3L).put("add_prefix_magic", true).metadata(), report);
        List<String> read = report.entries(Use.READ).stream().map(FormatReport.Entry::name).toList();
        assertTrue(read.containsAll(List.of("tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.merges",
                "tokenizer.ggml.token_type", "tokenizer.ggml.scores")), read::toString);
        assertEquals(List.of("tokenizer.ggml.add_prefix_magic", "tokenizer.ggml.padding_token_id"),
                report.entries(Use.IGNORED).stream().map(FormatReport.Entry::name).sorted().toList());
        assertEquals(1, report.warnings().size());
        assertTrue(report.warnings().getFirst().startsWith("tokenizer.ggml.add_prefix_magic is not known"), report.warnings().getFirst());
    }

    @Test
    void fromGguf_emptyVocabulary_encodesToNothing() {
        for (String model : List.of("llama", "bert", "t5")) {
            assertArrayEquals(new int[0], new Gguf(model).read().encode("ab", Special.ADD));
        }
    }

    @Test
    void fromTiktoken_smallRanks_mergesByRank() throws IOException {
        StringBuilder lines = new StringBuilder();
        for (int b = 0; b < 256; b++) {
            lines.append(base64((byte) b)).append(' ').append(b).append('\n');
        }
        lines.append(base64("bc".getBytes(StandardCharsets.UTF_8))).append(" 256\n")
                .append(base64("ab".getBytes(StandardCharsets.UTF_8))).append(" 257\n")
                .append(base64("abc".getBytes(StandardCharsets.UTF_8))).append(" 300\n");
        Path ranks = Files.writeString(folder.resolve("ranks"), lines);
        Tokenizer tokenizer = Tokenizers.fromTiktoken(ranks, "gpt-2");
        assertEquals(301, tokenizer.vocabularySize());
        assertArrayEquals(new int[] {300, ' ', 300, 300}, tokenizer.encode("abc abcabc", Special.NONE));
        assertArrayEquals(new byte[0], tokenizer.bytes(299));
        assertThrows(IllegalArgumentException.class, () -> Tokenizers.fromTiktoken(ranks, "nothing"));
        for (String damaged : List.of("YQ== x", "YQ==", "?? 1", " 1", "YQ== -1", "YQ== 99999999", "YQ== 1\nYg== 1")) {
            Path file = Files.writeString(folder.resolve("damaged"), damaged);
            assertThrows(FormatException.class, () -> Tokenizers.fromTiktoken(file, "gpt-2"), damaged);
        }
    }

    private static String base64(byte... bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    @Test
    void fromBpeFiles_smallFiles_reads() throws IOException {
        Path merges = Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\na b\nĠ ab\n");
        Path vocabulary = Files.writeString(folder.resolve("vocab.json"),
                "{\"a\": 0, \"b\": 1, \"Ġ\": 2, \"ab\": 3, \"Ġab\": 4, \"<|endoftext|>\": 5}");
        Tokenizer tokenizer = Tokenizers.fromBpeFiles(vocabulary, merges, "gpt-2");
        assertArrayEquals(new int[] {3, 4, 5}, tokenizer.encode("ab ab<|endoftext|>", PARSE));
        assertEquals(OptionalInt.of(5), tokenizer.beginOfText());
        assertTrue(tokenizer.isEndOfText(5));
        for (String damaged : List.of("", "[]", "{", "{\"a\": \"b\"}", "{\"a\": 1, \"b\": 1}", "{\"a\": -1}",
                "{\"a\": 1e99}", "{\"a\": 99999999999}", "{\"a\": [1]}", "\0", "{\"a\": 2000000000}")) {
            Files.writeString(vocabulary, damaged);
            String message = assertThrows(FormatException.class, () -> Tokenizers.fromBpeFiles(vocabulary, merges, "gpt-2"), damaged)
                    .getMessage();
            assertFalse(message.contains("Unexpected") || message.contains("Source") || message.contains("VALUE_"), message);
        }
    }

    @Test
    void fromBpeFiles_mergeWithoutTwoSides_isRefusedByName() throws IOException {
        Path vocabulary = Files.writeString(folder.resolve("vocab.json"), "{\"a\": 0, \"b\": 1, \"ab\": 2}");
        Path merges = Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\n\na b\n\nab\n");

        String message = assertThrows(FormatException.class, () -> Tokenizers.fromBpeFiles(vocabulary, merges, "gpt-2")).getMessage();
        assertEquals(merges + ": merge 1 is 'ab': expected two tokens with a blank between", message);
    }

    /// A `tokenizer.json` with these parts, and `<s>` (id 9, special) and `<mark>` (id 10) added.
    private Path json(String normalizer, String preTokenizer, String model) throws IOException {
        return json(normalizer, preTokenizer, model, "null");
    }

    private Path json(String normalizer, String preTokenizer, String model, String decoder) throws IOException {
        return Files.writeString(folder.resolve("tokenizer.json"), """
                {"decoder": %s, "added_tokens": [{"id": 9, "content": "<s>", "special": true},
                                  {"id": 10, "content": "<mark>", "special": false}],
                 "normalizer": %s, "pre_tokenizer": %s, "model": %s,
                 "post_processor": {"type": "TemplateProcessing",
                                    "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
                                    "special_tokens": {"<s>": {"id": "<s>", "ids": [9]}}}}
                """.formatted(decoder, normalizer, preTokenizer, model));
    }

    private static final String BYTE_LEVEL = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}";
    private static final String BPE = "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"Ġ\": 2, \"ab\": 3, \"Ġab\": 4},"
            + " \"merges\": [\"a b\", [\"Ġ\", \"ab\"]]}";

    @Test
    void fromTokenizerJson_byteLevel_mergesByRank() throws IOException {
        Tokenizer tokenizer = Tokenizers.fromTokenizerJson(json("null", BYTE_LEVEL, BPE));
        assertArrayEquals(new int[] {9, 3, 4, 10, 3}, tokenizer.encode("ab ab<mark>ab", Special.ADD));
        assertArrayEquals(new int[] {9, 0}, tokenizer.encode("<s>a", PARSE));
        assertFalse(IntStream.of(tokenizer.encode("<s>a", Special.NONE)).anyMatch(id -> id == 9));
        assertEquals(OptionalInt.of(9), tokenizer.beginOfText());
        Tokenizer digits = Tokenizers.fromTokenizerJson(json("null", """
                {"type": "Sequence", "pretokenizers": [
                  {"type": "Split", "pattern": {"Regex": "\\\\p{N}{1,3}"}, "behavior": "Isolated", "invert": false},
                  {"type": "Digits", "individual_digits": true}, %s]}""".formatted(BYTE_LEVEL), BPE));
        assertArrayEquals(new int[] {3, 4}, digits.encode("ab ab", Special.NONE));
    }

    @Test
    void fromTokenizerJson_charactersWithByteTokens_followsMerges() throws IOException {
        Tokenizer tokenizer = Tokenizers.fromTokenizerJson(json(
                "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"▁\"},"
                        + " {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"▁\"}]}", "null",
                "{\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"byte_fallback\": true, \"vocab\": {\"<unk>\": 0, \"▁\": 1,"
                        + " \"a\": 2, \"b\": 3, \"▁a\": 4, \"ab\": 5, \"<0xC3>\": 6, \"<0xA9>\": 7},"
                        + " \"merges\": [\"▁ a\", \"a b\"]}",
                "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"▁\"},"
                        + " \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"},"
                        + " {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}]}"));
        assertArrayEquals(new int[] {4, 3, 6, 7}, tokenizer.encode("abé", Special.NONE));
        assertEquals("abé", tokenizer.decode(4, 3, 6, 7));
    }

    @Test
    void fromTokenizerJson_wordPieceAndUnigram_read() throws IOException {
        Tokenizer words = Tokenizers.fromTokenizerJson(json("{\"type\": \"BertNormalizer\", \"lowercase\": true}",
                "{\"type\": \"BertPreTokenizer\"}",
                "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"vocab\": {\"[UNK]\": 0, \"play\": 1, \"##ing\": 2}}"));
        assertArrayEquals(new int[] {9, 1, 2, 0}, words.encode("Playing x", Special.ADD));
        Tokenizer unigram = Tokenizers.fromTokenizerJson(json("null", "{\"type\": \"Metaspace\", \"replacement\": \"▁\"}",
                "{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], [\"▁\", -1], [\"a\", -2], [\"▁a\", -2.5]]}",
                "{\"type\": \"Metaspace\", \"replacement\": \"▁\"}"));
        assertArrayEquals(new int[] {3, 0, 2}, unigram.encode("axa", Special.NONE));
        assertEquals("a a", unigram.decode(unigram.encode("a a", Special.NONE)));
    }

    @Test
    void fromTokenizerJson_damagedOrUnknownParts_throwsFormatException() throws IOException {
        String split = "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a*)*b\"}, \"behavior\": \"Isolated\"}";
        for (Path file : List.of(json("null", BYTE_LEVEL, "{\"type\": \"Magic\"}"), json("null", BYTE_LEVEL, "7"))) {
            assertThrows(FormatException.class, () -> Tokenizers.fromTokenizerJson(file));
        }
        for (String[] parts : List.of(
                new String[] {"null", "{\"type\": \"Sequence\", \"pretokenizers\": [" + split + ", " + BYTE_LEVEL + "]}", BPE},
                new String[] {"{\"type\": \"Shout\"}", BYTE_LEVEL, BPE},
                new String[] {"null", "{\"type\": \"CharDelimiterSplit\"}", BPE},
                new String[] {"null", BYTE_LEVEL, BPE.replace("0", "-1")},
                new String[] {"null", BYTE_LEVEL, BPE.replace("0", "4000000000")},
                new String[] {"null", BYTE_LEVEL, BPE.replace("0", "\"x\"")},
                new String[] {"{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}", "null",
                    "{\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]]}"})) {
            Path file = json(parts[0], parts[1], parts[2]);
            assertThrows(FormatException.class, () -> Tokenizers.fromTokenizerJson(file), String.join(" ", parts));
        }
        String good = Files.readString(json("null", BYTE_LEVEL, BPE));
        Random random = new Random(7);
        for (int i = 0; i < 2000; i++) {
            StringBuilder damaged = new StringBuilder(good);
            for (int change = random.nextInt(4); change >= 0 && !damaged.isEmpty(); change--) {
                int at = random.nextInt(damaged.length());
                switch (random.nextInt(3)) {
                    case 0 -> damaged.setCharAt(at, (char) (' ' + random.nextInt(95)));
                    case 1 -> damaged.deleteCharAt(at);
                    default -> damaged.setLength(at + 1);
                }
            }
            Path file = Files.writeString(folder.resolve("damaged.json"), damaged);
            try {
                Tokenizers.fromTokenizerJson(file).encode("ab <s> é", Special.ADD);
            } catch (FormatException e) {
                assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
            }
        }
        Path deep = Files.writeString(folder.resolve("deep.json"), "[".repeat(100_000));
        assertThrows(FormatException.class, () -> Tokenizers.fromTokenizerJson(deep));
    }

    @Test
    void fromSentencePiece_smallModels_reads() throws IOException {
        for (int type : new int[] {1, 2}) {
            Path file = Files.write(folder.resolve("small.model"), model(type));
            Tokenizer tokenizer = Tokenizers.fromSentencePiece(file);
            assertEquals(7, tokenizer.vocabularySize());
            assertArrayEquals(new int[] {5, 6, 5}, tokenizer.encode(" a <x>a ", Special.NONE));
            assertEquals("a", tokenizer.decode(tokenizer.encode("  a ", Special.ADD)));
            assertTrue(tokenizer.isEndOfText(2));
            assertEquals(OptionalInt.of(1), tokenizer.beginOfText());
        }
        assertThrows(FormatException.class,
                () -> Tokenizers.fromSentencePiece(Files.write(folder.resolve("words"), model(3))));
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void fromSentencePiece_scoreThatIsNoNumber_isRefusedByName(float score) throws IOException {
        ByteArrayOutputStream model = new ByteArrayOutputStream();
        message(model, 1, piece("<unk>", 0, 2));
        message(model, 1, piece("a", score, 1));
        Path file = Files.write(folder.resolve("score.model"), model.toByteArray());

        String message = assertThrows(FormatException.class, () -> Tokenizers.fromSentencePiece(file)).getMessage();
        assertTrue(message.contains("piece 'a' has the score " + score + ": expected a finite number"), message);
    }

    @Test
    void fromSentencePiece_damagedFile_throwsFormatException() throws IOException {
        byte[] good = model(1);
        Random random = new Random(5);
        for (int i = 0; i < 3000; i++) {
            byte[] bytes = java.util.Arrays.copyOf(good, random.nextInt(good.length + 1));
            for (int change = random.nextInt(4); change > 0 && bytes.length > 0; change--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            Path file = Files.write(folder.resolve("damaged"), bytes);
            try {
                Tokenizer tokenizer = Tokenizers.fromSentencePiece(file);
                tokenizer.decode(tokenizer.encode("a <x> b\u0301é", Special.ADD));
            } catch (FormatException e) {
                assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
            }
        }
    }

    /// A sentencepiece model of seven pieces.
    private static byte[] model(int type) throws IOException {
        ByteArrayOutputStream model = new ByteArrayOutputStream();
        message(model, 1, piece("<unk>", 0, 2));
        message(model, 1, piece("<s>", 0, 3));
        message(model, 1, piece("</s>", 0, 3));
        message(model, 1, piece(SPACE, -3, 1));
        message(model, 1, piece("a", -4, 1));
        message(model, 1, piece(SPACE + "a", -2, 1));
        message(model, 1, piece("<x>", 0, 4));
        message(model, 2, new byte[] {3 << 3, (byte) type, (byte) (40 << 3 & 0x7F | 0x80), 40 >> 4, 0});
        message(model, 3, new byte[] {3 << 3, 1, 4 << 3, 1});
        return model.toByteArray();
    }

    private static byte[] piece(String text, float score, int type) throws IOException {
        ByteArrayOutputStream piece = new ByteArrayOutputStream();
        message(piece, 1, text.getBytes(StandardCharsets.UTF_8));
        piece.write(2 << 3 | 5);
        piece.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(score).array());
        piece.write(3 << 3);
        piece.write(type);
        return piece.toByteArray();
    }

    private static void message(ByteArrayOutputStream out, int field, byte[] content) {
        out.write(field << 3 | 2);
        out.write(content.length);
        out.writeBytes(content);
    }
}
