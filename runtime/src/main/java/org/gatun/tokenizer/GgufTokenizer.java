package org.gatun.tokenizer;

import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.Metadata;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;

/// Reads a tokenizer from the `tokenizer.ggml.*` keys of a GGUF file. What is left out there has the defaults that
/// llama.cpp, where the format comes from, has for the model and for the pre-tokenizer.
final class GgufTokenizer {
    /// Tokens of these names end a text or a turn, and are special, whatever kind a file gives them.
    static final Set<String> ENDS = Set.of("<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>",
            "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>",
            "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|fim_pad|>", "<fim_pad>",
            "<|fim_repo|>", "<|repo_name|>", "<|file_sep|>", "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");

    private static final String PREFIX = "tokenizer.ggml.";

    /// Keys that change no id of a text, and why.
    private static final Map<String, String> HARMLESS = harmless();

    private final Metadata metadata;
    private final FormatReport report;
    private final Set<String> asked = new HashSet<>();

    GgufTokenizer(Metadata metadata, FormatReport report) {
        this.metadata = metadata;
        this.report = report;
    }

    private static Map<String, String> harmless() {
        Map<String, String> keys = new HashMap<>();
        keys.put("padding_token_id", "Gatun pads no text");
        keys.put("mask_token_id", "Gatun fills no gaps");
        keys.put("token_type_count", "for models of pairs of texts");
        keys.put("add_sep_token", "for pairs of texts");
        for (String key : List.of("prefix_token_id", "suffix_token_id", "middle_token_id", "fim_pre_token_id", "fim_suf_token_id",
                "fim_mid_token_id")) {
            keys.put(key, "Gatun fills no gaps");
        }
        keys.put("seperator_token_id", "for pairs of texts");
        keys.put("cls_token_id", "for models of BERT's kind");
        keys.put("unknown_token_id", "for other models than byte-level BPE, to which no byte is unknown");
        keys.put("pre", "for byte-level BPE");
        keys.put("merges", "for byte-level BPE");
        keys.put("add_space_prefix", "for sentencepiece");
        keys.put("remove_extra_whitespaces", "for sentencepiece");
        keys.put("precompiled_charsmap", "for sentencepiece");
        keys.put("normalizer.lowercase", "for models of BERT's kind");
        keys.put("normalizer.strip_accents", "for models of BERT's kind");
        return Map.copyOf(keys);
    }

    /// The full name of a key, which is noted as read.
    private String key(String name) {
        asked.add(name);
        return PREFIX + name;
    }

    /// Notes what became of each key of the tokenizer.
    private void note() {
        String file = String.valueOf(metadata.source().getFileName());
        for (String key : metadata.values().keySet()) {
            String name = key.startsWith(PREFIX) ? key.substring(PREFIX.length()) : "";
            if (asked.contains(name)) {
                report.read(file, key);
            } else if (HARMLESS.containsKey(name)) {
                report.ignore(file, key, HARMLESS.get(name));
            } else if (!name.isEmpty()) {
                report.ignore(file, key, "unknown");
                report.warn(key + " is not known: the ids of texts may differ from those that the model was trained with");
            } else if (key.equals(Tokenizers.HUGGING_FACE_KEY) || key.equals("tokenizer.rwkv.world")) {
                report.ignore(file, key, PREFIX + "model and its like say the same");
            }
        }
    }

    Tokenizer read() throws FormatException {
        Tokenizer tokenizer = tokenizer();
        note();
        return tokenizer;
    }

    private Tokenizer tokenizer() throws FormatException {
        String model = metadata.string(key("model")).orElseThrow(() -> problem(
                "tokenizer.ggml.model is missing: the file has no tokenizer"));
        Vocabulary vocabulary = vocabulary(model.equals("gpt2") ? Spelling.BYTES : Spelling.TEXT);
        return switch (model) {
            case "llama" -> {
                requireScores(vocabulary);
                SentencePieceNormalizer normalizer = normalizer();
                yield new VocabularyTokenizer(vocabulary,
                        new ScoredPairs(vocabulary, normalizer, id(vocabulary, "unknown", 0)),
                        frame(vocabulary, id(vocabulary, "bos", 1), true, id(vocabulary, "eos", 2), false,
                                normalizer.addSpace()));
            }
            case "gpt2" -> {
                String pre = metadata.string(key("pre")).orElse("");
                List<String> merges = metadata.strings(key("merges")).orElseThrow(() -> problem(
                        "tokenizer.ggml.merges is missing: a tokenizer of model gpt2 needs it"));
                yield new VocabularyTokenizer(vocabulary, bytePairs(vocabulary, pre, merges),
                        frame(vocabulary, id(vocabulary, "bos", Vocabulary.NONE), PreTokenizer.wantsBegin(pre),
                                id(vocabulary, "eos", Vocabulary.NONE), false, false));
            }
            case "bert" -> {
                boolean lowercase = metadata.bool(key("normalizer.lowercase")).orElse(true);
                boolean stripAccents = metadata.bool(key("normalizer.strip_accents")).orElse(lowercase);
                yield new VocabularyTokenizer(vocabulary,
                        wordPieces(vocabulary, new Normalizer.Bert(true, true, stripAccents, lowercase)),
                        frame(vocabulary, id(vocabulary, "bos", id(vocabulary, "cls", 101)), true,
                                id(vocabulary, "seperator", 102), true, true)); // the key is misspelt in the format
            }
            case "t5", "unigram" -> {
                requireScores(vocabulary);
                SentencePieceNormalizer normalizer = normalizer();
                yield new VocabularyTokenizer(vocabulary,
                        new Unigram(vocabulary, normalizer, id(vocabulary, "unknown", 2)),
                        frame(vocabulary, id(vocabulary, "bos", Vocabulary.NONE), false, id(vocabulary, "eos", 1),
                                true, normalizer.addSpace()));
            }
            default -> throw problem("tokenizer.ggml.model is " + model
                    + ": expected llama, gpt2, bert, t5 or unigram");
        };
    }

    /// Pieces that begin a word have [Vocabulary#SPACE] in front, others nothing.
    private Segmenter wordPieces(Vocabulary vocabulary, Normalizer normalizer) throws FormatException {
        Trie starts = new Trie(4 * vocabulary.size());
        Trie others = new Trie(vocabulary.size());
        for (int id = 0; id < vocabulary.size(); id++) {
            String piece = vocabulary.piece(id);
            if (vocabulary.textId(piece) == id && piece.charAt(0) == Vocabulary.SPACE) {
                starts.add(piece.substring(1), id);
            } else if (vocabulary.textId(piece) == id) {
                others.add(piece, id);
            }
        }
        return new WordSegmenter(normalizer, new Splitter.Bert(),
                new WordPieces(starts, others, id(vocabulary, "unknown", 100), Integer.MAX_VALUE));
    }

    private Vocabulary vocabulary(Spelling spelling) throws FormatException {
        String[] pieces = metadata.strings(key("tokens")).orElseThrow(() -> problem(
                "tokenizer.ggml.tokens is missing: the file has no vocabulary")).toArray(String[]::new);
        int[] types = metadata.integers(key("token_type")).orElseGet(() -> new int[pieces.length]);
        float[] scores = metadata.floats(key("scores")).orElseGet(() -> new float[pieces.length]);
        if (types.length != pieces.length || scores.length != pieces.length) {
            throw problem("tokenizer.ggml.tokens has " + pieces.length + " entries, token_type " + types.length
                    + ", scores " + scores.length + ": expected one for each token");
        }
        Kind[] kinds = new Kind[pieces.length];
        for (int id = 0; id < pieces.length; id++) {
            if (types[id] < 0 || types[id] > Kind.values().length) {
                throw problem("tokenizer.ggml.token_type of token " + id + " is " + types[id] + ": expected 1 to " + Kind.values().length
                        + ", or 0 where the writer does not say");
            }
            Kind kind = types[id] == 0 ? Kind.NORMAL : Kind.values()[types[id] - 1];
            kinds[id] = ENDS.contains(pieces[id]) ? Kind.CONTROL : kind;
        }
        return new Vocabulary(pieces, kinds, scores, spelling);
    }

    /// Text is cut where its scores add up best, which no comparison finds among numbers that are none.
    private void requireScores(Vocabulary vocabulary) throws FormatException {
        for (int id = 0; id < vocabulary.size(); id++) {
            if (!Float.isFinite(vocabulary.score(id))) {
                throw problem("tokenizer.ggml.scores of token " + id + " is " + vocabulary.score(id) + ": expected a finite number");
            }
        }
    }

    private BytePairs bytePairs(Vocabulary vocabulary, String pre, List<String> merges) throws FormatException {
        PreTokenizer words = words(pre);
        try {
            return new BytePairs(vocabulary, words, PreTokenizer.keepsWholeWords(pre), merges);
        } catch (IllegalArgumentException e) {
            throw new FormatException(metadata.source(), -1, "tokenizer.ggml.merges: " + e.getMessage(), e);
        }
    }

    private SentencePieceNormalizer normalizer() throws FormatException {
        Optional<int[]> table = metadata.integers(key("precompiled_charsmap")).filter(t -> t.length > 0);
        Optional<CharacterMap> characters = Optional.empty();
        if (table.isPresent()) {
            byte[] bytes = new byte[table.get().length];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) table.get()[i];
            }
            try {
                characters = Optional.of(new CharacterMap(bytes));
            } catch (IllegalArgumentException e) {
                throw new FormatException(metadata.source(), -1,
                        "tokenizer.ggml.precompiled_charsmap: " + e.getMessage(), e);
            }
        }
        return new SentencePieceNormalizer(characters, metadata.bool(key("add_space_prefix")).orElse(true),
                metadata.bool(key("remove_extra_whitespaces")).orElse(false));
    }

    /// Early files name none; one that is not known would give the ids of another model without a word.
    private PreTokenizer words(String pre) throws FormatException {
        if (pre.isEmpty()) {
            report.warn("tokenizer.ggml.pre is missing: words are cut by the default rules, which may differ from those the model was"
                    + " trained with");
            return PreTokenizer.fallback();
        }
        return PreTokenizer.named(pre).orElseThrow(() -> problem("tokenizer.ggml.pre is '" + Metadata.text(pre)
                + "', which is not known: expected " + String.join(", ", PreTokenizer.names())));
    }

    /// The id under `tokenizer.ggml.<name>_token_id`, else the usual one, [Vocabulary#NONE] if there is no such token. Writers
    /// put -1 or another number that is no token where a model has none.
    private int id(Vocabulary vocabulary, String name, int usual) throws FormatException {
        String key = key(name + "_token_id");
        int other = usual < vocabulary.size() ? usual : Vocabulary.NONE;
        Optional<Double> id = metadata.number(key);
        if (id.isPresent() && !(id.get() >= 0 && id.get() < vocabulary.size() && id.get() == id.get().intValue())) {
            report.warn(key + " is " + (id.get() == 0xFFFF_FFFFL ? "-1" : id.get() == id.get().longValue()
                    ? String.valueOf(id.get().longValue()) : String.valueOf(id.get())) + ", which is no token: "
                    + (other < 0 ? "the model has none" : "the usual one is " + other));
            return other;
        }
        return id.map(Double::intValue).orElse(other);
    }

    private VocabularyTokenizer.Frame frame(Vocabulary vocabulary, int begin, boolean addBegin, int end, boolean addEnd,
            boolean spaceFirst) throws FormatException {
        BitSet ends = endNames(vocabulary);
        for (String name : List.of("eot", "eom", "fim_pad", "fim_rep", "fim_sep")) {
            int id = id(vocabulary, name, Vocabulary.NONE);
            if (id >= 0) {
                ends.set(id);
            }
        }
        if (end >= 0) {
            ends.set(end);
        }
        return new VocabularyTokenizer.Frame(
                added(key("add_bos_token"), addBegin, begin),
                added(key("add_eos_token"), addEnd, end),
                begin >= 0 ? OptionalInt.of(begin) : OptionalInt.empty(), ends, spaceFirst);
    }

    private int[] added(String key, boolean usual, int id) throws FormatException {
        return metadata.bool(key).orElse(usual) && id >= 0 ? new int[] {id} : new int[0];
    }

    /// The tokens that end a text by their names. Where `<|return|>` or `<|flush|>` stand beside `<|call|>`, `<|end|>`
    /// ends a part of a turn only.
    static BitSet endNames(Vocabulary vocabulary) {
        BitSet ends = new BitSet();
        ENDS.stream().mapToInt(vocabulary::id).filter(id -> id >= 0).forEach(ends::set);
        boolean calls = vocabulary.id("<|call|>") >= 0 || vocabulary.id("<|calls|>") >= 0;
        boolean returns = vocabulary.id("<|return|>") >= 0 || vocabulary.id("<|flush|>") >= 0;
        if (calls && returns && vocabulary.id("<|end|>") >= 0) {
            ends.clear(vocabulary.id("<|end|>"));
        }
        return ends;
    }

    private FormatException problem(String what) {
        return new FormatException(metadata.source(), -1, what);
    }
}
