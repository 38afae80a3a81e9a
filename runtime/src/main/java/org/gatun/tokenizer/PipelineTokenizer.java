package org.gatun.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.gatun.tokenizer.Vocabulary.Kind;

/// The tokenizer that a `tokenizer.json` describes: added tokens are found in the text, what lies between is normalized,
/// searched for added tokens in their normalized form, split into words, and the words are cut into tokens.
final class PipelineTokenizer implements Tokenizer {

    /// The parts of the pipeline, in order.
    ///
    /// @param added tokens that count where the text has them
    /// @param normalizer of what lies between
    /// @param normalized tokens that count where the normalized text has them
    /// @param splitter of what lies between
    /// @param model cuts words into tokens
    /// @param decoder of tokens
    record Parts(AddedTokens added, Normalizer normalizer, AddedTokens normalized, Splitter splitter, Segmenter model,
            Decoder decoder) {}

    private final Vocabulary vocabulary;
    private final Parts parts;
    private final VocabularyTokenizer.Frame frame;

    /// @param vocabulary added tokens included; those of kind user-defined are the ones that are no part of the model
    PipelineTokenizer(Vocabulary vocabulary, Parts parts, VocabularyTokenizer.Frame frame) {
        this.vocabulary = vocabulary;
        this.parts = parts;
        this.frame = frame;
    }

    @Override
    public int vocabularySize() {
        return vocabulary.size();
    }

    @Override
    public int[] encode(String given, Special what) {
        String text = VocabularyTokenizer.wellFormed(given);
        IntStream.Builder ids = IntStream.builder();
        if (what.addSpecial()) {
            IntStream.of(frame.before()).forEach(ids);
        }
        Segmenter.Words model = RecentWords.of(parts.model.words(), text.length());
        parts.added.split(text, what.parseSpecial(), new AddedTokens.Parts() {
            @Override
            public void text(int from, int to) {
                normalize(text.substring(from, to), from == 0, what.parseSpecial(), model, ids);
            }

            @Override
            public void token(int id) {
                ids.accept(id);
            }
        });
        if (what.addSpecial()) {
            IntStream.of(frame.after()).forEach(ids);
        }
        return ids.build().toArray();
    }

    private void normalize(String text, boolean first, boolean control, Segmenter.Words model, IntConsumer ids) {
        String normal = parts.normalizer.apply(text);
        boolean atBeginning = first && parts.normalizer.keepsStart(text);
        parts.normalized.split(normal, control, new AddedTokens.Parts() {
            @Override
            public void text(int from, int to) {
                parts.splitter.split(normal.substring(from, to), atBeginning && from == 0,
                        (word, _) -> model.segment(word, ids));
            }

            @Override
            public void token(int id) {
                ids.accept(id);
            }
        });
    }

    @Override
    public byte[] bytes(int token) {
        String piece = vocabulary.piece(token);
        return switch (vocabulary.kind(token)) {
            case CONTROL, UNKNOWN, UNUSED -> new byte[0];
            case BYTE -> vocabulary.bytes(token);
            case NORMAL, USER_DEFINED -> isAlphabetic(token) ? ByteAlphabet.bytes(piece)
                    : parts.decoder.within(piece, isAdded(token)).getBytes(StandardCharsets.UTF_8);
        };
    }

    private boolean isAdded(int token) {
        return vocabulary.kind(token) == Kind.USER_DEFINED;
    }

    private boolean isAlphabetic(int token) {
        return parts.decoder.isByteLevel() && !isAdded(token) && ByteAlphabet.spells(vocabulary.piece(token));
    }

    @Override
    public String piece(int token) {
        return vocabulary.piece(token);
    }

    @Override
    public boolean isUnused(int token) {
        return vocabulary.isUnused(token);
    }

    @Override
    public OptionalInt beginOfText() {
        return frame.begin();
    }

    @Override
    public boolean isEndOfText(int token) {
        return token >= 0 && frame.ends().get(token);
    }

    /// Control tokens are left out.
    @Override
    public TextStream stream() {
        return new TextStream() {
            private final StringBuilder text = new StringBuilder();
            private Decoder.Stage stages = parts.decoder.open(text);

            @Override
            public String append(int token) {
                String piece = vocabulary.piece(token);
                switch (vocabulary.kind(token)) {
                    case NORMAL, USER_DEFINED, BYTE -> stages.accept(piece, isAdded(token));
                    case CONTROL, UNKNOWN, UNUSED -> { }
                }
                return taken();
            }

            @Override
            public String finish() {
                stages.finish();
                stages = parts.decoder.open(text);
                return taken();
            }

            private String taken() {
                String result = text.toString();
                text.setLength(0);
                return result;
            }
        };
    }
}
