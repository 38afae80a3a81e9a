package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.JsonFile;
import tools.jackson.databind.JsonNode;

/// `tokenizer_config.json` and `special_tokens_map.json` beside a `tokenizer.json`: what Python's classes change in the
/// pipeline when they load it.
///
/// @param addBegin whether the beginning-of-text token is put before a text; as the pipeline has it if empty
/// @param addEnd whether the end-of-text token is put after a text; as the pipeline has it if empty
/// @param begin the beginning-of-text token as written
/// @param end the end-of-text token as written
/// @param prefixSpace instead of `add_prefix_space` of a ByteLevel pre-tokenizer
/// @param lowercase instead of that of a BertNormalizer
/// @param stripAccents instead of that of a BertNormalizer
/// @param chinese instead of `handle_chinese_chars` of a BertNormalizer
/// @param addedTokens by their ids; some may be missing in the pipeline
record TokenizerConfig(Optional<Boolean> addBegin, Optional<Boolean> addEnd, Optional<String> begin, Optional<String> end,
        Optional<Boolean> prefixSpace, Optional<Boolean> lowercase, Optional<Boolean> stripAccents, Optional<Boolean> chinese,
        Map<Integer, JsonPart> addedTokens) {

    static final TokenizerConfig NONE = new TokenizerConfig(Optional.empty(), Optional.empty(), Optional.empty(),
            Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), Map.of());

    private static final String NAME = "tokenizer_config.json";
    private static final String MAP = "special_tokens_map.json";
    private static final String ADDED_TOKENS = "added_tokens_decoder";

    /// Keys that change no id, and why; the rest are settings of programs.
    private static final Map<String, String> HARMLESS = Map.of(
            "legacy", "tokenizer.json has what follows from it",
            "clean_up_tokenization_spaces", "the decoder of tokenizer.json says what to clean up",
            "spaces_between_special_tokens", "special tokens are left out of texts",
            "chat_template", "read as a template, not as a part of the tokenizer",
            "model_max_length", "Gatun cuts no text",
            "truncation_side", "Gatun cuts no text",
            "padding_side", "Gatun pads no text",
            "pad_token", "Gatun pads no text");

    /// What stands beside a file, nothing if it is not named `tokenizer.json`.
    ///
    /// @throws FormatException if one of the files is damaged
    static TokenizerConfig beside(Path tokenizer, FormatReport report) throws IOException {
        if (!String.valueOf(tokenizer.getFileName()).equals("tokenizer.json")) {
            return NONE;
        }
        Optional<JsonPart> config = part(tokenizer.resolveSibling(NAME), report);
        Optional<JsonPart> map = part(tokenizer.resolveSibling(MAP), report);
        TokenizerConfig read = config.isPresent() ? of(config.get()) : NONE;
        if (map.isEmpty()) {
            return read;
        }
        Optional<String> begin = token(map.get(), "bos_token");
        Optional<String> end = token(map.get(), "eos_token");
        map.get().names().forEach(key -> map.get().ignore(key, "tokenizer.json has the tokens"));
        return new TokenizerConfig(read.addBegin, read.addEnd, read.begin.or(() -> begin), read.end.or(() -> end),
                read.prefixSpace, read.lowercase, read.stripAccents, read.chinese, read.addedTokens);
    }

    private static Optional<JsonPart> part(Path file, FormatReport report) throws IOException {
        return Files.exists(file) ? Optional.of(new JsonPart(
                new JsonPart.Source(file, String.valueOf(file.getFileName()), report), "", JsonFile.readObject(file))) : Optional.empty();
    }

    private static TokenizerConfig of(JsonPart config) throws FormatException {
        TokenizerConfig read = new TokenizerConfig(config.flag("add_bos_token"), config.flag("add_eos_token"),
                token(config, "bos_token"), token(config, "eos_token"), config.flag("add_prefix_space"),
                config.flag("do_lower_case"), config.flag("strip_accents"), config.flag("tokenize_chinese_chars"),
                addedTokens(config));
        config.names().forEach(key -> config.ignore(key, HARMLESS.getOrDefault(key, "a setting of Python's classes")));
        return read;
    }

    private static Map<Integer, JsonPart> addedTokens(JsonPart config) throws FormatException {
        JsonNode tokens = config.node(ADDED_TOKENS);
        if (tokens.isMissingNode() || tokens.isNull()) {
            return Map.of();
        }
        Map<Integer, JsonPart> byId = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : tokens.properties()) {
            if (!entry.getKey().matches("\\d{1,9}") || !entry.getValue().isObject()) {
                throw config.problem(ADDED_TOKENS + "." + entry.getKey(), entry.getValue(), "an id, and an object with content");
            }
            byId.put(Integer.parseInt(entry.getKey()), new JsonPart(config.source(), ADDED_TOKENS, entry.getValue()));
        }
        return byId;
    }

    /// A token is written as a text, or as an object with its content.
    private static Optional<String> token(JsonPart config, String key) {
        JsonNode token = config.node(key);
        return Optional.of(token.isObject() ? token.path("content") : token).filter(JsonNode::isString)
                .map(JsonNode::stringValue);
    }

    Normalizer applyTo(Normalizer normalizer) {
        return normalizer instanceof Normalizer.Bert bert
                ? new Normalizer.Bert(bert.clean(), chinese.orElse(bert.chinese()),
                        stripAccents.or(() -> lowercase).orElse(bert.stripAccents()), lowercase.orElse(bert.lowercase()))
                : normalizer;
    }

    Splitter applyTo(Splitter splitter) {
        return splitter instanceof Splitter.ByteLevel bytes
                ? new Splitter.ByteLevel(prefixSpace.orElse(bytes.prefixSpace()), bytes.words()) : splitter;
    }

    /// @throws FormatException if a token is to be added that there is not
    VocabularyTokenizer.Frame applyTo(VocabularyTokenizer.Frame frame, Vocabulary vocabulary, Path file) throws FormatException {
        int[] before = around(frame.before(), addBegin, begin, vocabulary, file, "bos_token");
        int[] after = around(frame.after(), addEnd, end, vocabulary, file, "eos_token");
        end.map(vocabulary::id).filter(id -> id >= 0).ifPresent(frame.ends()::set);
        int first = before.length > 0 ? before[0] : begin.map(vocabulary::id).orElse(Vocabulary.NONE);
        return new VocabularyTokenizer.Frame(before, after, first < 0 ? OptionalInt.empty() : OptionalInt.of(first),
                frame.ends(), frame.spaceFirst());
    }

    private static int[] around(int[] tokens, Optional<Boolean> wanted, Optional<String> name, Vocabulary vocabulary, Path file,
            String key) throws FormatException {
        if (wanted.isEmpty()) {
            return tokens;
        }
        int id = name.map(vocabulary::id).orElse(Vocabulary.NONE);
        boolean there = IntStream.of(tokens).anyMatch(token -> token == id);
        if (wanted.get() && id < 0) {
            throw new FormatException(file.resolveSibling(NAME), -1, "add_" + key + " is true, and " + key + " is "
                    + name.map(text -> "'" + text + "'").orElse("missing") + ": expected a token");
        }
        if (wanted.get() == there) {
            return tokens;
        }
        boolean first = key.startsWith("b");
        return wanted.get() ? IntStream.concat(IntStream.of(first ? new int[] {id} : tokens),
                IntStream.of(first ? tokens : new int[] {id})).toArray()
                : Arrays.stream(tokens).filter(token -> token != id).toArray();
    }
}
