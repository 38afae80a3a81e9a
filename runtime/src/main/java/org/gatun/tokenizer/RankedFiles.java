package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.gatun.format.FormatException;
import org.gatun.format.JsonFile;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// Reads byte-level vocabularies that come as lists: tiktoken's rank files, and `vocab.json` with `merges.txt`.
final class RankedFiles {
    /// Far above any token; taking a token apart in all places takes quadratic time.
    private static final int MAX_TOKEN_BYTES = 1024;

    private final Path file;
    private final IdTable pieces = new IdTable();

    private RankedFiles(Path file) {
        this.file = file;
    }

    static Tokenizer tiktoken(Path ranks, String encoding) throws IOException {
        PreTokenizer words = words(encoding);
        RankedFiles vocabulary = new RankedFiles(ranks);
        byte[] bytes = Files.readAllBytes(ranks);
        for (int from = 0, to; from < bytes.length; from = to + 1) {
            for (to = from; to < bytes.length && bytes[to] != '\n'; to++) { }
            String line = new String(bytes, from, to - from, StandardCharsets.ISO_8859_1).strip();
            if (!line.isEmpty()) {
                vocabulary.addRank(line, from);
            }
        }
        Vocabulary all = vocabulary.build(specialTokens(encoding));
        return vocabulary.tokenizer(all, new BytePairs(all, words));
    }

    private void addRank(String line, int offset) throws FormatException {
        int blank = line.indexOf(' ');
        try {
            byte[] token = Base64.getDecoder().decode(line.substring(0, Math.max(0, blank)));
            if (token.length == 0 || token.length > MAX_TOKEN_BYTES) {
                throw new FormatException(file, offset, "token of " + token.length + " bytes: expected 1 to "
                        + MAX_TOKEN_BYTES);
            }
            add(ByteAlphabet.spell(token, 0, token.length), Integer.parseInt(line.substring(blank + 1)), offset);
        } catch (IllegalArgumentException e) {
            throw new FormatException(file, offset, "'" + line + "': expected a token in base64, a blank and its rank", e);
        }
    }

    static Tokenizer bpe(Path vocabularyJson, Path merges, String pre) throws IOException {
        PreTokenizer words = words(pre);
        RankedFiles vocabulary = new RankedFiles(vocabularyJson);
        byte[] text = Files.readAllBytes(vocabularyJson);
        try (JsonParser json = new JsonFactory().createParser(ObjectReadContext.empty(), text)) {
            vocabulary.expect(json, json.nextToken() == JsonToken.START_OBJECT);
            while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                String piece = json.currentName();
                vocabulary.expect(json, json.nextToken() == JsonToken.VALUE_NUMBER_INT
                        && json.getNumberType() == JsonParser.NumberType.INT);
                vocabulary.add(piece, json.getIntValue(), json.currentLocation().getByteOffset());
            }
            vocabulary.expect(json, json.currentToken() == JsonToken.END_OBJECT);
        } catch (JacksonException e) {
            throw JsonFile.damaged(vocabularyJson, text, e);
        }
        List<String> lines = new ArrayList<>(Arrays.asList(Files.readString(merges).split("\r?\n")));
        if (lines.getFirst().startsWith("#version")) {
            lines.removeFirst();
        }
        lines.removeIf(String::isEmpty);
        Vocabulary all = vocabulary.build(Map.of());
        try {
            return vocabulary.tokenizer(all, new BytePairs(all, words, PreTokenizer.keepsWholeWords(pre), lines));
        } catch (IllegalArgumentException e) {
            throw new FormatException(merges, -1, e.getMessage(), e);
        }
    }

    private void expect(JsonParser json, boolean met) throws FormatException {
        if (!met) {
            throw new FormatException(file, json.currentLocation().getByteOffset(), "found "
                    + (json.currentToken() == null ? "nothing" : "'" + json.getString() + "'")
                    + ": expected one object of tokens and their ids, which are numbers up to " + Integer.MAX_VALUE);
        }
    }

    private void add(String piece, int id, long offset) throws FormatException {
        if (id < 0) {
            throw new FormatException(file, offset, "id " + id + " of '" + piece + "': expected 0 or more");
        }
        pieces.put(piece, id);
    }

    /// @param special tokens that are not in the file
    private Vocabulary build(Map<String, Integer> special) throws FormatException {
        String[] read;
        try {
            read = pieces.toArray();
        } catch (IllegalArgumentException e) {
            throw new FormatException(file, -1, e.getMessage(), e);
        }
        int size = special.values().stream().reduce(read.length, (max, id) -> Math.max(max, id + 1));
        String[] array = Arrays.copyOf(read, size);
        Arrays.fill(array, read.length, size, "");
        special.forEach((piece, id) -> array[id] = piece);
        Kind[] kinds = new Kind[size];
        for (int id = 0; id < size; id++) {
            kinds[id] = array[id].isEmpty() ? Kind.UNUSED
                    : special.containsKey(array[id]) || GgufTokenizer.ENDS.contains(array[id]) ? Kind.CONTROL : Kind.NORMAL;
        }
        return new Vocabulary(array, kinds, new float[0], Spelling.BYTES);
    }

    private Tokenizer tokenizer(Vocabulary vocabulary, Segmenter segmenter) {
        int begin = Math.max(vocabulary.id("<|begin_of_text|>"), vocabulary.id("<|endoftext|>"));
        return new VocabularyTokenizer(vocabulary, segmenter, new VocabularyTokenizer.Frame(new int[0], new int[0],
                begin >= 0 ? OptionalInt.of(begin) : OptionalInt.empty(), GgufTokenizer.endNames(vocabulary), false));
    }

    private static PreTokenizer words(String name) {
        return PreTokenizer.named(name).orElseThrow(() -> new IllegalArgumentException("pre-tokenizer '" + name
                + "' is not known: expected one of "
                + String.join(", ", PreTokenizer.names())));
    }

    /// Those that tiktoken adds to the file.
    private static Map<String, Integer> specialTokens(String encoding) {
        return switch (encoding) {
            case "r50k_base", "p50k_base" -> Map.of("<|endoftext|>", 50256);
            case "cl100k_base" -> Map.of("<|endoftext|>", 100257, "<|fim_prefix|>", 100258, "<|fim_middle|>", 100259,
                    "<|fim_suffix|>", 100260, "<|endofprompt|>", 100276);
            case "o200k_base" -> Map.of("<|endoftext|>", 199999, "<|endofprompt|>", 200018);
            default -> Map.of();
        };
    }
}
