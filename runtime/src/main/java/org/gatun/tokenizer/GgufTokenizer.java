package org.gatun.tokenizer;

import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.gatun.format.FormatException;
import org.gatun.format.Metadata;
import org.gatun.tokenizer.Vocabulary.Kind;
import org.gatun.tokenizer.Vocabulary.Spelling;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Reads a tokenizer from the `tokenizer.ggml.*` keys of a GGUF file. What is left out there has the defaults that
/// llama.cpp, where the format comes from, has for the model and for the pre-tokenizer.
final class GgufTokenizer {
    private static final Logger LOG = LoggerFactory.getLogger(GgufTokenizer.class);

    /// Tokens of these names end a text or a turn, and are special, whatever kind a file gives them.
    static final Set<String> ENDS = Set.of("<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>",
            "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>",
            "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|fim_pad|>", "<fim_pad>",
            "<|fim_repo|>", "<|repo_name|>", "<|file_sep|>", "<\uFF5Cend\u2581of\u2581sentence\uFF5C>");

    private final Metadata metadata;

    GgufTokenizer(Metadata metadata) {
        this.metadata = metadata;
    }

    Tokenizer read() throws FormatException {
        String model = metadata.string("tokenizer.ggml.model").orElseThrow(() -> problem(
                "tokenizer.ggml.model is missing: the file has no tokenizer"));
        String pre = metadata.string("tokenizer.ggml.pre").orElse("");
        Vocabulary vocabulary = vocabulary(model.equals("gpt2") ? Spelling.BYTES : Spelling.TEXT);
        return switch (model) {
            case "llama" -> {
                SentencePieceNormalizer normalizer = normalizer();
                yield new VocabularyTokenizer(vocabulary,
                        new ScoredPairs(vocabulary, normalizer, id(vocabulary, "unknown", 0)),
                        frame(vocabulary, id(vocabulary, "bos", 1), true, id(vocabulary, "eos", 2), false,
                                normalizer.addSpace()));
            }
            case "gpt2" -> {
                List<String> merges = metadata.strings("tokenizer.ggml.merges").orElseThrow(() -> problem(
                        "tokenizer.ggml.merges is missing: a tokenizer of model gpt2 needs it"));
                yield new VocabularyTokenizer(vocabulary,
                        new BytePairs(vocabulary, words(pre), PreTokenizer.keepsWholeWords(pre), merges),
                        frame(vocabulary, id(vocabulary, "bos", Vocabulary.NONE), PreTokenizer.wantsBegin(pre),
                                id(vocabulary, "eos", Vocabulary.NONE), false, false));
            }
            case "bert" -> {
                boolean lowercase = metadata.bool("tokenizer.ggml.normalizer.lowercase").orElse(true);
                boolean stripAccents = metadata.bool("tokenizer.ggml.normalizer.strip_accents").orElse(lowercase);
                yield new VocabularyTokenizer(vocabulary,
                        wordPieces(vocabulary, new Normalizer.Bert(true, true, stripAccents, lowercase)),
                        frame(vocabulary, id(vocabulary, "bos", id(vocabulary, "cls", 101)), true,
                                id(vocabulary, "seperator", 102), true, true)); // the key is misspelt in the format
            }
            case "t5", "unigram" -> {
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
        return new WordSegmenter(normalizer, Splitter.BERT,
                new WordPieces(starts, others, id(vocabulary, "unknown", 100), Integer.MAX_VALUE));
    }

    private Vocabulary vocabulary(Spelling spelling) throws FormatException {
        String[] pieces = metadata.strings("tokenizer.ggml.tokens").orElseThrow(() -> problem(
                "tokenizer.ggml.tokens is missing: the file has no vocabulary")).toArray(String[]::new);
        int[] types = metadata.integers("tokenizer.ggml.token_type").orElseGet(() -> new int[pieces.length]);
        float[] scores = metadata.floats("tokenizer.ggml.scores").orElseGet(() -> new float[pieces.length]);
        if (types.length != pieces.length || scores.length != pieces.length) {
            throw problem("tokenizer.ggml.tokens has " + pieces.length + " entries, token_type " + types.length
                    + ", scores " + scores.length + ": expected one for each token");
        }
        Kind[] kinds = new Kind[pieces.length];
        for (int id = 0; id < pieces.length; id++) {
            Kind kind = types[id] >= 1 && types[id] <= Kind.values().length ? Kind.values()[types[id] - 1]
                    : Kind.NORMAL;
            kinds[id] = ENDS.contains(pieces[id]) ? Kind.CONTROL : kind;
        }
        return new Vocabulary(pieces, kinds, scores, spelling);
    }

    private SentencePieceNormalizer normalizer() throws FormatException {
        Optional<int[]> table = metadata.integers("tokenizer.ggml.precompiled_charsmap").filter(t -> t.length > 0);
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
        return new SentencePieceNormalizer(characters, metadata.bool("tokenizer.ggml.add_space_prefix").orElse(true),
                metadata.bool("tokenizer.ggml.remove_extra_whitespaces").orElse(false));
    }

    private PreTokenizer words(String pre) {
        return PreTokenizer.named(pre).orElseGet(() -> {
            LOG.warn("{}: tokenizer.ggml.pre is {}, which is not known: words are cut by the default rules, which may"
                    + " differ from those the model was trained with", metadata.source(),
                    pre.isEmpty() ? "missing" : pre);
            return PreTokenizer.fallback();
        });
    }

    /// The id under `tokenizer.ggml.<name>_token_id`, else the usual one, [Vocabulary#NONE] if there is no such token.
    private int id(Vocabulary vocabulary, String name, int usual) throws FormatException {
        String key = "tokenizer.ggml." + name + "_token_id";
        Optional<Integer> id = metadata.integer(key);
        if (id.isPresent() && (id.get() < 0 || id.get() >= vocabulary.size())) {
            throw problem(key + " is " + id.get() + ": expected an id of the " + vocabulary.size() + " tokens");
        }
        return id.orElse(usual < vocabulary.size() ? usual : Vocabulary.NONE);
    }

    private VocabularyTokenizer.Frame frame(Vocabulary vocabulary, int begin, boolean addBegin, int end, boolean addEnd,
            boolean spaceFirst) throws FormatException {
        BitSet ends = endNames(vocabulary);
        for (int id : new int[] {end, id(vocabulary, "eot", Vocabulary.NONE), id(vocabulary, "eom", Vocabulary.NONE)}) {
            if (id >= 0) {
                ends.set(id);
            }
        }
        return new VocabularyTokenizer.Frame(
                added("tokenizer.ggml.add_bos_token", addBegin, begin),
                added("tokenizer.ggml.add_eos_token", addEnd, end),
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
