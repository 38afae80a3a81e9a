package org.gatun.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.Cleaner;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.gatun.format.FormatException;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// A `tokenizer.json`, encoded by the Hugging Face library; what tokens stand for is read from the file here.
final class JsonTokenizer implements Tokenizer {
    /* The library always reads special tokens in a text. So there are two of it: one made from the file as it is, one
     * from the file without its special tokens. */

    private static final Cleaner CLEANER = Cleaner.create();

    private final Vocabulary vocabulary;
    private final BitSet ends;
    private final boolean spaceFirst;
    private final HuggingFaceTokenizer parsing;
    private final HuggingFaceTokenizer plain;
    private final OptionalInt begin;

    private JsonTokenizer(ObjectNode json, Path file) throws FormatException {
        vocabulary = vocabulary(json, file);
        ends = GgufTokenizer.endNames(vocabulary);
        String decoder = json.path("decoder").toString();
        spaceFirst = decoder.contains("\"Strip\"") || decoder.contains("\"WordPiece\"")
                || decoder.contains("\"Metaspace\"") && !decoder.contains("\"prepend_scheme\":\"never\"")
                        && !decoder.contains("\"add_prefix_space\":false");
        json.putNull("truncation");
        json.putNull("padding");
        parsing = load(json);
        if (json.path("added_tokens") instanceof ArrayNode added) {
            added.removeIf(token -> token.path("special").asBoolean(false));
        }
        plain = load(json);
        int[] framed = encode("a", Special.ADD);
        int[] bare = encode("a", Special.NONE);
        begin = framed.length > bare.length && framed[0] != bare[0] ? OptionalInt.of(framed[0]) : OptionalInt.empty();
    }

    static Tokenizer read(Path file) throws IOException {
        try {
            if (!(JsonMapper.shared().readTree(Files.readAllBytes(file)) instanceof ObjectNode json)) {
                throw new FormatException(file, -1, "no JSON object: expected a tokenizer.json");
            }
            return new JsonTokenizer(json, file);
        } catch (JacksonException e) {
            throw new FormatException(file, -1, "no JSON: " + e.getOriginalMessage(), e);
        } catch (RuntimeException e) {
            throw new FormatException(file, -1, "the Hugging Face library does not accept it: " + e.getMessage(), e);
        } catch (LinkageError e) {
            throw new FormatException(file, -1, "the Hugging Face library cannot be loaded on this machine (" + e
                    + "): use a GGUF file or a tokenizer.model instead", e);
        }
    }

    /// The library, kept from the network: it would fetch a build for the CUDA it finds, and report its use.
    private HuggingFaceTokenizer load(ObjectNode json) {
        System.getProperties().putIfAbsent("RUST_FLAVOR", "cpu");
        System.getProperties().putIfAbsent("OPT_OUT_TRACKING", "true");
        byte[] bytes = json.toString().getBytes(StandardCharsets.UTF_8);
        try {
            HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(bytes),
                    Map.of("truncation", "false", "padding", "false"));
            CLEANER.register(this, tokenizer::close);
            return tokenizer;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Vocabulary vocabulary(ObjectNode json, Path file) throws FormatException {
        JsonNode model = json.path("model");
        JsonNode entries = model.path("vocab");
        boolean bytes = json.path("decoder").toString().contains("\"ByteLevel\"");
        boolean wordPiece = model.path("type").asString("").equals("WordPiece");
        TreeMap<Integer, String> pieces = new TreeMap<>();
        if (entries.isArray()) {
            for (int id = 0; id < entries.size(); id++) {
                pieces.put(id, entries.path(id).path(0).asString(""));
            }
        } else {
            entries.properties().forEach(entry -> {
                String piece = entry.getKey();
                pieces.put(entry.getValue().asInt(-1), !wordPiece ? piece
                        : piece.startsWith("##") ? piece.substring(2) : Vocabulary.SPACE + piece);
            });
        }
        Map<Integer, Kind> added = new TreeMap<>();
        for (JsonNode token : json.path("added_tokens")) {
            int id = token.path("id").asInt(-1);
            pieces.put(id, token.path("content").asString(""));
            added.put(id, token.path("special").asBoolean(false) ? Kind.CONTROL : Kind.USER_DEFINED);
        }
        int last = pieces.isEmpty() ? -1 : pieces.lastKey();
        if (last < 0 || last > RankedFiles.MAX_ID || pieces.containsKey(-1)) {
            throw new FormatException(file, -1, "ids of model.vocab and added_tokens go up to " + last
                    + ": expected 0 to " + RankedFiles.MAX_ID);
        }
        boolean byteTokens = model.path("byte_fallback").asBoolean(false);
        String[] array = new String[last + 1];
        Kind[] kinds = new Kind[last + 1];
        for (int id = 0; id <= last; id++) {
            array[id] = pieces.getOrDefault(id, "");
            kinds[id] = GgufTokenizer.ENDS.contains(array[id]) ? Kind.CONTROL
                    : added.getOrDefault(id, byteTokens && Vocabulary.isBytePiece(array[id]) ? Kind.BYTE : Kind.NORMAL);
        }
        return new Vocabulary(array, kinds, new float[0], bytes ? Spelling.BYTES : Spelling.TEXT);
    }

    @Override
    public int vocabularySize() {
        return vocabulary.size();
    }

    @Override
    public int[] encode(String text, Special special) {
        HuggingFaceTokenizer tokenizer = special.parseSpecial() ? parsing : plain;
        long[] ids = tokenizer.encode(VocabularyTokenizer.wellFormed(text), special.addSpecial(), false).getIds();
        return LongStream.of(ids).mapToInt(Math::toIntExact).toArray();
    }

    @Override
    public byte[] bytes(int token) {
        return vocabulary.bytes(token);
    }

    @Override
    public String piece(int token) {
        return vocabulary.piece(token);
    }

    @Override
    public OptionalInt beginOfText() {
        return begin;
    }

    @Override
    public boolean isEndOfText(int token) {
        return token >= 0 && ends.get(token);
    }

    @Override
    public TextStream stream() {
        return new Utf8Stream(vocabulary, spaceFirst);
    }
}
