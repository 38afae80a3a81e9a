package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.gatun.format.FormatException;
import org.gatun.format.GgufFile;
import org.gatun.format.JsonFile;
import org.gatun.format.Metadata;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/// Finds chat templates, and the special tokens that they name, where publishers put them.
final class ChatTemplateFiles {
    private static final Logger LOG = LoggerFactory.getLogger(ChatTemplateFiles.class);
    private static final String GGUF_KEY = "tokenizer.chat_template";
    private static final String DEFAULT = "default";
    private static final String JSON_KEY = "chat_template";

    private ChatTemplateFiles() {}

    static Optional<ChatTemplate> fromGguf(Metadata metadata) throws FormatException {
        Map<String, String> sources = new LinkedHashMap<>();
        metadata.values().forEach((key, value) -> {
            boolean isNamed = key.startsWith(GGUF_KEY + ".");
            if (isNamed || key.equals(GGUF_KEY)) {
                if (value instanceof String source) {
                    sources.put(isNamed ? key.substring(GGUF_KEY.length() + 1) : DEFAULT, source);
                } else {
                    LOG.warn("{}: {} is no string, and is passed over", metadata.source(), key);
                }
            }
        });
        boolean isLlama = metadata.string("tokenizer.ggml.model").orElse("").equals("llama");
        return sources.isEmpty() ? Optional.empty() : Optional.of(new ChatTemplate(sources,
                piece(metadata, "bos", isLlama ? 1 : -1), piece(metadata, "eos", isLlama ? 2 : -1), Clock.systemDefaultZone()));
    }

    /// How the token is written that a GGUF file gives this part, empty if it gives none.
    private static String piece(Metadata metadata, String part, long usual) throws FormatException {
        List<String> pieces = metadata.strings("tokenizer.ggml.tokens").orElse(List.of());
        Object given = metadata.values().get("tokenizer.ggml." + part + "_token_id");
        long id = given instanceof Long number && number >= 0 && number < pieces.size() ? number : usual;
        return id >= 0 && id < pieces.size() ? pieces.get((int) id) : "";
    }

    static Optional<ChatTemplate> fromDirectory(Path directory) throws IOException {
        Optional<JsonNode> settings = json(directory.resolve("tokenizer_config.json"));
        Map<String, String> sources = new LinkedHashMap<>();
        Path jinja = directory.resolve("chat_template.jinja");
        if (Files.exists(jinja)) {
            sources.put(DEFAULT, text(jinja));
        }
        addNamed(directory.resolve("additional_chat_templates"), sources);
        if (sources.isEmpty()) {
            json(directory.resolve("chat_template.json")).ifPresent(file -> add(directory, file.path(JSON_KEY), sources));
        }
        if (sources.isEmpty()) {
            settings.ifPresent(file -> add(directory, file.path(JSON_KEY), sources));
        }
        if (sources.isEmpty()) {
            return Optional.empty();
        }
        List<JsonNode> files = Stream.of(settings, json(directory.resolve("special_tokens_map.json"))).flatMap(Optional::stream)
                .toList();
        return Optional.of(new ChatTemplate(sources, token(directory, files, "bos_token"), token(directory, files, "eos_token"),
                Clock.systemDefaultZone()));
    }

    /// Templates in files of their own: `tool_use.jinja`.
    private static void addNamed(Path folder, Map<String, String> sources) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".jinja")).sorted().toList()) {
                String name = file.getFileName().toString();
                sources.put(name.substring(0, name.length() - ".jinja".length()), text(file));
            }
        }
    }

    private static String text(Path file) throws IOException {
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new FormatException(file, -1, "found bytes that are no UTF-8: expected a chat template in UTF-8", e);
        }
    }

    /// A template, a list of named ones (`[{"name": "default", "template": "..."}]`), or a map of them.
    private static void add(Path directory, JsonNode given, Map<String, String> sources) {
        if (given.isString()) {
            sources.put(DEFAULT, given.stringValue());
        } else if (given.isArray()) {
            for (JsonNode one : given) {
                if (one.path("name").isString() && one.path("template").isString()) {
                    sources.put(one.path("name").stringValue(), one.path("template").stringValue());
                }
            }
        } else if (given.isObject()) {
            given.properties().stream().filter(one -> one.getValue().isString())
                    .forEach(one -> sources.put(one.getKey(), one.getValue().stringValue()));
        }
        boolean isAbsent = given.isMissingNode() || given.isNull();
        if (sources.isEmpty() && !isAbsent) {
            LOG.warn("{}: {} is no template and no list of named ones, and is passed over", directory, JSON_KEY);
        }
    }

    private static Optional<JsonNode> json(Path file) throws IOException {
        return Files.exists(file) ? Optional.of(JsonFile.readObject(file)) : Optional.empty();
    }

    /// How a special token is written: as the first file has it that speaks of it, else as the tokenizer has it.
    private static String token(Path directory, List<JsonNode> files, String key) throws IOException {
        for (JsonNode file : files) {
            JsonNode token = file.path(key);
            if (token.isString()) {
                return token.stringValue();
            }
            if (token.path("content").isString()) {
                return token.path("content").stringValue();
            }
            if (token.isNull()) {
                return "";
            }
        }
        boolean isBegin = key.equals("bos_token");
        Path gguf = directory.resolve("tokenizer.gguf");
        if (Files.exists(gguf)) {
            try (GgufFile header = GgufFile.open(gguf)) {
                return piece(header.metadata(), isBegin ? "bos" : "eos", -1);
            }
        }
        Path json = directory.resolve("tokenizer.json");
        Path sentencePiece = directory.resolve("tokenizer.model");
        if (!Files.exists(json) && !Files.exists(sentencePiece)) {
            return "";
        }
        Tokenizer tokenizer = Files.exists(json) ? Tokenizers.fromTokenizerJson(json) : Tokenizers.fromSentencePiece(sentencePiece);
        IntStream ids = isBegin ? tokenizer.beginOfText().stream()
                : IntStream.range(0, tokenizer.vocabularySize()).filter(tokenizer::isEndOfText);
        return ids.mapToObj(tokenizer::piece).findFirst().orElse("");
    }
}
