package org.gatun.tokenizer;

import org.gatun.format.FormatException;
import org.gatun.format.Metadata;

/// Reads tokenizers from files.
public final class Tokenizers {
    private Tokenizers() {}

    /// The tokenizer that a GGUF file carries: `tokenizer.ggml.model` of `llama` (sentencepiece BPE), `gpt2`
    /// (byte-level BPE), `bert` (WordPiece), `t5` or `unigram` (sentencepiece unigram).
    ///
    /// @throws FormatException if there is none, it is of another kind, or its parts do not fit together
    public static Tokenizer fromGguf(Metadata metadata) throws FormatException {
        return new GgufTokenizer(metadata).read();
    }
}
