package org.gatun.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer.Form;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.function.IntConsumer;
import java.util.function.UnaryOperator;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport.Use;
import org.gatun.format.FormatReport;
import org.gatun.test.TestScale;
import org.gatun.tokenizer.Tokenizer.Special;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Each part of `tokenizer.json` against an independent statement of it; and that no key is passed over. JSON is written
/// with single quotes here.
class TokenizerJsonTest {
    private static final Special PARSE = new Special(false, true);
    /// Characters that parts treat differently.
    private static final String[] CHARACTERS = {"a", "b", "B", "c", " ", " ", "\t", "\n", "1", "２", "½", "é", "e\u0301", "\u0301",
        "İ", "ß", "ﬁ", "漢", "ど", "한", "🦙", "▁", "-", "_", ".", "!", "'", "$", "\u200b", "\u00a0", "\u3000", "\u0000", "\u0085",
        "\ufffd", "\u0903", "##", "</w>", "<tok>", "  "};

    @TempDir
    Path folder;

    private static String quoted(String json) {
        return json.replace('\'', '"');
    }

    private static String json(String parts) {
        return quoted("{'version': '1.0', 'truncation': null, 'padding': null, " + parts + "}");
    }

    private Tokenizer read(String parts) {
        return read(parts, new FormatReport());
    }

    private Tokenizer read(String parts, FormatReport report) {
        try {
            return Tokenizers.fromTokenizerJson(Files.writeString(folder.resolve("t.json"), json(parts)), report);
        } catch (IOException e) {
            throw new AssertionError(parts, e);
        }
    }

    private String refusal(String parts) throws IOException {
        Path file = Files.writeString(folder.resolve("refused.json"), json(parts));
        return assertThrows(FormatException.class, () -> Tokenizers.fromTokenizerJson(file), parts).getMessage();
    }

    /// `'vocab': {…}` with ids in order.
    private static String vocab(List<String> pieces) {
        return "'vocab': " + IntStream.range(0, pieces.size()).mapToObj(id -> string(pieces.get(id)) + ": " + id)
                .collect(Collectors.joining(", ", "{", "}"));
    }

    private static String string(String text) {
        return text.chars().mapToObj("\\u%04x"::formatted).collect(Collectors.joining("", "'", "'"));
    }

    private static String words(String... pieces) {
        return "'model': {'type': 'WordLevel', 'unk_token': '?', " + vocab(Stream.concat(Stream.of("?"), Stream.of(pieces)).toList()) + "}";
    }

    private static String added(int id, String text, String flags) {
        return "{'id': %d, 'content': %s, %s}".formatted(id, string(text), flags);
    }

    private static String text(Random random, int max) {
        return random.ints(random.nextInt(max + 1), 0, CHARACTERS.length).mapToObj(i -> CHARACTERS[i]).collect(Collectors.joining());
    }

    /// The words that a pre-tokenizer makes of a text.
    private static List<String> split(String splitter, String text) throws FormatException {
        List<String> words = new ArrayList<>();
        FormatReport report = new FormatReport();
        JsonPart part = part("pre_tokenizer", splitter, report);
        Splitter read = Splitter.read(part);
        part.source().requireSupported();
        if (!text.isEmpty()) {
            read.split(text, true, (word, _) -> words.add(word));
        }
        return words;
    }

    private static String normalized(String normalizer, String text) throws FormatException {
        JsonPart part = part("normalizer", normalizer, new FormatReport());
        Normalizer read = Normalizer.read(part);
        part.source().requireSupported();
        return read.apply(text);
    }

    private static JsonPart part(String section, String json, FormatReport report) throws FormatException {
        JsonPart.Source source = new JsonPart.Source(Path.of("t.json"), "t.json", report);
        return new JsonPart(source, "", tools.jackson.databind.json.JsonMapper.shared().readTree(
                quoted("{'" + section + "': " + json + "}"))).typed(section).orElseThrow();
    }

    private static List<String> matches(String pattern, String text) {
        return Pattern.compile(pattern, Pattern.UNICODE_CHARACTER_CLASS | Pattern.DOTALL).matcher(text).results()
                .map(MatchResult::group).filter(word -> !word.isEmpty()).toList();
    }

    private interface Body {
        void run(Random random) throws IOException;
    }

    private static void rounds(int usual, Body body) throws IOException {
        long seed = TestScale.seed();
        for (int i = 0; i < TestScale.rounds(usual, 100 * usual); i++) {
            body.run(new Random(seed + i));
        }
    }

    @Test
    void encode_textInDecomposedForm_isComposedByNfc() {
        Tokenizer tokenizer = read("'normalizer': {'type': 'NFC'}, 'pre_tokenizer': {'type': 'WhitespaceSplit'}, " + words("café"));
        assertArrayEquals(new int[] {1}, tokenizer.encode("cafe\u0301", Special.NONE));
    }

    @Test
    void encode_textWithLeadingSpace_getsNoSecondByMetaspace() {
        Tokenizer tokenizer = read("'pre_tokenizer': {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always',"
                + " 'split': true}, " + words("▁a", "▁b"));
        assertArrayEquals(new int[] {1, 2}, tokenizer.encode(" a b", Special.NONE));
        assertArrayEquals(new int[] {1, 2}, tokenizer.encode("a b", Special.NONE));
    }

    @Test
    void encode_pairThatIsNotListed_neverJoins() {
        Tokenizer tokenizer = read("'model': {'type': 'BPE', " + vocab(List.of("a", "b", "c", "bc", "ab", "abc"))
                + ", 'merges': [['b', 'c'], ['a', 'b'], ['ab', 'c']]}");
        assertArrayEquals(new int[] {0, 3}, tokenizer.encode("abc", Special.NONE));
    }

    @Test
    void encode_suffixOfWords_isPartOfTheLastCharacter() {
        Tokenizer tokenizer = read("'pre_tokenizer': {'type': 'WhitespaceSplit'}, 'decoder': {'type': 'BPEDecoder', 'suffix': '</w>'},"
                + " 'model': {'type': 'BPE', 'end_of_word_suffix': '</w>', " + vocab(List.of("a", "b", "b</w>", "ab</w>", "a</w>"))
                + ", 'merges': [['a', 'b</w>']]}");
        assertArrayEquals(new int[] {3, 1, 4}, tokenizer.encode("ab ba", Special.NONE));
        assertEquals("ab ba", tokenizer.decode(3, 1, 4));
    }

    @Test
    void encode_strippingTokens_takeWhiteSpaceAlong() {
        String model = "'pre_tokenizer': {'type': 'Split', 'pattern': {'String': ''}, 'behavior': 'Isolated'}, " + words("a", " ");
        Tokenizer tokenizer = read("'added_tokens': [" + added(3, "<r>", "'rstrip': true, 'special': true") + ", "
                + added(4, "<l>", "'lstrip': true, 'special': true") + ", " + added(5, "aa", "'single_word': true") + "], " + model);
        assertArrayEquals(new int[] {1, 2, 3, 1, 4, 2, 1}, tokenizer.encode("a <r>  a  <l> a", PARSE));
        assertArrayEquals(new int[] {1, 1, 1, 2, 5, 2, 5}, tokenizer.encode("aaa aa aa", PARSE));
    }

    @Test
    void encode_strippedText_hasNoWhiteSpaceAtItsEnds() {
        Tokenizer tokenizer = read("'normalizer': {'type': 'Strip', 'strip_left': true, 'strip_right': true}, " + words("a"));
        assertArrayEquals(new int[] {1}, tokenizer.encode("a \u3000\n", Special.NONE));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "'added_tokens': [{'id': 10000000, 'content': '<x>'}], 'model': {'type': 'BPE', 'vocab': {'a': 0}, 'merges': []}",
        "'model': {'type': 'BPE', 'vocab': {'a': 0, 'b': 10000000}, 'merges': []}",
        "'model': {'type': 'WordLevel', 'unk_token': 'a', 'vocab': {'a': 0, 'b': 2147483647}}"})
    void read_idFarBeyondTheTokens_isRefusedByName(String parts) throws IOException {
        String message = refusal(parts);
        assertTrue(message.contains("10000000") || message.contains("2147483647"), message);
        assertTrue(message.contains("'<x>'") || message.contains("'b'"), message);
    }

    @Test
    void read_filesOfRanksWithIdFarBeyondTheTokens_refuse() throws IOException {
        Path ranks = Files.writeString(folder.resolve("ranks"), "YQ== 0\nYg== 10000000\n");
        assertTrue(assertThrows(FormatException.class, () -> Tokenizers.fromTiktoken(ranks, "gpt-2")).getMessage().contains("10000000"));
        Path vocabulary = Files.writeString(folder.resolve("vocab.json"), quoted("{'a': 0, 'b': 10000000}"));
        Path merges = Files.writeString(folder.resolve("merges.txt"), "a b\n");
        assertTrue(assertThrows(FormatException.class, () -> Tokenizers.fromBpeFiles(vocabulary, merges, "gpt-2")).getMessage()
                .contains("10000000"));
    }

    static Stream<Map.Entry<String, UnaryOperator<String>>> normalizers() {
        return Map.<String, UnaryOperator<String>>ofEntries(
                Map.entry("{'type': 'NFC'}", t -> java.text.Normalizer.normalize(t, Form.NFC)),
                Map.entry("{'type': 'NFD'}", t -> java.text.Normalizer.normalize(t, Form.NFD)),
                Map.entry("{'type': 'NFKC'}", t -> java.text.Normalizer.normalize(t, Form.NFKC)),
                Map.entry("{'type': 'NFKD'}", t -> java.text.Normalizer.normalize(t, Form.NFKD)),
                Map.entry("{'type': 'Lowercase'}", t -> t.replace("B", "b").replace("İ", "i\u0307")),
                Map.entry("{'type': 'Strip', 'strip_left': true, 'strip_right': false}", t -> t.replaceAll("(?U)^\\s+", "")),
                Map.entry("{'type': 'Strip', 'strip_left': false, 'strip_right': true}", t -> t.replaceAll("(?U)\\s+\\z", "")),
                Map.entry("{'type': 'StripAccents'}", t -> t.replaceAll("\\p{M}", "")),
                Map.entry("{'type': 'Nmt'}", t -> t.replaceAll("[\t\n▁\u200b\ufffd]", " ")),
                Map.entry("{'type': 'Prepend', 'prepend': 'xy'}", t -> t.isEmpty() ? "" : "xy" + t),
                Map.entry("{'type': 'Replace', 'pattern': {'String': 'a'}, 'content': ' $0'}", t -> t.replace("a", " $0")),
                Map.entry("{'type': 'Replace', 'pattern': {'Regex': ' {2,}'}, 'content': '▁'}", t -> t.replaceAll("  +", "▁")),
                Map.entry("{'type': 'BertNormalizer', 'clean_text': true, 'handle_chinese_chars': false, 'strip_accents': false,"
                        + " 'lowercase': false}", t -> t.replaceAll("[\u0000\u0085\u200b\ufffd]", "").replaceAll("(?U)\\s", " ")),
                Map.entry("{'type': 'BertNormalizer', 'clean_text': false, 'handle_chinese_chars': true, 'strip_accents': false,"
                        + " 'lowercase': false}", t -> t.replace("漢", " 漢 ")),
                Map.entry("{'type': 'BertNormalizer', 'clean_text': false, 'handle_chinese_chars': false, 'strip_accents': null,"
                        + " 'lowercase': true}", t -> java.text.Normalizer.normalize(t, Form.NFD).replaceAll("\\p{Mn}", "")
                                .replace("B", "b").replace("I", "i")),
                Map.entry("{'type': 'Sequence', 'normalizers': [{'type': 'NFD'}, {'type': 'Sequence', 'normalizers':"
                        + " [{'type': 'StripAccents'}]}]}", t -> java.text.Normalizer.normalize(t, Form.NFD).replaceAll("\\p{M}", "")))
                .entrySet().stream();
    }

    @ParameterizedTest
    @MethodSource("normalizers")
    void apply_normalizer_doesWhatItsStatementSays(Map.Entry<String, UnaryOperator<String>> part) throws IOException {
        rounds(300, random -> {
            String text = text(random, 12);
            assertEquals(part.getValue().apply(text), normalized(part.getKey(), text), () -> "of " + text);
        });
    }

    static Stream<Map.Entry<String, String>> splitters() {
        return Map.ofEntries(
                Map.entry("{'type': 'WhitespaceSplit'}", "\\S+"),
                Map.entry("{'type': 'Whitespace'}", "\\w+|[^\\w\\s]+"),
                Map.entry("{'type': 'BertPreTokenizer'}", "[\\p{P}$<>]|[^\\s\\p{P}$<>]+"),
                Map.entry("{'type': 'Punctuation'}", "[\\p{P}$<>]|[^\\p{P}$<>]+"),
                Map.entry("{'type': 'Punctuation', 'behavior': 'Contiguous'}", "[\\p{P}$<>]+|[^\\p{P}$<>]+"),
                Map.entry("{'type': 'Digits', 'individual_digits': true}", "\\p{N}|\\P{N}+"),
                Map.entry("{'type': 'Digits', 'individual_digits': false}", "\\p{N}+|\\P{N}+"),
                Map.entry("{'type': 'CharDelimiterSplit', 'delimiter': 'a'}", "[^a]+"),
                Map.entry("{'type': 'FixedLength', 'length': 3}", ".{1,3}"),
                Map.entry("{'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'Removed', 'invert': false}", "[^a]+"),
                Map.entry("{'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'Isolated', 'invert': false}", "a|[^a]+"),
                Map.entry("{'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'MergedWithPrevious', 'invert': false}", "[^a]+a?|a"),
                Map.entry("{'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'MergedWithNext', 'invert': false}", "a?[^a]+|a"),
                Map.entry("{'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'Contiguous', 'invert': false}", "a+|[^a]+"),
                Map.entry("{'type': 'Split', 'pattern': {'Regex': '[^a]+'}, 'behavior': 'Removed', 'invert': true}", "[^a]+"),
                Map.entry("{'type': 'Split', 'pattern': {'Regex': 'a|b'}, 'behavior': 'MergedWithNext', 'invert': false}",
                        "[ab]?[^ab]+|[ab]"),
                Map.entry("{'type': 'Split', 'pattern': {'String': ''}, 'behavior': 'Isolated', 'invert': false}", "."),
                Map.entry("{'type': 'Metaspace', 'replacement': '_', 'prepend_scheme': 'never', 'split': true}", "_?[^_]+|_"),
                Map.entry("{'type': 'Sequence', 'pretokenizers': [{'type': 'WhitespaceSplit'}, {'type': 'Sequence', 'pretokenizers':"
                        + " [{'type': 'Digits', 'individual_digits': true}, {'type': 'Punctuation'}]}]}",
                        "[\\p{P}$<>]|\\p{N}|[^\\s\\p{N}\\p{P}$<>]+")).entrySet().stream();
    }

    @ParameterizedTest
    @MethodSource("splitters")
    void split_preTokenizer_givesTheWordsOfItsStatement(Map.Entry<String, String> part) throws IOException {
        rounds(300, random -> {
            String text = text(random, 12);
            String marked = part.getKey().contains("Metaspace") ? text.replace(' ', '_') : text;
            assertEquals(matches(part.getValue(), marked), split(part.getKey(), text), () -> "of " + text);
        });
    }

    @Test
    void split_scripts_keepKanaWithHanAndSpacesWithWhatIsBefore() throws IOException {
        assertEquals(List.of("ab ", "どー漢 ", "я"), split("{'type': 'UnicodeScripts'}", " ab どー漢 я"));
    }

    @Test
    void split_metaspaceFirst_marksTheBeginningOfTheTextOnly() {
        Tokenizer tokenizer = read("'added_tokens': [" + added(3, "<x>", "'special': true")
                + "], 'pre_tokenizer': {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'first', 'split': false}, "
                + words("▁a", "a"));
        assertArrayEquals(new int[] {1, 3, 2}, tokenizer.encode("a<x>a", PARSE));
        Tokenizer stripped = read("'normalizer': {'type': 'Strip'}, 'pre_tokenizer': {'type': 'Metaspace', 'replacement': '▁',"
                + " 'prepend_scheme': 'first', 'split': false}, " + words("▁a", "a"));
        assertArrayEquals(new int[] {2}, stripped.encode(" a", Special.NONE));
    }

    /// Merges one pair at a time, the one of least rank, leftmost first.
    private static List<String> naivePairs(List<String> symbols, List<List<String>> merges, String prefix) {
        List<String> row = new ArrayList<>(symbols);
        while (true) {
            int best = -1;
            for (int i = 0; i + 1 < row.size(); i++) {
                int rank = merges.lastIndexOf(List.of(row.get(i), row.get(i + 1)));
                int min = best < 0 ? Integer.MAX_VALUE : merges.lastIndexOf(List.of(row.get(best), row.get(best + 1)));
                best = rank >= 0 && rank < min ? i : best;
            }
            if (best < 0) {
                return row;
            }
            row.set(best, row.get(best) + row.remove(best + 1).substring(prefix.length()));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "##"})
    void encode_pairs_joinAsTheNaiveMergingDoes(String prefix) throws IOException {
        rounds(150, random -> {
            List<String> pieces = new ArrayList<>();
            for (String letter : List.of("a", "b", "c")) {
                pieces.add(letter);
                pieces.add(prefix + letter);
            }
            List<List<String>> merges = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                String left = pieces.get(random.nextInt(pieces.size()));
                String right = pieces.get(random.nextInt(pieces.size()));
                if (right.startsWith(prefix)) {
                    merges.add(List.of(left, right));
                    pieces.add(left + right.substring(prefix.length()));
                }
            }
            List<String> distinct = pieces.stream().distinct().toList();
            Tokenizer tokenizer = read("'model': {'type': 'BPE', 'continuing_subword_prefix': '" + prefix + "', " + vocab(distinct)
                    + ", 'merges': " + merges.stream().map(m -> "['" + m.get(0) + "', '" + m.get(1) + "']").toList() + "}");
            String text = random.ints(1 + random.nextInt(12), 'a', 'd').mapToObj(Character::toString).collect(Collectors.joining());
            List<String> symbols = IntStream.range(0, text.length()).mapToObj(i -> (i == 0 ? "" : prefix) + text.charAt(i)).toList();
            assertEquals(naivePairs(symbols, merges, prefix),
                    IntStream.of(tokenizer.encode(text, Special.NONE)).mapToObj(tokenizer::piece).toList(), () -> text + " by " + merges);
        });
    }

    @Test
    void encode_charactersWithoutToken_areUnknownFusedOrBytes() {
        String model = "'model': {'type': 'BPE', 'unk_token': '?', 'fuse_unk': %s, 'byte_fallback': %s, "
                + vocab(List.of("?", "a", "<0xC3>", "<0xA9>")) + ", 'merges': []}";
        assertArrayEquals(new int[] {1, 0, 0, 1}, read(model.formatted(false, false)).encode("axya", Special.NONE));
        assertArrayEquals(new int[] {1, 0, 1}, read(model.formatted(true, false)).encode("axya", Special.NONE));
        assertArrayEquals(new int[] {1, 2, 3, 0}, read(model.formatted(true, true)).encode("aéx", Special.NONE));
        assertArrayEquals(new int[] {1, 1}, read(model.formatted(false, false).replace("'unk_token': '?', ", "")).encode("axya",
                Special.NONE));
    }

    /// Byte-level BPE with a pattern that is known has a path of its own; one more part sends it on the general one.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void encode_bytes_isTheSameOnBothPaths(boolean prefixSpace) throws IOException {
        List<String> pieces = new ArrayList<>();
        IntStream.range(0, 256).forEach(b -> pieces.add(String.valueOf(ByteAlphabet.letter(b))));
        Random vocabulary = new Random(5);
        List<String> merges = new ArrayList<>();
        while (merges.size() < 200) {
            String left = pieces.get(vocabulary.nextBoolean() ? vocabulary.nextInt(pieces.size()) : "ab Bc1".charAt(vocabulary.nextInt(6)));
            String right = pieces.get(vocabulary.nextBoolean() ? vocabulary.nextInt(pieces.size()) : "ab Bc1".charAt(vocabulary.nextInt(6)));
            if (!pieces.contains(left + right)) {
                pieces.add(left + right);
                merges.add("[" + string(left) + ", " + string(right) + "]");
            }
        }
        String bytes = "{'type': 'ByteLevel', 'add_prefix_space': " + prefixSpace + ", 'trim_offsets': true, 'use_regex': true}";
        String model = "'decoder': {'type': 'ByteLevel'}, 'model': {'type': 'BPE', " + vocab(pieces) + ", 'merges': " + merges + "}";
        Tokenizer fast = read("'pre_tokenizer': " + bytes + ", " + model);
        Tokenizer general = read("'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [{'type': 'FixedLength', 'length': 1000000}, "
                + bytes + "]}, " + model);
        rounds(300, random -> {
            String text = text(random, 20);
            int[] ids = fast.encode(text, Special.NONE);
            assertArrayEquals(ids, general.encode(text, Special.NONE), text);
            assertEquals(prefixSpace && !text.isEmpty() && !text.startsWith(" ") ? " " + text : text, fast.decode(ids));
        });
    }

    @Test
    void encode_wordPieces_areTheLongestFromTheLeft() throws IOException {
        rounds(150, random -> {
            List<String> pieces = new ArrayList<>(List.of("[UNK]", "a", "##b"));
            for (int i = 0; i < 12; i++) {
                String piece = random.ints(1 + random.nextInt(3), 'a', 'd').mapToObj(Character::toString).collect(Collectors.joining());
                pieces.add(random.nextBoolean() ? piece : "##" + piece);
            }
            List<String> distinct = pieces.stream().distinct().toList();
            Tokenizer tokenizer = read("'model': {'type': 'WordPiece', 'unk_token': '[UNK]', 'continuing_subword_prefix': '##',"
                    + " 'max_input_chars_per_word': 6, " + vocab(distinct) + "}");
            String word = random.ints(1 + random.nextInt(8), 'a', 'd').mapToObj(Character::toString).collect(Collectors.joining());
            List<String> expected = new ArrayList<>();
            for (int from = 0; from < word.length(); ) {
                int start = from;
                int end = IntStream.iterate(word.length(), to -> to > start, to -> to - 1)
                        .filter(to -> distinct.contains((start == 0 ? "" : "##") + word.substring(start, to))).findFirst().orElse(-1);
                if (end < 0 || word.length() > 6) {
                    expected = List.of("[UNK]");
                    break;
                }
                expected.add((start == 0 ? "" : "##") + word.substring(start, end));
                from = end;
            }
            assertEquals(expected, IntStream.of(tokenizer.encode(word, Special.NONE)).mapToObj(tokenizer::piece).toList(), word);
        });
    }

    /// The best score of any way to cut a text, by trying all.
    private static double best(String text, Map<String, Double> scores) {
        double best = text.isEmpty() ? 0 : Double.NEGATIVE_INFINITY;
        for (int to = 1; to <= text.length(); to++) {
            Double score = scores.get(text.substring(0, to));
            best = score == null ? best : Math.max(best, score + best(text.substring(to), scores));
        }
        return best;
    }

    @Test
    void encode_unigram_findsTheBestOfAllCuts() throws IOException {
        rounds(150, random -> {
            Map<String, Double> scores = new java.util.TreeMap<>();
            for (String letter : List.of("a", "b", "c")) {
                scores.put(letter, -1 - 9 * random.nextDouble());
            }
            for (int i = 0; i < 10; i++) {
                scores.put(random.ints(2 + random.nextInt(3), 'a', 'd').mapToObj(Character::toString).collect(Collectors.joining()),
                        -1 - 9 * random.nextDouble());
            }
            Tokenizer tokenizer = read("'decoder': {'type': 'Fuse'}, 'model': {'type': 'Unigram', 'unk_id': 0, 'vocab': [['?', -1], "
                    + scores.entrySet().stream().map(e -> "['" + e.getKey() + "', " + e.getValue() + "]").collect(Collectors.joining(", "))
                    + "]}");
            String text = random.ints(random.nextInt(10), 'a', 'd').mapToObj(Character::toString).collect(Collectors.joining());
            int[] ids = tokenizer.encode(text, Special.NONE);
            assertEquals(text, tokenizer.decode(ids));
            assertEquals(best(text, scores), IntStream.of(ids).mapToDouble(id -> scores.get(tokenizer.piece(id))).sum(), 1e-9, text);
        });
    }

    @Test
    void encode_unigramWithoutPiece_isUnknownOrBytes() {
        String model = "'model': {'type': 'Unigram', 'unk_id': 0, 'byte_fallback': %s, 'vocab': [['?', 0], ['a', -1], ['<0xC3>', -2],"
                + " ['<0xA9>', -2]]}";
        assertArrayEquals(new int[] {1, 0, 1}, read(model.formatted(false)).encode("aéxa", Special.NONE));
        assertArrayEquals(new int[] {1, 2, 3, 1}, read(model.formatted(true)).encode("aéa", Special.NONE));
    }

    /// Finds tokens by looking at each place for the longest.
    private static String naiveTokens(String text, List<String> tokens, boolean word, boolean left, boolean right) {
        StringBuilder result = new StringBuilder();
        int done = 0;
        for (int at = 0; at < text.length();) {
            int from = at;
            String found = tokens.stream().filter(token -> text.startsWith(token, from))
                    .max(java.util.Comparator.comparing(String::length)).orElse("");
            if (found.isEmpty()) {
                at++;
                continue;
            }
            at += found.length();
            if (word && (text.substring(0, from).matches("(?Us).*\\w") || text.substring(at).matches("(?Us)\\w.*"))) {
                continue;
            }
            String before = text.substring(Math.min(done, from), from);
            result.append(left ? before.replaceAll("(?U)\\s+\\z", "") : before).append('[').append(found).append(']');
            done = at + (right ? text.substring(at).length() - text.substring(at).replaceAll("(?U)^\\s+", "").length() : 0);
        }
        return result.append(text.substring(Math.min(done, text.length()))).toString();
    }

    @Test
    void split_addedTokens_areTheLongestWithTheirFlags() throws IOException {
        List<String> names = List.of("<tok>", "ab", "abc", "漢", "b");
        rounds(400, random -> {
            boolean word = random.nextBoolean();
            boolean left = random.nextBoolean();
            boolean right = random.nextBoolean();
            AddedTokens tokens = new AddedTokens(IntStream.range(0, names.size())
                    .mapToObj(id -> new AddedTokens.Token(id, names.get(id), word, left, right, id == 0)).toList());
            String text = text(random, 10);
            StringBuilder result = new StringBuilder();
            tokens.split(text, true, new AddedTokens.Parts() {
                @Override
                public void text(int from, int to) {
                    result.append(text, from, to);
                }

                @Override
                public void token(int id) {
                    result.append('[').append(names.get(id)).append(']');
                }
            });
            assertEquals(naiveTokens(text, names, word, left, right), result.toString(), text);
        });
    }

    @Test
    void encode_normalizedTokens_areFoundInNormalizedText() {
        Tokenizer tokenizer = read("'added_tokens': [" + added(2, "Day", "'normalized': true") + ", "
                + added(3, "Night", "'normalized': false") + "], 'normalizer': {'type': 'Lowercase'}, " + words("a"));
        assertArrayEquals(new int[] {2, 2, 3, 0}, tokenizer.encode("dayDAYNightnight", Special.NONE));
    }

    @Test
    void decode_eachDecoder_doesWhatItsStatementSays() throws IOException {
        assertDecodes("{'type': 'WordPiece', 'prefix': '##', 'cleanup': true}", "ab, cd", "a", "##b", ",", "cd");
        assertDecodes("{'type': 'WordPiece', 'prefix': '##', 'cleanup': false}", "ab , cd", "a", "##b", ",", "cd");
        assertDecodes("{'type': 'BPEDecoder', 'suffix': '</w>'}", "ab cd", "a", "b</w>", "cd</w>");
        assertDecodes("{'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always'}", "a b", "▁a", "▁b");
        assertDecodes("{'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'never'}", " a b", "▁a", "▁b");
        assertDecodes("{'type': 'Fuse'}", "ab", "a", "b");
        assertDecodes("{'type': 'Strip', 'content': '_', 'start': 1, 'stop': 1}", "ab", "_a_", "_b");
        assertDecodes("{'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '_'}, 'content': ' '},"
                + " {'type': 'ByteFallback'}, {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 1}]}",
                "a €b", "_a", "_", "<0xE2>", "<0x82>", "<0xAC>", "b", "_");
        assertDecodes("{'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'Replace', 'pattern': {'String': 'bc'},"
                + " 'content': '-'}]}", "a-db", "a", "b", "cd", "b");
        assertDecodes("{'type': 'ByteFallback'}", "\ufffd\ufffda", "<0xE2>", "<0x82>", "a");
        assertDecodes("{'type': 'ByteLevel'}", "é ", "Ã", "©Ġ");
        assertDecodes("null", "a b", "a", "b");
    }

    private void assertDecodes(String decoder, String text, String... pieces) {
        List<String> distinct = Arrays.stream(pieces).distinct().toList();
        Tokenizer tokenizer = read("'decoder': " + decoder + ", " + words(distinct.toArray(String[]::new)));
        int[] ids = Arrays.stream(pieces).mapToInt(piece -> 1 + distinct.indexOf(piece)).toArray();
        assertEquals(text, tokenizer.decode(ids), decoder);
    }

    @Test
    void decode_wordPiecesWithCleanup_losesTheBlanksOfEachRule() throws IOException {
        String[][] rules = {{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
            {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
        rounds(200, random -> {
            String piece = random.ints(1 + random.nextInt(8), 0, 16).mapToObj(i -> new String[] {" ", " ", ".", "?", "!", ",", "'", "n't", "m",
                "do not", "s", "ve", "re", "n", "d", " do"}[i]).collect(Collectors.joining());
            String expected = " " + piece;
            for (String[] rule : rules) {
                expected = expected.replace(rule[0], rule[1]);
            }
            assertDecodes("{'type': 'WordPiece', 'prefix': '##', 'cleanup': true}", "a" + expected, "a", piece);
        });
    }

    @Test
    void decode_addedTokenWithAnIdThatTheModelLeavesOut_isWritten() {
        Tokenizer tokenizer = read("'added_tokens': [" + added(1, "<x>", "'special': false") + "], 'decoder': {'type': 'Fuse'}, "
                + "'model': {'type': 'WordLevel', 'unk_token': '?', 'vocab': {'?': 0, 'a': 2}}");
        assertArrayEquals(new int[] {1, 2}, tokenizer.encode("<x>a", Special.NONE));
        assertEquals("<x>a", tokenizer.decode(1, 2));
        assertEquals("<x>", tokenizer.piece(1));
    }

    /// A segmenter that gives a word its length and its characters.
    private static void spell(String word, IntConsumer ids) {
        ids.accept(word.length());
        word.chars().forEach(ids);
    }

    @Test
    void segment_wordsSeenBefore_haveTheTokensOfTheFirstTime() throws IOException {
        rounds(20, random -> {
            int length = random.nextInt(600);
            Segmenter.Words words = RecentWords.of(TokenizerJsonTest::spell, length);
            List<Integer> expected = new ArrayList<>();
            List<Integer> found = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                // "Aa" and "BB" have the same hash
                String word = random.ints(1 + random.nextInt(20), 0, 3).mapToObj(c -> new String[] {"Aa", "BB", "c"}[c])
                        .collect(Collectors.joining());
                spell(word, expected::add);
                words.segment(word, found::add);
            }
            assertEquals(expected, found);
        });
    }

    @Test
    void encode_postProcessors_putTheirTokensAround() {
        String model = words("a", "<s>", "</s>");
        String template = "{'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': 'x', 'type_id': 0}}, {'Sequence':"
                + " {'id': 'A', 'type_id': 0}}, {'SpecialToken': {'id': 'y', 'type_id': 0}}], 'pair': [], 'special_tokens': {'x': {'id': 'x',"
                + " 'ids': [2, 1], 'tokens': ['x', 'x']}, 'y': {'id': 'y', 'ids': [3], 'tokens': ['y']}}}";
        assertArrayEquals(new int[] {2, 1, 1, 3}, read("'post_processor': " + template + ", " + model).encode("a", Special.ADD));
        assertArrayEquals(new int[] {2, 1, 1, 3}, read("'post_processor': {'type': 'Sequence', 'processors': [{'type': 'ByteLevel'}, "
                + template + "]}, " + model).encode("a", Special.ADD));
        for (String type : List.of("BertProcessing", "RobertaProcessing")) {
            Tokenizer tokenizer = read("'post_processor': {'type': '" + type + "', 'sep': ['</s>', 3], 'cls': ['<s>', 2]}, " + model);
            assertArrayEquals(new int[] {2, 1, 3}, tokenizer.encode("a", Special.ADD));
            assertArrayEquals(new int[] {1}, tokenizer.encode("a", Special.NONE));
        }
    }

    @Test
    void read_settingsBeside_changeThePipeline() throws IOException {
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(file, json("'post_processor': {'type': 'BertProcessing', 'sep': ['</s>', 3], 'cls': ['<s>', 2]},"
                + " 'normalizer': {'type': 'BertNormalizer', 'clean_text': true, 'handle_chinese_chars': true, 'strip_accents': null,"
                + " 'lowercase': false}, " + words("a", "<s>", "</s>")));
        assertArrayEquals(new int[] {2, 0, 3}, Tokenizers.fromTokenizerJson(file).encode("A", Special.ADD));
        Files.writeString(folder.resolve("tokenizer_config.json"), quoted("{'add_bos_token': false, 'bos_token': {'content': '<s>'},"
                + " 'eos_token': '</s>', 'do_lower_case': true, 'legacy': false, 'model_max_length': 8}"));
        FormatReport report = new FormatReport();
        Tokenizer tokenizer = Tokenizers.fromTokenizerJson(file, report);
        assertArrayEquals(new int[] {1, 3}, tokenizer.encode("A", Special.ADD));
        assertEquals(OptionalInt.of(2), tokenizer.beginOfText());
        assertTrue(tokenizer.isEndOfText(3));
        assertEquals(List.of("add_bos_token", "bos_token", "eos_token", "do_lower_case"), names(report, "tokenizer_config.json", Use.READ));
        assertEquals(List.of("legacy", "model_max_length"), names(report, "tokenizer_config.json", Use.IGNORED));
        Files.writeString(folder.resolve("tokenizer_config.json"), quoted("{'add_bos_token': false, 'bos_token': '<s>', 'model_max_length': Infinity}"));
        assertArrayEquals(new int[] {0, 3}, Tokenizers.fromTokenizerJson(file).encode("A", Special.ADD)); // as Python writes it
        Files.writeString(folder.resolve("tokenizer_config.json"), quoted("{'add_eos_token': true}"));
        assertThrows(FormatException.class, () -> Tokenizers.fromTokenizerJson(file));
    }

    @Test
    void read_tokensThatOnlyTheConfigHas_areAddedAsPythonDoes() throws IOException {
        Path file = Files.writeString(folder.resolve("tokenizer.json"), json("'added_tokens': [" + added(3, "<s>", "'special': true")
                + "], 'pre_tokenizer': {'type': 'WhitespaceSplit'}, " + words("a", "b")));
        Path config = folder.resolve("tokenizer_config.json");
        assertArrayEquals(new int[] {3, 1, 0}, Tokenizers.fromTokenizerJson(file).encode("<s>a b<x>", PARSE));
        Files.writeString(config, quoted("{'added_tokens_decoder': {'3': {'content': '<s>', 'special': true},"
                + " '4': {'content': '<x>', 'special': false, 'rstrip': true, '__type': 'AddedToken'}, '2': {'content': 'b'}}}"));
        FormatReport report = new FormatReport();
        Tokenizer tokenizer = Tokenizers.fromTokenizerJson(file, report);

        assertArrayEquals(new int[] {3, 1, 2, 4, 2, 1}, tokenizer.encode("<s>a b<x> ba", PARSE));
        assertEquals(5, tokenizer.vocabularySize());
        assertEquals("<x>", tokenizer.decode(4));
        assertEquals(List.of(), report.warnings());
        assertTrue(report.entries(Use.READ).stream().anyMatch(entry -> entry.name().equals("added_tokens_decoder")));
    }

    @Test
    void read_tokensOfTheConfigThatDisagree_areSaidAndLeftOut() throws IOException {
        Path file = Files.writeString(folder.resolve("tokenizer.json"), json("'added_tokens': [" + added(3, "<s>", "'special': true")
                + "], 'pre_tokenizer': {'type': 'WhitespaceSplit'}, " + words("a", "b")));
        for (String token : List.of("'3': {'content': '<x>'}", "'1': {'content': '<x>'}", "'7': {'content': '<s>'}")) {
            Files.writeString(folder.resolve("tokenizer_config.json"), quoted("{'added_tokens_decoder': {" + token + "}}"));
            FormatReport report = new FormatReport();
            Tokenizer tokenizer = Tokenizers.fromTokenizerJson(file, report);

            assertArrayEquals(new int[] {3, 1, 0}, tokenizer.encode("<s>a <x>", PARSE));
            assertEquals(4, tokenizer.vocabularySize());
            assertEquals(1, report.warnings().size(), report.warnings()::toString);
            assertTrue(report.warnings().getFirst().startsWith("tokenizer_config.json: added_tokens_decoder." + token.charAt(1) + " is '<"),
                    report.warnings()::toString);
        }
        for (String token : List.of("'x': {'content': 'b'}", "'-1': {'content': 'b'}", "'4': 'b'", "'4': {}", "'4': {'content': 'b', 'lstrip': 1}")) {
            Files.writeString(folder.resolve("tokenizer_config.json"), quoted("{'added_tokens_decoder': {" + token + "}}"));
            String message = assertThrows(FormatException.class, () -> Tokenizers.fromTokenizerJson(file)).getMessage();
            assertTrue(message.contains("tokenizer_config.json: added_tokens_decoder."), message);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"' a'", "'a '", "'ab'", "['', 'a']", "['a', '']", "['a']", "''"})
    void read_mergeWithoutTwoSides_isRefusedByName(String merge) throws IOException {
        String message = refusal("'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': false, 'use_regex': true}, 'model': {'type': 'BPE', "
                + vocab(IntStream.range(0, 256).mapToObj(b -> String.valueOf(ByteAlphabet.letter(b))).toList()) + ", 'merges': [" + merge + "]}");
        assertTrue(message.contains("merges is ") && message.contains("expected a pair of tokens"), message);
    }

    private static List<String> names(FormatReport report, String file, Use use) {
        List<String> order = List.of("add_bos_token", "bos_token", "eos_token", "do_lower_case", "legacy", "model_max_length");
        return report.entries(use).stream().filter(entry -> entry.file().equals(file)).map(FormatReport.Entry::name)
                .sorted(java.util.Comparator.comparing(order::indexOf)).toList();
    }

    @Test
    void encode_hostilePatternsAndTokens_endInTime() throws IOException {
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            Tokenizer slow = read("'normalizer': {'type': 'Replace', 'pattern': {'Regex': 'a*a*a*a*b'}, 'content': ''}, " + words("a"));
            assertThrows(IllegalArgumentException.class, () -> slow.encode("a".repeat(5_000), Special.NONE));
            Tokenizer deep = read("'pre_tokenizer': {'type': 'Split', 'pattern': {'Regex': '\\\\S{2,}|(?:a|🦙)?'}, 'behavior': 'Isolated'}, "
                    + words("a"));
            deep.encode("🦙a".repeat(200_000), Special.NONE);
            Tokenizer spaces = read("'added_tokens': [" + added(2, " ", "'rstrip': true, 'lstrip': true") + ", "
                    + added(3, "a".repeat(1000), "'special': false") + "], " + words("a"));
            spaces.encode(" ".repeat(200_000) + "a".repeat(100_000), Special.NONE);
            read("'model': {'type': 'BPE', 'vocab': {'a': 0, 'aa': 1, 'aaaa': 2}, 'merges': [['a', 'a'], ['aa', 'aa']]}")
                    .encode("a".repeat(1_000_000), Special.NONE);
        });
        for (String pattern : List.of("(a|b)*", "(?:ab)+", "a{2}?", "(?P<x>a)", "\\\\R", "a**", "(", "[", "[a", "a{2001}", "\\\\1",
                "[[:alpha:]]", "a{1,2}{3}", ")", "(?i)(?<n>a)", "\\\\k<x>", "(?:)*", "*", "\\\\")) {
            String message = refusal("'pre_tokenizer': {'type': 'Split', 'pattern': {'Regex': '" + pattern + "'}, 'behavior': 'Removed'}, "
                    + words("a"));
            assertTrue(message.contains("the pattern "), message);
        }
    }

    /// All parts of the format with all their keys, and values that change nothing where others are refused.
    private static final List<String> PARTS = List.of(
            "'normalizer': {'type': 'NFC'}", "'normalizer': {'type': 'NFD'}", "'normalizer': {'type': 'NFKC'}",
            "'normalizer': {'type': 'NFKD'}", "'normalizer': {'type': 'Lowercase'}",
            "'normalizer': {'type': 'Strip', 'strip_left': true, 'strip_right': true}", "'normalizer': {'type': 'StripAccents'}",
            "'normalizer': {'type': 'Nmt'}", "'normalizer': {'type': 'ByteLevel'}", "'normalizer': {'type': 'Prepend', 'prepend': 'a'}",
            "'normalizer': {'type': 'Replace', 'pattern': {'String': 'a'}, 'content': 'b'}",
            "'normalizer': {'type': 'Precompiled', 'precompiled_charsmap': 'BAAAAAAAAIAA'}",
            "'normalizer': {'type': 'BertNormalizer', 'clean_text': true, 'handle_chinese_chars': true, 'strip_accents': null, 'lowercase': true}",
            "'normalizer': {'type': 'Sequence', 'normalizers': []}",
            "'pre_tokenizer': {'type': 'BertPreTokenizer'}",
            "'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true, 'use_regex': true}",
            "'pre_tokenizer': {'type': 'CharDelimiterSplit', 'delimiter': 'a'}",
            "'pre_tokenizer': {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always', 'split': true, 'add_prefix_space': true,"
                    + " 'str_rep': '▁'}",
            "'pre_tokenizer': {'type': 'Whitespace'}", "'pre_tokenizer': {'type': 'WhitespaceSplit'}",
            "'pre_tokenizer': {'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'Removed', 'invert': false}",
            "'pre_tokenizer': {'type': 'Punctuation', 'behavior': 'Isolated'}",
            "'pre_tokenizer': {'type': 'Digits', 'individual_digits': true}", "'pre_tokenizer': {'type': 'UnicodeScripts'}",
            "'pre_tokenizer': {'type': 'FixedLength', 'length': 5}", "'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': []}",
            "'model': {'type': 'BPE', 'dropout': null, 'unk_token': null, 'continuing_subword_prefix': null, 'end_of_word_suffix': null,"
                    + " 'fuse_unk': false, 'byte_fallback': false, 'ignore_merges': false, 'vocab': {}, 'merges': []}",
            "'model': {'type': 'WordPiece', 'unk_token': 'a', 'continuing_subword_prefix': '##', 'max_input_chars_per_word': 100,"
                    + " 'vocab': {'a': 0}}",
            "'model': {'type': 'WordLevel', 'unk_token': 'a', 'vocab': {'a': 0}}",
            "'model': {'type': 'Unigram', 'unk_id': 0, 'byte_fallback': false, 'vocab': [['a', 0]]}",
            "'post_processor': {'type': 'TemplateProcessing', 'single': [{'Sequence': {'id': 'A', 'type_id': 0}}], 'pair': [],"
                    + " 'special_tokens': {}}",
            "'post_processor': {'type': 'BertProcessing', 'sep': ['a', 0], 'cls': ['a', 0]}",
            "'post_processor': {'type': 'RobertaProcessing', 'sep': ['a', 0], 'cls': ['a', 0], 'trim_offsets': true, 'add_prefix_space': true}",
            "'post_processor': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true, 'use_regex': true}",
            "'post_processor': {'type': 'Sequence', 'processors': []}",
            "'decoder': {'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true, 'use_regex': true}",
            "'decoder': {'type': 'ByteFallback'}", "'decoder': {'type': 'Fuse'}",
            "'decoder': {'type': 'Strip', 'content': 'a', 'start': 1, 'stop': 0}",
            "'decoder': {'type': 'Replace', 'pattern': {'String': 'a'}, 'content': 'b'}",
            "'decoder': {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always', 'split': true, 'add_prefix_space': true,"
                    + " 'str_rep': '▁'}",
            "'decoder': {'type': 'WordPiece', 'prefix': '##', 'cleanup': true}", "'decoder': {'type': 'BPEDecoder', 'suffix': '</w>'}",
            "'decoder': {'type': 'CTC', 'pad_token': 'a', 'word_delimiter_token': '|', 'cleanup': true}",
            "'decoder': {'type': 'Sequence', 'decoders': []}",
            "'added_tokens': [{'id': 0, 'content': 'a', 'single_word': false, 'lstrip': false, 'rstrip': false, 'normalized': false,"
                    + " 'special': true}]",
            "'version': '1.0', 'truncation': {'max_length': 1}, 'padding': {'strategy': 'BatchLongest'}, 'added_tokens': [],"
                    + " 'normalizer': null, 'pre_tokenizer': null, 'post_processor': null, 'decoder': null");

    static List<String> parts() {
        return PARTS;
    }

    private static FormatReport reportOf(String parts, Path file) throws IOException {
        String model = parts.contains("'model'") ? "" : ", 'model': {'type': 'WordLevel', 'unk_token': 'a', 'vocab': {'a': 0}}";
        FormatReport report = new FormatReport();
        Files.writeString(file, quoted("{" + parts + model + "}"));
        try {
            Tokenizers.fromTokenizerJson(file, report);
        } catch (FormatException e) {
            assertTrue(!report.entries(Use.UNSUPPORTED).isEmpty(), e.getMessage());
        }
        return report;
    }

    /// The row that the page on decisions has for a part: what becomes of each of its keys.
    private static String row(String name, FormatReport report) {
        return Stream.of(Use.READ, Use.IGNORED, Use.UNSUPPORTED).map(use -> report.entries(use).stream()
                        .map(FormatReport.Entry::name).filter(entry -> !name.equals("the file") ? entry.startsWith(name + ".")
                                : !entry.contains(".") && !entry.contains(" "))
                        .map(entry -> entry.substring(entry.lastIndexOf('.') + 1)).distinct()
                        .filter(key -> use == Use.UNSUPPORTED || !key.equals("type")).sorted()
                        .map(key -> "`" + key + "`").collect(Collectors.joining(", ")))
                .map(keys -> keys.isEmpty() ? " |" : " " + keys + " |").collect(Collectors.joining("", "| " + name + " |", ""));
    }

    private static String name(String part) {
        if (part.startsWith("'version'")) {
            return "the file";
        }
        String section = part.substring(1, part.indexOf('\'', 1));
        int type = part.indexOf("'type': '") + 9;
        return section.equals("added_tokens") ? section : section + " " + part.substring(type, part.indexOf('\'', type));
    }

    @ParameterizedTest
    @MethodSource("parts")
    void read_eachPartWithAllKeys_notesEachAsThePageSays(String part) throws IOException {
        String row = row(name(part), reportOf(part, folder.resolve("t.json")));
        List<String> page = Files.readAllLines(page());
        assertTrue(page.contains(row), () -> "docs/decisions/tokenizer-json.md has no row " + row);
        assertEquals(PARTS.size(), page.stream().filter(line -> line.matches("\\| (normalizer|pre_tokenizer|model|post_processor|decoder)"
                + " \\w+ \\|.*|\\| (added_tokens|the file) \\|.*")).count(), "rows of parts on the page");
    }

    private static Path page() {
        Path page = Path.of("docs/decisions/tokenizer-json.md");
        return Files.exists(page) ? page : Path.of("..").resolve(page);
    }

    @ParameterizedTest
    @MethodSource("parts")
    void read_eachPartWithAKeyMore_refusesItByName(String part) throws IOException {
        String more = part.startsWith("'version'") ? part + ", 'surprise': 1" : part.replaceFirst("(\\}\\]?)$", ", 'surprise': 1$1");
        List<String> refused = reportOf(more, folder.resolve("t.json")).entries(Use.UNSUPPORTED).stream().map(FormatReport.Entry::name)
                .filter(name -> name.endsWith("surprise")).toList();
        assertEquals(List.of(part.startsWith("'version'") ? "surprise" : name(part) + ".surprise"), refused);
    }

    @ParameterizedTest
    @ValueSource(strings = {"normalizer", "pre_tokenizer", "post_processor", "decoder"})
    void read_unknownType_isRefusedByName(String section) throws IOException {
        String message = refusal("'" + section + "': {'type': 'Oracle'}, " + words("a"));
        assertTrue(message.contains(section + " Oracle"), message);
    }

    @Test
    void read_valuesThatCannotBeDone_areRefused() throws IOException {
        for (String parts : Collections.unmodifiableList(Arrays.asList(
                "'model': {'type': 'BPE', 'dropout': 0.1, 'vocab': {'a': 0}, 'merges': []}",
                "'model': {'type': 'BPE', 'vocab': {'a': 0}, 'merges': [['a', 'b']]}",
                "'model': {'type': 'BPE', 'vocab': {'a': 0}, 'merges': ['a b c']}",
                "'model': {'type': 'WordPiece', 'unk_token': 'b', 'vocab': {'a': 0}}",
                "'model': {'type': 'Unigram', 'unk_id': 9, 'vocab': [['a', 0]]}",
                "'model': {'type': 'Oracle', 'vocab': {'a': 0}}",
                "'post_processor': {'type': 'TemplateProcessing', 'single': [], 'special_tokens': {}}, " + words("a"),
                "'post_processor': {'type': 'BertProcessing', 'sep': ['x', 7], 'cls': ['x', 7]}, " + words("a"),
                "'pre_tokenizer': {'type': 'Metaspace', 'replacement': 'ab'}, " + words("a"),
                "'added_tokens': [" + added(1, "b", "'special': true") + "], " + words("a")))) {
            refusal(parts);
        }
        Path old = Files.writeString(folder.resolve("old.json"), quoted("{'version': '2.0', " + words("a") + "}"));
        assertTrue(assertThrows(FormatException.class, () -> Tokenizers.fromTokenizerJson(old)).getMessage().contains("version"));
    }
}
