package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import org.gatun.format.FormatException;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Reads `tokenizer.json`, the format of the Hugging Face library, where its parts amount to one of our segmenters:
/// byte-level BPE, BPE over characters with byte tokens, WordPiece and unigram, each with the normalizers and
/// pre-tokenizers that go with it. Other parts are refused, not passed over.
final class JsonTokenizer {
    private final Path file;
    private final JsonNode json;
    private final JsonNode model;
    private final List<JsonNode> normalizers;
    private final List<JsonNode> preTokenizers;

    private JsonTokenizer(Path file, JsonNode json) {
        this.file = file;
        this.json = json;
        this.model = json.path("model");
        this.normalizers = flat(json.path("normalizer"), "normalizers");
        this.preTokenizers = flat(json.path("pre_tokenizer"), "pretokenizers");
    }

    static Tokenizer read(Path file) throws IOException {
        return read(file, Files.readAllBytes(file));
    }

    /// @param file for messages
    static Tokenizer read(Path file, byte[] bytes) throws FormatException {
        try {
            return new JsonTokenizer(file, JsonMapper.shared().readTree(bytes)).tokenizer();
        } catch (JacksonException e) {
            throw new FormatException(file, e.getLocation() == null ? -1 : e.getLocation().getByteOffset(),
                    "no JSON: " + e.getOriginalMessage(), e);
        }
    }

    /// The parts of a `Sequence`, of sequences in it too; a single part; none for null.
    private static List<JsonNode> flat(JsonNode part, String name) {
        if (!type(part).equals("Sequence")) {
            return part.isObject() ? List.of(part) : List.of();
        }
        List<JsonNode> parts = new ArrayList<>();
        part.path(name).forEach(element -> parts.addAll(flat(element, name)));
        return parts;
    }

    private static String type(JsonNode part) {
        return part.path("type").asString("");
    }

    private Tokenizer tokenizer() throws FormatException {
        // Early files leave the type of a BPE model out.
        String kind = model.has("merges") ? "BPE" : type(model);
        return switch (kind) {
            case "BPE" -> preTokenizers.stream().anyMatch(part -> type(part).equals("ByteLevel")) ? bytePairs()
                    : scoredPairs();
            case "WordPiece" -> wordPieces();
            case "Unigram" -> unigram();
            default -> throw problem("model.type is '" + kind + "': expected BPE, WordPiece or Unigram");
        };
    }

    private Tokenizer bytePairs() throws FormatException {
        allow(normalizers, "normalizer", Set.of("NFC"));
        List<String> expressions = new ArrayList<>();
        for (JsonNode part : preTokenizers) {
            switch (type(part)) {
                case "Split" -> expressions.add(expression(part));
                case "Digits" -> expressions.add(part.path("individual_digits").asBoolean(false) ? "\\p{N}" : "\\p{N}+");
                case "Punctuation" -> expressions.add(PreTokenizer.PUNCTUATION);
                case "ByteLevel" -> {
                    if (part.path("add_prefix_space").asBoolean(true)) {
                        throw problem("pre_tokenizer ByteLevel with add_prefix_space: not supported, use a GGUF file");
                    }
                    if (part.path("use_regex").asBoolean(true)) {
                        expressions.add(PreTokenizer.GPT2);
                    }
                }
                default -> throw problem("pre_tokenizer " + type(part)
                        + ": expected Split, Digits, Punctuation or ByteLevel");
            }
        }
        PreTokenizer words = PreTokenizer.known(expressions).orElseThrow(() -> problem("pre_tokenizer splits at "
                + expressions + ", which is not among the patterns that Gatun knows: use a GGUF file"));
        Vocabulary vocabulary = vocabulary(vocab(), Map.of(), Spelling.BYTES);
        return tokenizer(vocabulary,
                new BytePairs(vocabulary, words, model.path("ignore_merges").asBoolean(false), merges()), false);
    }

    private String expression(JsonNode split) throws FormatException {
        String behavior = split.path("behavior").asString("");
        boolean inverted = split.path("invert").asBoolean(false);
        if (!(behavior.equals("Isolated") && !inverted || behavior.equals("Removed") && inverted)) {
            throw problem("pre_tokenizer Split has behavior " + behavior + ": expected Isolated");
        }
        return split.path("pattern").path("Regex").asString("");
    }

    /// BPE over characters. The rank of the merge that makes a piece is its score.
    private Tokenizer scoredPairs() throws FormatException {
        Map<String, Float> scores = new HashMap<>();
        List<String> merges = merges();
        for (int rank = 0; rank < merges.size(); rank++) {
            scores.putIfAbsent(merges.get(rank).replace(" ", ""), (float) -rank);
        }
        TreeMap<Integer, String> pieces = vocab();
        Vocabulary vocabulary = vocabulary(pieces, scores, Spelling.TEXT);
        boolean spaceFirst = spaceFirst();
        return tokenizer(vocabulary, new ScoredPairs(vocabulary, new Normalizer(Optional.empty(), spaceFirst, false),
                unknown()), spaceFirst);
    }

    private Tokenizer unigram() throws FormatException {
        TreeMap<Integer, String> pieces = new TreeMap<>();
        Map<String, Float> scores = new HashMap<>();
        JsonNode vocab = model.path("vocab");
        for (int id = 0; id < vocab.size(); id++) {
            String piece = vocab.path(id).path(0).asString("");
            pieces.put(id, piece);
            scores.putIfAbsent(piece, (float) vocab.path(id).path(1).asDouble(0));
        }
        Optional<CharacterMap> characters = Optional.empty();
        for (JsonNode part : normalizers) {
            if (type(part).equals("Precompiled")) {
                try {
                    characters = Optional.of(new CharacterMap(
                            Base64.getDecoder().decode(part.path("precompiled_charsmap").asString(""))));
                } catch (IllegalArgumentException e) {
                    throw new FormatException(file, -1, "normalizer Precompiled: " + e.getMessage(), e);
                }
            }
        }
        Vocabulary vocabulary = vocabulary(pieces, scores, Spelling.TEXT);
        boolean spaceFirst = spaceFirst();
        // The blanks that sentencepiece collapses are collapsed by a Replace, or by splitting at white space.
        boolean collapse = normalizers.stream().anyMatch(part -> type(part).equals("Replace") && part.has("pattern")
                && part.path("pattern").has("Regex"))
                || preTokenizers.stream().anyMatch(part -> type(part).equals("WhitespaceSplit"));
        return tokenizer(vocabulary, new Unigram(vocabulary, new Normalizer(characters, spaceFirst, collapse),
                model.path("unk_id").asInt(Vocabulary.NONE)), spaceFirst);
    }

    /// Whether a space is put before the text, by one of the parts that sentencepiece models come with.
    private boolean spaceFirst() throws FormatException {
        allow(normalizers, "normalizer", Set.of("Prepend", "Replace", "Precompiled", "NFC", "NFKC", "Strip"));
        allow(preTokenizers, "pre_tokenizer", Set.of("Metaspace", "WhitespaceSplit", "Split"));
        boolean prepend = normalizers.stream().anyMatch(part -> type(part).equals("Prepend"));
        return prepend || preTokenizers.stream().anyMatch(part -> type(part).equals("Metaspace")
                && !part.path("prepend_scheme").asString("always").equals("never")
                && part.path("add_prefix_space").asBoolean(true));
    }

    private Tokenizer wordPieces() throws FormatException {
        allow(normalizers, "normalizer", Set.of("BertNormalizer"));
        allow(preTokenizers, "pre_tokenizer", Set.of("BertPreTokenizer"));
        TreeMap<Integer, String> pieces = vocab();
        pieces.replaceAll((_, piece) -> piece.startsWith("##") ? piece.substring(2) : Vocabulary.SPACE + piece);
        JsonNode rules = normalizers.isEmpty() ? json.path("normalizer") : normalizers.getFirst();
        boolean lowercase = rules.path("lowercase").asBoolean(true);
        Vocabulary vocabulary = vocabulary(pieces, Map.of(), Spelling.TEXT);
        return tokenizer(vocabulary, new WordPieces(vocabulary,
                new WordPieces.Rules(lowercase, rules.path("strip_accents").asBoolean(lowercase)),
                unknown()), true);
    }

    private void allow(List<JsonNode> parts, String what, Set<String> types) throws FormatException {
        for (JsonNode part : parts) {
            if (!types.contains(type(part))) {
                throw problem(what + " " + type(part) + ": expected one of " + types + " with this model");
            }
        }
    }

    private TreeMap<Integer, String> vocab() throws FormatException {
        TreeMap<Integer, String> pieces = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : model.path("vocab").properties()) {
            put(pieces, entry.getValue(), entry.getKey());
        }
        return pieces;
    }

    private void put(Map<Integer, String> pieces, JsonNode id, String piece) throws FormatException {
        if (!id.isIntegralNumber() || !id.canConvertToInt() || id.asInt() < 0 || id.asInt() > RankedFiles.MAX_ID) {
            throw problem("id of '" + piece + "' is " + id + ": expected 0 to " + RankedFiles.MAX_ID);
        }
        pieces.put(id.asInt(), piece);
    }

    private int unknown() {
        return model.path("vocab").path(model.path("unk_token").asString("")).asInt(Vocabulary.NONE);
    }

    /// Merges as text; newer files have pairs.
    private List<String> merges() {
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : model.path("merges")) {
            merges.add(merge.isArray() ? merge.path(0).asString("") + " " + merge.path(1).asString("")
                    : merge.asString(""));
        }
        return merges;
    }

    private Vocabulary vocabulary(TreeMap<Integer, String> pieces, Map<String, Float> scores, Spelling spelling)
            throws FormatException {
        Map<Integer, Kind> added = new TreeMap<>();
        for (JsonNode token : json.path("added_tokens")) {
            put(pieces, token.path("id"), token.path("content").asString(""));
            added.put(token.path("id").asInt(), token.path("special").asBoolean(false) ? Kind.CONTROL
                    : Kind.USER_DEFINED);
        }
        int size = pieces.isEmpty() ? 0 : pieces.lastKey() + 1;
        boolean byteTokens = model.path("byte_fallback").asBoolean(false);
        String[] array = new String[size];
        Kind[] kinds = new Kind[size];
        float[] scoreArray = new float[size];
        for (int id = 0; id < size; id++) {
            array[id] = pieces.getOrDefault(id, "");
            scoreArray[id] = scores.getOrDefault(array[id], Float.NEGATIVE_INFINITY);
            Kind usual = array[id].isEmpty() ? Kind.UNUSED
                    : byteTokens && Vocabulary.isBytePiece(array[id]) ? Kind.BYTE : Kind.NORMAL;
            kinds[id] = GgufTokenizer.ENDS.contains(array[id]) ? Kind.CONTROL : added.getOrDefault(id, usual);
        }
        return new Vocabulary(array, kinds, scores.isEmpty() ? new float[0] : scoreArray, spelling);
    }

    private Tokenizer tokenizer(Vocabulary vocabulary, Segmenter segmenter, boolean spaceFirst) throws FormatException {
        List<Integer> before = new ArrayList<>();
        List<Integer> after = new ArrayList<>();
        for (JsonNode part : flat(json.path("post_processor"), "processors")) {
            switch (type(part)) {
                case "TemplateProcessing" -> {
                    List<Integer> ids = before;
                    for (JsonNode piece : part.path("single")) {
                        if (piece.has("Sequence")) {
                            ids = after;
                        } else {
                            String name = piece.path("SpecialToken").path("id").asString("");
                            for (JsonNode id : part.path("special_tokens").path(name).path("ids")) {
                                ids.add(id(vocabulary, id));
                            }
                        }
                    }
                }
                case "BertProcessing", "RobertaProcessing" -> {
                    before.add(id(vocabulary, part.path("cls").path(1)));
                    after.add(id(vocabulary, part.path("sep").path(1)));
                }
                case "ByteLevel" -> { } // changes offsets only
                default -> throw problem("post_processor " + type(part)
                        + ": expected TemplateProcessing, BertProcessing, RobertaProcessing or ByteLevel");
            }
        }
        return new VocabularyTokenizer(vocabulary, segmenter, new VocabularyTokenizer.Frame(ints(before), ints(after),
                before.isEmpty() ? OptionalInt.empty() : OptionalInt.of(before.getFirst()),
                GgufTokenizer.endNames(vocabulary), spaceFirst));
    }

    private int id(Vocabulary vocabulary, JsonNode id) throws FormatException {
        int value = id.isIntegralNumber() ? id.asInt(-1) : -1;
        if (value < 0 || value >= vocabulary.size()) {
            throw problem("post_processor adds token " + id + ": expected an id of the " + vocabulary.size() + " tokens");
        }
        return value;
    }

    private static int[] ints(List<Integer> list) {
        return list.stream().mapToInt(Integer::intValue).toArray();
    }

    private FormatException problem(String what) {
        return new FormatException(file, -1, what);
    }
}
