package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.JsonFile;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Reads `tokenizer.json`, the format of the Hugging Face library: a pipeline of parts, see [PipelineTokenizer]. Each part
/// and each key is read, or changes no token, or is refused by name; `docs/decisions/tokenizer-json.md` lists them.
final class JsonTokenizer {
    private final JsonPart.Source source;
    private final JsonPart file;
    private final Path path;
    private final TokenizerConfig config;
    /// The tokens of the model, which text may become.
    private Vocabulary words = new Vocabulary(new String[0], new Kind[0], new float[0], Spelling.TEXT);
    /// All tokens.
    private Vocabulary vocabulary = words;

    private JsonTokenizer(JsonPart file, Path path, TokenizerConfig config) {
        this.source = file.source();
        this.file = file;
        this.path = path;
        this.config = config;
    }

    static Tokenizer read(Path file, FormatReport report) throws IOException {
        return read(file, Files.readAllBytes(file), new JsonPart.Source(file, String.valueOf(file.getFileName()), report),
                TokenizerConfig.beside(file, report));
    }

    /// @param file for messages
    /// @param config what stands beside it
    static Tokenizer read(Path file, byte[] bytes, JsonPart.Source source, TokenizerConfig config) throws FormatException {
        try {
            JsonNode json = JsonMapper.shared().readTree(bytes);
            if (!json.isObject()) {
                throw source.problem("no JSON object: expected a tokenizer");
            }
            return new JsonTokenizer(new JsonPart(source, "", json), file, config).tokenizer();
        } catch (JacksonException e) {
            throw new FormatException(file, -1, source.inFile(JsonFile.problem(bytes, e)) + "; get the file again", e);
        }
    }

    private Tokenizer tokenizer() throws FormatException {
        String version = file.text("version").orElse("1.0");
        if (!version.equals("1.0")) {
            file.refuse("version", "is " + version + ": expected 1.0");
        }
        file.ignore("truncation", "Gatun cuts no text");
        file.ignore("padding", "Gatun pads no text");
        Optional<JsonPart> normalizerPart = file.typed("normalizer");
        Normalizer normalizer = normalizerPart.isPresent() ? config.applyTo(Normalizer.read(normalizerPart.get())) : Normalizer.NONE;
        Optional<JsonPart> splitterPart = file.typed("pre_tokenizer");
        Splitter splitter = splitterPart.isPresent() ? config.applyTo(Splitter.read(splitterPart.get())) : Splitter.NONE;
        Optional<JsonPart> decoderPart = file.typed("decoder");
        Decoder decoder = decoderPart.isPresent() ? Decoder.read(decoderPart.get()) : Decoder.blanks();
        JsonPart model = file.typed("model").orElseThrow(() -> source.problem("model is missing: expected a tokenizer"));
        List<Added> added = readVocabularies(model, added());
        PipelineTokenizer.Parts parts = parts(model, normalizer, splitter, decoder, added);
        VocabularyTokenizer.Frame frame = config.applyTo(frame(), vocabulary, path);
        file.end();
        source.requireSupported();
        return new PipelineTokenizer(vocabulary, parts, frame);
    }

    /// An added token, as the file has it.
    private record Added(int id, String text, boolean word, boolean stripLeft, boolean stripRight, boolean normalized,
            boolean special) {

        Added withId(int other) {
            return new Added(other, text, word, stripLeft, stripRight, normalized, special);
        }

        boolean isControl() {
            return special || GgufTokenizer.ENDS.contains(text);
        }
    }

    private List<Added> added() throws FormatException {
        List<Added> added = new ArrayList<>();
        for (JsonPart token : file.objects("added_tokens")) {
            String text = token.requiredText("content");
            Added read = added(token, token.integer("id", token.node("id"), 0), text);
            token.end();
            if (!text.isEmpty()) {
                added.add(read);
            }
        }
        return added;
    }

    private static Added added(JsonPart token, int id, String text) throws FormatException {
        if (text.length() > Trie.LONGEST) {
            throw token.problem("content", token.node("content"), "at most " + Trie.LONGEST + " characters");
        }
        boolean special = token.flag("special", false);
        return new Added(id, text, token.flag("single_word", false), token.flag("lstrip", false), token.flag("rstrip", false),
                token.flag("normalized", !special), special);
    }

    /// The added tokens of `tokenizer.json`, and those that `tokenizer_config.json` has beside them, which Python's classes add. Where the
    /// two disagree about a text or an id, the first counts.
    private List<Added> withThoseBeside(List<Added> listed) throws FormatException {
        List<Added> all = new ArrayList<>(listed);
        Map<String, Integer> idsByText = new HashMap<>();
        listed.forEach(token -> idsByText.put(token.text, token.id));
        Set<Integer> taken = new HashSet<>(idsByText.values());
        for (Map.Entry<Integer, JsonPart> beside : config.addedTokens().entrySet()) {
            int id = beside.getKey();
            JsonPart token = beside.getValue();
            String text = token.requiredText("content");
            int known = idsByText.getOrDefault(text, words.id(text));
            boolean isTaken = taken.contains(id) || id < words.size() && !words.piece(id).isEmpty();
            if (known != id && (known >= 0 || isTaken)) {
                token.source().warn(token.name() + "." + id + " is '" + text + "', which is not what tokenizer.json has: that counts");
            }
            if (!text.isEmpty() && !idsByText.containsKey(text) && (known >= 0 || !isTaken)) {
                all.add(added(token, known >= 0 ? known : id, text));
            }
            token.names().forEach(key -> token.ignore(key, "as tokenizer.json has it, or a setting of Python's classes"));
        }
        return all;
    }

    /// Reads the tokens of the model and those that are added, and says which is which.
    ///
    /// @return the added tokens with their ids; those that the model knows have the ids that it gives them
    private List<Added> readVocabularies(JsonPart model, List<Added> listed) throws FormatException {
        try {
            IdTable table = new IdTable();
            readVocabulary(model, table);
            String[] pieces = table.toArray();
            Kind[] kinds = new Kind[pieces.length];
            boolean byteTokens = model.flag("byte_fallback", false);
            for (int id = 0; id < kinds.length; id++) {
                kinds[id] = pieces[id].isEmpty() ? Kind.UNUSED : GgufTokenizer.ENDS.contains(pieces[id]) ? Kind.CONTROL
                        : byteTokens && Vocabulary.isBytePiece(pieces[id]) ? Kind.BYTE : Kind.NORMAL;
            }
            words = new Vocabulary(pieces, kinds, new float[0], Spelling.TEXT);
            Map<String, Added> added = new LinkedHashMap<>();
            for (Added token : withThoseBeside(listed)) {
                int id = words.id(token.text);
                if (id >= 0 && id != token.id) {
                    source.warn("added token '" + token.text + "' has the id " + token.id + ", and " + id
                            + " in the vocabulary: that counts");
                }
                added.put(token.text, token.withId(id >= 0 ? id : token.id));
                if (id >= 0 && token.special) {
                    kinds[id] = Kind.CONTROL; // the vocabulary does not copy its arrays
                } else if (id < 0) {
                    table.put(token.text, token.id);
                }
            }
            if (added.values().stream().allMatch(token -> words.id(token.text) >= 0)) {
                vocabulary = words;
                return List.copyOf(added.values());
            }
            String[] all = table.toArray();
            Kind[] allKinds = Arrays.copyOf(kinds, all.length);
            Arrays.fill(allKinds, Math.min(kinds.length, all.length), all.length, Kind.UNUSED);
            for (Added token : added.values()) {
                if (words.id(token.text) < 0) {
                    allKinds[token.id] = token.isControl() ? Kind.CONTROL : Kind.USER_DEFINED;
                }
            }
            vocabulary = words.with(all, allKinds);
            return List.copyOf(added.values());
        } catch (IllegalArgumentException e) {
            throw source.problem(e.getMessage());
        }
    }

    private void readVocabulary(JsonPart model, IdTable table) throws FormatException {
        JsonNode vocab = model.node("vocab");
        if (vocab.isObject()) {
            for (Map.Entry<String, JsonNode> entry : vocab.properties()) {
                JsonNode id = entry.getValue();
                if (!id.isIntegralNumber() || !id.canConvertToInt()) {
                    throw source.problem("id of '" + entry.getKey() + "' is " + id + ": expected a number");
                }
                table.put(entry.getKey(), id.intValue());
            }
        } else if (vocab.isArray()) {
            for (int id = 0; id < vocab.size(); id++) {
                JsonNode piece = vocab.path(id);
                if (!piece.path(0).isString() || !piece.path(1).isNumber() || !Double.isFinite(piece.path(1).doubleValue())) {
                    throw model.problem("vocab", piece, "a token and its score");
                }
                table.put(piece.path(0).stringValue(), id);
            }
        } else {
            throw model.problem("vocab", vocab, "tokens and their ids, or a list of tokens and their scores");
        }
    }

    private PipelineTokenizer.Parts parts(JsonPart model, Normalizer normalizer, Splitter splitter, Decoder decoder,
            List<Added> added) throws FormatException {
        List<AddedTokens.Token> written = new ArrayList<>();
        List<AddedTokens.Token> normalized = new ArrayList<>();
        for (Added token : added) {
            String text = token.normalized ? normalizer.apply(token.text) : token.text;
            if (!text.isEmpty()) {
                (token.normalized ? normalized : written).add(new AddedTokens.Token(token.id, text, token.word,
                        token.stripLeft, token.stripRight, token.isControl()));
            }
        }
        // Early files leave the type out.
        String type = model.text("type").orElse(model.has("merges") ? "BPE"
                : model.has("max_input_chars_per_word") ? "WordPiece"
                : model.node("vocab").isArray() ? "Unigram" : "WordLevel");
        Splitter first = splitter;
        Segmenter segmenter;
        switch (type) {
            case "BPE" -> {
                CharacterPairs.Rules rules = rules(model);
                MergeList merges = MergeList.read(model);
                Optional<KnownWords> known = KnownWords.of(splitter);
                Optional<BytePairs> bytePairs = known.flatMap(words -> bytePairs(words, rules, merges));
                if (bytePairs.isPresent()) {
                    first = known.get().prefixSpace ? new Splitter.PrefixSpace() : Splitter.NONE;
                    segmenter = bytePairs.get();
                } else {
                    segmenter = new CharacterPairs(words, rules, merges.table(model, words, rules.prefix()));
                }
            }
            case "WordPiece" -> segmenter = wordPieces(model);
            case "WordLevel" -> segmenter = wordLevel(model);
            case "Unigram" -> segmenter = unigram(model);
            default -> throw model.problem("type", model.node("type"), "BPE, WordPiece, WordLevel or Unigram");
        }
        model.end();
        return new PipelineTokenizer.Parts(new AddedTokens(written), normalizer, new AddedTokens(normalized), first, segmenter,
                decoder);
    }

    /// How [BytePairs] finds words: by patterns that are known. What it needs besides is bytes at the end.
    private record KnownWords(List<String> expressions, boolean prefixSpace) {

        static Optional<KnownWords> of(Splitter splitter) {
            List<Splitter> parts = new ArrayList<>();
            flatten(splitter, parts);
            if (parts.isEmpty() || !(parts.removeLast() instanceof Splitter.ByteLevel last)
                    || last.prefixSpace() && !parts.isEmpty()) {
                return Optional.empty();
            }
            List<String> expressions = new ArrayList<>();
            for (Splitter part : parts) {
                Optional<String> expression = expression(part);
                if (expression.isEmpty()) {
                    return Optional.empty();
                }
                expressions.add(expression.get());
            }
            if (last.words()) {
                expressions.add(PreTokenizer.GPT2);
            }
            return Optional.of(new KnownWords(expressions, last.prefixSpace()));
        }

        private static void flatten(Splitter splitter, List<Splitter> parts) {
            if (splitter instanceof Splitter.Sequence sequence) {
                sequence.parts().forEach(part -> flatten(part, parts));
            } else {
                parts.add(splitter);
            }
        }

        private static Optional<String> expression(Splitter splitter) {
            if (splitter instanceof Splitter.Digits digits) {
                return Optional.of(digits.each() ? "\\p{N}" : "\\p{N}+");
            }
            return splitter instanceof Splitter.Split split ? split.pattern().known().filter(expression -> split.inverted()
                    ? split.behavior() == SplitBehavior.REMOVED && PreTokenizer.coversAll(expression)
                    : split.behavior() == SplitBehavior.ISOLATED) : Optional.empty();
        }
    }

    /// [BytePairs] do the same as [CharacterPairs] over words in the alphabet of bytes, faster, where every byte is a token
    /// and nothing is added to the characters.
    private Optional<BytePairs> bytePairs(KnownWords known, CharacterPairs.Rules rules, MergeList merges) {
        if (!rules.prefix().isEmpty() || !rules.suffix().isEmpty() || !merges.plain()) {
            return Optional.empty();
        }
        return Optional.of(new BytePairs(words, PreTokenizer.of(known.expressions), rules.wholeWords(), merges.texts()))
                .filter(BytePairs::isComplete);
    }

    private CharacterPairs.Rules rules(JsonPart model) throws FormatException {
        JsonNode dropout = model.node("dropout");
        if (!dropout.isMissingNode() && !dropout.isNull() && !(dropout.isNumber() && dropout.doubleValue() == 0)) {
            model.refuse("dropout", "is " + dropout + ": it would cut the same text differently each time");
        }
        Optional<String> unknown = model.text("unk_token");
        int[] bytes = new int[256];
        Arrays.fill(bytes, Vocabulary.NONE);
        return new CharacterPairs.Rules(model.text("continuing_subword_prefix").orElse(""),
                model.text("end_of_word_suffix").orElse(""), unknown.map(words::id).orElse(Vocabulary.NONE),
                model.flag("fuse_unk", false), model.flag("byte_fallback", false) ? words.byteTokens() : bytes,
                model.flag("ignore_merges", false));
    }

    private WordPieces wordPieces(JsonPart model) throws FormatException {
        String prefix = model.text("continuing_subword_prefix").orElse("##");
        Trie starts = new Trie(4 * words.size());
        Trie others = new Trie(words.size());
        for (int id = 0; id < words.size(); id++) {
            String piece = words.piece(id);
            if (isText(model, id)) {
                starts.add(piece, id);
                if (piece.startsWith(prefix)) {
                    others.add(piece.substring(prefix.length()), id);
                }
            }
        }
        return new WordPieces(starts, others, unknown(model, "[UNK]"), model.integer("max_input_chars_per_word", 100, 0));
    }

    private WordLevel wordLevel(JsonPart model) throws FormatException {
        Map<String, Integer> tokens = new HashMap<>();
        for (int id = 0; id < words.size(); id++) {
            if (words.textId(words.piece(id)) == id) {
                tokens.put(words.piece(id), id);
            }
        }
        return new WordLevel(tokens, unknown(model, "<unk>"));
    }

    private Unigram unigram(JsonPart model) throws FormatException {
        JsonNode vocab = model.array("vocab");
        Trie pieces = new Trie(4 * words.size());
        double[] scores = new double[words.size()];
        double worst = Double.POSITIVE_INFINITY;
        for (int id = scores.length - 1; id >= 0; id--) { // of pieces listed twice the last counts
            scores[id] = vocab.path(id).path(1).doubleValue();
            worst = Math.min(worst, scores[id]);
            if (words.kind(id) == Kind.NORMAL) {
                requireShort(model, words.piece(id));
                pieces.add(words.piece(id), id);
            }
        }
        int unknown = model.integer("unk_id", Vocabulary.NONE, 0);
        if (unknown >= words.size()) {
            throw model.problem("unk_id", model.node("unk_id"), "one of the " + words.size() + " tokens");
        }
        if (unknown < 0) {
            source.warn("model.unk_id is null: characters without a token are left out");
        }
        int[] bytes = new int[256];
        Arrays.fill(bytes, Vocabulary.NONE);
        return new Unigram(pieces, scores, worst,
                new Fallback(model.flag("byte_fallback", false) ? words.byteTokens() : bytes, unknown));
    }

    private boolean isText(JsonPart model, int id) throws FormatException {
        requireShort(model, words.piece(id));
        return words.textId(words.piece(id)) == id;
    }

    private static void requireShort(JsonPart model, String piece) throws FormatException {
        if (piece.length() > Trie.LONGEST) {
            throw model.problem(model.name("vocab") + " has a token of " + piece.length() + " characters: expected at most "
                    + Trie.LONGEST);
        }
    }

    /// The token that `unk_token` names, which the model needs.
    private int unknown(JsonPart model, String usual) throws FormatException {
        String name = model.text("unk_token").orElse(usual);
        int id = words.id(name);
        if (id < 0) {
            throw model.problem(model.name("unk_token") + " is '" + name + "': expected a token of the vocabulary");
        }
        return id;
    }

    /// What the post-processor puts around a text.
    private VocabularyTokenizer.Frame frame() throws FormatException {
        List<Integer> before = new ArrayList<>();
        List<Integer> after = new ArrayList<>();
        Optional<JsonPart> part = file.typed("post_processor");
        if (part.isPresent()) {
            addAround(part.get(), before, after);
        }
        return new VocabularyTokenizer.Frame(ints(before), ints(after),
                before.isEmpty() ? OptionalInt.empty() : OptionalInt.of(before.getFirst()),
                GgufTokenizer.endNames(vocabulary), false);
    }

    private void addAround(JsonPart part, List<Integer> before, List<Integer> after) throws FormatException {
        boolean adds = !part.type().equals("Sequence") && !part.type().equals("ByteLevel");
        if (adds && !(before.isEmpty() && after.isEmpty())) {
            part.refuse("type", "a second one that adds tokens is not supported");
        }
        switch (part.type()) {
            case "Sequence" -> {
                for (JsonPart element : part.sequence("processors")) {
                    addAround(element, before, after);
                }
            }
            case "ByteLevel" -> {
                for (String key : List.of("add_prefix_space", "trim_offsets", "use_regex")) {
                    part.ignore(key, "places in the text are not reported");
                }
            }
            case "BertProcessing", "RobertaProcessing" -> {
                before.add(id(part, "cls", part.array("cls").path(1)));
                after.add(id(part, "sep", part.array("sep").path(1)));
                part.ignore("add_prefix_space", "places in the text are not reported");
                part.ignore("trim_offsets", "places in the text are not reported");
            }
            case "TemplateProcessing" -> addTemplate(part, before, after);
            default -> part.refuse("type", "unknown post_processor");
        }
        part.end();
    }

    private void addTemplate(JsonPart part, List<Integer> before, List<Integer> after) throws FormatException {
        part.ignore("pair", "Gatun encodes texts one at a time");
        boolean textSeen = false;
        for (JsonNode piece : part.array("single")) {
            if (piece.path("Sequence").path("id").asString("").equals("A") && !textSeen) {
                textSeen = true;
            } else if (piece.path("SpecialToken").path("id").isString()) {
                String name = piece.path("SpecialToken").path("id").stringValue();
                JsonNode token = part.node("special_tokens").path(name);
                if (!token.path("ids").isArray()) {
                    throw part.problem(part.name("special_tokens") + " has no '" + name + "', which the template wants");
                }
                for (JsonNode id : token.path("ids")) {
                    (textSeen ? after : before).add(id(part, "special_tokens", id));
                }
            } else {
                throw part.problem("single", piece, "a SpecialToken, or once the Sequence A");
            }
        }
        if (!textSeen) {
            throw part.problem("single", part.node("single"), "a template with the Sequence A");
        }
        part.node("special_tokens");
    }

    private int id(JsonPart part, String key, JsonNode id) throws FormatException {
        if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0 || id.intValue() >= vocabulary.size()) {
            throw part.problem(part.name(key) + " adds token " + id + ": expected an id of the " + vocabulary.size() + " tokens");
        }
        return id.intValue();
    }

    private static int[] ints(List<Integer> list) {
        return list.stream().mapToInt(Integer::intValue).toArray();
    }
}
