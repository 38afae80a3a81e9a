package org.gatun.tokenizer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import org.gatun.format.FormatException;
import org.gatun.format.FormatReport;
import org.gatun.format.Metadata;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Reads tokenizers from files.
public final class Tokenizers {
    /// The key under which a GGUF file may carry a whole `tokenizer.json`.
    public static final String HUGGING_FACE_KEY = "tokenizer.huggingface.json";

    private static final Logger LOG = LoggerFactory.getLogger(Tokenizers.class);

    private Tokenizers() {}

    private static void log(Path file, FormatReport report) {
        report.warnings().forEach(warning -> LOG.warn("{}: {}", file, warning));
    }

    /// The tokenizer that a GGUF file carries: `tokenizer.ggml.model` of `llama` (sentencepiece BPE), `gpt2`
    /// (byte-level BPE), `bert` (WordPiece), `t5` or `unigram` (sentencepiece unigram); or else that of the `tokenizer.json` under
    /// `tokenizer.huggingface.json`.
    ///
    /// @throws FormatException if there is none, it is of another kind, or its parts do not fit together
    public static Tokenizer fromGguf(Metadata metadata) throws FormatException {
        FormatReport report = new FormatReport();
        Tokenizer tokenizer = fromGguf(metadata, report);
        log(metadata.source(), report);
        return tokenizer;
    }

    /// The same, noting in `report` what becomes of each key that begins with `tokenizer.`.
    ///
    /// @throws FormatException if there is none, it is of another kind, or its parts do not fit together
    public static Tokenizer fromGguf(Metadata metadata, FormatReport report) throws FormatException {
        Optional<String> json = metadata.string(HUGGING_FACE_KEY).filter(_ -> !metadata.has("tokenizer.ggml.model"));
        return json.isPresent() ? JsonTokenizer.read(metadata.source(), json.get().getBytes(StandardCharsets.UTF_8),
                new JsonPart.Source(metadata.source(), HUGGING_FACE_KEY, report), TokenizerConfig.NONE)
                : new GgufTokenizer(metadata, report).read();
    }

    /// The tokenizer of a sentencepiece `.model` file, of type BPE or unigram. Such a file does not say what to put
    /// around a text: BPE models get their beginning-of-text token before it, as Llama; unigram models their
    /// end-of-text token after it, as T5.
    ///
    /// @throws FormatException if it is no such file, damaged, or of another type
    /// @throws IOException if it cannot be read
    public static Tokenizer fromSentencePiece(Path model) throws IOException {
        return SentencePieceFile.read(model);
    }

    /// The tokenizer of a rank file of tiktoken: on each line a token in base64, a blank, and its rank, which is its id.
    ///
    /// @param encoding `cl100k_base`, `o200k_base`, `p50k_base` or `r50k_base`, whose words and special tokens are known;
    ///        or the name of a pre-tokenizer as in `tokenizer.ggml.pre`, without special tokens
    /// @throws FormatException if a line is not of that form, or an id appears twice
    /// @throws IOException if it cannot be read
    /// @throws IllegalArgumentException if `encoding` is not known
    public static Tokenizer fromTiktoken(Path ranks, String encoding) throws IOException {
        return RankedFiles.tiktoken(ranks, encoding);
    }

    /// The byte-level BPE tokenizer of two files, as GPT-2 came with: `vocab.json` with the id of each token, and
    /// `merges.txt` with a merge a line, in order of rank. The files do not say what to put around a text, so nothing is.
    ///
    /// @param pre the name of the pre-tokenizer, as in `tokenizer.ggml.pre`: `gpt-2`, `llama-bpe`, ...
    /// @throws FormatException if `vocabulary` is not of that form, or an id appears twice
    /// @throws IOException if a file cannot be read
    /// @throws IllegalArgumentException if `pre` is not known
    public static Tokenizer fromBpeFiles(Path vocabulary, Path merges, String pre) throws IOException {
        return RankedFiles.bpe(vocabulary, merges, pre);
    }

    /// The tokenizer of a Hugging Face `tokenizer.json`, which is a pipeline of parts; each is done, or changes no token, or
    /// is refused.
    ///
    /// @throws FormatException if it is no such file, damaged, or has parts that Gatun does not know; the message names them
    /// @throws IOException if it cannot be read
    public static Tokenizer fromTokenizerJson(Path json) throws IOException {
        FormatReport report = new FormatReport();
        Tokenizer tokenizer = fromTokenizerJson(json, report);
        log(json, report);
        return tokenizer;
    }

    /// The same, noting in `report` what becomes of each part and key, and of those in `tokenizer_config.json` and
    /// `special_tokens_map.json` beside it, which count if the file is named `tokenizer.json`.
    ///
    /// @throws FormatException if it is no such file, damaged, or has parts that Gatun does not know; the message names them
    /// @throws IOException if it cannot be read
    public static Tokenizer fromTokenizerJson(Path json, FormatReport report) throws IOException {
        return JsonTokenizer.read(json, report);
    }
}
