package org.gatun.format;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The `tokenizer.bin` of llama2.c: texts and scores of a SentencePiece vocabulary.
///
/// @param pieces as SentencePiece writes them
/// @param scores of the pieces
record Llama2cVocabulary(List<String> pieces, float[] scores) {
    private static final String EXPECTED = "the tokenizer.bin of a llama2.c model";
    private static final int UNKNOWN = 0;
    private static final int BEGIN_OF_TEXT = 1;
    private static final int END_OF_TEXT = 2;
    private static final int MAX_PIECE_BYTES = 1 << 16;

    /// Values of `tokenizer.ggml.token_type`.
    private static final int NORMAL_TYPE = 1;
    private static final int UNKNOWN_TYPE = 2;
    private static final int CONTROL_TYPE = 3;
    private static final int BYTE_TYPE = 6;

    /// @param size number of tokens, which the file itself does not say
    static Llama2cVocabulary read(Path file, int size) throws IOException {
        try (MappedFile mapping = MappedFile.open(file, EXPECTED)) {
            HeaderReader in = new HeaderReader(file, mapping.bytes());
            int maxPieceBytes = in.intValue("longest token");
            if (maxPieceBytes <= 0 || maxPieceBytes > MAX_PIECE_BYTES) {
                throw in.failure(0, "found tokens of up to " + maxPieceBytes + " bytes: expected " + EXPECTED);
            }
            if (size > in.remaining() / 8) {
                throw in.failure("found at most " + in.remaining() / 8 + " tokens: expected " + size
                        + ", the vocabulary of the checkpoint");
            }
            List<String> pieces = new ArrayList<>(size);
            float[] scores = new float[size];
            for (int token = 0; token < size; token++) {
                String field = "token " + token + " of " + size;
                scores[token] = in.floatValue(field);
                if (!Float.isFinite(scores[token])) {
                    throw in.failure(field + " has the score " + scores[token] + ": expected a finite number");
                }
                int length = in.intValue(field);
                if (length < 0 || length > MAX_PIECE_BYTES) {
                    throw in.failure(field + " has " + length + " bytes: expected " + EXPECTED);
                }
                pieces.add(piece(token, in.string(length, field)));
            }
            if (in.remaining() > 0) {
                throw in.failure("found " + in.remaining() + " bytes after token " + (size - 1)
                        + ": expected a vocabulary of " + size + " tokens, as the checkpoint has");
            }
            return new Llama2cVocabulary(pieces, scores);
        }
    }

    /// llama2.c writes a space where SentencePiece has U+2581, and line breaks around begin and end of text.
    private static String piece(int token, String text) {
        return switch (token) {
            case BEGIN_OF_TEXT -> "<s>";
            case END_OF_TEXT -> "</s>";
            default -> text.replace(' ', '\u2581');
        };
    }

    void putInto(GgufWriter writer) {
        int[] types = new int[pieces.size()];
        for (int token = 0; token < types.length; token++) {
            types[token] = switch (token) {
                case UNKNOWN -> UNKNOWN_TYPE;
                case BEGIN_OF_TEXT, END_OF_TEXT -> CONTROL_TYPE;
                default -> pieces.get(token).matches("<0x[0-9A-F]{2}>") ? BYTE_TYPE : NORMAL_TYPE;
            };
        }
        writer.putString("tokenizer.ggml.model", "llama")
                .putStrings("tokenizer.ggml.tokens", pieces)
                .putFloat32s("tokenizer.ggml.scores", scores)
                .putInt32s("tokenizer.ggml.token_type", types)
                .putUint32("tokenizer.ggml.unknown_token_id", UNKNOWN)
                .putUint32("tokenizer.ggml.bos_token_id", BEGIN_OF_TEXT)
                .putUint32("tokenizer.ggml.eos_token_id", END_OF_TEXT)
                .putBool("tokenizer.ggml.add_bos_token", true)
                .putBool("tokenizer.ggml.add_eos_token", false);
    }
}
